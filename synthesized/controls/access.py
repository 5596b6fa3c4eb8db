"""PCI DSS 7 and 8: access control and authentication."""

import re
from collections.abc import Iterable

from synthesized.controls.control import (
    IS_SET,
    Addition,
    Control,
    Every,
    Relation,
    Removal,
    Replacement,
    Value,
    containing,
    none_of,
)
from synthesized.controls.document import Document, values
from synthesized.controls.transit import denies, weakened_deny
from synthesized.platform import Body

ACTIONS_WITHOUT_RESOURCE = re.compile(
    r"ec2:(Assign|Create|Delete|Describe|Unassign)[A-Z]\w+|ecr:GetAuthorizationToken|secretsmanager:GetRandomPassword"
    r"|logs:(Create|Delete|Get|Update)LogDelivery|logs:(Describe\w+|ListLogDeliveries|PutResourcePolicy)"
    r"|xray:(GetSampling|Put)\w+"
)
"""Actions without resource-level permissions."""

# Services for which AWS documents no source condition in trust policies.
NO_SOURCE_CONDITION = ("cloudtrail.amazonaws.com", "lambda.amazonaws.com")

RESOURCE_POLICIES = {
    "aws_backup_vault_policy": "backup:*",
    "aws_ecr_repository_policy": "ecr:*",
    "aws_efs_file_system_policy": "elasticfilesystem:*",
    "aws_s3_bucket_policy": "s3:*",
    "aws_secretsmanager_secret_policy": "secretsmanager:*",
    "aws_sns_topic_policy": "sns:Publish",
}

ISSUER = "token.actions.githubusercontent.com"
BOUNDARY = "aws_iam_policy.access_boundary-policy"
IDENTITIES = "aws_iam_policy.access_identities-policy"

OWN_ACCOUNT = Value(
    "one account", lambda found: len(found or []) == 1 and re.fullmatch(r"\d{12}", found[0]) is not None
)

SECRET_NAMES = re.compile(r"PASSWORD|PASSWD|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|SECRET")


def _statements(document: Document, type_: str, path: str = "policy.statement") -> Iterable[tuple[str, Body]]:
    for address, body in document.of_type(type_).items():
        for statement in values(body, path)[0] or []:
            yield address, statement


def _wide_permissions(document: Document) -> Iterable[str]:
    for address, statement in _statements(document, "aws_iam_role_policy"):
        if statement["effect"] != "Allow":
            continue
        for action in statement["actions"]:
            if re.fullmatch(r"\*|[\w-]+:\*", action):
                yield f"{address}: policy {statement['sid']}: allows {action}"
            elif "*" in statement["resources"] and not ACTIONS_WITHOUT_RESOURCE.fullmatch(action):
                yield f"{address}: policy {statement['sid']}: allows {action} on all resources"


def _shared_roles(document: Document) -> Iterable[str]:
    for address, task in document.of_type("aws_ecs_task_definition").items():
        if task.get("task_role_arn") == task.get("execution_role_arn"):
            yield f"{address}: task_role_arn: is the same as execution_role_arn"


def deployer_roles(document: Document) -> dict[str, Body]:
    """Deployer roles: those of the access tier."""
    roles = document.of_type("aws_iam_role")
    return {address: role for address, role in roles.items() if address.startswith("aws_iam_role.access_")}


def broad_deployer_statements(document: Document) -> Iterable[str]:
    """Deployer statements with wildcard actions, or on all resources without a condition."""
    for address, statement in _statements(document, "aws_iam_policy"):
        if statement["effect"] != "Allow" or address == BOUNDARY:
            continue
        for action in statement["actions"]:
            if "*" in action:
                yield f"{address}: policy {statement['sid']}: allows {action}"
        if "*" in statement.get("resources", ["*"]) and not statement.get("condition"):
            yield f"{address}: policy {statement['sid']}: covers all resources in every Region"


def unbounded_role_statements(document: Document) -> Iterable[str]:
    """Deployer statements that write roles without the permissions boundary, or pass roles to any service."""
    conditions = {"iam:CreateRole": "iam:PermissionsBoundary", "iam:PutRolePolicy": "iam:PermissionsBoundary"}
    conditions |= {"iam:AttachRolePolicy": "iam:PermissionsBoundary", "iam:PassRole": "iam:PassedToService"}
    for address, statement in _statements(document, "aws_iam_policy"):
        variables = {entry["variable"] for entry in _exact_conditions(statement)}
        for action in statement["actions"]:
            if statement["effect"] == "Allow" and action in conditions and conditions[action] not in variables:
                yield f"{address}: policy {statement['sid']}: allows {action} without {conditions[action]}"


def roles_with_loose_trust(document: Document) -> Iterable[str]:
    """Deployer roles that workflows of other repositories, or for another purpose, could assume."""
    subjects = {"access_plan": r"pull_request", "access_apply": r"environment:[a-z0-9-]+"}
    for address, role in deployer_roles(document).items():
        for statement in values(role, "assume_role_policy.statement")[0] or []:
            exact = {entry["variable"]: entry["values"] for entry in _exact_conditions(statement)}
            (subject,) = exact.get(f"{ISSUER}:sub", [""])[:1]
            wanted = subjects[address.rpartition(".")[2]]
            if not re.fullmatch(rf"repo:[\w.-]+/[\w.-]+:{wanted}", subject):
                yield f"{address}: assume_role_policy sub: trusts {subject or 'any workflow'}"
            if exact.get(f"{ISSUER}:aud") != ["sts.amazonaws.com"]:
                yield f"{address}: assume_role_policy aud: accepts tokens for another audience than AWS"


def _exact_conditions(statement: Body) -> list[Body]:
    """Conditions that compare for equality."""
    return [entry for entry in statement.get("condition") or [] if entry["test"] == "StringEquals"]


def confused_deputy_trusts(document: Document) -> Iterable[str]:
    """Roles that a service could assume on behalf of another account: the confused deputy problem."""
    for address, role in document.of_type("aws_iam_role").items():
        if address in deployer_roles(document):
            continue
        found = values(role, "assume_role_policy.statement")[0] or []
        if not found:
            yield f"{address}: assume_role_policy: is no policy document"
        for statement in found:
            services = [name for principal in statement["principals"] for name in principal["identifiers"]]
            if [principal["type"] for principal in statement["principals"]] != ["Service"] or len(services) != 1:
                yield f"{address}: assume_role_policy principals: trusts more than one service"
            bound = {entry["variable"] for entry in statement.get("condition") or []}
            if not bound & {"aws:SourceAccount", "aws:SourceArn"} and services[0] not in NO_SOURCE_CONDITION:
                yield f"{address}: assume_role_policy condition: trusts {services[0]} in any account"


def _keys_open_to_other_accounts(document: Document) -> Iterable[str]:
    own = tuple(
        f"arn:aws:iam::{account}:"
        for stack in document.of_type("stack").values()
        for accounts in values(stack, "provider.allowed_account_ids")
        for account in accounts or []
    )
    for address, statement in _statements(document, "aws_kms_key"):
        for principal in statement["principals"]:
            for name in principal["identifiers"] if principal["type"] == "AWS" else []:
                if statement["effect"] == "Allow" and not name.startswith(own):
                    yield f"{address}: policy {statement['sid']}: allows {name}"


def _without_rotation(document: Document) -> Iterable[str]:
    for address in document.unreferenced(
        "aws_secretsmanager_secret.id", "aws_secretsmanager_secret_rotation.secret_id"
    ):
        yield f"{address}: has no aws_secretsmanager_secret_rotation"


def _secrets_in_code(document: Document) -> Iterable[str]:
    allowed = {"manage_master_user_password", "no_password_required"}
    for address, body in document.bodies.items():
        for argument, value in body.items():
            if (
                value
                and re.search(r"password|secret_string|secret_binary|auth_token", argument)
                and argument not in allowed
            ):
                yield f"{address}: {argument} is in the code"
    for address in document.of_type("aws_secretsmanager_secret_version", "random_password"):
        yield f"{address}: would be in the state"
    variables = [
        (address, str(entry["name"]), str(entry.get("value")))
        for address, task in document.of_type("aws_ecs_task_definition").items()
        for entries in values(task, "container_definitions.environment")
        for entry in entries or []
    ] + [
        (address, name, str(value))
        for address, function in document.of_type("aws_lambda_function").items()
        for environment in values(function, "environment.variables")
        for name, value in (environment or {}).items()
    ]
    for address, name, value in variables:
        if SECRET_NAMES.search(name) and not name.endswith("_ARN"):
            yield f"{address}: environment {name}: is no ARN ({len(value)} characters)"


CONTROLS = (
    Control(
        name="least-privilege",
        requirements=("7.2.1", "7.2.2", "7.2.5"),
        summary="Roles allow named actions, on named resources where the action supports resource-level permissions.",
        checks=[Relation("no role allows all actions of a service, or all resources without need", _wide_permissions)],
        mutations=[
            Replacement(
                "aws_iam_role_policy.service_service-task-policy", "policy.statement[sid=UseFiles].actions", ["*"]
            ),
            Replacement(
                "aws_iam_role_policy.service_service-task-policy", "policy.statement[sid=UseCache].actions", ["s3:*"]
            ),
            Replacement(
                "aws_iam_role_policy.service_service-task-policy", "policy.statement[sid=UseCache].resources", ["*"]
            ),
        ],
    ),
    Control(
        name="bounded-roles",
        requirements=("7.2.1", "7.2.5"),
        summary="Every role has a permissions boundary, and sessions last an hour at most.",
        checks=[Every("aws_iam_role", {"permissions_boundary": IS_SET, "max_session_duration": 3600})],
        mutations=[
            Replacement("aws_iam_role", "permissions_boundary", None),
            Replacement("aws_iam_role", "max_session_duration", 43200),
        ],
    ),
    Control(
        name="plan-and-apply-roles",
        requirements=("6.5.4", "7.2.5", "8.6.2"),
        summary="Workflows of one repository assume one role to plan, in pull requests, and another to apply, in this "
        "environment only. They authenticate with short-lived OIDC tokens; there are no access keys.",
        checks=[Relation("trust policies match audience and subject exactly", roles_with_loose_trust)],
        mutations=[
            Replacement("aws_iam_role.access_plan", "assume_role_policy.statement.condition", None),
            Replacement(
                "aws_iam_role.access_plan",
                f"assume_role_policy.statement.condition[variable={ISSUER}:sub].values",
                ["repo:acme/*"],
            ),
            Replacement(
                "aws_iam_role.access_apply",
                f"assume_role_policy.statement.condition[variable={ISSUER}:sub].values",
                ["repo:acme/platform:pull_request"],
            ),
            Replacement(
                "aws_iam_role.access_apply",
                f"assume_role_policy.statement.condition[variable={ISSUER}:sub].test",
                "StringLike",
            ),
            Replacement(
                "aws_iam_role.access_plan",
                f"assume_role_policy.statement.condition[variable={ISSUER}:aud].values",
                ["everybody"],
            ),
        ],
    ),
    Control(
        name="deployer-least-privilege",
        requirements=("7.2.1", "7.2.2"),
        summary="Deployer roles allow named actions, on resources with the environment's names or tags. They create "
        "roles with the permissions boundary only, pass them to named services only, and read no secret.",
        checks=[
            Relation("no wildcard actions, and nothing in every Region", broad_deployer_statements),
            Relation("roles are written with the boundary, and passed to named services", unbounded_role_statements),
            Every(
                BOUNDARY,
                {
                    "policy.statement[sid=NoSecrets].effect": "Deny",
                    "policy.statement[sid=NoSecrets].actions": containing(
                        "secretsmanager:GetSecretValue", "ssm:GetParameter*", "rds-db:connect"
                    ),
                    "policy.statement[sid=NoIdentities].effect": "Deny",
                    "policy.statement[sid=NoOtherBoundary].effect": "Deny",
                    "policy.statement[sid=NoLossOfBoundaries].effect": "Deny",
                },
            ),
            Every(
                IDENTITIES,
                {
                    "policy.statement[sid=NoLoss].effect": "Deny",
                    "policy.statement[sid=NoLoss].actions": containing(
                        "cloudtrail:StopLogging", "ec2:DeleteFlowLogs", "kms:ScheduleKeyDeletion"
                    ),
                },
            ),
            Every(
                "aws_iam_policy.access_states-policy",
                {f"policy.statement[sid={sid}].effect": "Deny" for sid in ("NoSecrets", "NoObjects", "NoOtherKeys")},
            ),
        ],
        mutations=[
            Replacement("aws_iam_policy.access_stores-policy", "policy.statement[sid=Database].actions", ["rds:*"]),
            Replacement("aws_iam_policy.access_reads-policy", "policy.statement[sid=Region].condition", None),
            Replacement(IDENTITIES, "policy.statement[sid=BoundedRoles].condition", None),
            Replacement(IDENTITIES, "policy.statement[sid=PassOn].condition", None),
            *(
                Replacement(BOUNDARY, f"policy.statement[sid={sid}].effect", "Allow")
                for sid in ("NoSecrets", "NoIdentities", "NoOtherBoundary", "NoLossOfBoundaries")
            ),
            Replacement(BOUNDARY, "policy.statement[sid=NoSecrets].actions", ["rds-db:connect"]),
            Replacement(IDENTITIES, "policy.statement[sid=NoLoss].effect", "Allow"),
            Replacement(IDENTITIES, "policy.statement[sid=NoLoss].actions", ["kms:ScheduleKeyDeletion"]),
            *(
                Replacement("aws_iam_policy.access_states-policy", f"policy.statement[sid={sid}].effect", "Allow")
                for sid in ("NoSecrets", "NoObjects", "NoOtherKeys")
            ),
        ],
    ),
    Control(
        name="separate-execution-role",
        requirements=("7.2.5",),
        summary="The role that starts a task and reads its credential is not the application's role.",
        checks=[Relation("task role and execution role differ", _shared_roles)],
        mutations=[
            Replacement("aws_ecs_task_definition", "task_role_arn", "${aws_iam_role.service_service-execution.arn}"),
        ],
    ),
    Control(
        name="no-confused-deputy",
        requirements=("7.2.5",),
        summary="Each role trusts one service, for resources of this account only.",
        checks=[
            Relation(
                "trust of one service, bound to this account or one of its resources, except for "
                f"{' and '.join(NO_SOURCE_CONDITION)}",
                confused_deputy_trusts,
            )
        ],
        mutations=[
            Replacement("aws_iam_role.network_flow-logs", "assume_role_policy.statement.condition", None),
            Replacement(
                "aws_iam_role.network_flow-logs",
                "assume_role_policy.statement.principals.identifiers",
                ["ec2.amazonaws.com", "ecs.amazonaws.com"],
            ),
            Replacement("aws_iam_role.network_flow-logs", "assume_role_policy.statement.principals.type", "AWS"),
            Replacement("aws_iam_role.network_flow-logs", "assume_role_policy", "{}"),
        ],
    ),
    Control(
        name="file-access",
        requirements=("7.3.1",),
        summary="Tasks that IAM allows mount files through access points, each with one user and one root directory.",
        checks=[
            Every(
                "aws_efs_access_point",
                {
                    "posix_user.uid": none_of(0),
                    "root_directory.path": none_of("/"),
                },
            ),
            Every(
                "aws_ecs_task_definition",
                {
                    "volume.efs_volume_configuration.authorization_config.iam": "ENABLED",
                    "volume.efs_volume_configuration.authorization_config.access_point_id": IS_SET,
                },
            ),
            Every(
                "aws_efs_file_system_policy",
                {
                    "policy.statement[sid=DenyAroundAccessPoints].effect": "Deny",
                    "policy.statement[sid=DenyRoot].effect": "Deny",
                },
            ),
        ],
        mutations=[
            Replacement("aws_efs_access_point", "posix_user", None),
            Replacement("aws_efs_access_point", "posix_user.uid", 0),
            Replacement("aws_efs_access_point", "root_directory.path", "/"),
            Replacement(
                "aws_ecs_task_definition", "volume.efs_volume_configuration.authorization_config.iam", "DISABLED"
            ),
            Replacement(
                "aws_ecs_task_definition", "volume.efs_volume_configuration.authorization_config.access_point_id", None
            ),
            Replacement("aws_efs_file_system_policy", "policy.statement[sid=DenyAroundAccessPoints].effect", "Allow"),
            Replacement("aws_efs_file_system_policy", "policy.statement[sid=DenyRoot].effect", "Allow"),
        ],
    ),
    Control(
        name="no-cross-account-access",
        requirements=("7.2.5", "7.3.3"),
        summary="Resource policies deny other accounts access to buckets, backups, images, the secret, the topic and "
        "files. Key policies name no other account.",
        checks=[
            *(
                denies(type_, "DenyOtherAccounts", "aws:PrincipalAccount", "StringNotEquals", OWN_ACCOUNT, action)
                for type_, action in RESOURCE_POLICIES.items()
            ),
            Relation("key policies name principals of this account only", _keys_open_to_other_accounts),
        ],
        mutations=[
            *(mutation for type_ in RESOURCE_POLICIES for mutation in weakened_deny(type_, "DenyOtherAccounts")),
            Replacement(
                "aws_kms_key",
                "policy.statement[sid=EnableIamPolicies].principals.identifiers",
                ["arn:aws:iam::444455556666:root"],
            ),
        ],
    ),
    Control(
        name="rotation-function-invocation",
        requirements=("7.2.5",),
        summary="Only Secrets Manager invokes the rotation function, for one secret of this account.",
        checks=[Every("aws_lambda_permission", {"source_arn": IS_SET, "source_account": IS_SET})],
        mutations=[
            Replacement("aws_lambda_permission", "source_arn", None),
            Replacement("aws_lambda_permission", "source_account", None),
        ],
    ),
    Control(
        name="authentication",
        requirements=("8.3.1", "8.3.2"),
        summary="Users of the cache authenticate with IAM. The database stores SCRAM verifiers instead of passwords, "
        "and supports IAM authentication.",
        checks=[
            Every("aws_elasticache_replication_group", {"user_group_ids": IS_SET}),
            Every(
                "aws_elasticache_user",
                {"authentication_mode.type": "iam"},
                where={"user_name": none_of("default")},
            ),
            Every("aws_rds_cluster", {"iam_database_authentication_enabled": True}),
            Every(
                "aws_rds_cluster_parameter_group",
                {"parameter[name=password_encryption].value": "scram-sha-256"},
            ),
        ],
        mutations=[
            Replacement("aws_elasticache_replication_group", "user_group_ids", None),
            Replacement("aws_elasticache_user.cache_application", "authentication_mode.type", "no-password-required"),
            Replacement("aws_rds_cluster", "iam_database_authentication_enabled", False),
            Replacement("aws_rds_cluster_parameter_group", "parameter[name=password_encryption].value", "md5"),
        ],
    ),
    Control(
        name="rotation",
        requirements=("8.3.9", "8.6.3"),
        summary="Every credential is rotated within 90 days: the application's by the rotation function, the master's "
        "by RDS. The cache has none.",
        checks=[
            Relation("every secret has a rotation", _without_rotation),
            Every(
                "aws_secretsmanager_secret_rotation",
                {
                    "rotation_rules": Value(
                        "a schedule, or `automatically_after_days` of 90 or less",
                        lambda rules: (
                            bool(rules.get("schedule_expression"))
                            or int(rules.get("automatically_after_days", 1000)) <= 90
                        ),
                    ),
                    "rotation_lambda_arn": IS_SET,
                },
            ),
            Every("aws_rds_cluster", {"manage_master_user_password": True}),
        ],
        mutations=[
            Removal("aws_secretsmanager_secret_rotation", "the secret has no rotation"),
            Replacement("aws_secretsmanager_secret_rotation", "rotation_rules.automatically_after_days", 180),
            Replacement("aws_secretsmanager_secret_rotation", "rotation_lambda_arn", None),
            Replacement("aws_rds_cluster", "manage_master_user_password", False),
        ],
    ),
    Control(
        name="no-secret-in-code",
        requirements=("8.6.2",),
        summary="Code, plans, states and task definitions contain no secret: ECS injects it when a task starts.",
        checks=[
            Relation("no argument, secret version or environment variable contains a secret", _secrets_in_code),
            Every(
                "aws_ecs_task_definition",
                {
                    "container_definitions.secrets.valueFrom": Value(
                        "a secret of the stacks", lambda value: str(value).startswith("${aws_secretsmanager_secret.")
                    )
                },
            ),
        ],
        mutations=[
            Replacement("aws_rds_cluster", "master_password", "correct horse"),
            Replacement("aws_elasticache_replication_group", "auth_token", "correct horse battery"),
            Addition("aws_secretsmanager_secret_version", {}, "a secret version is in the state"),
            Replacement(
                "aws_ecs_task_definition",
                "container_definitions.environment",
                [{"name": "DATABASE_PASSWORD", "value": "x"}],
            ),
            Replacement("aws_lambda_function", "environment.variables.API_TOKEN", "x"),
            Replacement("aws_lambda_function", "environment.variables.PGPASSWORD", "x"),
            Replacement(
                "aws_ecs_task_definition",
                "container_definitions.secrets",
                [{"name": "X", "valueFrom": "arn:aws:ssm:x"}],
            ),
        ],
    ),
)
