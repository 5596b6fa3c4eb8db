"""What Terraform asks of AWS in an environment's account, a service at a time.

What has a name of ours is known by it, what AWS names by its tags, and what has neither by its Region. Actions are
IAM's, which are not always named as the calls are: https://docs.aws.amazon.com/service-authorization/latest/reference/

A rehearsal holds these tables against the calls that Terraform makes (`synthesized/permissions.py`).
"""

from enum import Enum, auto
from typing import NamedTuple


class Known(Enum):
    """By what Terraform's own things are told from others."""

    BY_NAME = auto()
    """Or by nothing: the resources of the grant say all."""
    BY_TAGS = auto()
    """That it has: Project and Environment."""
    BY_TAGS_ASKED = auto()
    """That it is made with."""
    BY_NO_TAGS = auto()
    """Nobody has tagged it for an environment."""
    AS_TAGGED_FIRST = auto()
    """Nobody has, and the call does it for this one."""
    AS_TAGGED_AT_BIRTH = auto()
    """EC2 alone: by the very call that makes it."""


class Grant(NamedTuple):
    """Actions of one service, on what, and when."""

    sid: str
    service: str
    actions: str
    """IAM's names, without the service."""
    on: str = "*"
    """What is behind account and Region in an ARN, or whole ARNs. `{ours}` is `globecart-<environment>-`."""
    known: Known = Known.BY_NAME
    reads: str = ""
    """Actions that tell how something of the service is set up, and none what is in it."""

    def named(self) -> list[str]:
        """Its actions, as IAM has them."""
        return [f"{self.service}:{action}" for action in self.actions.split()]

    def reading(self) -> list[str]:
        """The actions that read, as IAM has them."""
        return [f"{self.service}:{action}" for action in self.reads.split()]
