"""The integration tests say in one line that they have nothing to test, change nothing, and say what they expected."""

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from local_aws.server import LocalAws
from stacks import ROOT
from tests.conftest import load_settings
from tests.integration import deployed as module
from tests.integration.deployed import (
    DeployedEnvironment,
    NothingToTestError,
    WriteRefusedError,
    only_one,
    refuse_private_connections,
)
from tests.integration.expectations import AtLeast, Superset, expect, expect_each

ARN = "arn:aws:sns:us-west-1:123456789012:alarms"


@pytest.fixture
def here(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in the local AWS's account, and the way to it."""
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
    """The suite, as people run it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "ENV"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/integration", "--no-cov", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**own, "AWS_EC2_METADATA_DISABLED": "true", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_an_environment_the_suite_ends_in_one_line():
    run = suite()
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert run.stderr.strip() == "ERROR: ENV is not set: say which environment to test, as ENV=prod"


def test_in_another_account_the_suite_ends_in_one_line(aws: LocalAws):
    run = suite(ENV="prod", **aws.environment)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert run.stderr.startswith("ERROR: prod: the credentials are of account 123456789012 (arn:")
    assert len(run.stderr.strip().splitlines()) == 1


def test_an_environment_that_is_not_there_is_named():
    with pytest.raises(NothingToTestError, match=r"environments/production\.toml: there is no such environment"):
        DeployedEnvironment.of("production")


@pytest.mark.usefixtures("here")
def test_where_nothing_is_deployed_the_suite_says_so():
    with pytest.raises(NothingToTestError, match=r"prod: nothing is deployed: http://.* has no resource with the tags"):
        DeployedEnvironment.of("prod")


@pytest.mark.usefixtures("here")
def test_without_credentials_the_suite_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials that it has found
    with pytest.raises(NothingToTestError, match="prod: AWS cannot be asked: Unable to locate credentials"):
        DeployedEnvironment.of("prod")


def test_what_bears_the_tags_is_found_and_nothing_else(aws: LocalAws, here: Path):
    sns = aws.client("sns")
    wanted = [{"Key": "Environment", "Value": "prod"}, {"Key": "ManagedBy", "Value": "cdktf"}]
    ours = sns.create_topic(Name="ours", Tags=wanted)["TopicArn"]
    other = sns.create_topic(Name="other", Tags=wanted[1:])["TopicArn"]
    try:
        deployed = DeployedEnvironment(load_settings("prod", here, of_account(aws.account)))
        assert deployed.arns("sns", "") == [ours]
    finally:
        for arn in (ours, other):
            sns.delete_topic(TopicArn=arn)


def test_what_would_change_something_is_refused_before_it_is_asked(aws: LocalAws, here: Path):
    deployed = DeployedEnvironment(load_settings("prod", here, of_account(aws.account)))
    before = aws.gateway.calls.copy()
    with pytest.raises(WriteRefusedError, match="sns:CreateTopic is no reading action"):
        deployed.call("sns", "create_topic", Name="new")
    assert aws.gateway.calls == before


@pytest.mark.parametrize("port", [5432, 6379, 2049, 8443])
def test_what_is_private_is_not_connected_to(port: int):
    with pytest.raises(PermissionError, match=r"10\.0\.1\.2 is private"):
        refuse_private_connections(("10.0.1.2", port))


def test_aws_is_connected_to():
    refuse_private_connections(("203.0.113.1", 443))
    refuse_private_connections("/var/run/proxy.sock")


def test_an_answer_is_asked_for_once(aws: LocalAws, here: Path):
    deployed = DeployedEnvironment(load_settings("prod", here, of_account(aws.account)))
    before = aws.gateway.calls["sns:ListTopics"]
    assert deployed.list_all("sns", "list_topics", "Topics") is deployed.list_all("sns", "list_topics", "Topics")
    assert aws.gateway.calls["sns:ListTopics"] == before + 1


def test_a_failure_says_what_was_found_what_was_expected_and_where():
    with pytest.raises(pytest.fail.Exception, match=f"^{ARN}: key: found nothing, expected 'ours'$"):
        expect("key", {ARN: None}, "ours")


def test_a_failure_tells_sets_apart():
    wanted = r"found \{1, 2\}, expected \{2, 3\}; too much: \{1\}; missing: \{3\}$"
    with pytest.raises(pytest.fail.Exception, match=wanted):
        expect("numbers", {ARN: {1, 2}}, {2, 3})


def test_to_find_nothing_is_a_failure():
    with pytest.raises(pytest.fail.Exception, match="key: found no resource, expected one or more with 'ours'"):
        expect("key", {}, "ours")


def test_what_is_missing_and_what_is_too_much_fails():
    both = r"^a: numbers: found 1, expected nothing\nb: numbers: found nothing, expected 2$"
    with pytest.raises(pytest.fail.Exception, match=both):
        expect_each("numbers", {"a": 1}, {"b": 2})


def test_one_of_several_is_not_guessed():
    with pytest.raises(pytest.fail.Exception, match="topic: found 2, expected 1"):
        only_one("topic", [1, 2])


def test_enough_is_enough():
    expect("number", {ARN: 3}, AtLeast(2))
    expect("set", {ARN: {1, 2, 3}}, Superset({1, 2}))
    with pytest.raises(pytest.fail.Exception, match="found 1, expected 2 or more"):
        expect("number", {ARN: 1}, AtLeast(2))
    with pytest.raises(pytest.fail.Exception, match=r"found \{1\}, expected at least \[1, 2\]"):
        expect("set", {ARN: {1}}, Superset({1, 2}))
