"""`python -m operations orphans ENV`: what a tier has made and no state knows, with the command that mends it.

Terraform writes a state every 20 seconds. When it is killed in between, or its machine dies, resources may exist that
no plan will ever show. They carry the environment's tags all the same, and by these they are found. What carries no
tags of its own (a route, an alias) is found by what it belongs to.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import typer
from botocore.exceptions import ClientError

from operations.aws import Account, EnvironmentName, RefusedError, code_of, console, ends_in_a_line, reach
from operations.platform import Body, Platform, PlatformError, Resource
from operations.resource_kinds import KINDS, UNTAGGED, Kind, is_leaving
from operations.terraform import ROOT


@dataclass(frozen=True)
class Orphan:
    """Something that a tier has made and no state knows."""

    what: str
    """Its ARN; or its address, where it has none of its own."""
    tier: str
    address: str | None
    """The one resource of the stack that it must be; None where it could be several."""
    id: str
    """As `terraform import` takes it."""
    deleted: str | None = None
    """Cloud Control's name of its type, and the identifier."""

    @property
    def command(self) -> str:
        """What puts it into the state, or deletes it where nobody can say which resource it is."""
        if self.address:
            return f"terraform import '{self.address}' '{self.id}'"
        return f"aws cloudcontrol delete-resource {self.deleted}"


def orphans(environment: EnvironmentName) -> None:
    """List what a tier has made and no state knows, with the command that imports or deletes it.

    When: an apply was killed, or its machine died. First release its lock (`lock`), and let its state forget what is
    gone (`terraform apply -refresh-only` in the stack's folder beneath cdktf.out/stacks); then run this, then the
    commands it prints, each import in the folder of its stack; then deploy again. Changes nothing itself.

    Exit codes: 0 every resource is in a state, 1 some are not or it cannot be told, 2 wrong usage.
    """
    with ends_in_a_line():
        account = reach(environment)
        try:
            platform = Platform.read(ROOT / "cdktf.out", environment)
        except PlatformError as error:
            raise RefusedError(str(error)) from error
        lost = find(account, platform)
    for orphan in lost:
        console().print(f"{orphan.tier}: {orphan.what}\n    {orphan.command}", soft_wrap=True, markup=False)
    console().print(f"{len(lost)} resources of {environment} are in no state")
    if lost:
        raise typer.Exit(1)


def find(account: Account, platform: Platform) -> list[Orphan]:
    """What carries the environment's tags, or belongs to what does, and is in no state.

    Raises:
        RefusedError: a state cannot be read.
        ClientError: AWS refuses to tell.
    """
    known = {tier: _state(account, stack.backend) for tier, stack in platform.stacks.items()}
    lost = [orphan for tier in platform.stacks for orphan in _tagged(account, platform, tier, known[tier])]
    for orphan in lost:
        if orphan.address:
            known[orphan.tier][orphan.address] = {"id": orphan.id, "arn": orphan.what}
    return lost + [orphan for tier in platform.stacks for orphan in _untagged(account, platform, known, tier)]


State = dict[str, Body]
"""Attributes by address."""


def _state(account: Account, backend: Mapping[str, str]) -> State:
    try:
        answer = account.client("s3").get_object(Bucket=backend["bucket"], Key=backend["key"])
    except account.client("s3").exceptions.NoSuchKey:
        return {}
    try:
        return attributes_in(answer["Body"].read())
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"s3://{backend['bucket']}/{backend['key']}: no state of Terraform's ({error!r})") from error


def attributes_in(state: str | bytes) -> State:
    """What a state of Terraform's says of its resources.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    return {
        f"{resource['type']}.{resource['name']}": instance["attributes"]
        for resource in json.loads(state)["resources"]
        if resource["mode"] == "managed"
        for instance in resource["instances"]
    }


def _tagged(account: Account, platform: Platform, tier: str, known: State) -> Iterator[Orphan]:
    in_state = {value for attributes in known.values() for name in ("arn", "id") if (value := attributes.get(name))}
    missing = [resource for resource in platform.resources if resource.tier == tier and resource.origin not in known]
    pages = (
        account.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(
            TagFilters=[
                {"Key": "Environment", "Values": [platform.environment]},
                {"Key": "Tier", "Values": [tier]},
                {"Key": "ManagedBy", "Values": ["cdktf"]},
            ]
        )
    )
    for found in (found for page in pages for found in page["ResourceTagMappingList"]):
        arn: str = found["ResourceARN"]
        matches = [(kind, match[1]) for kind in KINDS if (match := re.fullmatch(kind.arn, _resource_of(arn)))]
        if in_state & {arn, f"{arn}:*", *(id for _, id in matches)} or is_leaving(account, arn):
            continue
        told = {tag["Value"] for tag in found["Tags"] if tag["Key"] == "Name"} | _described(account, arn)
        orphan = _orphan(arn, tier, matches, missing, told)
        if not (orphan.address or "").startswith("aws_default_"):
            yield orphan


def _orphan(arn: str, tier: str, matches: list[tuple[Kind, str]], missing: list[Resource], told: set[str]) -> Orphan:
    """Which of the resources that no state has it is: the only one of its type, or the one that says its name."""
    of_type = [(kind, id, each) for kind, id in matches for each in missing if each.type == kind.type]
    named = [found for found in of_type if {found[1], *told} & set(_texts(found[2].body))]
    if len(found := named or of_type) == 1:
        kind, id, resource = found[0]
        return Orphan(arn, tier, resource.origin, _import_id(kind, id, arn))
    if matches:
        kind, id = matches[0]
        return Orphan(arn, tier, None, id, f"--type-name {kind.deleted} --identifier {arn if kind.by_arn else id}")
    return Orphan(arn, tier, None, arn, f"--type-name <type> --identifier {arn}")


def _import_id(kind: Kind, id: str, arn: str) -> str:
    if kind.type == "aws_cloudwatch_event_rule":
        return f"default/{id}"
    if kind.type == "aws_wafv2_web_acl":
        name, _, number = id.partition("/")
        return f"{number}/{name}/REGIONAL"
    return arn if kind.by_arn else id


def _resource_of(arn: str) -> str:
    _, _, service, _, _, resource = arn.split(":", 5)
    return f"{service}:{resource}"


def _described(account: Account, arn: str) -> set[str]:
    """What tells a resource from others of its type that have no name."""
    resource = _resource_of(arn)
    id = resource.rpartition("/")[2]
    if resource.startswith("kms:"):
        return {account.client("kms").describe_key(KeyId=id)["KeyMetadata"]["Description"]}
    if resource.startswith("ec2:security-group-rule/"):
        rules = account.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[id])["SecurityGroupRules"]
        return {rule["Description"] for rule in rules}
    return set()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (text for entry in value.values() for text in _texts(entry))
    elif isinstance(value, list):
        yield from (text for entry in value for text in _texts(entry))
    else:
        yield str(value)


def _untagged(account: Account, platform: Platform, known: Mapping[str, State], tier: str) -> Iterator[Orphan]:
    attributes = {
        resource.address: known[resource.tier][resource.origin]
        for resource in platform.resources
        if resource.origin in known[resource.tier]
    }
    for resource in platform.of_type(*UNTAGGED):
        if resource.tier != tier or resource.origin in known[tier]:
            continue
        body = {name: _resolved(value, attributes) for name, value in resource.body.items()}
        if not any("${" in str(value) for value in body.values()) and (id := _asked(account, resource, body)):
            yield Orphan(resource.origin, tier, resource.origin, id)


def _asked(account: Account, resource: Resource, body: Body) -> str | None:
    try:
        return UNTAGGED[resource.type](account, body)
    except ClientError as error:
        # What it belongs to is gone.
        if "NotFound" in code_of(error):
            return None
        raise


def _resolved(value: Any, attributes: Mapping[str, Body]) -> Any:
    """A value that is one reference, as the state has it."""
    reference = re.fullmatch(r"\$\{(\w+\.[\w-]+)\.(\w+)\}", value) if isinstance(value, str) else None
    if reference is None or reference[1] not in attributes:
        return value
    known = attributes[reference[1]]
    return known.get(reference[2], known["id"])
