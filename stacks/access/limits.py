"""One environment's own things, as those who deploy are bound to them."""

from dataclasses import dataclass
from typing import Self

from stacks.access.grants import Grant
from stacks.access.identities import DESTRUCTIVE_ACTIONS
from stacks.names import PROJECT, Names
from stacks.settings import Environment
from stacks.statements import Condition, string_equals

SECOND_REGION_SERVICES = {"backup", "elasticfilesystem", "kms"}
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
    def from_settings(cls, settings: Environment) -> Self:
        """Those of the environment that the settings describe."""
        return cls(
            Names.from_settings(settings),
            settings.permissions_boundary,
            settings.service.domain,
            settings.deletion_protection,
        )

    @property
    def iam_arn_prefix(self) -> str:
        """The beginning of the ARNs of the account's identities."""
        return f"arn:aws:iam::{self.names.account}:"

    @property
    def role_arn_pattern(self) -> str:
        """The platform's."""
        return f"{self.iam_arn_prefix}role{self.names.role_path}{self.names.resource_name('*')}"

    @property
    def state_key_condition(self) -> Condition:
        """The key is the one that encrypts the states. A key is known by its alias, which may come to be another's."""
        return Condition("ForAnyValue:StringEquals", "kms:ResourceAliases", [self.state_key_alias])

    @property
    def state_key_alias(self) -> str:
        """Of the states' key, as a condition names it."""
        return self.names.state_key_alias_arn.rpartition(":")[2]

    @property
    def state_arn_pattern(self) -> str:
        """The environment's, and their locks."""
        return f"arn:aws:s3:::{self.names.state_bucket}/{self.names.environment}/*.tfstate"

    @property
    def lock_arn_pattern(self) -> str:
        """Objects beside the states, which are there while somebody works."""
        return f"{self.state_arn_pattern}.tflock"

    def tag_conditions(self, of: str) -> list[Condition]:
        """Tags are this environment's: `aws:ResourceTag`, or `aws:RequestTag`."""
        return [string_equals(f"{of}/Project", PROJECT), string_equals(f"{of}/Environment", self.names.environment)]

    def allowed_actions(self, grant: Grant) -> list[str]:
        """Actions of a grant: where deletion protection is on, none that destroys."""
        return [action for action in grant.iam_actions() if not (self.protected and action in DESTRUCTIVE_ACTIONS)]

    def resource_arns(self, grant: Grant) -> list[str]:
        """What a grant is on."""
        names = self.names
        lists = {
            "{buckets}": [names.bucket_arn(bucket) for bucket in BUCKETS],
            "{deployers}": [f"{self.iam_arn_prefix}role{names.access_path}*"],
            "{deployers_policies}": [f"{self.iam_arn_prefix}policy{names.access_path}*"],
            "{log_groups}": [names.arn("logs", f"log-group:{group}") for group in names.log_group_patterns],
            "{objects}": [f"{names.bucket_arn(bucket)}/*" for bucket in BUCKETS],
            "{oidc_provider}": [names.oidc_provider_arn],
            "{roles}": [self.role_arn_pattern],
        }
        ours = names.resource_name("")
        return [
            arn
            for pattern in grant.resources.split()
            for arn in lists.get(pattern)
            or self._in_regions(
                grant.service,
                pattern.format(account=names.account, ours=ours, region=names.region, snake=ours.replace("-", "_")),
            )
        ]

    def _in_regions(self, service: str, resource: str) -> list[str]:
        if resource == "*" or resource.startswith("arn:"):
            return [resource]
        regions = self.names.regions if service in SECOND_REGION_SERVICES else [self.names.region]
        return [self.names.arn_in(region, service, resource) for region in regions]
