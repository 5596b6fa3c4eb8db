"""ELB: the attributes and actions that AWS adds to an Application Load Balancer, its listeners and target groups."""

from typing import Any

from moto.elbv2.models import FakeAction, FakeListener, FakeLoadBalancer, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from local_aws.extension import Extension

# Attributes of a new load balancer, listener and target group, as AWS returns them: LoadBalancer.Edge7038544F,
# Listener.HuntHttpsListener and TargetGroup.HttpsTg in
# https://github.com/go-to-k/cdk-real-drift/tree/main/tests/corpus (AWS__ElasticLoadBalancingV2__*.json).
LOAD_BALANCER = {
    "access_logs.s3.bucket": "",
    "access_logs.s3.enabled": "false",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "health_check_logs.s3.bucket": "",
    "health_check_logs.s3.enabled": "false",
    "health_check_logs.s3.prefix": "",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
RESPONSE_HEADERS = (
    *("access_control_allow_credentials", "access_control_allow_headers", "access_control_allow_methods"),
    *("access_control_allow_origin", "access_control_expose_headers", "access_control_max_age"),
    *("content_security_policy", "strict_transport_security", "x_content_type_options", "x_frame_options"),
)
CLIENT_CERTIFICATE = ("", "_issuer", "_leaf", "_serial_number", "_subject", "_validity")
LISTENERS = {
    "HTTP": {
        **{f"routing.http.response.{header}.header_value": "" for header in RESPONSE_HEADERS},
        "routing.http.response.server.enabled": "true",
    }
}
LISTENERS["HTTPS"] = {
    **LISTENERS["HTTP"],
    **{f"routing.http.request.x_amzn_mtls_clientcert{part}.header_name": "" for part in CLIENT_CERTIFICATE},
    **{f"routing.http.request.x_amzn_tls_{part}.header_name": "" for part in ("cipher_suite", "version")},
}
TARGET_GROUP = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "slow_start.duration_seconds": "0",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
# What a redirect keeps by default: Listener.Var3RedirectListener in the same place.
REDIRECT = {"Host": "#{host}", "Path": "/#{path}", "Port": "#{port}", "Protocol": "#{protocol}", "Query": "#{query}"}


class LoadBalancer(FakeLoadBalancer):
    """A load balancer with the attributes of an Application Load Balancer, which it is by default."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        if self.type == "application":
            self.attrs = dict(LOAD_BALANCER)


class Listener(FakeListener):
    """A listener with all attributes; only one for HTTPS has a security policy and mutual TLS, which is off."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        if self.protocol in LISTENERS:
            self.attributes = dict(LISTENERS[self.protocol])
        if self.protocol == "HTTP":
            self.ssl_policy: str | None = None
        if self.protocol == "HTTPS":
            self.mutual_authentication = {"Mode": "off"}


class TargetGroup(FakeTargetGroup):
    """A target group with all attributes of those for HTTP and HTTPS."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        if self.protocol in LISTENERS:
            self.attributes = dict(TARGET_GROUP)


class Action(FakeAction):
    """An action with the parts that AWS adds: the forwarding of a target group, and what a redirect keeps.

    Listener.EdgeHttp4128BFC4 in the same place.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        if "TargetGroupArn" in data:
            groups = [{"TargetGroupArn": data["TargetGroupArn"]}]
            data = {"ForwardConfig": {"TargetGroups": groups}, **data}
        if "RedirectConfig" in data:
            data = {**data, "RedirectConfig": REDIRECT | data["RedirectConfig"]}
        super().__init__(data)


EXTENSION = Extension(
    "elbv2",
    ELBV2Response,
    models=(LoadBalancer, Listener, TargetGroup, Action),
    gaps={
        "aws_lb": "moto has 4 of 22 attributes",
        "aws_lb_listener": "moto has none of its attributes, and adds nothing to actions",
        "aws_lb_target_group": "moto lacks attributes of healthy targets, of anomalies and of zones",
    },
)
