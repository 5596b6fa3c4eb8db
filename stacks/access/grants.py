"""What Terraform asks of AWS in an environment's account, a service at a time.

What has a name of ours is known by it, what AWS names by its tags, and what has neither by its Region. Actions are
IAM's, which are not always named as the calls are: https://docs.aws.amazon.com/service-authorization/latest/reference/

A rehearsal holds these tables against the calls that Terraform makes (`synthesized/permissions.py`).
"""

from enum import Enum, auto
from typing import NamedTuple


class Scope(Enum):
    """By what Terraform's own things are told from others."""

    NAME = auto()
    """Or by nothing: the resources of the grant say all."""
    RESOURCE_TAGS = auto()
    """That it has: Project and Environment."""
    REQUEST_TAGS = auto()
    """That it is made with."""
    UNTAGGED = auto()
    """Nobody has tagged it for an environment."""
    FIRST_TAGGING = auto()
    """Nobody has, and the call does it for this one."""
    TAG_ON_CREATE = auto()
    """EC2 alone: by the very call that makes it."""


class Grant(NamedTuple):
    """Actions of one service, on what, and when."""

    sid: str
    service: str
    actions: str
    """IAM's names, without the service."""
    resources: str = "*"
    """What is behind account and Region in an ARN, or whole ARNs. `{ours}` is `globecart-<environment>-`."""
    scope: Scope = Scope.NAME

    def iam_actions(self) -> list[str]:
        """Its actions, as IAM has them."""
        return [f"{self.service}:{action}" for action in self.actions.split()]
