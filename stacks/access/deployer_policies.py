"""Policies of the deployment roles, built from the grants of this package for one environment."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stacks.access.compute import COMPUTE
from stacks.access.grants import Grant, OwnPermissions, Scope
from stacks.access.identities import (
    AWS_MANAGED_POLICIES,
    BOUNDARY_ACTIONS,
    KEY_ACTIONS,
    KEY_SERVICES,
    PASS_ROLE_SERVICES,
    POLICY_ATTACHMENT_ACTIONS,
    ROLE_ACTIONS,
    SERVICE_LINKED_ROLE_SERVICES,
)
from stacks.access.limits import GLOBAL_REGION_SERVICES, Limits
from stacks.access.monitoring import MONITORING
from stacks.access.network import INGRESS, NETWORK
from stacks.access.reads import READS_BY_NAME
from stacks.access.stores import BACKUPS, STORES
from stacks.names import GLOBAL_REGION
from stacks.statements import Condition, Statement, allow, deny, deny_other_environments, of_cluster, string_equals

WRITES: Mapping[str, tuple[Grant, ...]] = {
    "network": NETWORK,
    "entrance": INGRESS,
    "stores": STORES,
    "backups": BACKUPS,
    "service": COMPUTE,
    "records": MONITORING,
}
"""Grants by policy; each policy must fit IAM's size limit."""
GLOBAL_SERVICES = {"iam", "route53"}
"""Services whose requests have `aws:RequestedRegion` us-east-1 for any environment."""
SECRET_READS = (
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter*",
    "rds-db:connect",
)
"""Actions that reveal secrets."""
IAM_CHANGES = tuple(
    f"iam:{verb}*"
    for verb in (
        *("Add", "Attach", "Create", "Delete", "Detach", "PassRole"),
        *("Put", "Remove", "Set", "Tag", "Untag", "Update"),
    )
)


def boundary(limits: Limits) -> list[Statement]:
    """Permissions boundary of the deployment roles.

    It allows verbs (`ec2:Create*`) rather than actions, so that a new resource of a known service needs no new
    boundary.
    """
    names = limits.names
    verbs = {verb for verb in map(_verb, _all_actions(limits.own)) if verb}
    worldwide = {verb for verb in verbs if verb.partition(":")[0] in GLOBAL_SERVICES}
    return [
        allow("Region", sorted(verbs - worldwide), ["*"], when=[_in(*names.regions)]),
        # Also in the Regions of calls that pass a role: which one such a check names is not documented.
        allow("World", sorted(worldwide | _in_global_region(verbs)), ["*"], when=[_in(GLOBAL_REGION, *names.regions)]),
        deny_other_environments(names.environments),
        deny("NoSecrets", [*SECRET_READS, "sts:Assume*"], ["*"]),
        # No changes to IAM identities, except the platform's roles and service-linked roles.
        deny(
            "NoIdentities",
            IAM_CHANGES,
            [],
            not_resources=[limits.role_arn_pattern, f"{limits.iam_arn_prefix}role/aws-service-role/*"],
        ),
        deny("NoAccessState", ["s3:DeleteObject*", "s3:PutObject*"], [names.access_state_arn]),
        deny(
            "NoOtherBoundary",
            [*BOUNDARY_ACTIONS, *POLICY_ATTACHMENT_ACTIONS],
            ["*"],
            when=[Condition("StringNotEquals", "iam:PermissionsBoundary", [limits.boundary])],
        ),
        deny("NoLossOfBoundaries", ["iam:DeleteRolePermissionsBoundary"], ["*"]),
        deny(
            "NoStateKey",
            ["kms:*Alias", "kms:Disable*", "kms:Put*", "kms:Schedule*", "kms:TagResource", "kms:UntagResource"],
            ["*"],
            when=[limits.state_key_condition],
        ),
        deny("NoStateAlias", ["kms:*Alias"], [names.state_key_alias_arn]),
    ]


def read_policies(limits: Limits) -> dict[str, list[Statement]]:
    """Policies that read the configuration of all resources, for both roles."""
    everywhere = sorted({action for grant in _write_grants(limits.own) for action in grant.read_actions()})
    return {
        "reads": [
            allow("Region", everywhere, ["*"], when=[_in(*limits.names.regions)]),
            allow("World", sorted(_in_global_region(everywhere)), ["*"], when=[_in(GLOBAL_REGION)]),
        ],
        "reads-by-name": [_statement(limits, grant) for grant in READS_BY_NAME],
    }


def plan_policies(limits: Limits) -> dict[str, list[Statement]]:
    """Policies of the plan role: read and lock states, but never read secrets, objects or the database."""
    names = limits.names
    through_lambda = f"lambda.{names.region}.amazonaws.com"
    statements = [
        *_state_statements(limits),
        # The function's environment variables, which hold no secrets. Without it, a plan would show them as missing.
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
        allow(
            "FunctionVariables",
            ["kms:Decrypt"],
            [names.arn("kms", "key/*")],
            when=[*limits.tag_conditions("aws:ResourceTag"), string_equals("kms:ViaService", through_lambda)],
        ),
        deny("NoSecrets", SECRET_READS, ["*"]),
        _no_objects(limits),
        deny(
            "NoOtherKeys",
            ["kms:Decrypt"],
            ["*"],
            when=[
                Condition("ForAllValues:StringNotEquals", "kms:ResourceAliases", [limits.state_key_alias]),
                Condition("StringNotEquals", "kms:ViaService", [through_lambda]),
            ],
        ),
    ]
    return {"states": statements}


def write_policies(limits: Limits) -> dict[str, list[Statement]]:
    """Policies of the apply role."""
    return {
        **{
            policy: [_statement(limits, grant) for grant in grants if limits.allowed_actions(grant)]
            for policy, grants in _writes(limits.own).items()
        },
        "identities": [
            *_state_statements(limits),
            allow("WriteStates", ["s3:PutObject"], [limits.state_arn_pattern]),
            *_key_statements(limits),
            *_role_statements(limits),
            # The role may change the policies of the log buckets, but grant itself nothing by them.
            _no_objects(limits),
            *([deny("NoLoss", sorted(limits.denied_actions), ["*"])] if limits.protected else []),
        ],
    }


def _writes(own: OwnPermissions) -> Mapping[str, Sequence[Grant]]:
    return {**WRITES, **({"own": own.grants} if own.grants else {})}


def _write_grants(own: OwnPermissions) -> list[Grant]:
    return [grant for grants in _writes(own).values() for grant in grants]


def _no_objects(limits: Limits) -> Statement:
    """PCI DSS 10.3.1: no object may be read except the states."""
    return deny(
        "NoObjects",
        ["s3:GetObject", "s3:GetObjectVersion"],
        [],
        not_resources=[limits.state_arn_pattern, limits.lock_arn_pattern],
    )


def _state_statements(limits: Limits) -> list[Statement]:
    """Access to the states. Without ListBucket, S3 answers 403 instead of 404 for a missing state."""
    names = limits.names
    return [
        allow("FindStates", ["s3:ListBucket"], [f"arn:aws:s3:::{names.state_bucket}"]),
        allow("ReadStates", ["s3:GetObject"], [limits.state_arn_pattern, limits.lock_arn_pattern]),
        allow("Lock", ["s3:DeleteObject", "s3:PutObject"], [limits.lock_arn_pattern]),
        allow(
            "KeyOfStates",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [names.arn("kms", "key/*")],
            when=[limits.state_key_condition, string_equals("kms:ViaService", f"s3.{names.region}.amazonaws.com")],
        ),
    ]


def _key_statements(limits: Limits) -> list[Statement]:
    return [
        allow(
            "KeysThroughServices",
            KEY_ACTIONS,
            [limits.names.arn_in(region, "kms", "key/*") for region in limits.names.regions],
            when=[
                *limits.tag_conditions("aws:ResourceTag"),
                string_equals(
                    "kms:ViaService",
                    *(
                        f"{service}.{region}.amazonaws.com"
                        for region in limits.names.regions
                        for service in sorted({*KEY_SERVICES, *(grant.service for grant in limits.own.grants)})
                    ),
                ),
            ],
        )
    ]


def _role_statements(limits: Limits) -> list[Statement]:
    """PCI DSS 7.2.2: manage roles on the platform's path with its boundary, and pass them to listed services only."""
    bounded = string_equals("iam:PermissionsBoundary", limits.boundary)
    config = limits.names.config_role_arn
    return [
        allow("BoundedRoles", BOUNDARY_ACTIONS, [limits.role_arn_pattern], when=[bounded]),
        allow(
            "PoliciesOfAws",
            POLICY_ATTACHMENT_ACTIONS,
            [limits.role_arn_pattern],
            when=[bounded, Condition("ArnEquals", "iam:PolicyARN", AWS_MANAGED_POLICIES)],
        ),
        allow("Roles", ROLE_ACTIONS, [limits.role_arn_pattern]),
        allow(
            "PassOn",
            ["iam:PassRole"],
            [limits.role_arn_pattern],
            when=[string_equals("iam:PassedToService", *sorted({*PASS_ROLE_SERVICES, *limits.own.passed_to}))],
        ),
        allow(
            "PassOnToConfig",
            ["iam:PassRole"],
            [config],
            when=[string_equals("iam:PassedToService", "config.amazonaws.com")],
        ),
        allow(
            "RolesOfServices",
            ["iam:CreateServiceLinkedRole"],
            [f"{limits.iam_arn_prefix}role/aws-service-role/*"],
            when=[string_equals("iam:AWSServiceName", *SERVICE_LINKED_ROLE_SERVICES)],
        ),
    ]


def _statement(limits: Limits, grant: Grant) -> Statement:
    names = limits.names
    untagged = Condition("Null", "aws:ResourceTag/Environment", ["true"])
    when = {
        Scope.NAME: [],
        Scope.RESOURCE_TAGS: limits.tag_conditions("aws:ResourceTag"),
        Scope.REQUEST_TAGS: limits.tag_conditions("aws:RequestTag"),
        Scope.UNTAGGED: [untagged],
        Scope.OUR_CLUSTER: [of_cluster(names.arn("rds", f"cluster:{names.database}"))],
        Scope.FIRST_TAGGING: [*limits.tag_conditions("aws:RequestTag"), untagged],
        Scope.TAG_ON_CREATE: [
            *limits.tag_conditions("aws:RequestTag"),
            string_equals("ec2:CreateAction", *sorted(_ec2_create_actions())),
        ],
    }[grant.scope]
    # Without an ARN, which would contain the Region, a condition limits it.
    if grant.resources == "*":
        when = [*when, _in(GLOBAL_REGION) if grant.service in GLOBAL_SERVICES else _in(*names.regions)]
    return allow(grant.sid, limits.allowed_actions(grant), limits.resource_arns(grant), when=when)


def _ec2_create_actions() -> Iterator[str]:
    """EC2 actions that create and tag a resource."""
    for grants in WRITES.values():
        for grant in grants:
            if (grant.service, grant.scope) == ("ec2", Scope.REQUEST_TAGS):
                yield from grant.actions.split()


def _in_global_region(actions: Iterable[str]) -> set[str]:
    return {action for action in actions if action.partition(":")[0] in GLOBAL_REGION_SERVICES}


def _in(*regions: str) -> Condition:
    return string_equals("aws:RequestedRegion", *regions)


def _all_actions(own: OwnPermissions) -> Iterator[str]:
    for grant in (*READS_BY_NAME, *_write_grants(own)):
        yield from (*grant.iam_actions(), *grant.read_actions())
    yield from (
        *BOUNDARY_ACTIONS,
        *POLICY_ATTACHMENT_ACTIONS,
        *ROLE_ACTIONS,
        "iam:PassRole",
        "iam:CreateServiceLinkedRole",
    )
    yield from (*KEY_ACTIONS, "s3:GetObject", "s3:PutObject", "s3:DeleteObject")


def _verb(action: str) -> str:
    """Pattern of an action's verb: `ec2:Create*` for `ec2:CreateVpc`."""
    service, _, name = action.partition(":")
    # One pattern for both, so that more services fit into a policy. IAM ignores the case of actions, so a shorter one
    # such as `*Tag*` would also match UpdateSecretVersionStage.
    if tagging := re.match(r"(?:Un)?[Tt]ag(?=[A-Z])", name):
        return f"{service}:*Tag{name[tagging.end() :]}"
    # `De` stands for Delete, Describe and others, also to save space. Not of IAM, where it would match
    # DeactivateMFADevice, nor of KMS, where it would match Decrypt.
    verb = re.match("[A-Z][a-z]+" if service in {"iam", "kms"} else "De|[A-Z][a-z]+", name)
    return f"{service}:{verb[0]}*" if verb and verb[0] != "Re" else action
