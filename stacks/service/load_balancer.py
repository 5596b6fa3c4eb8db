"""The public load balancer: its domain and certificate, TLS to customers and to tasks, and its alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.acm_certificate import AcmCertificate
from cdktf_cdktf_provider_aws.acm_certificate_validation import AcmCertificateValidation
from cdktf_cdktf_provider_aws.data_aws_route53_zone import DataAwsRoute53Zone
from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs, LbConnectionLogs
from cdktf_cdktf_provider_aws.lb_listener import (
    LbListener,
    LbListenerDefaultAction,
    LbListenerDefaultActionRedirect,
)
from cdktf_cdktf_provider_aws.lb_target_group import (
    LbTargetGroup,
    LbTargetGroupHealthCheck,
    LbTargetGroupStickiness,
    LbTargetGroupTargetGroupHealth,
    LbTargetGroupTargetGroupHealthDnsFailover,
    LbTargetGroupTargetGroupHealthUnhealthyStateRouting,
)
from cdktf_cdktf_provider_aws.route53_record import Route53Record, Route53RecordAlias
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.wafv2_web_acl import Wafv2WebAcl
from cdktf_cdktf_provider_aws.wafv2_web_acl_association import Wafv2WebAclAssociation

from stacks.foundation.deliveries import ALB_ACCESS_PREFIX, ALB_CONNECTION_PREFIX
from stacks.parts import ports
from stacks.parts.alarms import Alarm
from stacks.tier import TierStack

# PCI DSS 4.2.1: TLS 1.3, and TLS 1.2 with forward secrecy and authenticated encryption only.
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
A_YEAR = 365 * 24 * 60 * 60
"""Seconds."""
IDLE_TIMEOUT = 60
"""Seconds until the load balancer closes an idle connection. Tasks must keep connections open longer, or requests
fail."""
DEREGISTRATION_DELAY = 45
"""Seconds that a deregistered task has to finish its requests; the longest that a request may take."""


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    """The load balancer with its listener, its target group and its certificate."""

    lb: Lb
    target_group: LbTargetGroup
    listener: LbListener
    certificate: AcmCertificate

    @property
    def dimensions(self) -> dict[str, str]:
        """Dimensions of the load balancer's metrics."""
        return {"LoadBalancer": self.lb.arn_suffix}

    def alarms(self) -> list[Alarm]:
        """Alarms on failed, refused and slow requests, unhealthy tasks, and the certificate."""
        load_balancer_alarm = partial(
            Alarm,
            namespace="AWS/ApplicationELB",
            dimensions=self.dimensions,
            period=60,
            treat_missing_data="notBreaching",
        )
        return [
            load_balancer_alarm(
                name="errors",
                metric="HTTPCode_Target_5XX_Count",
                share_of="RequestCount",
                statistic="Sum",
                threshold=2,
                unit="percent",
                periods=3,
                reason="the application returns errors to customers",
            ),
            load_balancer_alarm(
                name="refused",
                # A count, not a ratio: RequestCount excludes requests without a healthy target.
                metric="HTTPCode_ELB_5XX_Count",
                statistic="Sum",
                threshold=20,
                unit="responses per minute",
                periods=3,
                reason="the load balancer has no healthy task to forward requests to",
            ),
            load_balancer_alarm(
                name="latency",
                metric="TargetResponseTime",
                sample_count="RequestCount",
                statistic="p99",
                threshold=2,
                unit="seconds",
                periods=5,
                reason="one request in a hundred is slow enough for customers to leave",
            ),
            load_balancer_alarm(
                name="unhealthy",
                metric="UnHealthyHostCount",
                dimensions={**self.dimensions, "TargetGroup": self.target_group.arn_suffix},
                statistic="Maximum",
                threshold=1,
                unit="tasks",
                periods=5,
                reason="running tasks fail their health checks",
            ),
            Alarm(
                name="certificate",
                namespace="AWS/CertificateManager",
                metric="DaysToExpiry",
                dimensions={"CertificateArn": self.certificate.arn},
                statistic="Minimum",
                at="most",
                threshold=30,
                unit="days",
                period=24 * 60 * 60,
                periods=1,
                treat_missing_data="notBreaching",
                reason="ACM should have renewed the certificate by now; once it expires, customers cannot connect",
            ),
        ]


def public_load_balancer(
    tier: TierStack,
    vpc: Vpc,
    *,
    subnets: Sequence[Subnet],
    group: SecurityGroup,
    logs: S3Bucket,
    acl: Wafv2WebAcl,
    health_path: str,
) -> LoadBalancer:
    """The load balancer with certificate, target group, listeners and DNS record.

    Args:
        logs: bucket for access and connection logs.
        acl: web ACL of WAF.
        health_path: path of the tasks' health check.
    """
    zone = DataAwsRoute53Zone(tier, "zone", name=tier.settings.service.hosted_zone, private_zone=False)
    certificate = _certificate(tier)
    validation = _validate(tier, certificate, zone)
    lb = _load_balancer(tier, subnets, group, logs)
    targets = _target_group(tier, vpc, health_path)
    # PCI DSS 6.4.1: no listener before WAF is associated.
    association = Wafv2WebAclAssociation(tier, "firewall-in-front", web_acl_arn=acl.arn, resource_arn=lb.arn)
    listener = _listen(tier, lb, targets, validation, depends_on=association)
    _redirect_plaintext(tier, lb, depends_on=association)
    Route53Record(
        tier,
        "domain",
        zone_id=zone.zone_id,
        name=tier.settings.service.domain,
        type="A",
        alias=Route53RecordAlias(name=lb.dns_name, zone_id=lb.zone_id, evaluate_target_health=True),
        # The record of the environment that this one replaces may exist.
        allow_overwrite=True if tier.settings.replaces else None,
    )
    return LoadBalancer(lb=lb, target_group=targets, listener=listener, certificate=certificate)


def _certificate(tier: TierStack) -> AcmCertificate:
    """PCI DSS 4.2.1.1: ACM renews the certificate while its validation record exists."""
    return AcmCertificate(
        tier,
        "certificate",
        domain_name=tier.settings.service.domain,
        validation_method="DNS",
        key_algorithm="EC_prime256v1",
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        tags={"Name": tier.names.service},
    )


def _validate(tier: TierStack, certificate: AcmCertificate, zone: DataAwsRoute53Zone) -> AcmCertificateValidation:
    option = certificate.domain_validation_options.get(0)
    record = Route53Record(
        tier,
        "certificate-proof",
        zone_id=zone.zone_id,
        name=option.resource_record_name,
        type=option.resource_record_type,
        records=[option.resource_record_value],
        ttl=300,  # seconds
        # The record's name depends on account and domain only, so a replacement certificate uses the same record.
        allow_overwrite=True,
    )
    return AcmCertificateValidation(
        tier, "certificate-valid", certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn]
    )


def _load_balancer(tier: TierStack, subnets: Sequence[Subnet], group: SecurityGroup, logs: S3Bucket) -> Lb:
    return Lb(
        tier,
        "load-balancer",
        name=tier.names.load_balancer,
        load_balancer_type="application",
        internal=False,
        ip_address_type="ipv4",  # the security group has no rules for IPv6
        subnets=[subnet.id for subnet in subnets],
        security_groups=[group.id],
        idle_timeout=IDLE_TIMEOUT,
        # PCI DSS 6.2.4: against request smuggling.
        drop_invalid_header_fields=True,
        desync_mitigation_mode="defensive",
        enable_zonal_shift=True,
        enable_deletion_protection=tier.settings.deletion_protection,
        # Refuse requests while WAF is unavailable (docs/decisions/0005).
        enable_waf_fail_open=False,
        access_logs=LbAccessLogs(bucket=logs.id, prefix=ALB_ACCESS_PREFIX, enabled=True),
        connection_logs=LbConnectionLogs(bucket=logs.id, prefix=ALB_CONNECTION_PREFIX, enabled=True),
    )


def _target_group(tier: TierStack, vpc: Vpc, health_path: str) -> LbTargetGroup:
    return LbTargetGroup(
        tier,
        "tasks",
        name_prefix="tasks-",  # at most 6 characters
        vpc_id=vpc.id,
        target_type="ip",
        port=ports.SERVICE,
        protocol="HTTPS",
        deregistration_delay=str(DEREGISTRATION_DELAY),
        load_balancing_algorithm_type="least_outstanding_requests",
        # Sessions are in the cache, so any task can serve any request.
        stickiness=LbTargetGroupStickiness(type="lb_cookie", enabled=False),
        health_check=LbTargetGroupHealthCheck(
            path=health_path,
            protocol="HTTPS",
            matcher="200",
            interval=10,  # seconds
            timeout=5,
            healthy_threshold=2,
            unhealthy_threshold=3,
        ),
        # A zone without a healthy task is removed from DNS.
        target_group_health=LbTargetGroupTargetGroupHealth(
            dns_failover=LbTargetGroupTargetGroupHealthDnsFailover(minimum_healthy_targets_count="1"),
            unhealthy_state_routing=LbTargetGroupTargetGroupHealthUnhealthyStateRouting(
                minimum_healthy_targets_count=1
            ),
        ),
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
    )


def _listen(
    tier: TierStack,
    lb: Lb,
    targets: LbTargetGroup,
    certificate: AcmCertificateValidation,
    *,
    depends_on: Wafv2WebAclAssociation,
) -> LbListener:
    return LbListener(
        tier,
        "https",
        load_balancer_arn=lb.arn,
        port=ports.HTTPS,
        protocol="HTTPS",
        ssl_policy=TLS_POLICY,
        certificate_arn=certificate.certificate_arn,
        default_action=[LbListenerDefaultAction(type="forward", target_group_arn=targets.arn)],
        # HSTS: browsers use HTTPS only after their first visit.
        routing_http_response_strict_transport_security_header_value=f"max-age={A_YEAR}",
        routing_http_response_server_enabled=False,
        depends_on=[depends_on],
    )


def _redirect_plaintext(tier: TierStack, lb: Lb, *, depends_on: Wafv2WebAclAssociation) -> None:
    LbListener(
        tier,
        "http",
        load_balancer_arn=lb.arn,
        port=ports.HTTP,
        protocol="HTTP",
        default_action=[
            LbListenerDefaultAction(
                type="redirect",
                redirect=LbListenerDefaultActionRedirect(
                    status_code="HTTP_301", protocol="HTTPS", port=str(ports.HTTPS)
                ),
            )
        ],
        depends_on=[depends_on],
    )
