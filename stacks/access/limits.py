"""ARNs and conditions that limit the deployment roles to one environment."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Self

from stacks.access.grants import Grant, OwnPermissions, expand
from stacks.access.identities import DESTRUCTIVE_ACTIONS
from stacks.foundation.keys import KEYS, SECOND_REGION_KEYS
from stacks.names import BUCKETS, GLOBAL_REGION, Names
from stacks.settings import Environment
from stacks.statements import Condition, string_equals

SECOND_REGION_SERVICES = {"backup", "elasticfilesystem", "kms"}
"""Services with resources in the second Region."""
GLOBAL_REGION_SERVICES = {"events"}
"""Services with resources in us-east-1 in any environment."""


@dataclass(frozen=True)
class Limits:
    """ARNs and conditions that limit the deployment roles to one environment."""

    names: Names
    boundary: str
    """ARN of the permissions boundary of the platform's roles."""
    domain: str
    protected: bool
    """Whether deletion protection is on."""
    own: OwnPermissions

    @classmethod
    def from_settings(cls, settings: Environment, own: OwnPermissions) -> Self:
        """Limits of the environment with these settings."""
        return cls(
            settings.names,
            settings.permissions_boundary,
            settings.service.domain,
            settings.deletion_protection,
            own,
        )

    @property
    def iam_arn_prefix(self) -> str:
        """Prefix of all IAM ARNs of the account."""
        return f"arn:aws:iam::{self.names.account}:"

    @property
    def role_arn_pattern(self) -> str:
        """ARN pattern of the platform's roles."""
        return f"{self.iam_arn_prefix}role{self.names.role_path}{self.names.resource_name('*')}"

    @property
    def state_key_condition(self) -> Condition:
        """The KMS key is the one that encrypts the states, identified by its alias because the key may be replaced."""
        return Condition("ForAnyValue:StringEquals", "kms:ResourceAliases", [self.state_key_alias])

    @property
    def state_key_alias(self) -> str:
        """Alias of the states' key, as used in conditions."""
        return self.names.state_key_alias_arn.rpartition(":")[2]

    @property
    def state_arn_pattern(self) -> str:
        """ARN pattern of the environment's Terraform states."""
        return f"arn:aws:s3:::{self.names.state_bucket}/{self.names.environment}/*.tfstate"

    @property
    def lock_arn_pattern(self) -> str:
        """ARN pattern of the states' lock files."""
        return f"{self.state_arn_pattern}.tflock"

    def tag_conditions(self, key: str) -> list[Condition]:
        """The tags are this environment's. `key` is `aws:ResourceTag` or `aws:RequestTag`."""
        tags = {"Project": self.names.company, "Environment": self.names.environment}
        return [string_equals(f"{key}/{tag}", value) for tag, value in tags.items()]

    @property
    def denied_actions(self) -> Set[str]:
        """Destructive actions, while deletion protection is on."""
        return DESTRUCTIVE_ACTIONS.union(self.own.losses) if self.protected else frozenset()

    def allowed_actions(self, grant: Grant) -> list[str]:
        """Actions of a grant, without destructive ones while deletion protection is on."""
        return [action for action in grant.iam_actions() if action not in self.denied_actions]

    def resource_arns(self, grant: Grant) -> list[str]:
        """ARNs of a grant's resources."""
        names = self.names
        # Sorted, because the order is seen in the policy.
        aliases = [(names.region, sorted([*KEYS, *self.own.tiers])), (names.second_region, sorted(SECOND_REGION_KEYS))]
        lists = {
            "{alarms}": [names.arn("cloudwatch", f"alarm:{names.alarm_name('*')}")],
            "{aliases}": [
                names.arn_in(region, "kms", f"alias/{names.resource_name(purpose)}")
                for region, purposes in aliases
                if region
                for purpose in purposes
            ],
            "{buckets}": [names.bucket_arn(bucket) for bucket in BUCKETS],
            "{deployers}": [f"{self.iam_arn_prefix}role{names.access_path}*"],
            "{deployers_policies}": [f"{self.iam_arn_prefix}policy{names.access_path}*"],
            "{log_groups}": [
                names.arn("logs", f"log-group:{group.removesuffix('*')}*")
                for group in (*names.log_group_patterns, names.state_machine_log_group("*"))
            ],
            "{objects}": [f"{names.bucket_arn(bucket)}/*" for bucket in BUCKETS],
            "{oidc_provider}": [names.oidc_provider_arn],
            "{roles}": [self.role_arn_pattern],
        }
        return [
            arn
            for pattern in grant.resources.split()
            for arn in lists.get(pattern) or self._in_regions(grant.service, expand(pattern, names, self.domain))
        ]

    def _in_regions(self, service: str, resource: str) -> list[str]:
        if resource == "*" or resource.startswith("arn:"):
            return [resource]
        regions = self.names.regions if service in SECOND_REGION_SERVICES else [self.names.region]
        regions += [GLOBAL_REGION] if service in GLOBAL_REGION_SERVICES else []
        return [self.names.arn_in(region, service, resource) for region in dict.fromkeys(regions)]
