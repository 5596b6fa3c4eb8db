"""Reachability in the synthesized stacks, compared with matrices written by hand."""

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from synthesized.platform import Platform
from synthesized.reachability import Ports, Quantifier, Reachability, UnsupportedConfigurationError, external_party
from tests.conftest import Synthesize
from tests.failures import expect_none
from tests.policy.planted import with_added, with_changed, without

BALANCER, TASKS, ROTATION = "service/load-balancer", "service/service", "rotation/function"
DATABASE, CACHE = "database/cluster", "cache/cache"

# Reachable ports by security groups, routes and network ACLs together. Not derived from the table of flows, because the
# tested rules are.
EXPECTED: dict[tuple[str, str], Ports] = {
    ("internet", BALANCER): ((80, 80), (443, 443)),
    (BALANCER, TASKS): ((8443, 8443),),
    (TASKS, DATABASE): ((5432, 5432),),
    (TASKS, CACHE): ((6379, 6379),),
    (TASKS, "storage/mount-a"): ((2049, 2049),),
    (TASKS, "storage/mount-b"): ((2049, 2049),),
    (TASKS, "network/endpoint-ecr-api"): ((443, 443),),
    (TASKS, "network/endpoint-ecr-dkr"): ((443, 443),),
    (TASKS, "network/endpoint-kms"): ((443, 443),),
    (TASKS, "network/endpoint-logs"): ((443, 443),),
    (TASKS, "network/endpoint-monitoring"): ((443, 443),),
    (TASKS, "network/endpoint-secretsmanager"): ((443, 443),),
    (TASKS, "network/endpoint-sts"): ((443, 443),),
    (TASKS, "S3"): ((443, 443),),
    (ROTATION, DATABASE): ((5432, 5432),),
    (ROTATION, "network/endpoint-secretsmanager"): ((443, 443),),
}
A_THIRD_ZONE: dict[tuple[str, str], Ports] = {(TASKS, "storage/mount-c"): ((2049, 2049),)}

EPHEMERAL = (1024, 65535)
"""Destination ports of responses."""
# Reachable ports if all security groups were open: by routes and network ACLs between kinds of subnets.
WITHOUT_GROUPS: dict[tuple[str, str], Ports] = {
    ("internet", BALANCER): ((80, 80), (443, 443), EPHEMERAL),
    (BALANCER, "internet"): ((443, 443), EPHEMERAL),
    (BALANCER, TASKS): (EPHEMERAL,),
    (TASKS, BALANCER): ((443, 443), EPHEMERAL),
    (TASKS, "internet"): ((443, 443),),
    (TASKS, "S3"): ((443, 443),),
    (TASKS, DATABASE): ((5432, 5432), (6379, 6379)),
    # For responses. Connections succeed only from source port 5432 or 6379, to which the task's responses can pass.
    (DATABASE, TASKS): (EPHEMERAL,),
}


Matrix = Mapping[tuple[str, str], Ports]


def differences(found: Matrix, expected: Matrix) -> Iterator[str]:
    """Ways that are not as expected, by what they lead to."""
    for source, target in sorted(found.keys() | expected.keys()):
        ports, wanted = found.get((source, target), ()), expected.get((source, target), ())
        if ports != wanted:
            yield f"{target}: ports {shown(ports)} from {source}, expected: {shown(wanted)}"


def shown(ports: Ports) -> str:
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ports) or "none"


@pytest.mark.parametrize("quantifier", [any, all], ids=["no more", "no less"])
def test_the_matrix_is_as_written(platforms: dict[str, Platform], three_zones: Platform, quantifier: Quantifier):
    for platform in (*platforms.values(), three_zones):
        expected = EXPECTED | (A_THIRD_ZONE if len(platform.zones) == 3 else {})
        expect_none(differences(Reachability(platform).matrix(quantifier), expected))


def unexpected_ways(matrix: Matrix) -> Iterator[str]:
    """Ways that no settings open: to data, from data, and from the internet to anything but the load balancer."""
    closed = {target for _, target in EXPECTED} - {TASKS, "S3"}
    for (source, target), ports in matrix.items():
        like = re.sub(r"(?<=mount-)[a-z]$", "a", target)
        if (like in closed or source in {"internet", DATABASE, CACHE}) and ports != EXPECTED.get((source, like)):
            yield f"{target}: ports {shown(ports)} from {source}"


def test_no_settings_open_a_way_to_data_or_from_the_internet(shipped: dict[str, Platform]):
    for platform in shipped.values():
        expect_none(unexpected_ways(Reachability(platform).matrix(any)))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("internet", DATABASE),
        ("internet", TASKS),
        (ROTATION, CACHE),
        (CACHE, "internet"),
        (ROTATION, "storage/mount-f"),
    ],
)
def test_a_way_that_no_settings_open_is_found(source: str, target: str):
    assert list(unexpected_ways({(source, target): ((443, 443),)})) == [f"{target}: ports 443 from {source}"]
    assert not list(unexpected_ways(EXPECTED | A_THIRD_ZONE | {(TASKS, "internet"): ((465, 465),)}))


def without_groups(platform: Platform, quantifier: Quantifier) -> dict[tuple[str, str], Ports]:
    """The matrix of one party per kind of subnet, the internet and S3, without security groups."""
    parties = {"internet", "S3", BALANCER, TASKS, DATABASE}
    return Reachability(platform, with_security_groups=False).matrix(quantifier, among=parties)


def test_network_acls_block_traffic_that_open_security_groups_would_allow(
    platforms: dict[str, Platform], three_zones: Platform
):
    for platform in (*platforms.values(), three_zones):
        expect_none(differences(without_groups(platform, any), WITHOUT_GROUPS))


def test_network_acls_block_most_responses_to_connections_from_data_subnets(everywhere: list[Platform]):
    for platform in everywhere:
        assert not without_groups(platform, all).keys() & {(DATABASE, TASKS)}


@pytest.fixture(scope="module")
def before(prod: Platform) -> Callable[[Quantifier], Matrix]:
    """The reachability matrix without a planted defect."""
    return cache(Reachability(prod).matrix)


PAYMENT = external_party("203.0.113.0/24")


def test_tasks_reach_the_external_ranges_of_the_settings_only(synthesize: Synthesize):
    rules = [
        {"cidr": "203.0.113.0/24", "reason": "payment provider"},
        {"cidr": "198.51.100.0/24", "port": 22, "reason": "files to the warehouse"},
    ]
    reachability = Reachability(synthesize("prod", {"network": {"egress": rules}}))
    tasks = reachability.parties[TASKS]
    for quantifier in (any, all):
        assert reachability.ports(tasks, PAYMENT, quantifier) == ((443, 443),)
        assert reachability.ports(tasks, external_party("198.51.100.0/24"), quantifier) == ((22, 22),)
        assert not reachability.ports(tasks, external_party("192.0.2.0/24"), quantifier)
    assert not reachability.ports(reachability.parties[ROTATION], PAYMENT, any)
    assert not reachability.ports(PAYMENT, tasks, any)


def rule(direction: str, group: str, **arguments: Any) -> Callable[[Platform], Platform]:
    """Add a rule to a security group."""
    body = {"security_group_id": sg(group), "ip_protocol": "tcp", **arguments}
    return lambda prod: with_added(prod, "network", f"aws_vpc_security_group_{direction}_rule", "planted", body)


def sg(group: str) -> str:
    return f"${{aws_security_group.network_group-{group}.id}}"


def port(number: int) -> dict[str, int]:
    return {"from_port": number, "to_port": number}


def acl(kind: str, direction: str, number: int | None, **arguments: Any) -> Callable[[Platform], Platform]:
    """Change or add an entry of a network ACL; remove it if there are no arguments. Without a number, do nothing."""

    def plant(prod: Platform) -> Platform:
        if number is None:
            return prod
        address = f"aws_network_acl.network_acl-{kind}"
        (found,) = (each.body[direction] for each in prod.resources if each.address == address)
        kept = [entry for entry in found if entry["rule_no"] != number]
        old = next((entry for entry in found if entry["rule_no"] == number), {"protocol": "tcp"})
        changed = [{**old, **arguments, "rule_no": number}] if arguments else []
        return with_changed(prod, address, **{direction: [*kept, *changed]})

    return plant


def number_of(prod: Platform, kind: str, direction: str, cidr: str, first: int) -> int | None:
    """Rule number of the TCP entry for a range and a first port, or None."""
    (found,) = (
        each.body[direction] for each in prod.resources if each.address == f"aws_network_acl.network_acl-{kind}"
    )
    wanted = (cidr, first, "tcp")
    return next((e["rule_no"] for e in found if (e["cidr_block"], e["from_port"], e["protocol"]) == wanted), None)


def without_entry(kind: str, direction: str, cidr: str, first: int) -> Callable[[Platform], Platform]:
    return lambda prod: acl(kind, direction, number_of(prod, kind, direction, cidr, first))(prod)


def together(*plants: Callable[[Platform], Platform]) -> Callable[[Platform], Platform]:
    def plant(prod: Platform) -> Platform:
        planted = prod
        for each in plants:
            planted = each(planted)
        return planted

    return plant


EVERYWHERE = "0.0.0.0/0"
APP, DATA, PUBLIC = "10.0.0.0/17", "10.0.128.0/18", "10.0.192.0/19"

# Source, target, ports that the defect makes reachable in addition, defect.
OPENED: list[tuple[str, str, Ports, Callable[[Platform], Platform]]] = [
    (
        "internet",
        BALANCER,
        ((8080, 8080),),
        rule("ingress", "load-balancer", cidr_ipv4=EVERYWHERE, **port(8080)),
    ),
    (
        "internet",
        BALANCER,
        (EPHEMERAL,),
        rule("ingress", "load-balancer", cidr_ipv4=EVERYWHERE, ip_protocol="-1"),
    ),
    (
        BALANCER,
        DATABASE,
        ((5432, 5432),),
        together(
            rule("egress", "load-balancer", referenced_security_group_id=sg("database"), **port(5432)),
            lambda prod: with_added(
                prod,
                "network",
                "aws_vpc_security_group_ingress_rule",
                "second",
                {
                    "security_group_id": sg("database"),
                    "ip_protocol": "tcp",
                    "referenced_security_group_id": sg("load-balancer"),
                    **port(5432),
                },
            ),
            acl("public", "egress", 200, action="allow", cidr_block=DATA, **port(5432)),
            acl("data", "ingress", 200, action="allow", cidr_block=PUBLIC, **port(5432)),
            acl("data", "egress", 200, action="allow", cidr_block=PUBLIC, from_port=1024, to_port=65535),
        ),
    ),
    (TASKS, "internet", ((443, 443),), rule("egress", "service", cidr_ipv4=EVERYWHERE, **port(443))),
    (
        "internet",
        TASKS,
        ((8443, 8443),),
        together(
            lambda prod: with_changed(
                prod,
                "aws_ecs_service.service_service",
                network_configuration={
                    "subnets": ["${aws_subnet.network_public-a.id}"],
                    "security_groups": [sg("service")],
                    "assign_public_ip": True,
                },
            ),
            rule("ingress", "service", cidr_ipv4=EVERYWHERE, **port(8443)),
        ),
    ),
    (
        TASKS,
        "storage/mount-a",
        ((22, 22),),
        together(
            rule("egress", "service", cidr_ipv4="10.0.0.0/16", **port(22)),
            lambda prod: with_added(
                prod,
                "network",
                "aws_vpc_security_group_ingress_rule",
                "second",
                {"security_group_id": sg("files"), "ip_protocol": "tcp", "cidr_ipv4": APP, **port(22)},
            ),
        ),
    ),
]


@pytest.mark.parametrize(("source", "target", "ports", "plant"), OPENED)
def test_additional_access_is_found(
    prod: Platform,
    before: Callable[[Quantifier], Matrix],
    source: str,
    target: str,
    ports: Ports,
    plant: Callable[[Platform], Platform],
):
    known = set(before(any).get((source, target), ()))
    assert set(Reachability(plant(prod)).matrix(any)[source, target]) - known == set(ports) - known


# Pairs that are no longer fully reachable, defect.
CLOSED: list[tuple[set[tuple[str, str]], Callable[[Platform], Platform]]] = [
    (
        {(TASKS, DATABASE)},
        lambda prod: without(prod, "aws_vpc_security_group_egress_rule.network_service-to-database-5432-out"),
    ),
    (
        {(ROTATION, DATABASE)},
        lambda prod: without(prod, "aws_vpc_security_group_ingress_rule.network_rotation-to-database-5432-in"),
    ),
    # Network ACLs are stateless: responses need rules, too.
    ({("internet", BALANCER), (BALANCER, TASKS)}, without_entry("public", "egress", EVERYWHERE, 1024)),
    ({("internet", BALANCER)}, without_entry("public", "ingress", EVERYWHERE, 443)),
    ({(BALANCER, TASKS)}, without_entry("public", "ingress", EVERYWHERE, 1024)),
    ({(TASKS, DATABASE), (TASKS, CACHE), (ROTATION, DATABASE)}, without_entry("data", "egress", APP, 1024)),
    ({(BALANCER, TASKS)}, without_entry("app", "egress", PUBLIC, 1024)),
    ({(TASKS, CACHE)}, without_entry("app", "egress", DATA, 6379)),
    # Responses must be allowed to all ephemeral ports.
    (
        {("internet", BALANCER), (BALANCER, TASKS)},
        lambda prod: acl(
            "public", "egress", number_of(prod, "public", "egress", EVERYWHERE, 1024), from_port=32768, to_port=60999
        )(prod),
    ),
    ({(TASKS, CACHE)}, acl("data", "ingress", 50, action="deny", cidr_block="10.0.16.0/20", **port(6379))),
    ({(TASKS, "S3")}, lambda prod: without(prod, "aws_vpc_endpoint.network_endpoint-s3")),
    (
        {("internet", BALANCER)},
        lambda prod: without(prod, "aws_route.network_public-a-to-internet"),
    ),
    ({("internet", BALANCER)}, lambda prod: with_changed(prod, "aws_lb.service_load-balancer", internal=True)),
]


@pytest.mark.parametrize(("lost", "plant"), CLOSED)
def test_lost_access_is_found(
    prod: Platform,
    before: Callable[[Quantifier], Matrix],
    lost: set[tuple[str, str]],
    plant: Callable[[Platform], Platform],
):
    matrix = Reachability(plant(prod)).matrix(all)
    known = {pair: ports for pair, ports in before(all).items() if pair in EXPECTED}
    assert {pair for pair, ports in known.items() if matrix.get(pair) != ports} == lost & known.keys()


def test_subnets_without_a_network_acl_use_the_default_one_which_allows_nothing(
    prod: Platform, before: Callable[[Quantifier], Matrix]
):
    planted = without(prod, "aws_network_acl.network_acl-data")
    known = before(any).keys() & EXPECTED.keys()
    lost = {(TASKS, DATABASE), (TASKS, CACHE), (ROTATION, DATABASE)}
    assert known - Reachability(planted).matrix(any).keys() == known & lost


@pytest.mark.parametrize(
    ("kind", "direction", "cidr", "source", "target"),
    [
        ("data", "ingress", PUBLIC, BALANCER, DATABASE),
        ("app", "ingress", EVERYWHERE, "internet", TASKS),
        ("app", "egress", EVERYWHERE, TASKS, "internet"),
    ],
)
def test_opened_network_acl_is_found(
    prod: Platform,
    before: Callable[[Quantifier], Matrix],
    kind: str,
    direction: str,
    cidr: str,
    source: str,
    target: str,
):
    """Visible without security groups only: with them, nothing more is reachable."""
    ports = {"from_port": 0, "to_port": 65535}
    planted = together(
        acl(kind, direction, 200, action="allow", cidr_block=cidr, **ports),
        acl("public", "egress", 200, action="allow", cidr_block=EVERYWHERE, **ports),
        acl("data", "egress", 200, action="allow", cidr_block=EVERYWHERE, **ports),
    )(prod)
    expect_none(differences(Reachability(planted).matrix(any), before(any)))
    opened = without_groups(planted, any).get((source, target), ()) != without_groups(prod, any).get(
        (source, target), ()
    )
    # There is no route from the internet to tasks.
    assert opened == ((source, target) != ("internet", TASKS))


def rule_changed(**arguments: Any) -> Callable[[Platform], Platform]:
    address = "aws_vpc_security_group_egress_rule.network_service-to-database-5432-out"
    return lambda prod: with_changed(prod, address, **arguments)


def added(type_: str, **arguments: Any) -> Callable[[Platform], Platform]:
    return lambda prod: with_added(prod, "network", type_, "planted", deepcopy(arguments))


@pytest.mark.parametrize(
    "plant",
    [
        rule_changed(ip_protocol="udp"),
        rule_changed(cidr_ipv6="::/0"),
        rule_changed(referenced_security_group_id=None, prefix_list_id="pl-0123456789abcdef0"),
        acl("data", "ingress", 200, action="allow", ipv6_cidr_block="::/0", **port(5432)),
        added("aws_vpc_peering_connection"),
        added("aws_security_group_rule"),
        added("aws_route", route_table_id="rtb-1", destination_cidr_block="10.9.0.0/16", transit_gateway_id="tgw-1"),
        added("aws_instance", vpc_security_group_ids=[sg("service")], subnet_id="subnet-1"),
        lambda prod: with_changed(prod, "aws_default_security_group.network_default-group", ingress=[{"self": True}]),
    ],
)
def test_unsupported_configuration_is_an_error(prod: Platform, plant: Callable[[Platform], Platform]):
    with pytest.raises(UnsupportedConfigurationError):
        Reachability(plant(prod)).matrix(any)
