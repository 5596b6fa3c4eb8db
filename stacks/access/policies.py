"""The policies of whoever deploys: the tables of this package, bound to one environment's own things."""

import re
from collections.abc import Iterator, Mapping

from stacks.access.grants import Grant, Known
from stacks.access.identities import (
    ATTACHMENTS,
    DESTROYS,
    PASSED_TO,
    POLICIES_OF_AWS,
    ROLES,
    ROLES_UNDER_A_BOUNDARY,
    SERVICE_LINKED,
    USE_KEYS,
    USE_OF_KEYS,
)
from stacks.access.limits import Limits
from stacks.access.network import ENTRANCE, NETWORK
from stacks.access.reads import READS_BY_NAME
from stacks.access.records import RECORDS
from stacks.access.service import SERVICE
from stacks.access.stores import BACKUPS, STORES
from stacks.statements import Condition, Statement, allow, deny, equals

WRITES: Mapping[str, tuple[Grant, ...]] = {
    "network": NETWORK,
    "entrance": ENTRANCE,
    "stores": STORES,
    "backups": BACKUPS,
    "service": SERVICE,
    "records": RECORDS,
}
"""By the policy that they are put into: each must fit what IAM takes."""
OF_NO_REGION = {"iam", "route53"}
"""Services that are asked in us-east-1, wherever an environment is."""
GLOBAL = "us-east-1"
SECRETS = ("secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "ssm:GetParameter*", "rds-db:connect")
"""What gives away what somebody keeps secret."""
CHANGES_OF_IAM = tuple(
    f"iam:{verb}*"
    for verb in (
        *("Add", "Attach", "Create", "Delete", "Detach", "PassRole"),
        *("Put", "Remove", "Set", "Tag", "Untag", "Update"),
    )
)


def boundary(limits: Limits) -> list[Statement]:
    """What no deployer exceeds, whatever policy comes to allow it: the kinds of calls that they make, and denials.

    It allows by verbs (`ec2:Create*`), so that a new resource of a service in use needs no wider one.
    """
    names = limits.names
    verbs = {verb for verb in map(_verb, _all_actions()) if verb}
    worldwide = {verb for verb in verbs if verb.partition(":")[0] in OF_NO_REGION}
    return [
        allow("Region", sorted(verbs - worldwide), ["*"], when=[_in(*names.regions)]),
        allow("World", sorted(worldwide), ["*"], when=[_in(GLOBAL)]),
        deny("NoSecrets", [*SECRETS, "sts:Assume*"], ["*"]),
        # Who deploys, as whom, and what bounds them and the platform's roles: all but roles of the platform, and AWS's.
        deny("NoIdentities", CHANGES_OF_IAM, [], but=[limits.roles, f"{limits.iam}role/aws-service-role/*"]),
        deny("NoAccessState", ["s3:DeleteObject*", "s3:PutObject*"], [names.access_state]),
        deny(
            "NoOtherBoundary",
            [*ROLES_UNDER_A_BOUNDARY, *ATTACHMENTS],
            ["*"],
            when=[Condition("StringNotEquals", "iam:PermissionsBoundary", [limits.boundary])],
        ),
        deny("NoLossOfBoundaries", ["iam:DeleteRolePermissionsBoundary"], ["*"]),
        deny(
            "NoStateKey",
            ["kms:*Alias", "kms:Disable*", "kms:Put*", "kms:Schedule*", "kms:TagResource", "kms:UntagResource"],
            ["*"],
            when=[limits.state_key],
        ),
        deny("NoStateAlias", ["kms:*Alias"], [names.state_key]),
    ]


def reads(limits: Limits) -> dict[str, list[Statement]]:
    """How everything is set up, for whoever plans, by policy."""
    everywhere = sorted(action for grants in WRITES.values() for grant in grants for action in grant.reading())
    return {
        "reads": [allow("Region", everywhere, ["*"], when=[_in(*limits.names.regions)])],
        "reads-by-name": [_statement(limits, grant) for grant in READS_BY_NAME],
    }


def plan(limits: Limits) -> dict[str, list[Statement]]:
    """To read states and to lock them; and never what is in a secret, a bucket or the database."""
    names = limits.names
    through_lambda = f"lambda.{names.region}.amazonaws.com"
    may = [
        *_states(limits),
        # A function's variables, which are no secrets. Without it a plan would find them gone.
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
        allow(
            "FunctionVariables",
            ["kms:Decrypt"],
            [names.arn("kms", "key/*")],
            when=[*limits.tags("aws:ResourceTag"), equals("kms:ViaService", through_lambda)],
        ),
        deny("NoSecrets", SECRETS, ["*"]),
        deny("NoObjects", ["s3:GetObject", "s3:GetObjectVersion"], [], but=[limits.states, limits.locks]),
        deny(
            "NoOtherKeys",
            ["kms:Decrypt"],
            ["*"],
            when=[
                Condition("ForAllValues:StringNotEquals", "kms:ResourceAliases", [limits.alias]),
                Condition("StringNotEquals", "kms:ViaService", [through_lambda]),
            ],
        ),
    ]
    return {"states": may}


def writes(limits: Limits) -> dict[str, list[Statement]]:
    """What a deployment changes, by policy."""
    return {
        **{
            what: [_statement(limits, grant) for grant in grants if limits.left(grant)]
            for what, grants in WRITES.items()
        },
        "identities": [
            *_states(limits),
            allow("WriteStates", ["s3:PutObject"], [limits.states]),
            *_use_of_keys(limits),
            *_roles(limits),
            *([deny("NoLoss", sorted(DESTROYS), ["*"])] if limits.protected else []),
        ],
    }


def _states(limits: Limits) -> list[Statement]:
    """The bucket is this environment's alone. S3 says that a state is not there to those alone who may list it."""
    names = limits.names
    return [
        allow("FindStates", ["s3:ListBucket"], [f"arn:aws:s3:::{names.state_bucket}"]),
        allow("ReadStates", ["s3:GetObject"], [limits.states, limits.locks]),
        allow("Lock", ["s3:DeleteObject", "s3:PutObject"], [limits.locks]),
        allow(
            "KeyOfStates",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [names.arn("kms", "key/*")],
            when=[limits.state_key, equals("kms:ViaService", f"s3.{names.region}.amazonaws.com")],
        ),
    ]


def _use_of_keys(limits: Limits) -> list[Statement]:
    return [
        allow(
            "KeysThroughServices",
            USE_OF_KEYS,
            [limits.names.arn_in(region, "kms", "key/*") for region in limits.names.regions],
            when=[
                *limits.tags("aws:ResourceTag"),
                equals(
                    "kms:ViaService",
                    *(f"{service}.{region}.amazonaws.com" for region in limits.names.regions for service in USE_KEYS),
                ),
            ],
        )
    ]


def _roles(limits: Limits) -> list[Statement]:
    """PCI DSS 7.2.2: roles of the platform's path, within its boundary; passed on to services that are named."""
    bounded = equals("iam:PermissionsBoundary", limits.boundary)
    config = limits.names.config_role
    return [
        allow("BoundedRoles", ROLES_UNDER_A_BOUNDARY, [limits.roles], when=[bounded]),
        allow(
            "PoliciesOfAws",
            ATTACHMENTS,
            [limits.roles],
            when=[bounded, Condition("ArnEquals", "iam:PolicyARN", POLICIES_OF_AWS)],
        ),
        allow("Roles", ROLES, [limits.roles]),
        allow("PassOn", ["iam:PassRole"], [limits.roles], when=[equals("iam:PassedToService", *PASSED_TO)]),
        allow(
            "PassOnToConfig", ["iam:PassRole"], [config], when=[equals("iam:PassedToService", "config.amazonaws.com")]
        ),
        allow(
            "RolesOfServices",
            ["iam:CreateServiceLinkedRole"],
            [f"{limits.iam}role/aws-service-role/*"],
            when=[equals("iam:AWSServiceName", *SERVICE_LINKED)],
        ),
    ]


def _statement(limits: Limits, grant: Grant) -> Statement:
    names = limits.names
    nobodys = Condition("Null", "aws:ResourceTag/Environment", ["true"])
    when = {
        Known.BY_NAME: [],
        Known.BY_TAGS: limits.tags("aws:ResourceTag"),
        Known.BY_TAGS_ASKED: limits.tags("aws:RequestTag"),
        Known.BY_NO_TAGS: [nobodys],
        Known.AS_TAGGED_FIRST: [*limits.tags("aws:RequestTag"), nobodys],
        Known.AS_TAGGED_AT_BIRTH: [
            *limits.tags("aws:RequestTag"),
            equals("ec2:CreateAction", *sorted(_made_by_ec2())),
        ],
    }[grant.known]
    # An ARN has the Region in it.
    if grant.on == "*":
        when = [*when, _in(GLOBAL) if grant.service in OF_NO_REGION else _in(*names.regions)]
    return allow(grant.sid, limits.left(grant), limits.arns(grant), when=when)


def _made_by_ec2() -> Iterator[str]:
    """Calls of EC2's that make something and tag it."""
    for grants in WRITES.values():
        for grant in grants:
            if (grant.service, grant.known) == ("ec2", Known.BY_TAGS_ASKED):
                yield from grant.actions.split()


def _in(*regions: str) -> Condition:
    return equals("aws:RequestedRegion", *regions)


def _all_actions() -> Iterator[str]:
    for grant in (*READS_BY_NAME, *(grant for of_policy in WRITES.values() for grant in of_policy)):
        yield from (*grant.named(), *grant.reading())
    yield from (*ROLES_UNDER_A_BOUNDARY, *ATTACHMENTS, *ROLES, "iam:PassRole", "iam:CreateServiceLinkedRole")
    yield from (*USE_OF_KEYS, "s3:GetObject", "s3:PutObject", "s3:DeleteObject")


def _verb(action: str) -> str:
    """What kind of a call an action is: `ec2:CreateVpc` one of `ec2:Create*`."""
    service, _, name = action.partition(":")
    verb = re.match(r"[A-Z][a-z]+", name)
    # One pattern for two verbs, which leaves room for more services in what IAM takes; it does not tell Tag from tag.
    if verb and verb[0] in {"Tag", "Untag"}:
        return f"{service}:*Tag*"
    return f"{service}:{verb[0]}*" if verb and len(verb[0]) > 2 else action
