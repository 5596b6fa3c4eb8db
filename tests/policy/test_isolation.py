"""Environments in one account do not touch each other, whatever their names.

Every grant of one is held against every resource of the other; so are the patterns of ARNs that resource policies and
trust policies accept as a source.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operations.bootstrap.boundary import boundary
from stacks.settings.environment import Environment
from stacks.statements import allow, as_document
from synthesized.platform import Platform
from tests.conftest import changed_settings, only_tiers, synthesize_all, to_toml
from tests.failures import expect_none
from tests.policy import isolation
from tests.policy.isolation import Side, actions_of, findings, is_allowed
from tests.policy.planted import with_changed, with_statement, with_statement_changed
from tests.synthesized import TIERS, names_of

Plant = Callable[[Platform], Platform]

ACCOUNT = "111122223333"
# Settings that only one environment of an account may have.
SECOND: dict[str, Any] = {
    "network": {"cidr": "10.1.0.0/16"},
    "service": {"domain": "other.acme.example"},
    "database": {"os_metrics_log": False},
    "audit": {"guardduty": False, "security_hub": False, "config": False, "inspector": False},
    "access": {"oidc_provider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"},
}
# In the Region of the other two, where the most grants match. With dev's domain.
SUCCESSOR: dict[str, Any] = {**SECOND, "replaces": "dev", "network": {"cidr": "10.2.0.0/16"}, "service": {}}
# Resources that another environment's role can reach by AWS's design: a pattern of the finding, and the reason.
UNBINDABLE: Mapping[str, str] = {
    r"boundary of the deployer roles: \w+: [\w:-]+( on (aws_(acm_certificate|cloudwatch_dashboard|iam_role|kms_alias|lb"
    r"|s3_bucket|scheduler_schedule)|alias of the states' key|interface of EFS|key administrators|lock|log"
    r"|log stream of [\w ]+|master secret|replica of files|state|states' bucket))?": (
        "it names verbs; the policies name resources, and only administrators can change these"
    ),
    r".*: logs:\w+(LogDelivery|QueryDefinition|ResourcePolicy)": "log deliveries, saved queries and resource policies "
    "of CloudWatch Logs belong to the account and have no ARN",
    r".*: xray:Put\w+": "X-Ray's traces belong to the account and have no ARN",
    r".*: ec2:\w+ on interface of EFS": "EFS, ElastiCache and Lambda create network interfaces without tags",
    r".*: (Backups|EFSPermissions|Region|TagFiles): elasticfilesystem:\w+ on replica of files": "created without tags",
    # https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
    r"boundary of the platform's roles: Files: elasticfilesystem:Client\w+ on (aws_efs_\w+|replica of files)": (
        "a mount has no tags; a role's policy names its file system, and only the VPC's tasks reach it"
    ),
    r".*access_apply: Recorder: config:\w+|.*access_apply: Inspector: inspector2:\w+": "one per account and Region",
    r".*: elasticfilesystem:CreateFileSystem": "creates a file system; EFS creates the replica and AWS Backup restores "
    "without tags",
    r".*access_apply: (FirewallInFront: elasticloadbalancing:SetWebAcl|OldTask: ecs:DeregisterTaskDefinition"
    r"|Subscriptions: sns:\w+|VaultStorage: backup-storage:MountCapsule)": "the action has no resource type",
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    r".*service-(execution|task): Assume: source \w+": "ECS supports no other source than all clusters",
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
    r".*flow-logs: Assume: source aws_flow_log": "a flow log's ID is not known before its role",
    r".*database-monitoring: Assume: source .+|.*: PublishDatabaseEvents: source .+": "auto scaling names the readers "
    "that it adds",
    r".*(trail-log|recovery_backup|recovery_restores|rotation_rotation): Assume: any source": "CloudTrail, AWS Backup "
    "and Lambda send no source; iam:PassRole decides who may use the role",
    r".*(EncryptConfigRecords|CheckConfigBucket|DeliverConfigRecords): any source": "Config's recorder exists once per "
    "account and Region",
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html
    r".*log-delivery: Deliver: source .+": "the source of a log delivery is unknown before it exists",
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    r".*(PublishEvents|PublishEncrypted): any source": "EventBridge sends no source to SNS and KMS",
}


def settings_file(change: dict[str, Any]) -> str:
    """A settings file of an environment without deletion protection."""
    unprotected = {"production": False, "deletion_protection": False}
    return to_toml(changed_settings("prod", {**unprotected, **change}))


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Platform]:
    """In one account, `dev`, its successor and `dev-eu`: all of production's resources, and grants to destroy them."""
    folder = tmp_path_factory.mktemp("one-account")
    (folder / "environments").mkdir()
    for name, change in {"dev": {}, "dev-eu": SECOND, "dev-two": SUCCESSOR}.items():
        (folder / "environments" / f"{name}.toml").write_text(settings_file(change), encoding="utf-8")
    with only_tiers(TIERS):
        return synthesize_all(folder / "environments", folder / "out")


@pytest.fixture(scope="module")
def dev(platforms: dict[str, Platform]) -> Side:
    return Side.of(platforms["dev"])


@pytest.fixture(scope="module")
def dev_eu(platforms: dict[str, Platform]) -> Side:
    return Side.of(platforms["dev-eu"])


@pytest.fixture(scope="module")
def successor(platforms: dict[str, Platform]) -> Side:
    return Side.of(platforms["dev-two"], replaces="dev")


@pytest.fixture(scope="module")
def between(dev: Side, dev_eu: Side) -> set[str]:
    """What dev and dev-eu could do to each other."""
    return {*findings(dev, dev_eu), *findings(dev_eu, dev)}


@pytest.fixture(scope="module")
def neighbors(dev: Side, dev_eu: Side) -> list[Side]:
    """Environments named like the beginning of a resource of dev: `dev-cache`, because of `acme-dev-cache`."""
    return [dev_eu.renamed(name) for name in sorted({*_continued(dev), "dev2"})]


def _continued(dev: Side) -> Iterator[str]:
    (pattern,) = Environment.model_fields["name"].metadata
    for target in dev.targets.values():
        for rest in re.findall(r"acme[-_/]dev[-_]([\w-]+)", target.arn):
            words = re.split("[-_]", rest)
            names = ("-".join(["dev", *words[: end + 1]]) for end in range(len(words)))
            yield from filter(pattern.matches, names)


def unexpected(found: Iterable[str]) -> list[str]:
    """Findings without a reason."""
    return sorted(each for each in set(found) if not any(re.fullmatch(pattern, each) for pattern in UNBINDABLE))


def test_no_grant_reaches_another_environment(between: set[str]):
    expect_none(unexpected(between))


def test_a_successor_reaches_no_other_environment_than_the_one_it_replaces(dev: Side, dev_eu: Side, successor: Side):
    others = [*findings(dev, successor), *findings(dev_eu, successor), *findings(successor, dev_eu)]
    expect_none(unexpected(others))
    assert unexpected(findings(successor, dev))


RESTORES, APPLY = "aws_iam_role.recovery_restores", "aws_iam_role.access_apply"
KEY_USES = ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")
RESTORE = "rds:RestoreDBClusterFromSnapshot"
# What docs/runbooks/recovery.md does from one environment to the other, after the loss of a Region: the role, its
# actions, and the resource, in the environment that is replaced. Vaults and states are used by administrators, who have
# neither boundary. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
OF_THE_REPLACED: list[tuple[str, tuple[str, ...], str]] = [
    (RESTORES, (RESTORE, "rds:DescribeDBClusterSnapshots", "rds:ListTagsForResource"), "recovery point"),
    (RESTORES, KEY_USES, "aws_kms_key.foundation_key-backup"),
    # A restore may copy the tags of the resource that was backed up: of the key's environment, until it is tagged anew.
    (RESTORES, ("rds:DescribeDBClusters", "rds:AddTagsToResource"), "aws_rds_cluster.database_cluster"),
    (RESTORES, ("elasticfilesystem:Restore",), "aws_efs_file_system.storage_files"),
]
# The same, in the successor itself.
OF_THE_SUCCESSOR: list[tuple[str, tuple[str, ...], str]] = [
    (RESTORES, (RESTORE, "rds:AddTagsToResource"), "aws_rds_cluster.database_cluster"),
    (RESTORES, (RESTORE,), "aws_rds_cluster_parameter_group.database_cluster-parameters"),
    (RESTORES, (RESTORE,), "aws_db_subnet_group.database_subnets"),
    (RESTORES, KEY_USES, "aws_kms_key.foundation_key-database"),
    (RESTORES, KEY_USES, "aws_kms_key.foundation_key-files"),
    (RESTORES, ("elasticfilesystem:Restore", "elasticfilesystem:TagResource"), "aws_efs_file_system.storage_files"),
]
# What the apply role does to a restored cluster that still has the other's tag: under the successor's name.
RESTORED = ("rds:AddTagsToResource", "rds:CreateDBInstance", "rds:ModifyDBCluster")


def denied(side: Side, of: Side, rows: list[tuple[str, tuple[str, ...], str]]) -> list[str]:
    return [
        f"{role}: {action} on {address}"
        for role, actions, address in rows
        for action in actions
        if not is_allowed(side.principals[role], action, of.targets[address])
    ]


def test_a_successor_restores_what_it_replaces(dev: Side, successor: Side):
    expect_none([*denied(successor, dev, OF_THE_REPLACED), *denied(successor, successor, OF_THE_SUCCESSOR)])
    cluster = successor.targets["aws_rds_cluster.database_cluster"]
    restored = replace(cluster, tags=dev.targets["aws_rds_cluster.database_cluster"].tags)
    expect_none(action for action in RESTORED if not is_allowed(successor.principals[APPLY], action, restored))


def test_nobody_else_restores_it(dev: Side, dev_eu: Side, successor: Side):
    for side, of, rows in ((dev_eu, dev, OF_THE_REPLACED), (dev, successor, OF_THE_SUCCESSOR)):
        assert len(denied(side, of, rows)) == sum(len(actions) for _, actions, _ in rows)


def test_no_pattern_of_names_matches_another_environment(dev: Side, neighbors: list[Side]):
    assert {"dev-cache", "dev-database", "dev-plan", "dev-state", "dev-tasks"} <= {
        each.environment for each in neighbors
    }
    named = dev.by_name()
    expect_none(
        f"{found} ({other.environment})"
        for other in neighbors
        for found in unexpected([*findings(named, other), *findings(other.by_name(), dev)])
    )


def test_no_two_environments_have_a_name_in_common(dev: Side, neighbors: list[Side]):
    arns = {target.arn for target in dev.targets.values()}
    expect_none(
        f"{other.environment}: {target.kind}: {target.arn}"
        for other in neighbors
        for target in other.targets.values()
        if target.arn in arns
    )


def test_what_cannot_be_bound_is_needed(between: set[str]):
    assert not [pattern for pattern in UNBINDABLE if not any(re.fullmatch(pattern, each) for each in between)]


def test_a_renamed_environment_is_as_if_synthesized(dev_eu: Side, tmp_path: Path):
    (tmp_path / "dev-cache.toml").write_text(settings_file(SECOND), encoding="utf-8")
    with only_tiers(TIERS):
        (platform,) = synthesize_all(tmp_path, tmp_path / "out").values()
    assert Side.of(platform) == dev_eu.renamed("dev-cache")


CLUSTER = "arn:aws:rds:eu-west-3:111122223333:cluster"
WRITES = "access_stores-permissions"


def may(document: str, *actions: str, on: tuple[str, ...] = ("*",), **others: Any) -> Plant:
    """Add a statement to a policy of dev."""
    statement = {"sid": "Planted", "effect": "Allow", "actions": list(actions), "resources": list(on), **others}
    return lambda dev: with_statement(dev, document, **statement)


def when(variable: str, *values: str, test: str = "StringEquals") -> dict[str, Any]:
    return {"condition": [{"test": test, "variable": variable, "values": list(values)}]}


def changed(document: str, sid: str, **arguments: Any) -> Plant:
    return lambda dev: with_statement_changed(dev, document, sid, **arguments)


def without_denial(plant: Plant) -> Plant:
    """The defect, without the denial of what has another environment's tag."""
    return lambda dev: plant(
        with_statement_changed(dev, "access_boundary-permissions", "NoOtherEnvironments", actions=["x:*"])
    )


# What is found, and the defect.
DEFECTS: list[tuple[str, Plant]] = [
    (
        "access_apply: Planted: scheduler:DeleteSchedule on aws_scheduler_schedule",
        may(WRITES, "scheduler:DeleteSchedule", on=("arn:aws:scheduler:*:*:schedule/default/acme-dev-*",)),
    ),
    (
        "access_apply: Aliases: kms:DeleteAlias on aws_kms_alias",
        changed(
            "access_backups-permissions",
            "Aliases",
            resources=["arn:aws:kms:eu-west-3:111122223333:alias/acme-dev-*"],
        ),
    ),
    (
        "access_apply: WriteStates: s3:PutObject on state",
        changed("access_identities-permissions", "WriteStates", resources=["arn:aws:s3:::acme-dev-*"]),
    ),
    (
        "access_apply: Planted: rds:ModifyDBCluster on aws_rds_cluster",
        without_denial(may(WRITES, "rds:ModifyDBCluster", on=(f"{CLUSTER}:acme-dev-*",))),
    ),
    (
        # Whoever may tag a resource that is not new takes it over.
        "access_apply: TagFiles: elasticfilesystem:TagResource on aws_efs_file_system",
        without_denial(
            changed(WRITES, "TagFiles", **when("aws:RequestTag/Environment", "dev")),
        ),
    ),
    (
        "access_apply: MasterSecret: secretsmanager:RotateSecret on master secret",
        changed(WRITES, "MasterSecret", condition=[]),
    ),
    ("access_apply: Planted: ecs:PutAccountSetting", may(WRITES, "ecs:PutAccountSetting")),
    ("boundary of the deployer roles: Region: rds:DeleteDBCluster", without_denial(lambda dev: dev)),
    (
        "rotation_credential-age-start: Assume: source aws_sfn_state_machine",
        changed(
            "rotation_credential-age-start-trust",
            "Assume",
            **when("aws:SourceArn", "arn:aws:states:*:*:stateMachine:acme-dev-*", test="ArnLike"),
        ),
    ),
    (
        "foundation_alarms-policy: PublishAlarms: source aws_cloudwatch_metric_alarm",
        changed(
            "foundation_alarms-access",
            "PublishAlarms",
            **when("aws:SourceArn", "arn:aws:cloudwatch:eu-west-3:111122223333:alarm:*", test="ArnLike"),
        ),
    ),
    (
        "aws_lambda_permission.rotation_permission: source aws_secretsmanager_secret",
        lambda dev: with_changed(dev, "aws_lambda_permission.rotation_permission", source_arn="arn:*:secret:*"),
    ),
]


@pytest.mark.parametrize(("finding", "plant"), DEFECTS, ids=[finding for finding, _ in DEFECTS])
def test_a_grant_that_reaches_another_environment_is_found(
    platforms: dict[str, Platform], dev_eu: Side, finding: str, plant: Plant
):
    found = unexpected(findings(Side.of(plant(platforms["dev"])), dev_eu))
    assert any(finding in each for each in found), found


def test_a_role_that_a_boundary_does_not_keep_apart_is_found(
    platforms: dict[str, Platform], dev_eu: Side, monkeypatch: pytest.MonkeyPatch
):
    """The boundary of the platform's roles limits what a deployment can grant them."""
    log_streams = ["logs:GetLogEvents"], ["arn:aws:logs:*:*:log-group:/aws/lambda/acme-dev-*"]
    allowed = as_document(allow("Everything", ["kms:*", "secretsmanager:*"], ["*"]), allow("Logs", *log_streams))
    monkeypatch.setattr(isolation, "boundary", lambda _: allowed)
    found = unexpected(findings(Side.of(platforms["dev"]), dev_eu))
    for grant in ("kms:Decrypt on aws_kms_key", "secretsmanager:GetSecretValue on master secret"):
        assert f"boundary of the platform's roles: Everything: {grant}" in found
    assert "boundary of the platform's roles: Logs: logs:GetLogEvents on log stream of the function" in found


def test_every_resource_is_of_a_type_that_actions_name(dev: Side):
    """No action would be found on any other."""
    expect_none(address for address, target in dev.targets.items() if not isolation.has_known_type(target))


def test_every_action_that_the_boundary_allows_is_held_against_resources(platforms: dict[str, Platform]):
    allowed = [each for each in boundary(names_of(platforms["dev"]))["Statement"] if each["Effect"] == "Allow"]
    assert not [action for each in allowed for action in each["Action"] if not actions_of(action)]
