"""PCI DSS 1: network access."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

from synthesized.controls.control import (
    IS_ABSENT,
    IS_SET,
    IS_STATED_EMPTY,
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
RESTORE_TEST = "aws_backup_restore_testing_selection"
ANYWHERE = "0.0.0.0/0"
CUSTOMER_PORTS = {80, 443}

ENDPOINTS = ("ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "s3", "secretsmanager", "sts")


def is_open_to_anywhere(rule: Body) -> bool:
    """Whether a rule allows all IPv4 or any IPv6 addresses."""
    return str(rule.get("cidr_ipv4", "")).endswith("/0") or bool(rule.get("cidr_ipv6"))


def internal_ingress_rules(document: Document) -> dict[str, Body]:
    """Ingress rules that are not open to anywhere."""
    return {address: rule for address, rule in document.of_type(INGRESS).items() if not is_open_to_anywhere(rule)}


def _public_ingress(document: Document) -> Iterable[str]:
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
            yield f"{address}: {'cidr_ipv6' if rule.get('cidr_ipv6') else 'cidr_ipv4'}: is open to anywhere"


def _broad_ingress(document: Document) -> Iterable[str]:
    for address, rule in internal_ingress_rules(document).items():
        if rule.get("from_port") != rule.get("to_port") or rule.get("ip_protocol") != "tcp":
            yield f"{address}: from_port, to_port, ip_protocol: allow more than one TCP port"
        if not rule.get("referenced_security_group_id") or rule.get("cidr_ipv4") or rule.get("prefix_list_id"):
            yield f"{address}: referenced_security_group_id: is not the only source"


def _unexpected_sources(document: Document) -> Iterable[str]:
    def groups(type_: str, path: str) -> set[str]:
        return {
            group for body in document.of_type(type_).values() for found in values(body, path) for group in found or []
        }

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
            yield f"{address}: referenced_security_group_id: allows {source}"


def _address(reference: str) -> str:
    return reference.removeprefix("${").rpartition(".")[0]


def data_subnets(document: Document) -> set[str]:
    """References to the subnets of the database and the cache."""
    return {
        subnet
        for group in document.of_type("aws_db_subnet_group", "aws_elasticache_subnet_group").values()
        for subnet in group["subnet_ids"]
    }


def _routes_out_of_data_subnets(document: Document) -> Iterable[str]:
    tables = {
        association["subnet_id"]: association["route_table_id"]
        for association in document.of_type("aws_route_table_association").values()
    }
    routes = {route["route_table_id"] for route in document.of_type("aws_route").values()}
    for subnet in data_subnets(document):
        if subnet not in tables:
            yield f"{_address(subnet)}: has no aws_route_table_association"
        elif tables[subnet] in routes or document.referenced(tables[subnet]).get("route"):
            yield f"{_address(tables[subnet])}: has a route out of {_address(subnet)}"


def _foreign_ranges_in_data_acl(document: Document) -> Iterable[str]:
    (vpc,) = document.of_type("aws_vpc").values()
    inside = IPv4Network(vpc["cidr_block"])
    acls = dict[str, Body]()
    for acl in document.of_type("aws_network_acl").values():
        acls |= dict.fromkeys(acl.get("subnet_ids") or [], acl)
    for subnet in data_subnets(document):
        acl = acls.get(subnet, {})
        if not acl.get("ingress") or not acl.get("egress"):
            yield f"{_address(subnet)}: has no aws_network_acl with ingress and egress"
        for rule in [*acl.get("ingress", []), *acl.get("egress", [])]:
            # Path MTU discovery: any router may send ICMP.
            if rule["protocol"] != "icmp" and not IPv4Network(rule["cidr_block"]).subnet_of(inside):
                yield f"{_address(subnet)}: aws_network_acl cidr_block: allows {rule['cidr_block']}"


def _missing_endpoints(document: Document) -> Iterable[str]:
    names = [endpoint["service_name"] for endpoint in document.of_type("aws_vpc_endpoint").values()]
    for service in ENDPOINTS:
        if not any(name.endswith(f".{service}") for name in names):
            yield f"aws_vpc_endpoint: service_name: none is for {service}"


def endpoints_open_to_other_accounts(document: Document) -> Iterable[str]:
    """VPC endpoints whose policy allows other accounts. ECR signs requests for image layers itself: no principal."""
    for address, endpoint in document.of_type("aws_vpc_endpoint").items():
        statements = values(endpoint, "policy.statement")[0] or [{}]
        for statement in statements:
            tests: list[Any] = values(statement, "condition[variable=aws:PrincipalAccount].test")
            if tests != ["StringEquals"] and statement.get("sid") != "ImageLayers":
                yield f"{address}: policy condition: allows any account"


CONTROLS = (
    Control(
        name="public-ingress",
        requirements=("1.3.1", "1.4.2"),
        summary="The internet reaches only the load balancer: on port 443, and on port 80 for a redirect.",
        checks=[
            Relation("only public load balancers' security groups are open to anywhere, on 80 or 443", _public_ingress)
        ],
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
                "the database's security group allows 5432 from anywhere",
            ),
        ],
    ),
    Control(
        name="internal-ingress",
        requirements=("1.2.5", "1.3.1"),
        summary="Every other ingress rule allows one security group, on one TCP port.",
        checks=[Relation("every other ingress rule is for one security group and one TCP port", _broad_ingress)],
        mutations=[
            Replacement(f"{INGRESS}.network_service-to-database-5432-in", "to_port", 65535),
            Replacement(f"{INGRESS}.network_service-to-database-5432-in", "ip_protocol", "-1"),
            Replacement(f"{INGRESS}.network_service-to-database-5432-in", "referenced_security_group_id", None),
            Replacement(f"{INGRESS}.network_service-to-database-5432-in", "cidr_ipv4", "10.0.0.0/8"),
        ],
    ),
    Control(
        name="data-store-sources",
        requirements=("1.3.1", "1.4.4"),
        summary="Database, cache and files accept connections from tasks only, the database also from the rotation "
        "function.",
        checks=[
            Relation(
                "database, cache and files allow the security groups of tasks, and the database that of the function",
                _unexpected_sources,
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
        name="rule-descriptions",
        requirements=("1.2.5",),
        summary="Every security group and rule has a description. Rules are separate resources, defined in one table.",
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
        name="restricted-egress",
        requirements=("1.3.2",),
        summary="No egress rule allows all addresses or protocols: external destinations of tasks are listed.",
        checks=[
            Every(
                EGRESS,
                {
                    "cidr_ipv4": Value("not `0.0.0.0/0`", lambda range_: not str(range_).endswith("/0")),
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
        name="data-subnet-routes",
        requirements=("1.4.1", "1.4.4"),
        summary="Data subnets have their own route tables, without routes out of the VPC.",
        checks=[Relation("data subnets have no routes out of the VPC", _routes_out_of_data_subnets)],
        mutations=[
            Addition(
                "aws_route",
                {
                    "route_table_id": "${aws_route_table.network_data-a-routes.id}",
                    "destination_cidr_block": ANYWHERE,
                    "nat_gateway_id": "${aws_nat_gateway.network_nat-a.id}",
                },
                "a data subnet has a route to a NAT gateway",
            ),
            Removal(
                "aws_route_table_association.network_data-a-association",
                "a data subnet uses the VPC's main route table",
            ),
        ],
    ),
    Control(
        name="no-public-addresses",
        requirements=("1.4.4",),
        summary="Tasks and database have no public addresses, and subnets assign none.",
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
        name="data-network-acl",
        requirements=("1.3.1",),
        summary="A network ACL restricts traffic of the data subnets to addresses of the VPC.",
        checks=[
            Relation("data subnets have a network ACL that allows ranges of the VPC only", _foreign_ranges_in_data_acl)
        ],
        mutations=[
            Replacement("aws_network_acl.network_acl-data", "ingress[rule_no=100].cidr_block", ANYWHERE),
            Replacement("aws_network_acl.network_acl-data", "egress[rule_no=100].cidr_block", ANYWHERE),
            Replacement("aws_network_acl.network_acl-data", "subnet_ids", ["${aws_subnet.network_data-a.id}"]),
            Replacement("aws_network_acl.network_acl-data", "egress", None),
        ],
    ),
    Control(
        name="locked-defaults",
        requirements=("1.2.1", "2.2.1"),
        summary="The VPC's default security group, network ACL and route table have no rules and no routes.",
        checks=[
            Every("aws_default_security_group", {"ingress": IS_STATED_EMPTY, "egress": IS_STATED_EMPTY}),
            Every("aws_default_network_acl", {"ingress": IS_ABSENT, "egress": IS_ABSENT}),
            Every("aws_default_route_table", {"route": IS_STATED_EMPTY}),
        ],
        mutations=[
            Replacement("aws_default_security_group", "ingress", [{"self": True, "protocol": "-1"}]),
            Replacement("aws_default_network_acl", "egress", [{"rule_no": 100, "action": "allow"}]),
            Replacement("aws_default_network_acl", "ingress", [{"rule_no": 100, "action": "allow"}]),
            Replacement("aws_default_security_group", "egress", [{"self": True, "protocol": "-1"}]),
            Replacement("aws_default_route_table", "route", [{"cidr_block": ANYWHERE}]),
            Replacement("aws_default_security_group", "ingress", None),
            Replacement("aws_default_security_group", "egress", None),
            Replacement("aws_default_route_table", "route", None),
            Removal("aws_default_security_group", "the default security group has its initial rules"),
        ],
    ),
    Control(
        name="restore-tests",
        requirements=("1.4.4", "3.5.1"),
        summary="Restore tests restore the database into the data subnets, behind its security group, and files under "
        "their key.",
        checks=[
            Every(
                RESTORE_TEST,
                {
                    "restore_metadata_overrides.dbSubnetGroupName": IS_SET,
                    "restore_metadata_overrides.vpcSecurityGroupIds": Value(
                        "a JSON array of security groups of the stacks",
                        lambda groups: str(groups).startswith('["${aws_security_group.'),
                    ),
                },
                where={"protected_resource_type": "Aurora"},
            ),
            Every(
                RESTORE_TEST,
                {"restore_metadata_overrides.kmsKeyId": referring_to("aws_kms_key")},
                where={"protected_resource_type": "EFS"},
            ),
        ],
        mutations=[
            Replacement(
                f"{RESTORE_TEST}.recovery_restore-database", "restore_metadata_overrides.dbSubnetGroupName", None
            ),
            Replacement(
                f"{RESTORE_TEST}.recovery_restore-database", "restore_metadata_overrides.vpcSecurityGroupIds", "sg-0"
            ),
            Replacement(f"{RESTORE_TEST}.recovery_restore-files", "restore_metadata_overrides", None),
        ],
    ),
    Control(
        name="flow-logs",
        requirements=("1.2.7", "10.2.1"),
        summary="Flow logs record all traffic in the VPC, accepted and rejected.",
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
        summary="AWS services are reached through VPC endpoints with private DNS, which allow this account only.",
        checks=[
            Relation(f"endpoints for {', '.join(ENDPOINTS)}", _missing_endpoints),
            Relation("every statement of an endpoint policy requires this account", endpoints_open_to_other_accounts),
            Every(
                "aws_vpc_endpoint",
                {
                    "private_dns_enabled": True,
                    "security_group_ids": Value(
                        "security groups of endpoints",
                        lambda groups: bool(groups) and all("endpoint" in group for group in groups),
                    ),
                },
                where={"vpc_endpoint_type": "Interface"},
            ),
        ],
        mutations=[
            Removal("aws_vpc_endpoint.network_endpoint-kms", "there is no endpoint for KMS"),
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
