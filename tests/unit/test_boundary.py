"""The boundary holds all that the platform's roles do, and nothing that leads further; as IAM would decide it."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from operations.bootstrap.boundary import MAX_CHARACTERS, boundary
from stacks.names import Names
from synthesized.platform import Body, Platform
from synthesized.policy_statements import as_list
from tests.failures import expect_none
from tests.synthesized import names_of

# What a reference to a resource stands for: part of its ARN behind account and Region, by the argument that names it.
ARNS = {
    "aws_cloudwatch_log_group": ("logs", "log-group:{}", "name"),
    "aws_ecr_repository": ("ecr", "repository/{}", "name"),
    "aws_ecs_service": ("ecs", "service/CLUSTER/{}", "name"),
    "aws_efs_file_system": ("elasticfilesystem", "file-system/fs-1", None),
    "aws_elasticache_replication_group": ("elasticache", "replicationgroup:{}", "replication_group_id"),
    "aws_elasticache_user": ("elasticache", "user:{}", "user_id"),
    "aws_kms_key": ("kms", "key/1", None),
    "aws_rds_cluster": ("secretsmanager", "secret:rds!cluster-1-a1b2c3", None),  # of its master credential
    "aws_secretsmanager_secret": ("secretsmanager", "secret:{}-a1b2c3", "name"),
    "aws_sfn_state_machine": ("states", "stateMachine:{}", "name"),
    "aws_sns_topic": ("sns", "{}", "name"),
}
# AWS's own policies for AWS Backup are for all that it backs up. What our stores need of them, in each Region:
# https://docs.aws.amazon.com/aws-backup/latest/devguide/security-iam-awsmanpol.html
OF_USE: dict[str, list[tuple[str, str]]] = {
    "AWSBackupServiceRolePolicyForBackup": [
        *(
            (f"rds:{action}", f"arn:aws:rds:{{region}}:{{account}}:{what}")
            for what in ("cluster:globecart-prod-database", "cluster-snapshot:awsbackup:job-1")
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
        ("backup:CopyFromBackupVault", "arn:aws:backup:{region}:{account}:backup-vault:globecart-prod-backups"),
        ("backup:CopyIntoBackupVault", "arn:aws:backup:{region}:{account}:backup-vault:globecart-prod-backups"),
        ("backup:DescribeBackupVault", "arn:aws:backup:{region}:{account}:backup-vault:globecart-prod-backups"),
        ("backup:TagResource", "arn:aws:backup:{region}:{account}:recovery-point:1"),
        ("elasticfilesystem:Backup", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("elasticfilesystem:DescribeTags", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("kms:DescribeKey", "arn:aws:kms:{region}:{account}:key/1"),
        ("tag:GetResources", "*"),
    ],
    "AWSBackupServiceRolePolicyForRestores": [
        ("rds:RestoreDBClusterFromSnapshot", "arn:aws:rds:{region}:{account}:cluster:awsbackup-restore-test-1"),
        ("rds:RestoreDBClusterFromSnapshot", "arn:aws:rds:{region}:{account}:cluster-pg:globecart-prod-database"),
        ("rds:RestoreDBClusterFromSnapshot", "arn:aws:rds:{region}:{account}:subgrp:globecart-prod-database"),
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


def resolved(platform: Platform, resource: str) -> str:
    """A resource as a policy names it, with its ARN in place of a reference."""
    names = names_of(platform)

    def arn(reference: re.Match[str]) -> str:
        service, pattern, argument = ARNS[reference[1]]
        (body,) = [each.body for each in platform.resources if each.address == f"{reference[1]}.{reference[2]}"]
        return names.arn(service, pattern.replace("CLUSTER", names.cluster).format(body[argument] if argument else ""))

    return REFERENCE.sub(arn, resource)


def statements_of(platform: Platform) -> Iterator[Body]:
    """All that the environment's roles are given, and by what: policies of ours and of AWS's own."""
    managed = json.loads(aws_managed_policies_data)
    for given in platform.of_type("aws_iam_role_policy_attachment"):
        if given.tier == "access":  # who deploys has another boundary
            continue
        name = given.body["policy_arn"].rpartition("/")[2]
        statements = managed[name]["Document"]["Statement"]
        if name not in OF_USE:
            yield from ({**statement, "By": given.address} for statement in statements)
            continue
        names = names_of(platform)
        for action, resource in OF_USE[name]:
            # What AWS takes out of its policy is no use to us any longer.
            assert decides({"Statement": list(map(unconditional, statements))}, action, resource, "") == "Allow"
            yield {
                "By": given.address,
                "Effect": "Allow",
                "Action": [action],
                "Resource": [resource.format(region=region, account=names.account) for region in names.regions],
            }
    for given in platform.of_type("aws_iam_role_policy"):
        _, _, name = given.body["policy"].removeprefix("${").partition(".")[2].partition(".")
        (document,) = [each for each in platform.data if each.address.endswith(f".{name.partition('.')[0]}")]
        for statement in document.body["statement"]:
            yield {
                "By": f"{given.address}: policy {statement['sid']}",
                "Effect": statement["effect"],
                "Action": statement["actions"],
                "Resource": [resolved(platform, resource) for resource in statement["resources"]],
            }


def unconditional(statement: Body) -> Body:
    """A statement of AWS's own, as ours are written, whatever its conditions."""
    return {
        "Effect": statement["Effect"],
        "Action": as_list(statement["Action"]),
        "Resource": [
            resource.replace(":*:*:", ":{region}:{account}:", 1) for resource in as_list(statement["Resource"])
        ],
    }


def region_of(statement: Body, region: str) -> bool:
    """Whether a statement holds in a Region, if it has no other condition."""
    condition = statement.get("Condition", {"StringEquals": {"aws:RequestedRegion": region}})
    return condition.keys() == {"StringEquals"} and region in as_list(condition["StringEquals"]["aws:RequestedRegion"])


def decides(document: Body, action: str, resource: str, region: str) -> str:
    """Deny, Allow, or nothing at all.

    Args:
        region: asked of, where the resource's ARN names none.
    """
    here = (resource.split(":")[3] if resource.startswith("arn:") else "") or region
    effects = {
        statement["Effect"]
        for statement in document["Statement"]
        if any(fnmatchcase(action, pattern) for pattern in statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        and region_of(statement, here)
    }
    return "Deny" if "Deny" in effects else "Allow" if effects else ""


def asked_for(platform: Platform) -> list[tuple[str, str, str]]:
    """What gives an action, the action, the resource."""
    names = names_of(platform)
    # A policy of AWS's own says `*` for the Region and the account, and matches more log groups than RDS has.
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


def test_it_allows_whatever_a_role_of_the_platform_is_given(everywhere: list[Platform]):
    for platform in everywhere:
        names = names_of(platform)
        asked = asked_for(platform)
        assert len(asked) > 60
        expect_none(
            f"{statement}: the boundary does not allow {action} on {resource}"
            for statement, action, resource in asked
            if decides(boundary(names), action, resource, names.region) != "Allow"
        )


def test_it_allows_no_action_that_no_role_is_given(prod: Platform):
    given = {action for _, action, _ in asked_for(prod)}
    allowed = {
        action
        for each in boundary(names_of(prod))["Statement"]
        if each["Effect"] == "Allow"
        for action in each["Action"]
    }
    # Grants are allowed on a condition.
    idle = [action for action in allowed - {"kms:CreateGrant"} if not any(fnmatchcase(action, each) for each in given)]
    assert not idle


def test_grants_are_made_for_services_alone(everywhere: list[Platform]):
    for names in map(names_of, everywhere):
        (grants,) = (one for one in boundary(names)["Statement"] if "kms:CreateGrant" in one["Action"])
        assert grants["Effect"] == "Allow"
        assert grants["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        assert grants["Resource"] == [f"arn:aws:kms:{region}:{names.account}:key/*" for region in names.regions]
    managed = json.loads(aws_managed_policies_data)
    for policy in OF_USE:
        (given,) = (
            one for one in managed[policy]["Document"]["Statement"] if "kms:CreateGrant" in as_list(one["Action"])
        )
        assert given["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


@pytest.mark.parametrize(
    "action",
    [
        # Leaving the boundary, or widening it.
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
        "iam:CreatePolicyVersion",
        "iam:SetDefaultPolicyVersion",
        # Becoming more.
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
        # Opening to others.
        "kms:PutKeyPolicy",
        "secretsmanager:PutResourcePolicy",
        "s3:PutBucketPolicy",
        # Losing keys and traces.
        "kms:ScheduleKeyDeletion",
        "cloudtrail:StopLogging",
        "logs:DeleteLogGroup",
    ],
)
def test_it_denies_what_leads_further_whoever_else_allows_it(prod: Platform, action: str):
    names = names_of(prod)
    assert decides(boundary(names), action, "arn:aws:any:::thing", names.region) == "Deny"


def test_nobody_reads_a_state(prod: Platform):
    names = names_of(prod)
    state = f"arn:aws:s3:::{names.state_bucket}/prod/network.tfstate"
    assert decides(boundary(names), "s3:GetObject", state, names.region) == "Deny"


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
        # AWS's own policies for AWS Backup allow these.
        ("rds:DeleteDBCluster", "arn:aws:rds:{region}:{account}:cluster:globecart-prod-database"),
        ("rds:ModifyDBCluster", "arn:aws:rds:{region}:{account}:cluster:globecart-prod-database"),
        ("elasticfilesystem:DeleteFilesystem", "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-1"),
        ("rds:CopyDBClusterSnapshot", "arn:aws:rds:eu-west-1:{account}:cluster-snapshot:awsbackup:job-1"),
    ],
)
def test_others_things_are_out_of_its_reach(prod: Platform, action: str, resource: str):
    names = names_of(prod)
    arn = resource.format(region=names.region, account=names.account, ours="globecart-prod")
    assert decides(boundary(names), action, arn, names.region) == ""


def test_what_has_no_resource_is_bound_to_the_region(prod: Platform):
    assert decides(boundary(names_of(prod)), "ec2:DescribeSubnets", "*", "us-west-1") == "Allow"
    assert decides(boundary(names_of(prod)), "ec2:DescribeSubnets", "*", "eu-west-1") == ""


def test_it_fits_a_policy_even_with_the_longest_names():
    longest = Names("a23456789012", "1" * 12, "ap-southeast-1", "ap-northeast-1")
    document: Any = boundary(longest)
    assert len(json.dumps(document).replace(" ", "")) <= MAX_CHARACTERS
