"""Functions that find a resource without searchable tags by its arguments.

They return its ID for `terraform import`, or None if it does not exist.

Where AWS reports a missing resource as an error, the catalogue's row lists the error code.
"""

import json
from collections.abc import Mapping

from synthesized.catalogue.aws_account import AwsAccount


def alias(account: AwsAccount, name: str) -> str | None:
    """A key's alias in any of the environment's Regions. Its name is its ID."""
    pages = (
        page
        for region in account.names.regions
        for page in account.client("kms", region).get_paginator("list_aliases").paginate()
    )
    return name if any(name == each["AliasName"] for page in pages for each in page["Aliases"]) else None


def backup_selection(account: AwsAccount, plan: str, name: str) -> str | None:
    selections = account.client("backup").list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    ids = [each["SelectionId"] for each in selections if each["SelectionName"] == name]
    return f"{plan}|{ids[0]}" if ids else None


def restore_testing_selection(account: AwsAccount, plan: str, name: str) -> str:
    client = account.client("backup")
    client.get_restore_testing_selection(RestoreTestingPlanName=plan, RestoreTestingSelectionName=name)
    return f"{name}:{plan}"


def replication(account: AwsAccount, file_system: str) -> str | None:
    response = account.client("efs").describe_replication_configurations(FileSystemId=file_system)
    return file_system if response["Replications"] else None


def mount_target(account: AwsAccount, file_system: str, subnet: str) -> str | None:
    targets = account.client("efs").describe_mount_targets(FileSystemId=file_system)["MountTargets"]
    return next((target["MountTargetId"] for target in targets if target["SubnetId"] == subnet), None)


def role(account: AwsAccount, name: str) -> str:
    return account.client("iam").get_role(RoleName=name)["Role"]["RoleName"]


def policy(account: AwsAccount, path: str, name: str) -> str:
    arn = f"arn:aws:iam::{account.names.account}:policy{path}{name}"
    return account.client("iam").get_policy(PolicyArn=arn)["Policy"]["Arn"]


def oidc_provider(account: AwsAccount, url: str) -> str:
    arn = f"arn:aws:iam::{account.names.account}:oidc-provider/{url.removeprefix('https://')}"
    account.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    return arn


def permission(account: AwsAccount, function: str, statement: str) -> str | None:
    """A statement of a function's resource policy."""
    policy = json.loads(account.client("lambda").get_policy(FunctionName=function)["Policy"])
    return f"{function}/{statement}" if any(each["Sid"] == statement for each in policy["Statement"]) else None


def query_definition(account: AwsAccount, name: str) -> str | None:
    """A query with exactly this name; AWS searches for a prefix."""
    response = account.client("logs").describe_query_definitions(queryDefinitionNamePrefix=name)
    ids = [query["queryDefinitionId"] for query in response["queryDefinitions"] if query["name"] == name]
    return account.names.arn("logs", f"query-definition:{ids[0]}") if ids else None


def record(account: AwsAccount, name: str, type_: str) -> str | None:
    """A record in the most specific public hosted zone that contains its name."""
    client = account.client("route53")
    pages = client.get_paginator("list_hosted_zones").paginate()
    zones = [zone for page in pages for zone in page["HostedZones"] if not zone["Config"]["PrivateZone"]]
    parents = [zone for zone in zones if f".{name}.".endswith(f".{zone['Name']}")]
    if not parents:
        return None
    zone = max(parents, key=lambda zone: len(zone["Name"]))["Id"].rpartition("/")[2]
    first = client.list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=name, StartRecordType=type_, MaxItems="1"
    )["ResourceRecordSets"]
    exists = [(each["Name"], each["Type"]) for each in first] == [(f"{name}.", type_)]
    return f"{zone}_{name}_{type_}" if exists else None


def route(account: AwsAccount, table: str, destination: str) -> str | None:
    routes = _route_table(account, table)["Routes"]
    exists = any(each.get("DestinationCidrBlock") == destination for each in routes)
    return f"{table}_{destination}" if exists else None


def association(account: AwsAccount, table: str, subnet: str) -> str | None:
    exists = any(each.get("SubnetId") == subnet for each in _route_table(account, table)["Associations"])
    return f"{subnet}/{table}" if exists else None


def _route_table(account: AwsAccount, table: str) -> Mapping[str, list[Mapping[str, str]]]:
    return account.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]


def schedule(account: AwsAccount, name: str) -> str:
    """A schedule of the default schedule group."""
    return f"{account.client('scheduler').get_schedule(Name=name)['GroupName']}/{name}"


def hub(account: AwsAccount) -> str:
    """Security Hub: one per account and Region."""
    account.client("securityhub").describe_hub()
    return account.names.account
