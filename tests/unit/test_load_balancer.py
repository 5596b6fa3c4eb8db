"""The load balancer: certificate, listeners, target group."""

import pytest

from synthesized.platform import Body, Platform
from tests.conftest import Synthesize
from tests.synthesized import bodies, only

pytestmark = pytest.mark.tiers("service")

PROOF = "tolist(aws_acm_certificate.service_certificate.domain_validation_options).0"


def listeners(platform: Platform) -> dict[int, Body]:
    return {listener["port"]: listener for listener in bodies(platform, "aws_lb_listener").values()}


def test_customers_connect_with_modern_tls(platforms: dict[str, Platform]):
    for platform in platforms.values():
        https = listeners(platform)[443]
        assert https["protocol"] == "HTTPS"
        assert https["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
        # Only after the certificate is issued.
        assert https["certificate_arn"] == "${aws_acm_certificate_validation.service_certificate-valid.certificate_arn}"
        assert https["routing_http_response_strict_transport_security_header_value"] == "max-age=31536000"
        assert https["routing_http_response_server_enabled"] is False


def test_plaintext_is_only_redirected(platforms: dict[str, Platform]):
    for platform in platforms.values():
        assert listeners(platform).keys() == {80, 443}
        assert listeners(platform)[80]["default_action"] == [
            {"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}}
        ]


def test_the_certificate_is_validated_in_the_hosted_zone(prod: Platform):
    certificate = only(prod, "aws_acm_certificate")
    assert certificate["domain_name"] == "shop.acme.example"
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
    assert zone == {"name": "acme.example", "private_zone": False}


def test_only_a_successor_takes_over_the_record_of_the_domain(prod: Platform, synthesize: Synthesize):
    assert "allow_overwrite" not in bodies(prod, "aws_route53_record")["domain"]
    successor = synthesize("prod", {"replaces": "old"})
    assert bodies(successor, "aws_route53_record")["domain"]["allow_overwrite"] is True


def test_the_load_balancer_is_public_logs_access_and_drops_invalid_headers(prod: Platform):
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


def test_deletion_protection_covers_the_load_balancer(prod: Platform, dev: Platform):
    assert only(prod, "aws_lb")["enable_deletion_protection"] is True
    assert only(dev, "aws_lb")["enable_deletion_protection"] is False


def test_connections_to_tasks_use_tls(platforms: dict[str, Platform]):
    for platform in platforms.values():
        targets = only(platform, "aws_lb_target_group")
        assert targets["protocol"] == targets["health_check"]["protocol"] == "HTTPS"


def test_the_target_group_checks_health_and_drains_tasks(prod: Platform):
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


def test_a_zone_without_a_healthy_task_is_removed_from_dns(prod: Platform):
    assert only(prod, "aws_lb_target_group")["target_group_health"] == {
        "dns_failover": {"minimum_healthy_targets_count": "1"},
        "unhealthy_state_routing": {"minimum_healthy_targets_count": 1},
    }
