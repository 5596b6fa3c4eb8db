"""One environment's own things, as those who deploy are bound to them."""

from dataclasses import dataclass
from typing import Self

from stacks.access.grants import Grant
from stacks.access.identities import DESTROYS
from stacks.names import PROJECT, Names
from stacks.settings import Environment
from stacks.statements import Condition, equals

IN_BOTH_REGIONS = {"backup", "elasticfilesystem", "kms"}
"""Services of which the second Region has something."""
BUCKETS = ("audit", "config", "delivery")


@dataclass(frozen=True)
class Limits:
    """An environment, as its deployers are bound to it."""

    names: Names
    boundary: str
    """ARN of the policy that no role of the platform exceeds."""
    domain: str
    protected: bool
    """Whether deletion protection is on."""

    @classmethod
    def of(cls, settings: Environment) -> Self:
        """Those of the environment that the settings describe."""
        return cls(
            Names.of(settings), settings.permissions_boundary, settings.service.domain, settings.deletion_protection
        )

    @property
    def iam(self) -> str:
        """The beginning of the ARNs of the account's identities."""
        return f"arn:aws:iam::{self.names.account}:"

    @property
    def roles(self) -> str:
        """The platform's."""
        return f"{self.iam}role{self.names.role_path}{self.names.of_resource('*')}"

    @property
    def state_key(self) -> Condition:
        """The key is the one that encrypts the states. A key is known by its alias, which may come to be another's."""
        return Condition("ForAnyValue:StringEquals", "kms:ResourceAliases", [self.alias])

    @property
    def alias(self) -> str:
        """Of the states' key, as a condition names it."""
        return self.names.state_key.rpartition(":")[2]

    @property
    def states(self) -> str:
        """The environment's, and their locks."""
        return f"arn:aws:s3:::{self.names.state_bucket}/{self.names.environment}/*.tfstate"

    @property
    def locks(self) -> str:
        """Objects beside the states, which are there while somebody works."""
        return f"{self.states}.tflock"

    def tags(self, of: str) -> list[Condition]:
        """Tags are this environment's: `aws:ResourceTag`, or `aws:RequestTag`."""
        return [equals(f"{of}/Project", PROJECT), equals(f"{of}/Environment", self.names.environment)]

    def left(self, grant: Grant) -> list[str]:
        """Actions of a grant: where deletion protection is on, none that destroys."""
        return [action for action in grant.named() if not (self.protected and action in DESTROYS)]

    def arns(self, grant: Grant) -> list[str]:
        """What a grant is on."""
        names = self.names
        lists = {
            "{buckets}": [names.bucket_arn(bucket) for bucket in BUCKETS],
            "{deployers}": [f"{self.iam}role{names.access_path}*"],
            "{deployers_policies}": [f"{self.iam}policy{names.access_path}*"],
            "{log_groups}": [names.arn("logs", f"log-group:{group}") for group in names.log_groups],
            "{objects}": [f"{names.bucket_arn(bucket)}/*" for bucket in BUCKETS],
            "{oidc_provider}": [names.oidc_provider],
            "{roles}": [self.roles],
        }
        ours = names.of_resource("")
        return [
            arn
            for pattern in grant.on.split()
            for arn in lists.get(pattern)
            or self._in_regions(
                grant.service,
                pattern.format(account=names.account, ours=ours, region=names.region, snake=ours.replace("-", "_")),
            )
        ]

    def _in_regions(self, service: str, resource: str) -> list[str]:
        if resource == "*" or resource.startswith("arn:"):
            return [resource]
        regions = self.names.regions if service in IN_BOTH_REGIONS else [self.names.region]
        return [self.names.arn_in(region, service, resource) for region in regions]
