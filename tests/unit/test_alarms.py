"""Alarms of all tiers: metrics, actions, descriptions, missing data."""

import re
from dataclasses import replace
from typing import Literal

import pytest

from stacks.parts.alarms import Alarm
from synthesized.platform import Platform, Resource
from tests.conftest import VARIANTS
from tests.synthesized import RUNBOOKS, TIERS, only


def alarms(platform: Platform) -> list[Resource]:
    return platform.of_type("aws_cloudwatch_metric_alarm")


def test_every_tier_has_alarms(prod: Platform):
    # The foundation has no alarms of its own; the roles of `access` do nothing by themselves.
    assert {alarm.tier for alarm in alarms(prod)} == set(TIERS) - {"foundation", "access"}


def test_every_alarm_notifies_the_topic_of_alarm_and_ok(platforms: dict[str, Platform]):
    for platform in platforms.values():
        for alarm in alarms(platform):
            assert alarm.body["alarm_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
            assert alarm.body["ok_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
            assert alarm.body.get("actions_enabled", True) is True
            # Missing data notifies the topic one way or another, unless it means that nothing happened.
            notified = ["${aws_sns_topic.foundation_alarms.arn}"]
            missing = {"breaching": None, "notBreaching": None, "missing": notified}
            assert alarm.body.get("insufficient_data_actions") == missing[alarm.body["treat_missing_data"]]


def test_every_alarm_ends_with_a_link_to_its_tiers_runbook_page(platforms: dict[str, Platform]):
    for platform in platforms.values():
        for alarm in alarms(platform):
            assert re.search(rf" Runbook: {RUNBOOKS}/{alarm.tier}\.md#[a-z-]+$", alarm.body["alarm_description"])


def test_every_nat_gateway_has_an_alarm(prod: Platform):
    gateways = {
        alarm.body["dimensions"]["NatGatewayId"]
        for alarm in alarms(prod)
        if alarm.body.get("metric_name") == "ErrorPortAllocation"
    }
    assert gateways == {f"${{aws_nat_gateway.network_nat-{letter}.id}}" for letter in "ab"}


def test_a_description_has_the_condition_and_the_reason():
    alarm = Alarm(
        name="free",
        namespace="AWS/RDS",
        metric="FreeLocalStorage",
        statistic="Minimum",
        at="most",
        threshold=3 * 2**29,
        unit="bytes",
        period=300,
        periods=2,
        treat_missing_data="breaching",
        reason="it fills",
    )
    assert alarm.description == "FreeLocalStorage at most 1.5 GiB for 10 min: it fills."


def test_at_least_and_at_most_determine_the_comparison_operator(prod: Platform):
    comparisons = {alarm.body["alarm_name"]: alarm.body["comparison_operator"] for alarm in alarms(prod)}
    assert comparisons["acme/prod/database-local-storage"] == "LessThanOrEqualToThreshold"
    assert comparisons["acme/prod/database-cpu"] == "GreaterThanOrEqualToThreshold"
    assert comparisons["acme/prod/service-tasks"] == "LessThanOrEqualToThreshold"


def test_an_alarm_is_raised_below_the_minimum_number_of_tasks(prod: Platform, dev: Platform):
    for platform, always in ((prod, 4), (dev, 1)):
        (alarm,) = (alarm.body for alarm in alarms(platform) if alarm.name == "alarm-tasks")
        assert alarm["threshold"] == always - 1
        # Before the service exists there is no data, and nothing to notify of. Afterwards, losing the data is.
        assert alarm["treat_missing_data"] == "missing"


def test_the_metrics_of_a_share_have_the_same_dimensions_and_period(prod: Platform):
    shares = [
        {query["id"]: query["metric"] for query in alarm.body["metric_query"] if "metric" in query}
        for alarm in alarms(prod)
        if any(query["id"] == "judged" for query in alarm.body.get("metric_query", []))
    ]
    assert shares
    for metrics in shares:
        part, whole = metrics["part"], metrics["whole"]
        assert whole == {**part, "metric_name": whole["metric_name"], "stat": "Sum"}


@pytest.mark.parametrize(
    ("statistic", "threshold", "period", "periods", "evaluated"),
    [
        ("Maximum", 90, 60, 5, 8),
        ("Maximum", 90, 300, 3, 3),  # the newest period has data of two minutes
        ("Sum", 25, 300, 1, 2),
        ("Sum", 1, 300, 1, 1),  # one event is enough
        ("Sum", 1, 60, 3, 6),
    ],
)
def test_periods_that_may_lack_data_are_additional(
    statistic: Literal["Maximum", "Sum"], threshold: float, period: int, periods: int, evaluated: int
):
    alarm = Alarm(
        name="any",
        namespace="AWS/RDS",
        metric="Any",
        statistic=statistic,
        threshold=threshold,
        unit="of them",
        period=period,
        periods=periods,
        treat_missing_data="notBreaching",
        reason="it fails",
    )
    assert alarm.evaluation_periods == evaluated
    # With more periods, an alarm on silence would be raised by too little instead.
    for treatment in ("breaching", "missing"):
        assert replace(alarm, treat_missing_data=treatment).evaluation_periods == periods


def test_a_description_names_the_share_and_the_periods_of_which_some_must_breach():
    alarm = Alarm(
        name="errors",
        namespace="AWS/ApplicationELB",
        metric="Failed",
        share_of="All",
        statistic="Sum",
        threshold=2,
        unit="percent",
        period=60,
        periods=3,
        treat_missing_data="notBreaching",
        reason="it fails",
    )
    assert alarm.description == "Failed at least 2 percent of All for 3 of 6 min: it fails."


def test_descriptions_fit_cloudwatchs_limit_with_the_longest_runbook_url(variants: dict[str, Platform]):
    platform, longest = variants["prod"], VARIANTS["prod"]["foundation"]["runbooks"]
    composite = only(platform, "aws_cloudwatch_composite_alarm")
    for body in (*(alarm.body for alarm in alarms(platform)), composite):
        assert f"Runbook: {longest}/" in body["alarm_description"]
        assert len(body["alarm_description"]) <= 1024


def test_the_composite_alarm_notifies_and_fits_cloudwatchs_limit(platforms: dict[str, Platform]):
    for name, platform in platforms.items():
        composite = only(platform, "aws_cloudwatch_composite_alarm")
        assert composite["alarm_name"] == f"acme/{name}/platform-healthy"
        assert composite["alarm_actions"] == composite["ok_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
        # The longest possible ARN in place of each reference.
        longest = "arn:aws:cloudwatch:ap-northeast-1:111122223333:alarm:another-12-x/a-12-letters/" + 40 * "x"
        assert len(re.sub(r"\$\{.+?\}", longest, composite["alarm_rule"])) <= 10240
        assert max(len(f"${{{alarm.address}.arn}}") for alarm in alarms(platform)) < len(longest)
