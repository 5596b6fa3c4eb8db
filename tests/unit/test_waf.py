"""WAF: rules, priorities, large bodies, logging."""

import pytest

from synthesized.platform import Body, Platform
from tests.synthesized import bodies, only

pytestmark = pytest.mark.tiers("service")


def rules(platform: Platform) -> dict[str, Body]:
    return {rule["name"]: rule for rule in only(platform, "aws_wafv2_web_acl")["rule"]}


def test_the_web_acl_is_associated_before_the_listeners_exist(platforms: dict[str, Platform]):
    for platform in platforms.values():
        assert only(platform, "aws_wafv2_web_acl_association") == {
            "web_acl_arn": "${aws_wafv2_web_acl.service_firewall.arn}",
            "resource_arn": "${aws_lb.service_load-balancer.arn}",
        }
        for listener in bodies(platform, "aws_lb_listener").values():
            assert listener["depends_on"] == ["aws_wafv2_web_acl_association.service_firewall-in-front"]


def test_no_managed_rule_group_is_overridden(platforms: dict[str, Platform]):
    for platform in platforms.values():
        managed = {
            rule["statement"]["managed_rule_group_statement"]["name"]: rule
            for rule in rules(platform).values()
            if "managed_rule_group_statement" in rule["statement"]
        }
        assert managed.keys() == {
            "AWSManagedRulesAmazonIpReputationList",
            "AWSManagedRulesKnownBadInputsRuleSet",
            "AWSManagedRulesSQLiRuleSet",
            "AWSManagedRulesCommonRuleSet",
        }
        for rule in managed.values():
            assert rule["override_action"] == {"none": {}}
            assert rule["statement"]["managed_rule_group_statement"].keys() == {"vendor_name", "name"}


def test_requests_per_client_are_limited(prod: Platform, variants: dict[str, Platform]):
    rule = rules(prod)["requests-per-client"]
    assert rule["action"] == {"block": {}}
    assert rule["statement"]["rate_based_statement"] == {
        "limit": 2000,
        "aggregate_key_type": "IP",
        "evaluation_window_sec": 300,
    }
    stricter = rules(variants["prod"])["requests-per-client"]
    assert stricter["statement"]["rate_based_statement"]["limit"] == 300


def test_rules_have_unique_priorities_and_metrics(prod: Platform):
    by_name = rules(prod)
    assert [rule["priority"] for rule in by_name.values()] == list(range(len(by_name)))
    for name, rule in by_name.items():
        assert rule["visibility_config"] == {
            "metric_name": name,
            "cloudwatch_metrics_enabled": True,
            # Sampled requests show headers that the log redacts.
            "sampled_requests_enabled": False,
        }


def allowed_paths(platform: Platform) -> Body:
    """Statement that matches the paths where large bodies are allowed."""
    label, path = rules(platform)["large-bodies"]["statement"]["and_statement"]["statement"]
    assert label == {
        "label_match_statement": {
            "scope": "LABEL",
            "key": "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body",
        }
    }
    return path["not_statement"]["statement"]


def test_large_bodies_are_allowed_only_on_the_paths_in_the_settings(variants: dict[str, Platform]):
    platform = variants["dev"]
    common = rules(platform)["common"]
    assert common["override_action"] == {"none": {}}
    assert common["statement"]["managed_rule_group_statement"]["rule_action_override"] == {
        "name": "SizeRestrictions_BODY",
        "action_to_use": {"count": {}},
    }
    blocking = rules(platform)["large-bodies"]
    assert blocking["action"] == {"block": {}}
    assert blocking["priority"] > common["priority"]
    assert allowed_paths(platform)["byte_match_statement"] == {
        "search_string": "/uploads/",
        "positional_constraint": "STARTS_WITH",
        "field_to_match": {"uri_path": {}},
        # In this order, because ../ may be URL-encoded.
        "text_transformation": [{"priority": 0, "type": "URL_DECODE"}, {"priority": 1, "type": "NORMALIZE_PATH"}],
    }


def test_several_paths_may_accept_large_bodies(variants: dict[str, Platform]):
    paths = allowed_paths(variants["prod"])["or_statement"]["statement"]
    assert [path["byte_match_statement"]["search_string"] for path in paths] == ["/uploads/", "/imports/"]


def test_session_headers_are_redacted_in_the_log(prod: Platform):
    logging = only(prod, "aws_wafv2_web_acl_logging_configuration")
    assert logging["resource_arn"] == "${aws_wafv2_web_acl.service_firewall.arn}"
    assert logging["log_destination_configs"] == ["${aws_cloudwatch_log_group.service_firewall-log.arn}"]
    assert logging["redacted_fields"] == [
        {"single_header": {"name": "authorization"}},
        {"single_header": {"name": "cookie"}},
    ]
    assert logging["depends_on"] == ["aws_cloudwatch_log_resource_policy.service_log-delivery"]
    # WAF requires this prefix.
    assert bodies(prod, "aws_cloudwatch_log_group", "service")["firewall-log"]["name"].startswith("aws-waf-logs-")
