"""ELB: what AWS adds to load balancers, listeners and target groups."""

from typing import Any, NamedTuple

import pytest

from local_aws.server import LocalAws
from tests.local_aws.conftest import REGION


class Balancer(NamedTuple):
    """A load balancer with a target group in its VPC."""

    arn: str
    target_group: str


@pytest.fixture(scope="module")
def elb(aws: LocalAws) -> Any:
    return aws.client("elbv2")


def balancer_named(aws: LocalAws, name: str, kind: str, protocol: str) -> Balancer:
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{i}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
        for i, zone in enumerate("ab")
    ]
    load_balancer = elb.create_load_balancer(Name=name, Type=kind, Subnets=[each["SubnetId"] for each in subnets])
    target_group = elb.create_target_group(Name=name, Protocol=protocol, Port=8443, VpcId=vpc, TargetType="ip")
    arn = load_balancer["LoadBalancers"][0]["LoadBalancerArn"]
    return Balancer(arn, target_group["TargetGroups"][0]["TargetGroupArn"])


@pytest.fixture(scope="module")
def balancer(aws: LocalAws) -> Balancer:
    return balancer_named(aws, "public", "application", "HTTPS")


def pairs(response: dict[str, Any]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in response["Attributes"]}


def test_a_load_balancer_has_all_attributes(elb: Any, balancer: Balancer) -> None:
    before = pairs(elb.describe_load_balancer_attributes(LoadBalancerArn=balancer.arn))
    assert before["load_balancing.cross_zone.enabled"] == before["routing.http2.enabled"] == "true"
    assert (before["client_keep_alive.seconds"], before["idle_timeout.timeout_seconds"]) == ("3600", "60")
    changed = [{"Key": "zonal_shift.config.enabled", "Value": "true"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer.arn, Attributes=changed)
    after = pairs(elb.describe_load_balancer_attributes(LoadBalancerArn=balancer.arn))
    assert after == before | {"zonal_shift.config.enabled": "true"}


def test_a_target_group_has_all_attributes(elb: Any, balancer: Balancer) -> None:
    before = pairs(elb.describe_target_group_attributes(TargetGroupArn=balancer.target_group))
    failover = "target_group_health.dns_failover.minimum_healthy_targets"
    assert (before[f"{failover}.count"], before[f"{failover}.percentage"]) == ("1", "off")
    assert (before["stickiness.enabled"], before["stickiness.lb_cookie.duration_seconds"]) == ("false", "86400")
    changed = [{"Key": "deregistration_delay.timeout_seconds", "Value": "45"}]
    elb.modify_target_group_attributes(TargetGroupArn=balancer.target_group, Attributes=changed)
    after = pairs(elb.describe_target_group_attributes(TargetGroupArn=balancer.target_group))
    assert after == before | {"deregistration_delay.timeout_seconds": "45"}


def test_listeners_are_completed(aws: LocalAws, elb: Any, balancer: Balancer) -> None:
    certificate = aws.client("acm").request_certificate(DomainName="shop.example", ValidationMethod="DNS")
    created: list[str] = []
    for settings in (
        {
            "Protocol": "HTTPS",
            "Port": 443,
            "Certificates": [{"CertificateArn": certificate["CertificateArn"]}],
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": balancer.target_group}],
        },
        {
            "Protocol": "HTTP",
            "Port": 80,
            "DefaultActions": [{"Type": "redirect", "RedirectConfig": {"Port": "443", "StatusCode": "HTTP_301"}}],
        },
    ):
        listener = elb.create_listener(LoadBalancerArn=balancer.arn, **settings)["Listeners"][0]
        created.append(listener["ListenerArn"])
    encrypted, redirecting = elb.describe_listeners(ListenerArns=created)["Listeners"]
    assert (encrypted["MutualAuthentication"], "MutualAuthentication" in redirecting) == ({"Mode": "off"}, False)
    assert ("SslPolicy" in encrypted, "SslPolicy" in redirecting) == (True, False)
    assert encrypted["DefaultActions"][0]["ForwardConfig"] == {
        "TargetGroups": [{"TargetGroupArn": balancer.target_group, "Weight": 1}],
        "TargetGroupStickinessConfig": {"Enabled": False},
    }
    assert redirecting["DefaultActions"][0]["RedirectConfig"] == {
        "Host": "#{host}",
        "Path": "/#{path}",
        "Port": "443",
        "Protocol": "#{protocol}",
        "Query": "#{query}",
        "StatusCode": "HTTP_301",
    }
    https, http = (pairs(elb.describe_listener_attributes(ListenerArn=arn)) for arn in created)
    assert https["routing.http.response.server.enabled"] == "true"
    assert (len(https), len(http), http.items() <= https.items()) == (19, 11, True)


def test_network_load_balancers_have_other_attributes(aws: LocalAws, elb: Any) -> None:
    network = balancer_named(aws, "network", "network", "TCP")
    assert "routing.http2.enabled" not in pairs(elb.describe_load_balancer_attributes(LoadBalancerArn=network.arn))
    assert "load_balancing.algorithm.anomaly_mitigation" not in pairs(
        elb.describe_target_group_attributes(TargetGroupArn=network.target_group)
    )
    forward = [{"Type": "forward", "TargetGroupArn": network.target_group}]
    listener = elb.create_listener(LoadBalancerArn=network.arn, Protocol="TCP", Port=443, DefaultActions=forward)
    arn = listener["Listeners"][0]["ListenerArn"]
    assert pairs(elb.describe_listener_attributes(ListenerArn=arn)) == {"tcp.idle_timeout.seconds": "350"}
