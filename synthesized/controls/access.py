"""PCI DSS 7 and 8: who may do what, and how they prove who they are."""

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
    r"|logs:(Create|Delete|Get|Update)LogDelivery|logs:(Describe\w+|ListLogDeliveries|PutResourcePolicy)|xray:Put\w+"
)
"""Actions that AWS grants on all resources or on none."""

# AWS documents no condition for what these two take on.
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
                yield f"{address}: policy {statement['sid']}: allows {action} on everything"


def _shared_roles(document: Document) -> Iterable[str]:
    for address, task in document.of_type("aws_ecs_task_definition").items():
        if task.get("task_role_arn") == task.get("execution_role_arn"):
            yield f"{address}: task_role_arn: is the role that reads the application's credential"


def deployer_roles(document: Document) -> dict[str, Body]:
    """Roles of the path that no deployment may change."""
    return {
        address: role
        for address, role in document.of_type("aws_iam_role").items()
        if str(role.get("path")).startswith("/globecart-access/")
    }


def broad_deployer_statements(document: Document) -> Iterable[str]:
    """Statements of who deploys that allow a pattern of actions, or anything anywhere."""
    for address, statement in _statements(document, "aws_iam_policy"):
        if statement["effect"] != "Allow" or address == BOUNDARY:
            continue
        for action in statement["actions"]:
            if "*" in action:
                yield f"{address}: policy {statement['sid']}: allows {action}"
        if "*" in statement.get("resources", ["*"]) and not statement.get("condition"):
            yield f"{address}: policy {statement['sid']}: is for everything in every Region"


def unbounded_role_statements(document: Document) -> Iterable[str]:
    """Statements that let who deploys make a role which exceeds the platform's boundary, or pass one to anybody."""
    conditions = {"iam:CreateRole": "iam:PermissionsBoundary", "iam:PutRolePolicy": "iam:PermissionsBoundary"}
    conditions |= {"iam:AttachRolePolicy": "iam:PermissionsBoundary", "iam:PassRole": "iam:PassedToService"}
    for address, statement in _statements(document, "aws_iam_policy"):
        told = {entry["variable"] for entry in statement.get("condition") or [] if entry["test"] == "StringEquals"}
        for action in statement["actions"]:
            if statement["effect"] == "Allow" and action in conditions and conditions[action] not in told:
                yield f"{address}: policy {statement['sid']}: allows {action} without {conditions[action]}"


def roles_with_loose_trust(document: Document) -> Iterable[str]:
    """Roles that another repository's workflows, or this one's for another purpose, could take on."""
    subjects = {"access_plan": r"pull_request", "access_apply": r"environment:[a-z0-9-]+"}
    for address, role in deployer_roles(document).items():
        for statement in values(role, "assume_role_policy.statement")[0] or []:
            told = {entry["variable"]: entry["values"] for entry in _exact(statement)}
            (subject,) = told.get(f"{ISSUER}:sub", [""])[:1]
            wanted = subjects[address.rpartition(".")[2]]
            if not re.fullmatch(rf"repo:[\w.-]+/[\w.-]+:{wanted}", subject):
                yield f"{address}: assume_role_policy sub: is for {subject or 'whatever workflow'}"
            if told.get(f"{ISSUER}:aud") != ["sts.amazonaws.com"]:
                yield f"{address}: assume_role_policy aud: takes tokens that are not for AWS"


def _exact(statement: Body) -> list[Body]:
    """Conditions that hold of one value, to the letter."""
    return [entry for entry in statement.get("condition") or [] if entry["test"] == "StringEquals"]


def confused_deputy_trusts(document: Document) -> Iterable[str]:
    """Roles that a service could be made to take on for somebody else (the confused deputy)."""
    for address, role in document.of_type("aws_iam_role").items():
        if address in deployer_roles(document):
            continue
        found = values(role, "assume_role_policy.statement")[0] or []
        if not found:
            yield f"{address}: assume_role_policy: trusts whom it says in words"
        for statement in found:
            services = [name for principal in statement["principals"] for name in principal["identifiers"]]
            if [principal["type"] for principal in statement["principals"]] != ["Service"] or len(services) != 1:
                yield f"{address}: assume_role_policy principals: trusts others than one service"
            bound = {entry["variable"] for entry in statement.get("condition") or []}
            if not bound & {"aws:SourceAccount", "aws:SourceArn"} and services[0] not in NO_SOURCE_CONDITION:
                yield f"{address}: assume_role_policy condition: is for anybody's {services[0]}"


def _keys_for_others(document: Document) -> Iterable[str]:
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
                    yield f"{address}: policy {statement['sid']}: is for {name}"


def _without_rotation(document: Document) -> Iterable[str]:
    for address in document.unreferenced(
        "aws_secretsmanager_secret.id", "aws_secretsmanager_secret_rotation.secret_id"
    ):
        yield f"{address}: has no aws_secretsmanager_secret_rotation"


def _written_secrets(document: Document) -> Iterable[str]:
    allowed = {"manage_master_user_password", "no_password_required"}
    for address, body in document.bodies.items():
        for argument, value in body.items():
            if (
                value
                and re.search(r"password|secret_string|secret_binary|auth_token", argument)
                and argument not in allowed
            ):
                yield f"{address}: {argument} is written down"
    for address in document.of_type("aws_secretsmanager_secret_version", "random_password"):
        yield f"{address}: would be in the state"
    named = [
        (address, str(entry["name"]), str(entry.get("value")))
        for address, task in document.of_type("aws_ecs_task_definition").items()
        for entries in values(task, "container_definitions.environment")
        for entry in entries or []
    ] + [
        (address, name, str(value))
        for address, function in document.of_type("aws_lambda_function").items()
        for variables in values(function, "environment.variables")
        for name, value in (variables or {}).items()
    ]
    for address, name, value in named:
        if SECRET_NAMES.search(name) and not name.endswith("_ARN"):
            yield f"{address}: environment {name}: is no ARN ({len(value)} characters)"


CONTROLS = (
    Control(
        name="least-privilege",
        requirements=("7.2.1", "7.2.2", "7.2.5"),
        summary="A role may do named actions, on named resources wherever AWS knows resources.",
        checks=[
            Relation(
                "no role has all actions of a service, or all resources where some can be named", _wide_permissions
            )
        ],
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
        summary="No role exceeds the permissions boundary, whatever policy it is given.",
        checks=[Every("aws_iam_role", {"permissions_boundary": IS_SET, "max_session_duration": 3600})],
        mutations=[
            Replacement("aws_iam_role", "permissions_boundary", None),
            Replacement("aws_iam_role", "max_session_duration", 43200),
        ],
    ),
    Control(
        name="deployments-by-two-roles",
        requirements=("6.5.4", "7.2.5", "8.6.2"),
        summary="One role plans and another applies, for workflows of one repository: the first in its pull requests, the "
        "second in this environment alone. AWS knows them by tokens that last minutes; there is no key to keep.",
        checks=[Relation("trust names audience and subject, to the letter", roles_with_loose_trust)],
        mutations=[
            Replacement("aws_iam_role.access_plan", "assume_role_policy.statement.condition", None),
            Replacement(
                "aws_iam_role.access_plan",
                f"assume_role_policy.statement.condition[variable={ISSUER}:sub].values",
                ["repo:globecart/*"],
            ),
            Replacement(
                "aws_iam_role.access_apply",
                f"assume_role_policy.statement.condition[variable={ISSUER}:sub].values",
                ["repo:globecart/platform:pull_request"],
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
        name="deployments-least-privilege",
        requirements=("7.2.1", "7.2.2"),
        summary="Who deploys may do named actions, to what is the environment's by name or tag; makes roles within the "
        "platform's boundary alone, passes them on to named services, and reads no secret.",
        checks=[
            Relation("no pattern of actions is allowed, and nothing in every Region", broad_deployer_statements),
            Relation("roles are written within the boundary, and passed on by name", unbounded_role_statements),
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
        name="two-roles-a-task",
        requirements=("7.2.5",),
        summary="What starts a task and reads its credential is another role than the application's own.",
        checks=[Relation("task role and execution role are two", _shared_roles)],
        mutations=[
            Replacement("aws_ecs_task_definition", "task_role_arn", "${aws_iam_role.service_service-execution.arn}"),
        ],
    ),
    Control(
        name="no-confused-deputy",
        requirements=("7.2.5",),
        summary="Each role is for one service, which takes it on for this account's own resources.",
        checks=[
            Relation(
                f"one service, bound to our account or a resource of it, but for {' and '.join(NO_SOURCE_CONDITION)}",
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
        name="files-by-identity",
        requirements=("7.3.1",),
        summary="Files are reached through access points, as one user below one root, by tasks that IAM lets in.",
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
        name="own-account-alone",
        requirements=("7.2.5", "7.3.3"),
        summary="Buckets, backups, images, secret, topic and files are denied to every other account, whatever else "
        "allows it; keys are for nobody outside it.",
        checks=[
            *(
                denies(type_, "DenyOtherAccounts", "aws:PrincipalAccount", "StringNotEquals", OWN_ACCOUNT, action)
                for type_, action in RESOURCE_POLICIES.items()
            ),
            Relation("keys' policies name identities of this account alone", _keys_for_others),
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
        name="function-for-secrets-manager",
        requirements=("7.2.5",),
        summary="Secrets Manager calls the rotation's function for the one secret, of this account.",
        checks=[Every("aws_lambda_permission", {"source_arn": IS_SET, "source_account": IS_SET})],
        mutations=[
            Replacement("aws_lambda_permission", "source_arn", None),
            Replacement("aws_lambda_permission", "source_account", None),
        ],
    ),
    Control(
        name="logins",
        requirements=("8.3.1", "8.3.2"),
        summary="The cache knows users, who sign in by IAM; the database keeps verifiers and no passwords, and knows IAM.",
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
        summary="Every credential is rotated within 90 days: the application's by our function, the master's by RDS. The "
        "cache has none.",
        checks=[
            Relation("every secret has a rotation", _without_rotation),
            Every(
                "aws_secretsmanager_secret_rotation",
                {
                    "rotation_rules": Value(
                        "`automatically_after_days` of 90 or less, or a schedule",
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
        name="no-secret-written",
        requirements=("8.6.2",),
        summary="No secret is in the code, in a plan, in a state or in a variable: ECS gives it to the task at its start.",
        checks=[
            Relation("no argument, no secret's version and no variable holds one", _written_secrets),
            Every(
                "aws_ecs_task_definition",
                {
                    "container_definitions.secrets.valueFrom": Value(
                        "a secret of ours", lambda value: str(value).startswith("${aws_secretsmanager_secret.")
                    )
                },
            ),
        ],
        mutations=[
            Replacement("aws_rds_cluster", "master_password", "correct horse"),
            Replacement("aws_elasticache_replication_group", "auth_token", "correct horse battery"),
            Addition("aws_secretsmanager_secret_version", {}, "the secret's version is in the state"),
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
