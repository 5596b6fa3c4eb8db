"""The integration tests report in one line that they cannot run, change nothing, and fail with clear messages."""

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from local_aws.server import LocalAws
from stacks import ROOT
from tests.conftest import SHIPPED, load_settings
from tests.integration import deployed as module
from tests.integration.deployed import (
    DeployedEnvironment,
    NothingToTestError,
    WriteRefusedError,
    only_one,
    refuse_private_connections,
)
from tests.integration.expectations import AtLeast, Superset, expect, expect_each
from tests.integration.test_service import rule_groups

ARN = "arn:aws:sns:eu-west-3:123456789012:alarms"


@pytest.fixture
def environments(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with the settings of prod in the local AWS's account; credentials for it are set."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    load_settings("prod", tmp_path, of_account(aws.account))
    monkeypatch.setattr(module, "ENVIRONMENTS", tmp_path)
    return tmp_path


def of_account(account: str) -> dict[str, object]:
    return {
        "account": account,
        "permissions_boundary": f"arn:aws:iam::{account}:policy/boundary",
        "foundation": {"key_administrators": [f"arn:aws:iam::{account}:role/administrators"]},
    }


def suite(**variables: str) -> subprocess.CompletedProcess[str]:
    """Run the suite as a user does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "ENV"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/integration", "--no-cov", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**environment, "AWS_EC2_METADATA_DISABLED": "true", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_env_is_reported_in_one_line():
    run = suite()
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert run.stderr.strip() == "ERROR: ENV is not set: set the environment to test, as in ENV=prod"


def test_wrong_account_is_reported_in_one_line(aws: LocalAws):
    name = SHIPPED[0]
    run = suite(ENV=name, **aws.environment)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert run.stderr.startswith(f"ERROR: {name}: the credentials are of account 123456789012 (arn:")
    assert len(run.stderr.strip().splitlines()) == 1


def test_unknown_environment_is_an_error():
    with pytest.raises(NothingToTestError, match=r"environments/production\.toml: no such environment"):
        DeployedEnvironment.of("production")


@pytest.mark.usefixtures("environments")
def test_empty_account_is_reported():
    with pytest.raises(NothingToTestError, match=r"prod: nothing is deployed: http://.* has no resource with the tags"):
        DeployedEnvironment.of("prod")


@pytest.mark.usefixtures("environments")
def test_missing_credentials_are_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it caches credentials
    with pytest.raises(NothingToTestError, match="prod: AWS cannot be reached: Unable to locate credentials"):
        DeployedEnvironment.of("prod")


def test_only_resources_with_the_tags_are_found(aws: LocalAws, environments: Path):
    sns = aws.client("sns")
    wanted = [{"Key": "Environment", "Value": "prod"}, {"Key": "ManagedBy", "Value": "cdktf"}]
    tagged = sns.create_topic(Name="tagged", Tags=wanted)["TopicArn"]
    other = sns.create_topic(Name="other", Tags=wanted[1:])["TopicArn"]
    try:
        deployed = DeployedEnvironment(load_settings("prod", environments, of_account(aws.account)))
        assert deployed.arns("sns", "") == [tagged]
    finally:
        for arn in (tagged, other):
            sns.delete_topic(TopicArn=arn)


def test_writes_are_refused_before_they_are_sent(aws: LocalAws, environments: Path):
    deployed = DeployedEnvironment(load_settings("prod", environments, of_account(aws.account)))
    before = aws.gateway.calls.copy()
    with pytest.raises(WriteRefusedError, match="sns:CreateTopic is not a read action"):
        deployed.call("sns", "create_topic", Name="new")
    assert aws.gateway.calls == before


@pytest.mark.parametrize("port", [5432, 6379, 2049, 8443])
def test_connections_to_private_ports_are_refused(port: int):
    with pytest.raises(PermissionError, match=r"10\.0\.1\.2 is private"):
        refuse_private_connections(("10.0.1.2", port))


def test_connections_to_aws_are_allowed():
    refuse_private_connections(("203.0.113.1", 443))
    refuse_private_connections("/var/run/proxy.sock")


def test_responses_are_cached(aws: LocalAws, environments: Path):
    deployed = DeployedEnvironment(load_settings("prod", environments, of_account(aws.account)))
    before = aws.gateway.calls["sns:ListTopics"]
    assert deployed.list_all("sns", "list_topics", "Topics") is deployed.list_all("sns", "list_topics", "Topics")
    assert aws.gateway.calls["sns:ListTopics"] == before + 1


def test_failure_has_the_found_and_expected_values_and_the_arn():
    with pytest.raises(pytest.fail.Exception, match=f"^{ARN}: key: found nothing, expected 'shared'$"):
        expect("key", {ARN: None}, "shared")


def test_failure_shows_the_difference_of_sets():
    wanted = r"found \{1, 2\}, expected \{2, 3\}; unexpected: \{1\}; missing: \{3\}$"
    with pytest.raises(pytest.fail.Exception, match=wanted):
        expect("numbers", {ARN: {1, 2}}, {2, 3})


def test_finding_nothing_is_a_failure():
    with pytest.raises(pytest.fail.Exception, match="key: found no resource, expected one or more with 'shared'"):
        expect("key", {}, "shared")


def test_missing_and_unexpected_entries_fail():
    both = r"^a: numbers: found 1, expected nothing\nb: numbers: found nothing, expected 2$"
    with pytest.raises(pytest.fail.Exception, match=both):
        expect_each("numbers", {"a": 1}, {"b": 2})


def test_only_one_fails_for_several():
    with pytest.raises(pytest.fail.Exception, match="topic: found 2, expected 1"):
        only_one("topic", [1, 2])


def test_only_overrides_that_do_not_block_are_exceptions_of_a_rule_group():
    overrides = [
        {"Name": name, "ActionToUse": {action: {}}}
        for name, action in (("one", "Block"), ("two", "Count"), ("three", "Allow"))
    ]
    group = {"VendorName": "AWS", "Name": "common", "RuleActionOverrides": overrides}
    acl = {"Rules": [{"Statement": {"ManagedRuleGroupStatement": group}, "OverrideAction": {"None": {}}}]}
    assert rule_groups(acl) == {("AWS", "common"): {"two", "three"}}


def test_lower_bounds_and_supersets():
    expect("number", {ARN: 3}, AtLeast(2))
    expect("set", {ARN: {1, 2, 3}}, Superset({1, 2}))
    with pytest.raises(pytest.fail.Exception, match="found 1, expected 2 or more"):
        expect("number", {ARN: 1}, AtLeast(2))
    with pytest.raises(pytest.fail.Exception, match=r"found \{1\}, expected at least \[1, 2\]"):
        expect("set", {ARN: {1}}, Superset({1, 2}))
