"""Events of AWS's documentation against the rules of production: which rules match, and the messages that people get.

`tests/events` has the events, with the names of the reference environment, and the addresses of their pages.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest

from local_aws.services import events
from local_aws.services.events import Backend, Delivery, Event
from stacks.names import GLOBAL_REGION
from stacks.settings.files import merged
from synthesized.platform import Platform, Resource
from tests.synthesized import RUNBOOKS

ACCOUNT, REGION = "111122223333", "eu-west-3"
ENVELOPE = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "account": ACCOUNT,
    "time": "2023-01-27T09:01:22Z",
    "region": REGION,
}
ARNS = {
    "aws_acm_certificate.service_certificate.arn": "acm:*:certificate/7e7a28d2-163f-4b8f-b9cd-822f96c08d6a",
    "aws_ecs_cluster.service_cluster.arn": "ecs:*:cluster/acme-prod-cluster",
    "aws_ecs_service.service_service.id": "ecs:*:service/acme-prod-cluster/acme-prod-service",
    "aws_secretsmanager_secret.rotation_credential.arn": "secretsmanager:*:secret:acme-prod-database-credential-a1B2c3",
    "aws_sfn_state_machine.service_redeployment-workflow.arn": "states:*:stateMachine:acme-prod-redeployment",
    "aws_sns_topic.foundation_alarms.arn": "sns:*:acme-prod-alarms",
}
"""ARNs that Terraform learns from AWS. Those of the events are the same."""

MATCHING: dict[str, set[str]] = {
    "alarms-silenced": {"alarms-deleted"},
    "aws-health": {
        *("exposed-access-key", "instance-retirement", "investigation", "issue-of-the-account"),
        *("lifecycle-of-functions", "public-issue", "public-issue-of-a-global-service", "report-of-abuse"),
    },
    "backup-failed": {"backup-aborted", "backup-expired", "backup-failed", "backup-partial"},
    "certificate-expiry": {"certificate-expired", "certificate-expires-soon", "certificate-not-renewed"},
    "config-changed": {"recorder-stopped"},
    "copy-failed": {"copy-failed", "copy-partial"},
    "credential-rotated": {"credential-rotated"},
    "deployment-failed": {"deployment-failed"},
    "firewall-changed": {"web-acl-disassociated"},
    "flow-logs-deleted": {"flow-logs-deleted"},
    "global-health": {"exposed-access-key", "public-issue-of-a-global-service", "report-of-abuse"},
    "guardduty-changed": {"detector-deleted"},
    "inspector-changed": {"inspector-disabled"},
    "region-settings": {"region-settings-changed"},
    "restore-failed": {"restore-aborted", "restore-failed"},
    "restore-not-valid": {"restore-not-valid"},
    "rotation-failed": {"rotation-failed"},
    "rule-not-met": {"resource-not-compliant"},
    "security-hub-changed": {"security-hub-disabled"},
    "task-stopped": {
        *("task-exited", "task-failed-container-health-checks", "task-failed-health-checks", "task-failed-to-start"),
    },
    "tasks-not-placed": {"task-not-placed", "task-start-impaired"},
    "threat-found": {"credentials-compromised", "credentials-exfiltrated", "persistence"},
    "trail-changed": {"trail-not-stopped", "trail-stopped", "trail-stopped-by-root"},
    "vulnerability-found": {"vulnerability-in-a-function", "vulnerability-in-an-image"},
}
"""Events by rule."""
UNMATCHED = {
    *("account-notification", "alarm-put", "alarm-rings", "another-certificate-expires-soon"),
    *("another-secret-rotated", "backup-completed", "backup-created", "backup-pending", "backup-running"),
    *("certificate-renewed", "cluster-failed-over", "configuration-changed", "copy-completed"),
    *("copy-of-an-exposed-access-key", "copy-of-an-issue", "copy-of-an-issue-as-a-boolean", "copy-running"),
    *("credential-labelled", "deployment-completed", "deployment-in-progress"),
    *("deployment-of-another-service-failed", "detector-tagged", "discovery", "flow-logs-created", "insight-created"),
    *("medium-vulnerability", "plan-deleted", "port-probed", "public-issue-in-us-east-1"),
    *("public-issue-of-another-region", "redeployment-failed", "resource-compliant"),
    *("resource-not-compliant-with-security-hub", "restore-completed", "restore-created", "restore-running"),
    *("restore-valid", "root-signs-in", "rotation-started", "rotation-succeeded", "rule-put", "scan-completed"),
    *("security-hub-finding", "service-steady", "task-of-another-cluster-exited"),
    *("task-of-another-service-not-placed", "task-running", "task-stopped-by-a-person", "task-stopped-by-scaling"),
    *("trail-created", "vault-changed", "vulnerability-closed", "web-acl-created"),
}
HOSTILE = 'She said "no\\yes",\n<why>, and left: {"a": [1]}'
Keys = tuple[str | int, ...]
"""Path of a value in an event."""


def read_events() -> dict[str, Event]:
    """Complete events by name."""
    found: dict[str, Event] = {}
    for file in sorted((Path(__file__).parents[1] / "events").glob("*.json")):
        written = json.loads(file.read_text(encoding="utf-8"))["events"]
        assert not found.keys() & written.keys()
        found |= {name: ENVELOPE | complete(written, name) for name in written}
    return found


def complete(written: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An event, with the values of the one that it is like."""
    own = dict(written[name])
    return merged(complete(written, own.pop("like")), own) if "like" in own else own


EVENTS = read_events()
PAIRS = [(rule, event) for rule, matching in MATCHING.items() for event in sorted(matching)]


def with_arns(text: str) -> str:
    """A text in which ARNs replace references."""
    for reference, arn in ARNS.items():
        text = text.replace(f"${{{reference}}}", f"arn:aws:{arn.replace('*', f'{REGION}:{ACCOUNT}')}")
    return text


def region_of(resource: Resource) -> str:
    return GLOBAL_REGION if "provider" in resource.body else REGION


class Buses(dict[str, Backend]):
    """Default event buses by Region."""

    def deliver(self, event: Event) -> dict[str, Delivery]:
        """Deliveries of an event that arrives in its Region, by the last part of the rule's name."""
        for bus in self.values():
            bus.deliveries.clear()
        if bus := self.get(event["region"]):
            bus.deliver(event)
        return {each.rule.removeprefix("acme-prod-"): each for bus in self.values() for each in bus.deliveries}

    def matches(self, rule: str, event: Event) -> bool:
        name = f"acme-prod-{rule}"
        return any(
            name in (rules := bus.event_buses["default"].rules)
            and rules[name].event_pattern.matches_event(cast("Any", event))
            for bus in self.values()
        )


@pytest.fixture(scope="module")
def buses(prod: Platform) -> Generator[Buses]:
    """Event buses with the rules of production, whose targets accept all input that EventBridge sends."""
    found = Buses({region: Backend(region, ACCOUNT) for region in (REGION, GLOBAL_REGION)})
    for rule in prod.of_type("aws_cloudwatch_event_rule"):
        pattern = with_arns(rule.body["event_pattern"])
        found[region_of(rule)].put_rule(rule.body["name"], event_pattern=pattern)
    for target in prod.of_type("aws_cloudwatch_event_target"):
        to = {"Id": target.body["target_id"], "Arn": with_arns(target.body["arn"])}
        if transformer := target.body.get("input_transformer"):
            to["InputTransformer"] = {
                "InputPathsMap": transformer["input_paths"],
                "InputTemplate": transformer["input_template"],
            }
        found[region_of(target)].put_targets(prod.resolve(target.body["rule"]).body["name"], None, [to])

    def forward(arn: str, text: str) -> None:
        found[arn.split(":")[3]].deliver(json.loads(text))

    with pytest.MonkeyPatch.context() as patch:
        targets = {"events": forward, "sns": lambda *_: None, "states": lambda *_: None}
        patch.setattr(events, "TARGETS", targets)
        patch.setattr(events, "authorize", lambda *_: None)
        yield found


def test_each_rule_matches_its_events_alone(buses: Buses):
    found: dict[str, set[str]] = {}
    for name, event in EVENTS.items():
        for rule in buses.deliver(event):
            found.setdefault(rule, set()).add(name)
    assert found == MATCHING
    assert EVENTS.keys() - UNMATCHED == set[str]().union(*MATCHING.values())
    assert not UNMATCHED - EVENTS.keys()


def test_all_rules_match_an_event(prod: Platform):
    rules = {rule.body["name"].removeprefix("acme-prod-") for rule in prod.of_type("aws_cloudwatch_event_rule")}
    assert rules == MATCHING.keys()


def message_of(delivery: Delivery) -> dict[str, Any]:
    """What a subscriber of the topic gets: a sentence with a link to the runbook, and values beside it."""
    assert delivery.problem is None, f"{delivery.input}: {delivery.problem}"
    assert delivery.target == with_arns("${aws_sns_topic.foundation_alarms.arn}")
    message = json.loads(delivery.input)
    sentence, _, link = message["message"].partition(". Runbook: ")
    assert sentence.startswith("prod: ")
    assert link.startswith(f"{RUNBOOKS}/")
    assert link.endswith(f".md#{delivery.rule.removeprefix('acme-prod-')}")
    return message


NOTIFIED = [pair for pair in PAIRS if pair[0] not in {"credential-rotated", "global-health"}]
for_each_notification = pytest.mark.parametrize(("rule", "name"), NOTIFIED)


@for_each_notification
def test_a_message_has_no_placeholders_and_no_nulls(buses: Buses, rule: str, name: str):
    delivery = buses.deliver(EVENTS[name])[rule]
    assert not events.PLACEHOLDER.search(delivery.input)
    assert None not in message_of(delivery).values()


def paths(value: Any, path: Keys = ()) -> Iterator[Keys]:
    """Paths of all values in an object or array."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in cast("Iterator[tuple[str | int, Any]]", items):
        yield (*path, key)
        yield from paths(each, (*path, key))


def parts(event: Event) -> Iterator[Keys]:
    """Paths of all values that depend on the service."""
    yield from paths(event["resources"], ("resources",))
    yield from paths(event["detail"], ("detail",))


def at(event: Event, path: Keys) -> Any:
    found: Any = event
    for key in path:
        found = found[key]
    return found


def replaced(event: Event, path: Keys, text: str) -> Event:
    copy = deepcopy(event)
    at(copy, path[:-1])[path[-1]] = text
    return copy


def without(event: Event, path: Keys) -> Event:
    copy = deepcopy(event)
    del at(copy, path[:-1])[path[-1]]
    return copy


def json_path(path: Keys) -> str:
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def test_each_value_beside_a_message_is_documented(prod: Platform):
    documented: dict[str, set[str]] = {}
    for event in EVENTS.values():
        with_value = {json_path(path) for path in paths(event) if at(event, path) not in ("", None)}
        documented.setdefault(event["detail-type"], set()).update(with_value)
    for target in prod.of_type("aws_cloudwatch_event_target"):
        kinds = json.loads(prod.resolve(target.body["rule"]).body["event_pattern"])["detail-type"]
        wanted = {*target.body.get("input_transformer", {}).get("input_paths", {}).values()}
        assert wanted <= set[str]().union(*(documented[kind] for kind in kinds))


@for_each_notification
def test_no_text_loses_a_message(buses: Buses, rule: str, name: str):
    original = hostile = EVENTS[name]
    for path in parts(original):
        if isinstance(at(original, path), str) and buses.matches(rule, changed := replaced(hostile, path, HOSTILE)):
            hostile = changed
    assert hostile != original
    message = message_of(buses.deliver(hostile)[rule])
    assert message["message"] == message_of(buses.deliver(original)[rule])["message"]


@for_each_notification
def test_no_absent_value_loses_a_message(buses: Buses, rule: str, name: str):
    original = EVENTS[name]
    sentence = message_of(buses.deliver(original)[rule])["message"]
    for path in parts(original):
        if buses.matches(rule, changed := without(original, path)):
            message = message_of(buses.deliver(changed)[rule])
            assert message["message"] == sentence
            assert None not in message.values()


def test_a_rotation_starts_the_redeployment_with_the_event(buses: Buses):
    delivery = buses.deliver(EVENTS["credential-rotated"])["credential-rotated"]
    assert delivery.problem is None
    assert json.loads(delivery.input) == EVENTS["credential-rotated"]
