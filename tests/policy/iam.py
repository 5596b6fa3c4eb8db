"""What must hold of every policy, and of every role that a service takes on: rules, each naming what breaks it.

Whoever deploys is looked at by `tests.policy.deployers`.

Whether an action knows a resource, and which actions lead to more rights or give credentials away, is AWS's own list as
`policy_sentry` keeps it, and the ways that `cloudsplaining` knows.
"""

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from cloudsplaining.scan.policy_document import PolicyDocument
from moto.iam.aws_managed_policies import aws_managed_policies_data
from policy_sentry.querying.actions import get_actions_that_support_wildcard_arns_only

from operations.bootstrap.boundary import boundary
from synthesized.platform import Body, Platform
from synthesized.policy_statements import Statement, as_list, service_principals
from synthesized.roles import Role, RoleUse, policies_of, roles_of
from tests.synthesized import names_of

Rule = Callable[[Platform], Iterator[str]]

AWS_POLICIES = json.loads(aws_managed_policies_data)
"""By name, as AWS publishes them."""

# Lambda takes a role on for the function that was given it, and does not say for which.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
# CloudTrail documents no source for the role by which it writes to CloudWatch Logs.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
NO_SOURCE_CONDITION = {"cloudtrail.amazonaws.com", "lambda.amazonaws.com"}
# SNS chooses which of the four kinds it asks for. https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
PATTERNS_OF_ACTIONS = {"kms:GenerateDataKey*"}
# Lambda makes interfaces before anything has their ids. https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
# Only where the function's own code is denied the same.
INTERFACES_OF_LAMBDA = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
}
# Step Functions registers where its logs go, in a policy of CloudWatch Logs that knows no resource.
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
MANAGES_PERMISSIONS = {"logs:PutResourcePolicy"}
# What gives credentials away: to pull images, and the secrets whose readers a test lists.
GIVES_CREDENTIALS = {"ecr:GetAuthorizationToken", "secretsmanager:GetSecretValue"}
# AWS's own policies name no resource of ours. Each of these serves one service, on a role of its own, and within the
# boundary.
ACCEPTED_AWS_POLICIES = {
    "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole": "monitoring.rds.amazonaws.com",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup": "backup.amazonaws.com",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores": "backup.amazonaws.com",
}
# `*`, or a whole kind of resource, or of any account or Region.
WILD = re.compile(r"\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:([\w-]+[:/])?\*|arn:[^:]*:(\*|[^:]*:\*|[^:]*:[^:]*:\*):.*")

TO_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
TO_BACK_UP = {"elasticfilesystem:Backup", "rds:CreateDBClusterSnapshot"}
TO_RESTORE = {"elasticfilesystem:Restore", "rds:RestoreDBClusterFromSnapshot"}
# Without which the service that was given the role does not do what the resource says, and often says nothing.
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
    ("aws_sfn_state_machine", "role_arn"): lambda body: set(_asked_by(body["definition"])),
}


def wildcard_actions(platform: Platform) -> Iterator[str]:
    """No role may do whatever an action's name begins with, nor all but something."""
    for role, statement in _allowed(platform):
        patterns = [action for action in as_list(statement.get("Action")) if "*" in action or "?" in action]
        for told in ({*patterns} - PATTERNS_OF_ACTIONS) | ({"NotAction"} & statement.keys()):
            yield f"{role.address}: {statement['Sid']}: {told}"


def wildcard_resources(platform: Platform) -> Iterator[str]:
    """No role may do something to any resource, where the action knows resources."""
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
    """A role is passed on by its name, and to a service that is named."""
    for role, statement in _allowed(platform):
        if any(fnmatchcase("iam:PassRole", action) for action in as_list(statement.get("Action"))):
            to = statement.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
            if not to or any("*" in resource for resource in as_list(statement.get("Resource"))):
                yield f"{role.address}: {statement['Sid']}"


def trust(platform: Platform) -> Iterator[str]:
    """One service takes a role on, for this account: nobody else, and not for another's resources."""
    for role in service_roles(platform):
        for statement in role.trust:
            principal, services = statement.get("Principal"), service_principals(statement)
            if len(role.trust) != 1 or principal != {"Service": services} or len(services) != 1:
                yield f"{role.address}: is taken on by {principal}"
            if statement["Effect"] != "Allow" or as_list(statement["Action"]) != ["sts:AssumeRole"]:
                yield f"{role.address}: {statement['Effect']} {statement['Action']}"
            accounts = statement.get("Condition", {}).get("StringEquals", {}).get("aws:SourceAccount")
            if accounts != [names_of(platform).account] and not NO_SOURCE_CONDITION.issuperset(services):
                yield f"{role.address}: for any account"


def everyone(platform: Platform) -> Iterator[str]:
    """No policy allows something to everyone, but an endpoint's to this account, and ECR's layers by S3's."""
    names = names_of(platform)
    layers = [f"arn:aws:s3:::prod-{names.region}-starport-layer-bucket/*"]
    stated = [(resource, statement) for resource, policy in policies_of(platform) for statement in policy]
    for resource, statement in stated:
        if statement["Effect"] == "Allow" and ("*" in str(statement.get("Principal")) or "NotPrincipal" in statement):
            to = statement.get("Condition", {}).get("StringEquals", {}).get("aws:PrincipalAccount")
            fetches_layers = (statement["Action"], statement.get("Resource")) == (["s3:GetObject"], layers)
            if resource.type != "aws_vpc_endpoint" or (to != [names.account] and not fetches_layers):
                yield f"{resource.address}: {statement['Sid']}"


def bounds(platform: Platform) -> Iterator[str]:
    """PCI DSS 7.2.2: no role exceeds the boundary, or lasts longer than IAM's least; each says why it exists."""
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
    """No role's policies together lead to more rights than they name, wherever they are bound to a resource or not."""
    denied = [each for each in boundary(names_of(platform))["Statement"] if each["Effect"] == "Deny"]
    for role in service_roles(platform):
        own = _as_if_unbound(_allow(role.statements))
        for way in own.allows_privilege_escalation:
            yield f"{role.address}: {way['type']}"
        for action in set(own.permissions_management_without_constraints) - MANAGES_PERMISSIONS:
            yield f"{role.address}: {action}"
        for action in {*own.credentials_exposure, *own.allows_data_exfiltration_actions} - GIVES_CREDENTIALS:
            yield f"{role.address}: {action}"
        # AWS's own policies pass roles on and start what runs under them; the boundary is what holds.
        together = _as_if_unbound([*_allow(role.statements), *_allow(_of_aws(role)), *denied])
        for way in together.allows_privilege_escalation:
            yield f"{role.address}: {way['type']}"


def of_aws(platform: Platform) -> Iterator[str]:
    """A policy of AWS's own is one that was looked at, for the service that it was made for, and alone on its role."""
    for role in service_roles(platform):
        services = [service for statement in role.trust for service in service_principals(statement)]
        for arn in role.aws_managed:
            if [ACCEPTED_AWS_POLICIES.get(arn)] != services:
                yield f"{role.address}: {arn}"
        # Config's own policy does not let it deliver to a bucket, which it cannot know.
        if len(role.aws_managed) + bool(role.statements) > 1 and services != ["config.amazonaws.com"]:
            yield f"{role.address}: {len(role.aws_managed)} policies of AWS's own, and others"


def use(platform: Platform) -> Iterator[str]:
    """No role without a use, and none that lacks what its use needs."""
    for role in service_roles(platform):
        if not role.uses:
            yield f"{role.address}: is of no use"
        for at in role.uses:
            yield from (f"{role.address}: {at.resource.address} needs {lack}" for lack in _lacks(role, at))


def people(platform: Platform) -> Iterator[str]:
    """PCI DSS 8.6.1: no user, group or access key: people and programs take on roles."""
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
        bounds,
        escalation,
        of_aws,
        use,
        people,
    )
}


def service_roles(platform: Platform) -> list[Role]:
    """All roles but those of the access tier."""
    return [role for role in roles_of(platform) if role.resource.tier != "access"]


def secret_readers(platform: Platform) -> dict[str, set[str]]:
    """For each secret, by its address, the roles that may read its value."""
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
    """The statements as cloudsplaining judges them, with neither a condition nor a resource as an excuse."""
    document = {"Version": "2012-10-17", "Statement": of}
    return PolicyDocument(document, flag_conditional_statements=True, flag_resource_arn_statements=True)


def _of_aws(role: Role) -> tuple[Statement, ...]:
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


def _lacks(role: Role, at: RoleUse) -> Iterator[str]:
    if (at.resource.type, at.argument) not in NEEDS:
        yield f"what NEEDS does not say, for {at.argument}"
        return
    for needed in sorted(NEEDS[at.resource.type, at.argument](at.resource.body)):
        action, _, resource = needed.partition(" on ")
        if not any(
            fnmatchcase(action.lower(), pattern.lower())
            and (not resource or resource in as_list(statement["Resource"]))
            for statement in [*_allow(role.statements), *_allow(_of_aws(role))]
            for pattern in as_list(statement.get("Action"))
        ):
            yield needed


def _to_start(target: str) -> set[str]:
    """What somebody needs to start a target of a rule or of a schedule."""
    if "aws_sfn_state_machine" in target:
        return {f"states:StartExecution on {target}"}
    if "aws_sns_topic" in target:
        return {f"sns:Publish on {target}"}
    return {f"whatever starts {target}"}


def _asked_by(definition: str) -> Iterator[str]:
    """The actions that a state machine's tasks ask for."""
    for state in json.loads(definition)["States"].values():
        if state["Type"] == "Task":
            *_, service, action = state["Resource"].partition(".")[0].split(":")
            yield f"{service}:{action[0].upper()}{action[1:]}"
