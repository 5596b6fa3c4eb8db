"""Out-of-band changes to the load balancer, its listeners and target group, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change

OTHER_VPC = "vpc-00000000000000000"
OTHER_CERTIFICATE = "arn:aws:acm:us-west-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"


def _balancer(**changed: Any) -> Change:
    return lambda aws, state: vars(aws.backend("elbv2").load_balancers[state["arn"]]).update(changed)


def _balancer_attribute(key: str, value: str) -> Change:
    return lambda aws, state: aws.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=state["arn"], Attributes=[{"Key": key, "Value": value}]
    )


def _remove_subnet(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.backend("elbv2").load_balancers[state["arn"]].subnets.pop()


def _listener(**changed: Any) -> Change:
    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        listeners = aws.backend("elbv2").load_balancers[state["load_balancer_arn"]].listeners
        vars(listeners[state["arn"]]).update(changed)

    return change


def _listener_attribute(key: str, value: str) -> Change:
    return lambda aws, state: aws.client("elbv2").modify_listener_attributes(
        ListenerArn=state["arn"], Attributes=[{"Key": key, "Value": value}]
    )


def _redirect_to_another_port(aws: LocalAws, state: dict[str, Any]) -> None:
    redirect = {"Port": "8443", "Protocol": "HTTPS", "StatusCode": "HTTP_301"}
    aws.client("elbv2").modify_listener(
        ListenerArn=state["arn"], DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}]
    )


def _group(**changed: Any) -> Change:
    return lambda aws, state: vars(aws.backend("elbv2").target_groups[state["arn"]]).update(changed)


def _group_attribute(key: str, value: str) -> Change:
    return lambda aws, state: aws.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=state["arn"], Attributes=[{"Key": key, "Value": value}]
    )


def _check_another_path(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("elbv2").modify_target_group(TargetGroupArn=state["arn"], HealthCheckPath="/another")


def _add_tag(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("elbv2").add_tags(ResourceArns=[state["arn"]], Tags=[{"Key": "Changed", "Value": "yes"}])


HEALTHY = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"
HEADERS = "routing.http.response"

CHANGES: dict[tuple[str, str], Change] = {
    ("aws_lb", "access_logs"): _balancer_attribute("access_logs.s3.enabled", "false"),
    ("aws_lb", "connection_logs"): _balancer_attribute("connection_logs.s3.prefix", "another"),
    ("aws_lb", "desync_mitigation_mode"): _balancer_attribute("routing.http.desync_mitigation_mode", "monitor"),
    ("aws_lb", "drop_invalid_header_fields"): _balancer_attribute(
        "routing.http.drop_invalid_header_fields.enabled", "false"
    ),
    ("aws_lb", "enable_deletion_protection"): _balancer_attribute("deletion_protection.enabled", "false"),
    ("aws_lb", "enable_waf_fail_open"): _balancer_attribute("waf.fail_open.enabled", "true"),
    ("aws_lb", "enable_zonal_shift"): _balancer_attribute("zonal_shift.config.enabled", "false"),
    ("aws_lb", "idle_timeout"): _balancer_attribute("idle_timeout.timeout_seconds", "61"),
    ("aws_lb", "internal"): _balancer(scheme="internal"),
    ("aws_lb", "ip_address_type"): _balancer(ip_address_type="dualstack"),
    ("aws_lb", "name"): _balancer(name="another"),
    ("aws_lb", "security_groups"): _balancer(security_groups=["sg-00000000000000000"]),
    ("aws_lb", "subnets"): _remove_subnet,
    ("aws_lb", "tags"): _add_tag,
    ("aws_lb_listener", "certificate_arn"): _listener(certificates=[{"certificate_arn": OTHER_CERTIFICATE}]),
    ("aws_lb_listener", "default_action"): _redirect_to_another_port,
    ("aws_lb_listener", "port"): _listener(port=81),
    ("aws_lb_listener", "protocol"): _listener(protocol="TCP"),
    ("aws_lb_listener", "routing_http_response_server_enabled"): _listener_attribute(
        f"{HEADERS}.server.enabled", "true"
    ),
    ("aws_lb_listener", "routing_http_response_strict_transport_security_header_value"): _listener_attribute(
        f"{HEADERS}.strict_transport_security.header_value", "max-age=0"
    ),
    ("aws_lb_listener", "ssl_policy"): _listener(ssl_policy="ELBSecurityPolicy-2016-08"),
    ("aws_lb_listener", "tags"): _add_tag,
    ("aws_lb_target_group", "deregistration_delay"): _group_attribute("deregistration_delay.timeout_seconds", "300"),
    ("aws_lb_target_group", "health_check"): _check_another_path,
    ("aws_lb_target_group", "load_balancing_algorithm_type"): _group_attribute(
        "load_balancing.algorithm.type", "round_robin"
    ),
    ("aws_lb_target_group", "name_prefix"): _group(name="another-20260101"),
    ("aws_lb_target_group", "port"): _group(port=8080),
    ("aws_lb_target_group", "protocol"): _group(protocol="HTTP"),
    ("aws_lb_target_group", "stickiness"): _group_attribute("stickiness.enabled", "true"),
    ("aws_lb_target_group", "tags"): _add_tag,
    ("aws_lb_target_group", "target_group_health"): _group_attribute(HEALTHY, "2"),
    ("aws_lb_target_group", "target_type"): _group(target_type="instance"),
    ("aws_lb_target_group", "vpc_id"): _group(vpc_id=OTHER_VPC),
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_lb", "load_balancer_type"): "identifier: part of the ARN",
    ("aws_lb_listener", "load_balancer_arn"): "identifier: part of the listener's ARN",
}
