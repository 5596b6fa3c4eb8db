"""The way in: certificate, load balancer, listeners, target group, firewall."""

import pytest

from synthesized.platform import Body, Platform
from tests.conftest import ENVIRONMENTS
from tests.synthesized import bodies, only

pytestmark = pytest.mark.tiers("service")

BALANCER = "aws_lb.service_load-balancer"
PROOF = "tolist(aws_acm_certificate.service_certificate.domain_validation_options).0"


def listeners(platform: Platform) -> dict[int, Body]:
    return {listener["port"]: listener for listener in bodies(platform, "aws_lb_listener").values()}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_customers_speak_modern_tls(platforms: dict[str, Platform], name: str):
    https = listeners(platforms[name])[443]
    assert https["protocol"] == "HTTPS"
    assert https["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    # Not before the certificate is issued.
    assert https["certificate_arn"] == "${aws_acm_certificate_validation.service_certificate-valid.certificate_arn}"
    assert https["routing_http_response_strict_transport_security_header_value"] == "max-age=31536000"
    assert https["routing_http_response_server_enabled"] is False


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_plaintext_is_only_redirected(platforms: dict[str, Platform], name: str):
    assert listeners(platforms[name]).keys() == {80, 443}
    assert listeners(platforms[name])[80]["default_action"] == [
        {"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}}
    ]


def test_the_certificate_proves_itself_in_the_hosted_zone(prod: Platform):
    certificate = only(prod, "aws_acm_certificate")
    assert certificate["domain_name"] == "shop.globecart.example"
    assert certificate["validation_method"] == "DNS"
    assert certificate["lifecycle"] == {"create_before_destroy": True}
    proof = bodies(prod, "aws_route53_record")["certificate-proof"]
    assert proof["zone_id"] == "${data.aws_route53_zone.service_zone.zone_id}"
    assert proof["name"] == f"${{{PROOF}.resource_record_name}}"
    assert proof["records"] == [f"${{{PROOF}.resource_record_value}}"]
    assert only(prod, "aws_acm_certificate_validation")["validation_record_fqdns"] == [
        "${aws_route53_record.service_certificate-proof.fqdn}"
    ]
    (zone,) = (resource.body for resource in prod.data if resource.type == "aws_route53_zone")
    assert zone == {"name": "globecart.example", "private_zone": False}


def test_the_load_balancer_is_public_logged_and_strict(prod: Platform):
    balancer = only(prod, "aws_lb")
    assert balancer["internal"] is False
    assert balancer["load_balancer_type"] == "application"
    assert balancer["subnets"] == [f"${{aws_subnet.network_public-{letter}.id}}" for letter in "ab"]
    assert balancer["security_groups"] == ["${aws_security_group.network_group-load-balancer.id}"]
    assert balancer["drop_invalid_header_fields"] is True
    assert balancer["desync_mitigation_mode"] in {"defensive", "strictest"}
    assert balancer["enable_zonal_shift"] is True
    assert balancer["enable_waf_fail_open"] is False
    bucket = "${aws_s3_bucket.foundation_delivery.id}"
    assert balancer["access_logs"] == {"bucket": bucket, "prefix": "alb-access", "enabled": True}
    assert balancer["connection_logs"] == {"bucket": bucket, "prefix": "alb-connection", "enabled": True}


def test_its_deletion_is_protected_with_the_rest(prod: Platform, dev: Platform):
    assert only(prod, "aws_lb")["enable_deletion_protection"] is True
    assert only(dev, "aws_lb")["enable_deletion_protection"] is False


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_tasks_speak_tls_too(platforms: dict[str, Platform], name: str):
    targets = only(platforms[name], "aws_lb_target_group")
    assert targets["protocol"] == targets["health_check"]["protocol"] == "HTTPS"


def test_a_task_gets_requests_while_it_answers_and_time_to_finish(prod: Platform):
    targets = only(prod, "aws_lb_target_group")
    assert targets["health_check"] == {
        "path": "/healthz",
        "protocol": "HTTPS",
        "matcher": "200",
        "interval": 10,
        "timeout": 5,
        "healthy_threshold": 2,
        "unhealthy_threshold": 3,
    }
    assert 30 <= int(targets["deregistration_delay"]) <= 60
    assert targets["load_balancing_algorithm_type"] == "least_outstanding_requests"
    assert targets["stickiness"]["enabled"] is False
    assert targets["lifecycle"] == {"create_before_destroy": True}


def test_a_zone_without_a_task_is_no_longer_answered_for(prod: Platform):
    assert only(prod, "aws_lb_target_group")["target_group_health"] == {
        "dns_failover": {"minimum_healthy_targets_count": "1"},
        "unhealthy_state_routing": {"minimum_healthy_targets_count": 1},
    }


def rules(platform: Platform) -> dict[str, Body]:
    return {rule["name"]: rule for rule in only(platform, "aws_wafv2_web_acl")["rule"]}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_firewall_stands_before_the_load_balancer_and_blocks(platforms: dict[str, Platform], name: str):
    platform = platforms[name]
    assert only(platform, "aws_wafv2_web_acl_association") == {
        "web_acl_arn": "${aws_wafv2_web_acl.service_firewall.arn}",
        "resource_arn": f"${{{BALANCER}.arn}}",
    }
    for listener in listeners(platform).values():
        assert listener["depends_on"] == ["aws_wafv2_web_acl_association.service_firewall-in-front"]
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


def test_a_client_may_ask_so_often(prod: Platform, otherwise: dict[str, Platform]):
    rule = rules(prod)["requests-per-client"]
    assert rule["action"] == {"block": {}}
    assert rule["statement"]["rate_based_statement"] == {
        "limit": 2000,
        "aggregate_key_type": "IP",
        "evaluation_window_sec": 300,
    }
    stricter = rules(otherwise["prod"])["requests-per-client"]
    assert stricter["statement"]["rate_based_statement"]["limit"] == 300


def test_rules_are_asked_in_an_order_of_their_own_and_measured(prod: Platform):
    named = rules(prod)
    assert [rule["priority"] for rule in named.values()] == list(range(len(named)))
    for name, rule in named.items():
        assert rule["visibility_config"] == {
            "metric_name": name,
            "cloudwatch_metrics_enabled": True,
            # Samples show headers that the log does not.
            "sampled_requests_enabled": False,
        }


def elsewhere(platform: Platform) -> Body:
    """What a large body's path must not be."""
    label, path = rules(platform)["large-bodies"]["statement"]["and_statement"]["statement"]
    assert label == {
        "label_match_statement": {
            "scope": "LABEL",
            "key": "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body",
        }
    }
    return path["not_statement"]["statement"]


def test_large_bodies_pass_where_the_settings_say_so_and_nowhere_else(otherwise: dict[str, Platform]):
    platform = otherwise["dev"]
    common = rules(platform)["common"]
    assert common["override_action"] == {"none": {}}
    assert common["statement"]["managed_rule_group_statement"]["rule_action_override"] == {
        "name": "SizeRestrictions_BODY",
        "action_to_use": {"count": {}},
    }
    blocking = rules(platform)["large-bodies"]
    assert blocking["action"] == {"block": {}}
    assert blocking["priority"] > common["priority"]
    assert elsewhere(platform)["byte_match_statement"] == {
        "search_string": "/uploads/",
        "positional_constraint": "STARTS_WITH",
        "field_to_match": {"uri_path": {}},
        # In this order, or an encoded ../ would pass.
        "text_transformation": [{"priority": 0, "type": "URL_DECODE"}, {"priority": 1, "type": "NORMALIZE_PATH"}],
    }


def test_several_paths_may_take_large_bodies(otherwise: dict[str, Platform]):
    paths = elsewhere(otherwise["prod"])["or_statement"]["statement"]
    assert [path["byte_match_statement"]["search_string"] for path in paths] == ["/uploads/", "/imports/"]


def test_the_firewalls_log_shows_no_session(prod: Platform):
    logging = only(prod, "aws_wafv2_web_acl_logging_configuration")
    assert logging["resource_arn"] == "${aws_wafv2_web_acl.service_firewall.arn}"
    assert logging["log_destination_configs"] == ["${aws_cloudwatch_log_group.service_firewall-log.arn}"]
    assert logging["redacted_fields"] == [
        {"single_header": {"name": "authorization"}},
        {"single_header": {"name": "cookie"}},
    ]
    assert logging["depends_on"] == ["aws_cloudwatch_log_resource_policy.service_log-delivery"]
    # WAF takes no other beginning.
    assert bodies(prod, "aws_cloudwatch_log_group", "service")["firewall-log"]["name"].startswith("aws-waf-logs-")
