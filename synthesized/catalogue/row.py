"""Columns of the catalogue of Terraform resource types."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from synthesized.catalogue.aws_account import AwsAccount
from synthesized.catalogue.vpc import InVpc
from synthesized.catalogue.zone_loss import ZoneLossRule


@dataclass(frozen=True)
class Tagged:
    """A resource that the Resource Groups Tagging API finds by its tags."""

    arn: str
    """Regular expression for the ARN without partition, Region and account, as in `ec2:vpc/(.+)`."""
    deletion: str
    """How to delete it: the Cloud Control type name; or an AWS CLI command, if Cloud Control needs more than the ARN
    contains; or empty, if the next apply adopts the resource."""
    import_id: str = "{1}"
    """ID for `terraform import`: `{0}` is the ARN, `{1}` and following are the groups of `arn`."""
    identifier: str = "{1}"
    """Cloud Control identifier, with the same placeholders."""
    describe: Callable[[AwsAccount, str], set[str] | None] = lambda *_: set()
    """By ARN: properties that distinguish the resource from others of its type (`descriptions`). None if it was
    deleted; AWS keeps some deleted resources, or their tags, for a while."""
    not_found_codes: Sequence[str] = ()
    """Error codes that mean that the resource does not exist."""


@dataclass(frozen=True)
class Lookup:
    """A resource without searchable tags: found by its arguments."""

    find: Callable[..., str | None]
    """Takes an `AwsAccount` and the arguments; returns the ID for `terraform import`, or None (`lookups`)."""
    arguments: Sequence[str]
    """Terraform argument names."""
    not_found_codes: Sequence[str] = ()
    """Error codes that mean that the resource, or its parent, does not exist."""


@dataclass(frozen=True)
class Idempotent:
    """A resource that needs no search: the next apply creates it again, without harm."""

    call: str
    """API operation that creates it."""
    arn: str = ""
    """ARN pattern as in `Tagged`, if the resource carries tags."""


class Traffic(Enum):
    """Which arguments define the traffic that is allowed."""

    SECURITY_GROUP = auto()
    """`ingress` and `egress` list rules."""
    NETWORK_ACL = auto()
    """`ingress` and `egress` list rules, evaluated in order."""
    INGRESS_RULE = auto()
    EGRESS_RULE = auto()
    RULE_WITH_TYPE = auto()
    """One rule, whose direction is `type`."""
    RULE_WITH_EGRESS = auto()
    """One rule, whose direction is `egress`."""


@dataclass(frozen=True)
class SeparateResource:
    """A resource type that sets an argument of a parent resource."""

    type: str
    parent_argument: str
    """Argument that refers to the parent."""
    count: Callable[[Any], int] = len


@dataclass(frozen=True)
class Row:
    """A row of the catalogue."""

    recovery: Tagged | Lookup | Idempotent | None = None
    """How to find a resource that is in no state after an apply was killed. None if no stack has the type."""
    noun: str = ""
    """Name in pictures, for resources that are in no zone; empty for parts of other resources."""
    plural: str = ""
    """Empty if it is the noun with an `s`."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Arguments that name a KMS key, with the purpose of the key."""
    denied_without_tls: str = ""
    """For a resource policy: the action that it denies without TLS."""
    in_vpc: InVpc | None = None
    placed_like: str = ""
    """Type in whose subnets and behind whose security groups it creates copies."""
    zone_loss: ZoneLossRule | None = None
    """Rule that decides whether the tier survives the loss of a zone."""
    part_of: str = ""
    """Type whose `zone_loss` rule covers this type as well."""
    separate_resources: Mapping[str, SeparateResource | None] = field(default_factory=dict)
    """Arguments that separate resources set, so that a change of them is no drift. With a resource type, `drift`
    compares counts and reports what was added besides."""
    traffic: Traffic | None = None
    bypasses_network_rules: bool = False
    """Whether it opens a path into, out of or within the VPC that `reachability` does not model."""

    @property
    def has_zone_loss_rule(self) -> bool:
        """Whether a zone-loss rule covers the type."""
        return bool(self.zone_loss or self.part_of)

    def format_count(self, count: int) -> str:
        """Count and noun, as in `3 alarms`."""
        return f"{count} {self.noun if count == 1 else self.plural or f'{self.noun}s'}"
