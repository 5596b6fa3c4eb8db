"""The permissions boundary allows what the platform's roles need and nothing else, evaluated as IAM does."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data
from policy_sentry.querying.actions import get_actions_for_service

from operations.bootstrap import boundary as bootstrap
from operations.bootstrap.boundary import MAX_CHARACTERS, boundary
from stacks.names import Names
from synthesized.platform import Body, Platform
from synthesized.policy_statements import as_list
from tests.failures import expect_none
from tests.synthesized import names_of

# ARNs of resources by type: service, resource part, and the argument that contains the name.
ARNS = {
    "aws_cloudwatch_log_group": ("logs", "log-group:{}", "name"),
    "aws_ecr_repository": ("ecr", "repository/{}", "name"),
    "aws_ecs_service": ("ecs", "service/CLUSTER/{}", "name"),
    "aws_efs_file_system": ("elasticfilesystem", "file-system/fs-1", None),
    "aws_elasticache_replication_group": ("elasticache", "replicationgroup:{}", "replication_group_id"),
    "aws_elasticache_user": ("elasticache", "user:{}", "user_id"),
    "aws_kms_key": ("kms", "key/1", None),
    "aws_rds_cluster": ("secretsmanager", "secret:rds!cluster-1-a1b2c3", None),  # its master secret
    "aws_secretsmanager_secret": ("secretsmanager", "secret:{}-a1b2c3", "name"),
    "aws_sfn_state_machine": ("states", "stateMachine:{}", "name"),
    "aws_sns_topic": ("sns", "{}", "name"),
}
# The managed policies for AWS Backup cover all services. The permissions that our data stores need in each Region:
# https://docs.aws.amazon.com/aws-backup/latest/devguide/security-iam-awsmanpol.html
USED_OF_MANAGED_POLICIES: dict[str, list[tuple[str, str]]] = {
    "AWSBackupServiceRolePolicyForBackup": [
        *(
            (f"rds:{action}", f"arn:aws:rds:{{region}}:{{account}}:{what}")
            for what in ("cluster:acme-prod-database", "cluster-snapshot:awsbackup:job-1")
            for action in (
                "AddTagsToResource",
                "CopyDBClusterSnapshot",
                "CreateDBClusterSnapshot",
                "DescribeDBClusterSnapshots",
                "DescribeDBClusters",
                "ListTagsForResource",
            )
        ),
        ("rds:DeleteDBClusterSnapshot", "arn:aws:rds:{region}:{account}:cluster-snapshot:awsbackup:job-1"),
        ("backup:CopyFromBackupVault", "arn:aws:backup:{region}:{account}:backup-vault:acme-prod-backups"),
        ("backup:CopyIntoBackupVault", "arn:aws:backup:{region}:{account}:backup-vault:acme-prod-backups"),
        ("backup:DescribeBackupVault", "arn:aws:backup:{region}:{account}:backup-vault:acme-prod-backups"),
        ("backup:TagResource", "arn:aws:backup:{region}:{account}:recovery-point:1"),
        ("elasticfilesystem:Backup", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("elasticfilesystem:DescribeTags", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("kms:DescribeKey", "arn:aws:kms:{region}:{account}:key/1"),
        ("tag:GetResources", "*"),
    ],
    "AWSBackupServiceRolePolicyForRestores": [
        ("rds:RestoreDBClusterFromSnapshot", "arn:aws:rds:{region}:{account}:cluster:awsbackup-restore-test-1"),
        ("rds:RestoreDBClusterFromSnapshot", "arn:aws:rds:{region}:{account}:cluster-pg:acme-prod-database"),
        ("rds:RestoreDBClusterFromSnapshot", "arn:aws:rds:{region}:{account}:subgrp:acme-prod-database"),
        ("elasticfilesystem:CreateFilesystem", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("elasticfilesystem:DescribeFilesystems", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("elasticfilesystem:Restore", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("elasticfilesystem:TagResource", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("kms:DescribeKey", "arn:aws:kms:{region}:{account}:key/1"),
        ("ec2:DescribeSecurityGroups", "*"),
        ("ec2:DescribeSubnets", "*"),
        ("ec2:DescribeVpcs", "*"),
    ],
}
REFERENCE = re.compile(r"\$\{(\w+)\.([\w-]+)\.[^}]*\}")


def resolve_arns(platform: Platform, resource: str) -> str:
    """A resource of a policy with the ARN in place of a reference."""
    names = names_of(platform)

    def arn(reference: re.Match[str]) -> str:
        service, pattern, argument = ARNS[reference[1]]
        (body,) = [each.body for each in platform.resources if each.address == f"{reference[1]}.{reference[2]}"]
        return names.arn(service, pattern.replace("CLUSTER", names.cluster).format(body[argument] if argument else ""))

    return REFERENCE.sub(arn, resource)


def statements_of(platform: Platform) -> Iterator[Body]:
    """Statements of all managed and inline policies of the platform's roles, each with the address of its source."""
    managed = json.loads(aws_managed_policies_data)
    for attached in platform.of_type("aws_iam_role_policy_attachment"):
        if attached.tier == "access":  # the deployment roles have another boundary
            continue
        name = attached.body["policy_arn"].rpartition("/")[2]
        statements = managed[name]["Document"]["Statement"]
        if name not in USED_OF_MANAGED_POLICIES:
            yield from ({**statement, "By": attached.address} for statement in statements)
            continue
        names = names_of(platform)
        for action, resource in USED_OF_MANAGED_POLICIES[name]:
            # Fails if AWS removes the permission from its policy.
            assert decision({"Statement": list(map(without_conditions, statements))}, action, resource, "") == "Allow"
            yield {
                "By": attached.address,
                "Effect": "Allow",
                "Action": [action],
                "Resource": [resource.format(region=region, account=names.account) for region in names.regions],
            }
    for attached in platform.of_type("aws_iam_role_policy"):
        _, _, name = attached.body["policy"].removeprefix("${").partition(".")[2].partition(".")
        (document,) = [each for each in platform.data if each.address.endswith(f".{name.partition('.')[0]}")]
        for statement in document.body["statement"]:
            yield {
                "By": f"{attached.address}: policy {statement['sid']}",
                "Effect": statement["effect"],
                "Action": statement["actions"],
                "Resource": [resolve_arns(platform, resource) for resource in statement["resources"]],
            }


def without_conditions(statement: Body) -> Body:
    """A statement of an AWS managed policy in our form, without its conditions."""
    return {
        "Effect": statement["Effect"],
        "Action": as_list(statement["Action"]),
        "Resource": [
            resource.replace(":*:*:", ":{region}:{account}:", 1) for resource in as_list(statement["Resource"])
        ],
    }


def applies_in_region(statement: Body, region: str) -> bool:
    """Whether a statement applies in a Region to a resource without tags. Statements with other conditions do not."""
    condition = {test: keys for test, keys in statement.get("Condition", {}).items() if test != "StringEqualsIfExists"}
    allowed = condition.get("StringEquals", {}).get("aws:RequestedRegion")
    return not condition or (condition.keys() == {"StringEquals"} and region in as_list(allowed))


def decision(document: Body, action: str, resource: str, region: str) -> str:
    """`Deny`, `Allow`, or an empty string if no statement applies.

    Args:
        region: Region of the request, if the ARN contains none.
    """
    here = (resource.split(":")[3] if resource.startswith("arn:") else "") or region
    effects = {
        statement["Effect"]
        for statement in document["Statement"]
        if any(fnmatchcase(action, pattern) for pattern in statement["Action"])
        and applies_in_region(statement, here)
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
    }
    return "Deny" if "Deny" in effects else "Allow" if effects else ""


def granted_actions(platform: Platform) -> list[tuple[str, str, str]]:
    """Source of the statement, action, resource."""
    names = names_of(platform)
    # A managed policy has `*` for Region and account, and matches more log groups than RDS uses.
    here = f"arn:aws:logs:{names.region}:{names.account}:log-group:RDSOSMetrics"
    return [
        (
            statement["By"],
            action,
            resource.replace("arn:aws:logs:*:*:log-group:RDS*", here).replace("*", "x") if resource != "*" else "*",
        )
        for statement in statements_of(platform)
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        for resource in statement["Resource"]
    ]


def test_the_boundary_allows_everything_that_roles_are_granted(everywhere: list[Platform]):
    for platform in everywhere:
        names = names_of(platform)
        granted = granted_actions(platform)
        assert len(granted) > 60
        expect_none(
            f"{statement}: the boundary does not allow {action} on {resource}"
            for statement, action, resource in granted
            if decision(boundary(names), action, resource, names.region) != "Allow"
        )


def matching(pattern: str) -> list[str]:
    """The actions of AWS that a pattern matches."""
    actions = get_actions_for_service(pattern.partition(":")[0]) if "*" in pattern else [pattern]
    return [action for action in actions if fnmatchcase(action, pattern)]


def test_the_boundary_allows_only_actions_that_roles_are_granted(prod_with_own_tiers: Platform):
    granted = {action for _, action, _ in granted_actions(prod_with_own_tiers)}
    allowed = {
        action
        for each in boundary(names_of(prod_with_own_tiers))["Statement"]
        if each["Effect"] == "Allow"
        for action in each["Action"]
    }
    # Grants have a condition.
    unused = [
        action
        for each in allowed - {"kms:CreateGrant", "kms:GenerateDataKey*"}
        for action in matching(each)
        if action not in granted
    ]
    assert not unused


def test_kms_grants_are_only_for_aws_services(everywhere: list[Platform]):
    for names in map(names_of, everywhere):
        (grants,) = (
            statement for statement in boundary(names)["Statement"] if "kms:CreateGrant" in statement["Action"]
        )
        assert grants["Effect"] == "Allow"
        assert grants["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        assert grants["Resource"] == [f"arn:aws:kms:{region}:{names.account}:key/*" for region in names.regions]
    managed = json.loads(aws_managed_policies_data)
    for policy in USED_OF_MANAGED_POLICIES:
        (managed_statement,) = (
            statement
            for statement in managed[policy]["Document"]["Statement"]
            if "kms:CreateGrant" in as_list(statement["Action"])
        )
        assert managed_statement["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


@pytest.mark.parametrize(
    "action",
    [
        # Removing or widening the boundary.
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
        "iam:CreatePolicyVersion",
        "iam:SetDefaultPolicyVersion",
        # Escalating privileges.
        "iam:AttachRolePolicy",
        "iam:CreateAccessKey",
        "iam:CreateRole",
        "iam:PassRole",
        "iam:PutRolePolicy",
        "iam:UpdateAssumeRolePolicy",
        "sts:AssumeRole",
        "sts:AssumeRoleWithWebIdentity",
        "ecs:ExecuteCommand",
        "ecs:RunTask",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        "states:UpdateStateMachine",
        "ssm:StartSession",
        "cloudformation:CreateStack",
        # Granting access to others.
        "kms:PutKeyPolicy",
        "secretsmanager:PutResourcePolicy",
        "s3:PutBucketPolicy",
        # Deleting keys and audit trails.
        "kms:ScheduleKeyDeletion",
        "cloudtrail:StopLogging",
        "logs:DeleteLogGroup",
    ],
)
def test_privilege_escalation_is_denied(prod: Platform, action: str):
    names = names_of(prod)
    assert decision(boundary(names), action, "arn:aws:any:::thing", names.region) == "Deny"


def test_no_role_may_read_a_state(prod: Platform):
    names = names_of(prod)
    state = f"arn:aws:s3:::{names.state_bucket}/prod/network.tfstate"
    assert decision(boundary(names), "s3:GetObject", state, names.region) == "Deny"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:{region}:{account}:secret:payroll-a1b2c3"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:{region}:999999999999:secret:{ours}-x-a1b2c3"),
        ("kms:Decrypt", "arn:aws:kms:eu-west-1:{account}:key/1"),
        ("kms:CreateGrant", "arn:aws:kms:{region}:{account}:key/1"),
        ("sns:Publish", "arn:aws:sns:{region}:{account}:payroll"),
        ("s3:GetObject", "arn:aws:s3:::anything/x"),
        ("ecs:UpdateService", "arn:aws:ecs:{region}:{account}:service/other/other"),
        # The managed policies for AWS Backup allow these.
        ("rds:DeleteDBCluster", "arn:aws:rds:{region}:{account}:cluster:acme-prod-database"),
        ("rds:ModifyDBCluster", "arn:aws:rds:{region}:{account}:cluster:acme-prod-database"),
        ("elasticfilesystem:DeleteFilesystem", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("rds:CopyDBClusterSnapshot", "arn:aws:rds:eu-west-1:{account}:cluster-snapshot:awsbackup:job-1"),
    ],
)
def test_resources_of_others_are_not_allowed(prod: Platform, action: str, resource: str):
    names = names_of(prod)
    arn = resource.format(region=names.region, account=names.account, ours="acme-prod")
    assert decision(boundary(names), action, arn, names.region) == ""


def test_actions_without_resources_are_limited_to_the_region(prod: Platform):
    assert decision(boundary(names_of(prod)), "ec2:DescribeSubnets", "*", "eu-west-3") == "Allow"
    assert decision(boundary(names_of(prod)), "ec2:DescribeSubnets", "*", "eu-west-1") == ""


def test_only_what_has_the_tag_of_another_environment_is_denied(prod: Platform):
    for replaces, own in ((None, "prod"), ("old", ["prod", "old"])):
        denials = boundary(replace(names_of(prod), replaces=replaces))["Statement"]
        (condition,) = [each["Condition"] for each in denials if each["Sid"] == "NoOtherEnvironments"]
        assert condition["StringNotEquals"] == {"aws:ResourceTag/Environment": own}


def size(names: Names) -> int:
    return len(json.dumps(boundary(names)).replace(" ", ""))


def test_the_boundary_fits_iams_size_limit_with_the_longest_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bootstrap, "own_tiers_of", lambda _: ())
    longest = Names("c" * 12, "e" * 12, "1" * 12, "ap-southeast-1", "ap-northeast-1", replaces="r" * 12)
    assert size(longest) <= MAX_CHARACTERS


def test_the_boundary_of_each_environment_fits_iams_size_limit(shipped: dict[str, Platform]):
    sizes = {name: size(names_of(platform)) for name, platform in shipped.items()}
    expect_none(
        f"{name}: {found} characters, of {MAX_CHARACTERS}: shorten `tasks` of own tiers"
        for name, found in sizes.items()
        if found > MAX_CHARACTERS
    )
