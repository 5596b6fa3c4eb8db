"""The base class of the user's own tiers, and what they declare for the access tier, the commands and the checks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from stacks.access.grants import Grant, OwnPermissions, expand
from stacks.cache.stack import CacheStack
from stacks.database.stack import DatabaseStack
from stacks.foundation.keys import customer_key
from stacks.foundation.stack import FoundationStack
from stacks.names import Names
from stacks.network.endpoints import Endpoint
from stacks.network.stack import NetworkStack
from stacks.parts.alarms import Alarm, create_alarms
from stacks.parts.policy_documents import policy_document
from stacks.recovery.stack import RecoveryStack
from stacks.rotation.stack import RotationStack
from stacks.service.stack import ServiceStack
from stacks.settings import Environment
from stacks.statements import Statement, allow, string_equals
from stacks.storage.stack import StorageStack
from stacks.tier import TierStack

__all__ = ["Alarm", "Endpoint", "Grant", "OwnTier", "ResourceType", "Tiers", "permissions_of"]


class Tiers(NamedTuple):
    """The project's tiers that an own tier may use."""

    foundation: FoundationStack
    network: NetworkStack
    database: DatabaseStack
    cache: CacheStack
    storage: StorageStack
    rotation: RotationStack
    service: ServiceStack
    recovery: RecoveryStack


@dataclass(frozen=True)
class ResourceType:
    """What commands, checks and pictures need to know of a type that no tier of the project has."""

    name: str
    """Terraform's name, such as `aws_dynamodb_table`."""
    arn: str = ""
    """Regular expression for the ARN without partition, Region and account, with a group for the ID that
    `terraform import` takes, as in `dynamodb:table/(.+)`. Empty for a resource without tags."""
    cloud_control: str = ""
    """Cloud Control's name of the type, by which `orphans` says how to delete a resource that an apply left behind when
    it was killed. Empty if the next apply adopts it or creates it again."""
    noun: str = ""
    """Name in pictures; empty for a part of another resource."""
    key: str = ""
    """Path of the argument that names its KMS key."""
    denied_without_tls: str = ""
    """For a resource policy: the action that it must deny without TLS."""


class OwnTier(TierStack):
    """A tier of the user's own, in `stacks/own/<tier>/stack.py`. Its `__init__` takes the arguments of this class."""

    environments: ClassVar[Collection[str]] = ()
    """The environments that have it; empty for all."""
    deployment: ClassVar[Sequence[Grant]] = ()
    """What the deployment roles may do with its resources, beside its KMS key, alarms and roles, which they may manage
    without it."""
    losses: ClassVar[Sequence[str]] = ()
    """IAM actions that lose data, such as `dynamodb:DeleteTable`: denied while deletion protection is on."""
    tasks: ClassVar[Sequence[Grant]] = ()
    """What the application's tasks may do with its resources, by name. The permissions boundary of all roles allows it,
    too."""
    roles: ClassVar[Sequence[Grant]] = ()
    """What the boundary allows beyond that, for roles of the tier's own."""
    passed_to: ClassVar[Sequence[str]] = ()
    """AWS services that the tier's roles are passed to, such as `firehose.amazonaws.com`, if no tier of the project
    passes roles to them (`stacks.access.identities.PASS_ROLE_SERVICES`)."""
    endpoints: ClassVar[Sequence[Endpoint]] = ()
    """VPC endpoints of the AWS services that tasks use it through: tasks have no other way to them."""
    resource_types: ClassVar[Sequence[ResourceType]] = ()
    """Types that the catalogue of the project does not have."""

    def __init__(self, scope: Construct, settings: Environment, tiers: Tiers) -> None:
        super().__init__(scope, settings)
        self.tiers = tiers

    @classmethod
    def boundary_statements(cls, names: Names) -> list[Statement]:
        """What the permissions boundary of all roles allows. It does not know the domain."""
        return cls._statements([*cls.tasks, *cls.roles], names, domain="*")

    @classmethod
    def _statements(cls, grants: Sequence[Grant], names: Names, domain: str) -> list[Statement]:
        return [
            allow(
                f"{cls.tier.title()}{grant.sid}",
                grant.iam_actions(),
                [_arn(names, grant.service, resource, domain) for resource in grant.resources.split()],
            )
            for grant in grants
        ]

    def create_key(self, protects: str, *users: Statement) -> KmsKey:
        """The tier's KMS key: each purpose has its own (PCI DSS 3.6.1). The arguments are those of `customer_key`."""
        return customer_key(self, self.tier, protects, *users)

    def allow_tasks(self, key: KmsKey | None = None) -> None:
        """Grant `tasks` to the role of the application's tasks, and the use of the tier's key through its services."""
        statements = self._statements(self.tasks, self.names, self.settings.service.domain)
        if key:
            through = string_equals(
                "kms:ViaService", *sorted(f"{each.service}.{self.settings.region}.amazonaws.com" for each in self.tasks)
            )
            statements.append(allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key.arn], when=[through]))
        policy = policy_document(self, "tasks-permissions", *statements)
        IamRolePolicy(self, "tasks-policy", name=self.tier, role=self.tiers.service.task_role.id, policy=policy)

    def watch(self, *alarms: Alarm) -> None:
        """Create the tier's alarms. The dashboard and the alarm over all tiers include them."""
        self.alarms = create_alarms(self, self.tiers.foundation.alarm_topic, alarms)


def _arn(names: Names, service: str, resource: str, domain: str) -> str:
    """ARN of a resource of a grant, which may be one already: those of buckets have neither account nor Region."""
    part = expand(resource, names, domain)
    return part if part.startswith("arn:") else names.arn(service, part)


def permissions_of(tiers: Sequence[type[OwnTier]]) -> OwnPermissions:
    """What the deployment roles need for these tiers."""
    return OwnPermissions(
        [each.tier for each in tiers],
        [grant for each in tiers for grant in each.deployment],
        [action for each in tiers for action in each.losses],
        [service for each in tiers for service in each.passed_to],
    )
