"""PCI DSS 1: who may talk to whom."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

from synthesized.controls.control import (
    IS_ABSENT,
    IS_SET,
    Addition,
    Control,
    Every,
    Relation,
    Removal,
    Replacement,
    Value,
    referring_to,
)
from synthesized.controls.document import Document, values
from synthesized.platform import Body

INGRESS, EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"
ANYWHERE = "0.0.0.0/0"
CUSTOMER_PORTS = {80, 443}

ENDPOINTS = ("ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "s3", "secretsmanager", "sts")


def is_open_to_anywhere(rule: Body) -> bool:
    """Whether a rule's range is everybody."""
    return str(rule.get("cidr_ipv4", "")).endswith("/0") or bool(rule.get("cidr_ipv6"))


def internal_ingress_rules(document: Document) -> dict[str, Body]:
    """Ways in that are not for everybody."""
    return {address: rule for address, rule in document.of_type(INGRESS).items() if not is_open_to_anywhere(rule)}


def _other_ways_in(document: Document) -> Iterable[str]:
    public = {
        group
        for balancer in document.of_type("aws_lb").values()
        if not balancer.get("internal")
        for group in balancer.get("security_groups") or []
    }
    for address, rule in document.of_type(INGRESS).items():
        ports = {rule.get("from_port"), rule.get("to_port")}
        if is_open_to_anywhere(rule) and (
            rule["security_group_id"] not in public or len(ports) != 1 or not ports <= CUSTOMER_PORTS
        ):
            yield f"{address}: {'cidr_ipv6' if rule.get('cidr_ipv6') else 'cidr_ipv4'}: open to the world"


def _ranges_of_ports(document: Document) -> Iterable[str]:
    for address, rule in internal_ingress_rules(document).items():
        if rule.get("from_port") != rule.get("to_port") or rule.get("ip_protocol") != "tcp":
            yield f"{address}: from_port, to_port, ip_protocol: are not of one TCP port"
        if not rule.get("referenced_security_group_id") or rule.get("cidr_ipv4") or rule.get("prefix_list_id"):
            yield f"{address}: referenced_security_group_id: is not all that is let in"


def _other_sources(document: Document) -> Iterable[str]:
    def groups(type_: str, path: str) -> set[str]:
        return {group for body in document.of_type(type_).values() for found in values(body, path) for group in found}

    tasks = groups("aws_ecs_service", "network_configuration.security_groups")
    functions = groups("aws_lambda_function", "vpc_config.security_group_ids")
    stores = {
        **dict.fromkeys(groups("aws_rds_cluster", "vpc_security_group_ids"), tasks | functions),
        **dict.fromkeys(groups("aws_elasticache_replication_group", "security_group_ids"), tasks),
        **dict.fromkeys(groups("aws_efs_mount_target", "security_groups"), tasks),
    }
    for address, rule in internal_ingress_rules(document).items():
        source = rule.get("referenced_security_group_id")
        if source and source not in stores.get(rule["security_group_id"], {source}):
            yield f"{address}: referenced_security_group_id: lets in {source}"


def _address(reference: str) -> str:
    return reference.removeprefix("${").rpartition(".")[0]


def data_subnets(document: Document) -> set[str]:
    """References to the subnets of what keeps data."""
    return {
        subnet
        for group in document.of_type("aws_db_subnet_group", "aws_elasticache_subnet_group").values()
        for subnet in group["subnet_ids"]
    }


def _ways_out_of_data(document: Document) -> Iterable[str]:
    tables = {
        association["subnet_id"]: association["route_table_id"]
        for association in document.of_type("aws_route_table_association").values()
    }
    routes = {route["route_table_id"] for route in document.of_type("aws_route").values()}
    for subnet in data_subnets(document):
        if subnet not in tables:
            yield f"{_address(subnet)}: has no aws_route_table_association"
        elif tables[subnet] in routes or document.referenced(tables[subnet]).get("route"):
            yield f"{_address(tables[subnet])}: has a route, out of {_address(subnet)}"


def _strangers_in_data_acl(document: Document) -> Iterable[str]:
    (vpc,) = document.of_type("aws_vpc").values()
    inside = IPv4Network(vpc["cidr_block"])
    fenced = dict[str, Body]()
    for acl in document.of_type("aws_network_acl").values():
        fenced |= dict.fromkeys(acl.get("subnet_ids") or [], acl)
    for subnet in data_subnets(document):
        acl = fenced.get(subnet, {})
        if not acl.get("ingress") or not acl.get("egress"):
            yield f"{_address(subnet)}: has no aws_network_acl with ingress and egress"
        for rule in [*acl.get("ingress", []), *acl.get("egress", [])]:
            # ICMP says that a packet was too large, wherever on its way that was.
            if rule["protocol"] != "icmp" and not IPv4Network(rule["cidr_block"]).subnet_of(inside):
                yield f"{_address(subnet)}: aws_network_acl cidr_block: allows {rule['cidr_block']}"


def _missing_endpoints(document: Document) -> Iterable[str]:
    names = [endpoint["service_name"] for endpoint in document.of_type("aws_vpc_endpoint").values()]
    for service in ENDPOINTS:
        if not any(name.endswith(f".{service}") for name in names):
            yield f"aws_vpc_endpoint: service_name: there is none of {service}"


def endpoints_open_to_other_accounts(document: Document) -> Iterable[str]:
    """Those whose policy serves another account. Layers of images are signed by ECR, for no principal of ours."""
    for address, endpoint in document.of_type("aws_vpc_endpoint").items():
        statements = values(endpoint, "policy.statement")[0] or [{}]
        for statement in statements:
            tests: list[Any] = values(statement, "condition[variable=aws:PrincipalAccount].test")
            if tests != ["StringEquals"] and statement.get("sid") != "ImageLayers":
                yield f"{address}: policy condition: serves any account"


CONTROLS = (
    Control(
        name="one-way-in",
        requirements=("1.3.1", "1.4.2"),
        summary="The internet reaches the load balancer alone, on 443, and on 80 to be redirected.",
        checks=[Relation("only a public load balancer's group is open to everybody, on 80 or 443", _other_ways_in)],
        mutations=[
            Replacement(f"{INGRESS}.network_internet-to-load-balancer-443-in", "from_port", 22),
            Addition(
                INGRESS,
                {
                    "security_group_id": "${aws_security_group.network_group-database.id}",
                    "description": "planted",
                    "ip_protocol": "tcp",
                    "from_port": 5432,
                    "to_port": 5432,
                    "cidr_ipv4": ANYWHERE,
                },
                "the database's group takes 5432 from everybody",
            ),
        ],
    ),
    Control(
        name="one-port-each",
        requirements=("1.2.5", "1.3.1"),
        summary="All other connections are let in from a security group, on one TCP port each.",
        checks=[Relation("every other way in is for one security group, one port, TCP", _ranges_of_ports)],
        mutations=[
            Replacement(f"{INGRESS}.network_service-to-database-5432-in", "to_port", 65535),
            Replacement(f"{INGRESS}.network_service-to-database-5432-in", "ip_protocol", "-1"),
            Replacement(f"{INGRESS}.network_service-to-database-5432-in", "referenced_security_group_id", None),
            Replacement(f"{INGRESS}.network_service-to-database-5432-in", "cidr_ipv4", "10.0.0.0/8"),
        ],
    ),
    Control(
        name="stores-for-tasks",
        requirements=("1.3.1", "1.4.4"),
        summary="What keeps data takes connections from tasks; the database from the rotation's function, too.",
        checks=[
            Relation(
                "sources of database, cache and files are the groups of tasks, and of the function for the database",
                _other_sources,
            )
        ],
        mutations=[
            Replacement(
                f"{INGRESS}.network_service-to-{store}-in",
                "referenced_security_group_id",
                "${aws_security_group.network_group-load-balancer.id}",
            )
            for store in ("cache-6379", "database-5432", "files-2049")
        ],
    ),
    Control(
        name="rules-say-why",
        requirements=("1.2.5",),
        summary="Every security group and rule says what it is for; rules are resources of their own, from one table.",
        checks=[
            Every("aws_security_group", {"description": IS_SET, "ingress": IS_ABSENT, "egress": IS_ABSENT}),
            Every(INGRESS, {"description": IS_SET}),
            Every(EGRESS, {"description": IS_SET}),
        ],
        mutations=[
            Replacement("aws_security_group", "description", ""),
            Replacement("aws_security_group", "ingress", [{"from_port": 22}]),
            Replacement("aws_security_group", "egress", [{"from_port": 0}]),
            Replacement(INGRESS, "description", None),
            Replacement(EGRESS, "description", None),
        ],
    ),
    Control(
        name="no-way-to-everybody",
        requirements=("1.3.2",),
        summary="Nothing may open connections to everybody, or of all protocols: what tasks reach outside is listed.",
        checks=[
            Every(
                EGRESS,
                {
                    "cidr_ipv4": Value("not everybody", lambda range_: not str(range_).endswith("/0")),
                    "cidr_ipv6": IS_ABSENT,
                    "ip_protocol": "tcp",
                },
            )
        ],
        mutations=[
            Replacement(EGRESS, "cidr_ipv4", ANYWHERE),
            Replacement(EGRESS, "cidr_ipv6", "::/0"),
            Replacement(EGRESS, "ip_protocol", "-1"),
        ],
    ),
    Control(
        name="data-has-no-way-out",
        requirements=("1.4.1", "1.4.4"),
        summary="The data subnets have route tables of their own, without a route out of the VPC.",
        checks=[Relation("no route leads out of a data subnet", _ways_out_of_data)],
        mutations=[
            Addition(
                "aws_route",
                {
                    "route_table_id": "${aws_route_table.network_data-a-routes.id}",
                    "destination_cidr_block": ANYWHERE,
                    "nat_gateway_id": "${aws_nat_gateway.network_nat-a.id}",
                },
                "a data subnet's table leads to a NAT gateway",
            ),
            Removal(
                "aws_route_table_association.network_data-a-association", "a data subnet is left to the VPC's own table"
            ),
        ],
    ),
    Control(
        name="no-public-addresses",
        requirements=("1.4.4",),
        summary="Tasks, database and whatever is put in a subnet have no public address.",
        checks=[
            Every("aws_subnet", {"map_public_ip_on_launch": False}),
            Every("aws_rds_cluster_instance", {"publicly_accessible": False}),
            Every("aws_ecs_service", {"network_configuration.assign_public_ip": False}),
        ],
        mutations=[
            Replacement("aws_subnet", "map_public_ip_on_launch", True),
            Replacement("aws_rds_cluster_instance", "publicly_accessible", True),
            Replacement("aws_ecs_service", "network_configuration.assign_public_ip", True),
        ],
    ),
    Control(
        name="second-fence",
        requirements=("1.3.1",),
        summary="A network ACL lets nothing but the VPC's own addresses into the data subnets, or out of them.",
        checks=[Relation("each data subnet has a network ACL with ranges of the VPC alone", _strangers_in_data_acl)],
        mutations=[
            Replacement("aws_network_acl.network_acl-data", "ingress[rule_no=100].cidr_block", ANYWHERE),
            Replacement("aws_network_acl.network_acl-data", "egress[rule_no=100].cidr_block", ANYWHERE),
            Replacement("aws_network_acl.network_acl-data", "subnet_ids", ["${aws_subnet.network_data-a.id}"]),
            Replacement("aws_network_acl.network_acl-data", "egress", None),
        ],
    ),
    Control(
        name="defaults-locked",
        requirements=("1.2.1", "2.2.1"),
        summary="The VPC's default security group, ACL and route table have no rule and no route.",
        checks=[
            Every("aws_default_security_group", {"ingress": IS_ABSENT, "egress": IS_ABSENT}),
            Every("aws_default_network_acl", {"ingress": IS_ABSENT, "egress": IS_ABSENT}),
            Every("aws_default_route_table", {"route": IS_ABSENT}),
        ],
        mutations=[
            Replacement("aws_default_security_group", "ingress", [{"self": True, "protocol": "-1"}]),
            Replacement("aws_default_network_acl", "egress", [{"rule_no": 100, "action": "allow"}]),
            Replacement("aws_default_network_acl", "ingress", [{"rule_no": 100, "action": "allow"}]),
            Replacement("aws_default_security_group", "egress", [{"self": True, "protocol": "-1"}]),
            Replacement("aws_default_route_table", "route", [{"cidr_block": ANYWHERE}]),
            Removal("aws_default_security_group", "the default security group is left as AWS makes it"),
        ],
    ),
    Control(
        name="flow-logs",
        requirements=("1.2.7", "10.2.1"),
        summary="Every connection in the VPC is logged, those that are refused, too.",
        checks=[
            Every(
                "aws_flow_log",
                {
                    "traffic_type": "ALL",
                    "vpc_id": referring_to("aws_vpc"),
                    "log_destination": referring_to("aws_cloudwatch_log_group"),
                    "iam_role_arn": referring_to("aws_iam_role"),
                },
            )
        ],
        mutations=[
            Replacement("aws_flow_log", "traffic_type", "REJECT"),
            Replacement("aws_flow_log", "log_destination", "arn:aws:s3:::elsewhere"),
            Replacement("aws_flow_log", "iam_role_arn", None),
            Removal("aws_flow_log", "there is no flow log"),
        ],
    ),
    Control(
        name="endpoints",
        requirements=("1.3.2", "1.4.5"),
        summary="AWS's services are reached within the VPC, under their own names, and for this account alone.",
        checks=[
            Relation(f"there is an endpoint of each of {', '.join(ENDPOINTS)}", _missing_endpoints),
            Relation("every statement of an endpoint's policy asks for our account", endpoints_open_to_other_accounts),
            Every(
                "aws_vpc_endpoint",
                {
                    "private_dns_enabled": True,
                    "security_group_ids": Value(
                        "a group of endpoints' own",
                        lambda groups: bool(groups) and all("endpoint" in group for group in groups),
                    ),
                },
                where={"vpc_endpoint_type": "Interface"},
            ),
        ],
        mutations=[
            Removal("aws_vpc_endpoint.network_endpoint-kms", "there is no endpoint of KMS"),
            Replacement("aws_vpc_endpoint.network_endpoint-kms", "private_dns_enabled", False),
            Replacement("aws_vpc_endpoint.network_endpoint-kms", "policy", None),
            Replacement("aws_vpc_endpoint.network_endpoint-kms", "policy.statement.condition", None),
            Replacement(
                "aws_vpc_endpoint.network_endpoint-s3",
                "policy.statement[sid=OwnAccount].condition[variable=aws:PrincipalAccount].test",
                "StringNotEquals",
            ),
            Replacement(
                "aws_vpc_endpoint.network_endpoint-kms",
                "security_group_ids",
                ["${aws_security_group.network_group-service.id}"],
            ),
        ],
    ),
)
