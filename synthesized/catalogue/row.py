"""Columns of the catalogue: what may be known of a Terraform resource type."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from synthesized.catalogue.aws_account import AwsAccount
from synthesized.catalogue.vpc import InVpc
from synthesized.catalogue.zone_loss import ZoneLossRule


@dataclass(frozen=True)
class Tagged:
    """Found by its tags, which the Resource Groups Tagging API searches."""

    arn: str
    """Regular expression of the ARN without partition, Region and account: `ec2:vpc/(.+)`."""
    deletion: str
    """Cloud Control's name of the type; or the command that deletes it, where Cloud Control needs more than the ARN
    has; or empty, where the next apply adopts what is there."""
    import_id: str = "{1}"
    """ID for `terraform import`: `{0}` is the ARN, `{1}` and on are the expression's groups."""
    identifier: str = "{1}"
    """Cloud Control's identifier, of the same."""
    describe: Callable[[AwsAccount, str], set[str] | None] = lambda *_: set()
    """By ARN: what AWS says that tells it from others of its type. None if it was deleted; AWS keeps some deleted
    resources, or their tags, for a while."""
    not_found_codes: Sequence[str] = ()
    """Error codes that mean that it does not exist."""


@dataclass(frozen=True)
class Lookup:
    """Without tags that can be searched: found by its arguments."""

    find: Callable[..., str | None]
    """ID for `terraform import`, by an `AwsAccount` and the arguments; None where it does not exist."""
    arguments: Sequence[str]
    """Terraform's names of them."""
    not_found_codes: Sequence[str] = ()
    """Error codes by which AWS says that it, or what it belongs to, does not exist."""


@dataclass(frozen=True)
class Idempotent:
    """Not searched for: the next apply makes it again, without harm."""

    call: str
    """Of AWS's API."""
    arn: str = ""
    """As of `Tagged`, where it has tags all the same."""


class Traffic(Enum):
    """How arguments say which traffic is let through."""

    SECURITY_GROUP = auto()
    """Rules in `ingress` and `egress`."""
    NETWORK_ACL = auto()
    """Rules in `ingress` and `egress`, in their order."""
    INGRESS_RULE = auto()
    EGRESS_RULE = auto()
    RULE_WITH_TYPE = auto()
    """One rule; `type` says in which direction."""
    RULE_WITH_EGRESS = auto()
    """One rule; `egress` says in which direction."""


@dataclass(frozen=True)
class SeparateResource:
    """Resources that set an argument of another resource, beside whoever else does."""

    type: str
    parent_argument: str
    """The argument by which they belong to the other resource."""
    count: Callable[[Any], int] = len


@dataclass(frozen=True)
class Row:
    """A row of the catalogue."""

    recovery: Tagged | Lookup | Idempotent | None = None
    """How one that no state knows is found after an apply was killed. None: the stacks have none of the type."""
    noun: str = ""
    """What pictures call one that is in no zone; empty where it is a part of another resource."""
    plural: str = ""
    """Where that is not the noun with an `s`."""
    in_vpc: InVpc | None = None
    zone_loss: ZoneLossRule | None = None
    """What is left of it without a zone."""
    part_of: str = ""
    """The type whose `zone_loss` looks at it as well."""
    separate_resources: Mapping[str, SeparateResource | None] = field(default_factory=dict)
    """Arguments that resources of their own set; and which, where a plan does not show what others add."""
    traffic: Traffic | None = None
    bypasses_network_rules: bool = False
    """Whether it is a way into the VPC, out of it, or around its rules, that `reachability` does not understand."""

    @property
    def has_zone_loss_rule(self) -> bool:
        """Whether some rule looks at what is left of it."""
        return bool(self.zone_loss or self.part_of)

    def format_count(self, count: int) -> str:
        """`3 alarms`."""
        return f"{count} {self.noun if count == 1 else self.plural or f'{self.noun}s'}"
