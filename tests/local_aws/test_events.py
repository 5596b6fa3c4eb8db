"""EventBridge: rules, event patterns, target inputs, targets, and recorded deliveries."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from local_aws.postgresql import wait_until
from local_aws.server import LocalAws
from local_aws.services.events import Delivery, Event, Pattern
from tests.local_aws.conftest import create_role, document
from tests.local_aws.test_awslambda import create_function, log_messages

NUMBERS = count(1)
FROM_EVENTS = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}
SECRET = "arn:aws:secretsmanager:us-west-1:123456789012:secret:shop-abcdef"
PATTERN = {
    "source": ["aws.shop"],
    "detail-type": ["Order Placed"],
    "resources": [SECRET],
    "detail": {"kind": ["book"]},
}


def subscribe(aws: LocalAws, arn: str, *, pattern: dict[str, Any] | None = None, **target: Any) -> str:
    events, name = aws.client("events"), f"rule-{next(NUMBERS)}"
    events.put_rule(Name=name, EventPattern=json.dumps(pattern or PATTERN))
    events.put_targets(Rule=name, Targets=[{"Id": "one", "Arn": arn, **target}])
    return name


def allow_events_to_log(aws: LocalAws) -> None:
    allowed = {**FROM_EVENTS, "Action": "logs:PutLogEvents", "Resource": "*"}
    aws.client("logs").put_resource_policy(policyName="events", policyDocument=document(allowed))


def emit(aws: LocalAws, source: str = "aws.shop", region: str | None = None, **detail: str) -> Event:
    return aws.backend("events", region).emit(
        source=source,
        detail_type="Order Placed",
        resources=[SECRET],
        detail={"kind": "book", "title": 'The "Art"', **detail},
    )


def delivered(aws: LocalAws, rule: str) -> list[Delivery]:
    return [delivery for delivery in aws.backend("events").deliveries if delivery.rule == rule]


@pytest.fixture
def queue(aws: LocalAws) -> str:
    sqs = aws.client("sqs")
    allowed = {**FROM_EVENTS, "Action": "sqs:SendMessage", "Resource": "*"}
    attributes = {"Policy": document(allowed)}
    url = sqs.create_queue(QueueName=f"queue-{next(NUMBERS)}", Attributes=attributes)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(aws: LocalAws, queue: str) -> list[str]:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue.split(":")[-1])["QueueUrl"]
    return [
        message["Body"] for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    ]


def test_a_rule_and_its_targets_are_described_as_put(aws: LocalAws, queue: str):
    events, pattern = aws.client("events"), json.dumps(PATTERN)
    events.put_rule(Name="described", Description="orders", EventPattern=pattern)
    transformer = {"InputPathsMap": {"what": "$.detail.kind"}, "InputTemplate": '{"message": "<what>"}'}
    targets = [{"Id": "one", "Arn": queue, "InputTransformer": transformer}, {"Id": "two", "Arn": queue}]
    events.put_targets(Rule="described", Targets=targets)
    rule = {"EventPattern": pattern, "Description": "orders", "State": "ENABLED", "EventBusName": "default"}
    assert events.describe_rule(Name="described").items() >= rule.items()
    assert events.list_targets_by_rule(Rule="described")["Targets"] == targets


def test_a_matching_rule_delivers_the_event(aws: LocalAws, queue: str):
    rule = subscribe(aws, queue)
    event = emit(aws)
    (body,) = received(aws, queue)
    assert json.loads(body) == event
    assert event["account"] == aws.account
    assert event["detail-type"] == "Order Placed"
    (delivery,) = delivered(aws, rule)
    assert (delivery.target, delivery.event, delivery.input, delivery.problem) == (queue, event, body, None)


def test_other_events_disabled_rules_and_schedules_deliver_nothing(aws: LocalAws, queue: str):
    rule = subscribe(aws, queue)
    emit(aws, source="aws.other")
    emit(aws, kind="shoe")
    aws.client("events").put_rule(Name="daily", ScheduleExpression="rate(1 day)")
    aws.client("events").put_targets(Rule="daily", Targets=[{"Id": "one", "Arn": queue}])
    aws.client("events").disable_rule(Name=rule)
    emit(aws)
    assert received(aws, queue) == []
    assert delivered(aws, rule) == delivered(aws, "daily") == []


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"Input": '{"constant": 1}'}, '{"constant": 1}'),
        ({"InputPath": "$.detail.kind"}, '"book"'),
        ({"InputPath": "$.resources[0]"}, f'"{SECRET}"'),
        ({"InputPath": "$.detail.kind.of"}, '""'),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"k": "$.detail.kind", "t": "$.detail.title", "none": "$.detail.none"},
                    "InputTemplate": '{"sold": "one <k><none>", "title": <t>, "none": <none>}',
                }
            },
            r'{"sold": "one book", "title": "The \"Art\"", "none": ""}',
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"d": "$.resources"}, "InputTemplate": '{"a": <d>}'}},
            f'{{"a": ["{SECRET}"]}}',
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"d": "$.resources"}, "InputTemplate": '"one of <d>"'}},
            f'"one of [{SECRET}]"',
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"k": "$.detail.kind"}, "InputTemplate": '"one <k>"\n"sold"'}},
            '"one book"\n"sold"',
        ),
    ],
)
def test_a_target_receives_its_configured_input(aws: LocalAws, queue: str, target: dict[str, Any], expected: str):
    subscribe(aws, queue, **target)
    emit(aws)
    assert received(aws, queue) == [expected]


def test_an_input_template_can_contain_the_rule_and_the_event(aws: LocalAws, queue: str):
    template = '{"rule": <aws.events.rule-name>, "event": <aws.events.event.json>, "head": <aws.events.event>}'
    rule = subscribe(aws, queue, InputTransformer={"InputTemplate": template})
    event = emit(aws)
    head = {"detailType" if key == "detail-type" else key: event[key] for key in event if key != "detail"}
    assert [json.loads(body) for body in received(aws, queue)] == [{"rule": rule, "event": event, "head": head}]


def test_an_unknown_placeholder_is_refused(aws: LocalAws, queue: str):
    with pytest.raises(ClientError, match="contains invalid placeholder other"):
        subscribe(aws, queue, InputTransformer={"InputPathsMap": {}, "InputTemplate": '"Sold: <other>"'})


@pytest.mark.parametrize("path", ["$.detail['kind']", "detail.kind", "$.detail.*", "$..kind"])
def test_a_path_of_other_steps_than_keys_and_indexes_is_refused(aws: LocalAws, queue: str, path: str):
    with pytest.raises(ClientError, match="has other steps"):
        subscribe(aws, queue, InputPath=path)
    with pytest.raises(ClientError, match="has other steps"):
        subscribe(aws, queue, InputTransformer={"InputPathsMap": {"k": path}, "InputTemplate": '"<k>"'})


def test_an_array_in_a_string_of_an_object_loses_the_event(aws: LocalAws, queue: str):
    transformer = {"InputPathsMap": {"d": "$.resources"}, "InputTemplate": '{"a": "<d>"}'}
    rule = subscribe(aws, queue, InputTransformer=transformer)
    emit(aws)
    assert received(aws, queue) == []
    assert "JSONDecodeError" in str(delivered(aws, rule)[0].problem)


@pytest.mark.parametrize("title", ['The "Art"', "The\nArt", "The \\ Art"])
def test_text_that_breaks_the_json_of_a_template_loses_the_event(aws: LocalAws, queue: str, title: str):
    transformer = {"InputPathsMap": {"t": "$.detail.title"}, "InputTemplate": '"Sold: <t>"'}
    rule = subscribe(aws, queue, InputTransformer=transformer)
    emit(aws, title=title)
    assert received(aws, queue) == []
    assert "JSONDecodeError" in str(delivered(aws, rule)[0].problem)
    (failures,) = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Events",
        MetricName="FailedInvocations",
        Dimensions=[{"Name": "RuleName", "Value": rule}],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(hours=1),
        Period=7200,
        Statistics=["Sum"],
    )["Datapoints"]
    assert failures["Sum"] == 1


# Examples of the user guide, with values on both sides of each limit.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-null-values.html
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
COUNTS: list[dict[str, Any]] = [
    {"c-count": [{"numeric": [">", 0, "<=", 5]}]},
    {"d-count": [{"numeric": ["<", 10]}]},
    {"x-limit": [{"numeric": ["=", 3.018e2]}]},
]
PATTERNS: list[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]] = [
    ({"state": [{"prefix": "run"}]}, [{"state": "running"}, {"state": ["off", "run"]}], [{"state": "prerun"}, {}]),
    (COUNTS[0], [{"c-count": 5}, {"c-count": 0.1}], [{"c-count": 0}, {"c-count": "5"}, {"c-count": None}, {}]),
    (
        {"$or": COUNTS},
        [{"c-count": 9, "d-count": 9}, {"x-limit": 301.8}],
        [{"c-count": 6, "d-count": 10, "x-limit": 301}, {}],
    ),
    (
        {"location": ["here"], "$or": COUNTS},
        [{"location": "here", "d-count": 1}],
        [{"location": "there", "d-count": 1}, {"location": "here"}],
    ),
    (
        {"state": [{"anything-but": ["stopped", "overloaded"]}]},
        [{"state": "running"}, {"state": None}],
        [{"state": "stopped"}, {}],
    ),
    ({"state": [{"anything-but": {"prefix": "init"}}]}, [{"state": "running"}], [{"state": "initializing"}, {}]),
    ({"state": [{"exists": True}]}, [{"state": ""}, {"state": None}], [{}, {"state": []}]),
    ({"state": [{"exists": False}]}, [{}, {"state": []}], [{"state": ""}, {"state": None}]),
    ({"state": [{"exists": False}, "false", False]}, [{}, {"state": "false"}, {"state": False}], [{"state": "true"}]),
    ({"response": [None], "version": [""]}, [{"response": None, "version": ""}], [{"version": ""}]),
    (
        {"findings": {"level": {"label": ["HIGH"]}}},
        [{"findings": [{"level": {"label": "LOW"}}, {"level": {"label": "HIGH"}}]}],
        [{"findings": [{"level": {"label": "LOW"}}]}, {"findings": ["HIGH"]}],
    ),
]


@pytest.mark.parametrize(("pattern", "matching", "others"), PATTERNS)
def test_patterns_match_as_documented(
    pattern: dict[str, Any], matching: list[dict[str, Any]], others: list[dict[str, Any]]
):
    loaded = Pattern.load(json.dumps({"detail": pattern}))
    events = [{"detail": detail} for detail in (*matching, *others)]
    assert [loaded.matches_event(cast("Any", event)) for event in events] == [True] * len(matching) + [False] * len(
        others
    )


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ([{"EXISTS": True}], "Unrecognized match type EXISTS"),
        ([{"starts-with": "a"}], "Unrecognized match type starts-with"),
        ([{"prefix": 1}], "Value of prefix has another type"),
        ([{"exists": "true"}], "Value of exists has another type"),
        ([{"numeric": 5}], "Value of numeric has another type"),
        ([{"numeric": [">", 0, "<"]}], "Value of < must be numeric"),
        ([{"numeric": ["!=", 0]}], "Bad numeric range operator: !="),
        ([], "Empty arrays are not allowed"),
        ("a", "must be an object or an array"),
    ],
)
def test_a_pattern_that_is_not_valid_is_refused(aws: LocalAws, filters: Any, reason: str):
    events = aws.client("events")
    for detail in ({"kind": filters}, {"$or": [{"kind": ["book"]}, {"kind": filters}]}):
        with pytest.raises(ClientError, match=f"Event pattern is not valid.*{reason}"):
            events.put_rule(Name="refused", EventPattern=json.dumps({"detail": detail}))
    assert not events.list_rules(NamePrefix="refused")["Rules"]


def test_a_state_machine_is_started(aws: LocalAws):
    role = create_role(aws, "machine", "states.amazonaws.com")
    states = aws.client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    machine = states.create_state_machine(name="machine", definition=definition, roleArn=role)["stateMachineArn"]
    starter = create_role(aws, "starter", "events.amazonaws.com", "states:StartExecution")
    subscribe(aws, machine, InputPath="$.detail", RoleArn=starter)
    emit(aws)
    (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
    text = states.describe_execution(executionArn=execution["executionArn"])["input"]
    assert json.loads(text) == {"kind": "book", "title": 'The "Art"'}


def test_an_empty_input_is_not_delivered(aws: LocalAws, queue: str):
    rule = subscribe(aws, queue, Input="")
    emit(aws)
    assert received(aws, queue) == []
    assert "JSONDecodeError" in str(delivered(aws, rule)[0].problem)


def test_a_topic_receives_text_or_json(aws: LocalAws, queue: str):
    sns = aws.client("sns")
    allowed = {**FROM_EVENTS, "Action": "sns:Publish", "Resource": "*"}
    attributes = {"Policy": document(allowed)}
    topic = sns.create_topic(Name="notified", Attributes=attributes)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    subscribe(aws, topic, InputTransformer={"InputPathsMap": {"kind": "$.detail.kind"}, "InputTemplate": '"A <kind>"'})
    subscribe(aws, topic, Input='"one"\n"two"')
    subscribe(aws, topic)
    event = emit(aws)
    lines, text, full = sorted(received(aws, queue))
    assert (lines, text) == ('"one"\n"two"', "A book")
    assert json.loads(full) == event


def test_events_are_forwarded_to_another_region(aws: LocalAws, queue: str):
    here, there = aws.client("events"), aws.client("events", "us-east-1")
    rule = subscribe(aws, queue)
    there.put_rule(Name="forward", EventPattern=json.dumps(PATTERN))
    bus = here.describe_event_bus()["Arn"]
    role = create_role(aws, "forwarder", "events.amazonaws.com", "events:PutEvents")
    targets = [{"Id": id, "Arn": arn, "RoleArn": role} for id, arn in (("one", bus), ("two", f"{bus}-of-others"))]
    there.put_targets(Rule="forward", Targets=targets)
    event = emit(aws, region="us-east-1")
    assert event["region"] == "us-east-1"
    assert [delivery.event for delivery in delivered(aws, rule)] == [event]
    assert [json.loads(body) for body in received(aws, queue)] == [event]
    forwarded, refused = aws.backend("events", "us-east-1").deliveries[-2:]
    assert forwarded.problem is None
    assert "is not implemented" in str(refused.problem)


def test_log_groups_and_functions_are_targets(aws: LocalAws):
    aws.client("logs").create_log_group(logGroupName="/aws/events/shop")
    allow_events_to_log(aws)
    subscribe(aws, "arn:aws:logs:us-west-1:123456789012:log-group:/aws/events/shop:*", Input='"to the log"')
    name = create_function(aws, "def handle(event, context): print(event)")
    aws.client("lambda").add_permission(
        FunctionName=name, StatementId="one", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )
    subscribe(aws, f"arn:aws:lambda:us-west-1:123456789012:function:{name}", Input='"to the function"')
    emit(aws)
    assert log_messages(aws, "/aws/events/shop") == ['"to the log"']
    wait_until(lambda: "to the function" in log_messages(aws, f"/aws/lambda/{name}"))


def test_a_failed_delivery_records_its_problem(aws: LocalAws):
    role = create_role(aws, "startless", "events.amazonaws.com")
    missing = subscribe(aws, "arn:aws:states:us-west-1:123456789012:stateMachine:nowhere", RoleArn=role)
    unknown = subscribe(aws, "arn:aws:kinesis:us-west-1:123456789012:stream/one")
    emit(aws)
    assert "StateMachineDoesNotExist" in str(delivered(aws, missing)[0].problem)
    assert "delivery to arn:aws:kinesis" in str(delivered(aws, unknown)[0].problem)
