"""Permissions of the deployment roles, as tables of grants per AWS service.

A grant is limited to the environment's own resources: by name if we choose the name, by tags if AWS does, otherwise by
Region. IAM actions do not always have the name of the API call:
https://docs.aws.amazon.com/service-authorization/latest/reference/

A rehearsal compares these tables with the calls that Terraform makes (`synthesized/permissions.py`).
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from stacks.names import Names


class Scope(Enum):
    """How a grant is limited to the environment's own resources."""

    NAME = auto()
    """By the ARNs of the grant."""
    RESOURCE_TAGS = auto()
    """By the resource's tags Project and Environment."""
    REQUEST_TAGS = auto()
    """By the tags that the request creates the resource with."""
    UNTAGGED = auto()
    """The resource has no Environment tag."""
    FIRST_TAGGING = auto()
    """The resource has no Environment tag yet, and the request tags it for this environment."""
    OUR_CLUSTER = auto()
    """RDS's tag of a master secret names no other cluster than this environment's."""
    TAG_ON_CREATE = auto()
    """EC2 only: the resource is tagged by the call that creates it."""


class Grant(NamedTuple):
    """IAM actions of one service, their resources and scope."""

    sid: str
    service: str
    actions: str
    """IAM action names, separated by spaces, without the service prefix."""
    resources: str = "*"
    """Resource parts of ARNs, or full ARNs, separated by spaces. `{ours}` is `<company>-<environment>-`,
    `{domain}` the service's domain."""
    scope: Scope = Scope.NAME
    reads: str = ""
    """Actions that read the configuration of the service's resources, and no content."""

    def iam_actions(self) -> list[str]:
        """The actions with their service prefix."""
        return [f"{self.service}:{action}" for action in self.actions.split()]

    def read_actions(self) -> list[str]:
        """The reads with their service prefix."""
        return [f"{self.service}:{action}" for action in self.reads.split()]


def expand(resource: str, names: Names, domain: str) -> str:
    """A resource of a grant with the environment's values in place of its placeholders."""
    ours = names.resource_name("")
    return resource.format(
        account=names.account, domain=domain, ours=ours, region=names.region, snake=ours.replace("-", "_")
    )


class OwnPermissions(NamedTuple):
    """What the deployment roles need for the user's own tiers."""

    tiers: Sequence[str] = ()
    """Their names: each tier may have a KMS key of its name."""
    grants: Sequence[Grant] = ()
    losses: Sequence[str] = ()
    """Actions that lose data: denied while deletion protection is on."""
    passed_to: Sequence[str] = ()
    """Services that their roles are passed to, beyond those of the project's roles."""
