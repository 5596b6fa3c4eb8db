"""What gathers: dashboard, composite alarm, events, saved queries."""

import json
import re
from collections.abc import Iterator
from itertools import combinations

import pytest

from operations.platform import Body, Platform
from tests.conftest import ENVIRONMENTS
from tests.synthesized import RUNBOOKS, TIERS, bodies, only

TOPIC = "${aws_sns_topic.foundation_alarms.arn}"


def widgets(platform: Platform) -> list[Body]:
    return json.loads(only(platform, "aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]


def covered(widget: Body) -> set[tuple[int, int]]:
    return {
        (x, y)
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    }


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_widgets_fit_the_grid_and_do_not_overlap(platforms: dict[str, Platform], name: str):
    placed = [covered(widget) for widget in widgets(platforms[name])]
    assert all(x < 24 for cells in placed for x, _ in cells)
    assert not any(one & other for one, other in combinations(placed, 2))
    # No row has a gap: all that is used is used from side to side.
    rows = {y for cells in placed for _, y in cells}
    assert sum(map(len, placed)) == 24 * len(rows)
    assert rows == set(range(len(rows)))


def test_alarms_are_at_the_top(prod: Platform):
    healthy, ringing = (widget for widget in widgets(prod) if widget["type"] == "alarm")
    assert {healthy["y"], ringing["y"]} == {0}
    assert healthy["properties"]["alarms"] == ["${aws_cloudwatch_composite_alarm.observability_platform-healthy.arn}"]
    assert set(ringing["properties"]["alarms"]) == alarm_arns(prod)
    assert ringing["properties"]["states"] == ["ALARM", "INSUFFICIENT_DATA"]
    # CloudWatch's limit for a widget.
    assert len(ringing["properties"]["alarms"]) <= 100


def test_every_tier_has_a_row(prod: Platform):
    titles = [widget["properties"]["markdown"] for widget in widgets(prod) if widget["type"] == "text"]
    assert sorted(titles) == sorted(f"### {tier.title()}" for tier in TIERS if tier not in {"observability", "access"})


def test_every_graph_says_what_it_shows_and_where(prod: Platform):
    graphs = [widget["properties"] for widget in widgets(prod) if widget["type"] == "metric"]
    assert len(graphs) >= 20
    for graph in graphs:
        assert graph["title"]
        assert graph["region"] == "us-west-1"
        for metric in graph["metrics"]:
            assert metric[-1]["label"]
            # A metric is its namespace, its name, and dimensions in pairs; or a query.
            assert len(metric) == 1 or len(metric) % 2 == 1


def test_graphs_and_alarms_measure_the_same_resources(prod: Platform):
    """A wrong dimension is no error anywhere: its graph is empty."""

    def measured(namespace: str, dimensions: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
        # The cluster is named by the alarms through what RDS answers.
        cluster = only(prod, "aws_rds_cluster")["cluster_identifier"]
        answered = "${aws_rds_cluster.database_cluster.cluster_identifier}"
        return namespace, frozenset((name, value.replace(answered, cluster)) for name, value in dimensions.items())

    alarmed = {
        measured(body["namespace"], body.get("dimensions", {}))
        for alarm in prod.of_type("aws_cloudwatch_metric_alarm")
        for body in [
            alarm.body,
            *(query["metric"] for query in alarm.body.get("metric_query", []) if "metric" in query),
        ]
        if "namespace" in body
    }
    graphed = {
        measured(metric[0], dict(zip(metric[2:-1:2], metric[3:-1:2], strict=True)))
        for widget in widgets(prod)
        for metric in widget["properties"].get("metrics", [])
        if len(metric) > 1
    }
    # No alarm is on the topic that alarms go to.
    assert {namespace for namespace, _ in graphed - alarmed} == {"AWS/SNS"}


def alarm_arns(platform: Platform) -> set[str]:
    return {f"${{{alarm.address}.arn}}" for alarm in platform.of_type("aws_cloudwatch_metric_alarm")}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_platform_is_healthy_while_no_alarm_of_any_tier_rings(platforms: dict[str, Platform], name: str):
    composite = only(platforms[name], "aws_cloudwatch_composite_alarm")
    assert composite["alarm_name"] == f"globecart-{name}-platform-healthy"
    assert set(re.findall(r'ALARM\("(.+?)"\)', composite["alarm_rule"])) == alarm_arns(platforms[name])
    assert composite["alarm_actions"] == composite["ok_actions"] == [TOPIC]
    # CloudWatch's limit, with the longest ARN that there can be in place of each reference.
    longest = "arn:aws:cloudwatch:ap-northeast-1:111122223333:alarm:globecart-a-12-letters-" + 40 * "x"
    assert len(re.sub(r"\$\{.+?\}", longest, composite["alarm_rule"])) <= 10240
    assert max(len(arn) for arn in alarm_arns(platforms[name])) < len(longest)


def test_errors_of_the_application_are_counted_in_its_log(prod: Platform):
    counted = bodies(prod, "aws_cloudwatch_log_metric_filter")["application-errors"]
    assert counted["log_group_name"] == "${aws_cloudwatch_log_group.service_log.name}"
    assert counted["pattern"] == '{ $.level = "ERROR" || $.level = "CRITICAL" }'


def test_failovers_and_changes_of_databases_are_told(prod: Platform):
    told = {
        subscription["source_type"]: set(subscription["event_categories"])
        for subscription in bodies(prod, "aws_db_event_subscription").values()
    }
    assert "failover" in told["db-cluster"]
    # Security Hub RDS.19 to RDS.22.
    assert told["db-cluster"] >= {"maintenance", "failure"}
    assert told["db-instance"] >= {"maintenance", "configuration change", "failure"}
    assert told["db-parameter-group"] == {"configuration change"}
    assert told["db-security-group"] == {"configuration change", "failure"}
    for subscription in bodies(prod, "aws_db_event_subscription").values():
        assert subscription["sns_topic"] == TOPIC
        # All of the account's: Aurora names the readers that it adds itself.
        assert "source_ids" not in subscription


def patterns(platform: Platform) -> dict[str, Body]:
    return {
        name.removeprefix("event-"): json.loads(rule["event_pattern"])
        for name, rule in bodies(platform, "aws_cloudwatch_event_rule", "observability").items()
    }


SERVICE = "${aws_ecs_service.service_service.id}"
# As the services document their events.
EXPECTED: dict[str, Body] = {
    "deployment-failed": {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Deployment State Change"],
        "resources": [SERVICE],
        "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
    },
    "tasks-not-placed": {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Service Action"],
        "resources": [SERVICE],
        "detail": {"eventType": ["WARN", "ERROR"]},
    },
    "task-stopped": {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {
            "clusterArn": ["${aws_ecs_cluster.service_cluster.arn}"],
            "lastStatus": ["STOPPED"],
            "$or": [
                {"stopCode": ["TaskFailedToStart", "EssentialContainerExited"]},
                {"stoppedReason": [{"prefix": "Task failed"}]},
            ],
        },
    },
    "aws-health": {
        "source": ["aws.health"],
        "detail-type": ["AWS Health Event"],
        "detail": {"eventTypeCategory": ["issue", "investigation", "scheduledChange"]},
    },
    "certificate-expiry": {
        "source": ["aws.acm"],
        "detail-type": [
            "ACM Certificate Approaching Expiration",
            "ACM Certificate Expired",
            "ACM Certificate Renewal Action Required",
        ],
        "resources": ["${aws_acm_certificate.service_certificate.arn}"],
    },
}


def test_these_events_are_told(prod: Platform):
    assert patterns(prod) == EXPECTED


def test_no_event_needs_a_trail(prod: Platform):
    # Calls of APIs come to EventBridge through CloudTrail alone.
    assert not [name for name, pattern in patterns(prod).items() if "CloudTrail" in str(pattern["detail-type"])]


def targets(platform: Platform) -> Iterator[tuple[str, Body]]:
    for name, target in bodies(platform, "aws_cloudwatch_event_target", "observability").items():
        yield name.removeprefix("event-").removesuffix("-to-topic"), target


def test_every_event_reaches_the_topic_as_a_sentence(prod: Platform):
    assert {name for name, _ in targets(prod)} == EXPECTED.keys()
    for name, target in targets(prod):
        assert target["arn"] == TOPIC
        assert target["rule"] == f"${{aws_cloudwatch_event_rule.observability_event-{name}.name}}"
        transformer = target["input_transformer"]
        sentence = json.loads(transformer["input_template"])
        assert sentence.startswith("prod: ")
        assert sentence.endswith(f"Runbook: {RUNBOOKS}/observability.md#{name}")
        # Each name in the sentence is found in the event, and each that is found is used.
        assert set(re.findall(r"<(\w+)>", sentence)) == transformer["input_paths"].keys()


def test_saved_queries_ask_logs_that_there_are(prod: Platform):
    saved = bodies(prod, "aws_cloudwatch_query_definition").values()
    assert len(saved) == 6
    groups = {group.body["name"] for group in prod.of_type("aws_cloudwatch_log_group")}
    for query in saved:
        assert query["name"].startswith("globecart/prod/")
        assert set(query["log_group_names"]) <= groups
        assert "limit 50" in query["query_string"]
