"""The observability tier: events, saved queries, application errors. See also test_dashboard.py and test_alarms.py."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from moto.events.models import EventPattern

from synthesized.platform import Body, Platform
from tests.conftest import Synthesize
from tests.synthesized import bodies, conditions, statements

pytestmark = pytest.mark.tiers("observability")

TOPIC = "${aws_sns_topic.foundation_alarms.arn}"


def test_application_errors_are_counted_in_its_log(prod: Platform):
    counted = bodies(prod, "aws_cloudwatch_log_metric_filter")["application-errors"]
    assert counted["log_group_name"] == "${aws_cloudwatch_log_group.service_log.name}"


def test_failovers_and_changes_to_databases_are_events(prod: Platform):
    categories = {
        subscription["source_type"]: set(subscription["event_categories"])
        for subscription in bodies(prod, "aws_db_event_subscription").values()
    }
    assert "failover" in categories["db-cluster"]
    # Security Hub RDS.19 to RDS.22.
    assert categories["db-cluster"] >= {"maintenance", "failure"}
    assert categories["db-instance"] >= {"maintenance", "configuration change", "failure"}
    assert categories["db-parameter-group"] == {"configuration change"}
    assert categories["db-security-group"] == {"configuration change", "failure"}
    for subscription in bodies(prod, "aws_db_event_subscription").values():
        assert subscription["sns_topic"] == TOPIC
        # All resources of the account, because autoscaling names the readers that it adds.
        assert "source_ids" not in subscription


def patterns(platform: Platform) -> dict[str, Body]:
    return {
        name.removeprefix("event-"): json.loads(rule["event_pattern"])
        for name, rule in bodies(platform, "aws_cloudwatch_event_rule", "observability").items()
    }


def test_no_event_depends_on_cloudtrail(prod: Platform):
    # EventBridge receives API calls through CloudTrail only.
    assert not [name for name, pattern in patterns(prod).items() if "CloudTrail" in str(pattern["detail-type"])]


def test_health_events_of_global_services_are_forwarded_from_us_east_1(prod: Platform):
    provider = prod.stacks["observability"].providers[1]
    assert (provider["alias"], provider["region"]) == ("global_region", "us-east-1")
    rule = bodies(prod, "aws_cloudwatch_event_rule", "observability")["event-global-health"]
    target = bodies(prod, "aws_cloudwatch_event_target", "observability")["event-global-health-to-region"]
    assert rule["provider"] == target["provider"] == "aws.global_region"
    bus = "arn:aws:events:eu-west-3:111122223333:event-bus/default"
    assert target["arn"] == bus
    assert target["role_arn"] == "${aws_iam_role.observability_global-health.arn}"
    permissions = statements(prod, "observability", "global-health-permissions")
    assert [(each["actions"], each["resources"]) for each in permissions.values()] == [(["events:PutEvents"], [bus])]
    trust = conditions(statements(prod, "observability", "global-health-trust")["Assume"])
    assert trust["ArnLike aws:SourceArn"] == ["arn:aws:events:us-east-1:111122223333:rule/acme-prod-global-health"]


def test_nothing_is_forwarded_if_the_environment_is_in_us_east_1(synthesize: Synthesize):
    zones = ["us-east-1a", "us-east-1b"]
    in_us_east_1 = synthesize("dev", {"region": "us-east-1", "network": {"zones": zones}})
    assert "global-health" not in patterns(in_us_east_1)
    assert len(in_us_east_1.stacks["observability"].providers) == 1


def copies(event: Body) -> Iterator[tuple[str, Body]]:
    """An event of AWS Health and its copy in the backup Region, by the Region where AWS delivers it.

    https://docs.aws.amazon.com/health/latest/ug/choosing-a-region.html
    """
    region = event["eventRegion"].replace("global", "us-east-1")
    yield region, {**event, "backupEvent": "false"}
    yield "us-east-1" if region == "us-west-2" else "us-west-2", {**event, "backupEvent": "true"}


@pytest.mark.parametrize("region", ["eu-west-3", "us-west-2", "us-east-1"])
def test_a_health_event_is_reported_once(synthesize: Synthesize, region: str):
    zones = [f"{region}a", f"{region}b"]
    rules = patterns(synthesize("dev", {"region": region, "network": {"zones": zones}}))

    def matches(rule: str, detail: Body) -> bool:
        event = {"source": "aws.health", "detail-type": "AWS Health Event", "detail": detail}
        return rule in rules and EventPattern.load(json.dumps(rules[rule])).matches_event(cast("Any", event))

    def messages(scope: str, event_region: str) -> int:
        event = {"eventTypeCategory": "issue", "eventScopeCode": scope, "eventRegion": event_region}
        arrived = [
            detail
            for there, detail in copies(event)
            if there == region or (there == "us-east-1" and matches("global-health", detail))
        ]
        return sum(matches("aws-health", detail) for detail in arrived)

    # Events of the account in us-east-1 are forwarded, because some of global services have that Region.
    own = {region, "global"}
    for event_region in {*own, "us-east-1", "eu-west-3", "us-west-2", "ap-southeast-2"}:
        assert messages("PUBLIC", event_region) == (event_region in own), event_region
        assert messages("ACCOUNT_SPECIFIC", event_region) == (event_region in own | {"us-east-1"}), event_region


def test_saved_queries_use_existing_log_groups(prod: Platform):
    saved = bodies(prod, "aws_cloudwatch_query_definition").values()
    assert len(saved) == 6
    groups = {group.body["name"] for group in prod.of_type("aws_cloudwatch_log_group")}
    for query in saved:
        assert query["name"].startswith("acme/prod/")
        assert set(query["log_group_names"]) <= groups
        assert "limit 50" in query["query_string"]
