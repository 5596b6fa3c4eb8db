"""`python -m operations`: help that teaches, and one line for whatever is wrong."""

import re
import runpy
import sys

import pytest
from botocore.exceptions import (
    CredentialRetrievalError,
    EndpointConnectionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from typer.testing import CliRunner

from operations.__main__ import COMMANDS, app
from operations.errors import explain
from operations.terminal import console
from tests.commands.conftest import ACCOUNT, Scene, refusal


def test_it_runs_as_a_module_and_lists_its_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delitem(sys.modules, "operations.__main__")
    monkeypatch.setattr(sys, "argv", ["operations", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("operations", run_name="__main__", alter_sys=True)
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Usage: python -m operations" in told
    for command in COMMANDS:
        assert f" {command} " in told


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_when_it_is_for_with_an_example_and_its_exit_codes(command: str):
    help_ = CliRunner().invoke(app, [command, "--help"])
    text = " ".join(help_.output.split())
    assert help_.exit_code == 0
    assert f"Example: python -m operations {command} " in text
    assert re.search(r"Exit codes: 0 .+?; 1 .+?; 2 usage\.", text)


@pytest.mark.parametrize("arguments", [["lock"], ["lock", "nowhere"], ["bootstrap", "dev", "--force"], ["nothing"]])
def test_wrong_usage_ends_with_2(arguments: list[str]):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_environment_that_does_not_exist_is_told_with_those_that_do(scene: Scene):
    known, scene.name = scene.name, "nowhere"
    assert f"there are: {known}" in " ".join(scene.run("lock").output.replace("│", " ").split())


def test_wrong_settings_are_told(scene: Scene):
    scene.write({"region": "moon"})
    result = scene.run("lock")
    assert result.exit_code == 1
    assert f'{scene.name}.toml: region = "moon": allowed: a Region' in result.stderr


def test_credentials_of_another_account_are_refused(scene: Scene):
    scene.write(
        {
            "account": "999999999999",
            "permissions_boundary": "arn:aws:iam::999999999999:policy/x",
            "foundation": {"key_administrators": ["arn:aws:iam::999999999999:role/x"]},
        }
    )
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 1
    assert result.stderr == (
        f"these credentials belong to account {ACCOUNT} (arn:aws:sts::{ACCOUNT}:user/moto); "
        f"{scene.name} is account 999999999999 (environments/{scene.name}.toml)\n"
    )


def test_without_credentials_it_says_how_to_get_some(scene: Scene):
    scene.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    scene.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = scene.run("lock")
    assert result.exit_code == 1
    assert result.stderr.startswith("no AWS credentials: set AWS_PROFILE, or ")


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("ExpiredToken", "", "the AWS credentials have expired; sign in again, or get new ones (ExpiredToken)"),
        (
            "InvalidClientTokenId",
            "The security token is invalid",
            "AWS does not know these credentials, or the Region is not enabled in their account "
            "(InvalidClientTokenId: The security token is invalid)",
        ),
        (
            "AccessDenied",
            "User: arn:u is not authorized to perform: sts:GetCallerIdentity with an explicit deny",
            "denied: sts:GetCallerIdentity; these credentials need it "
            "(AccessDenied: User: arn:u is not authorized to perform: sts:GetCallerIdentity with an explicit deny)",
        ),
        ("Throttling", "Rate\nexceeded", "AWS refused GetCallerIdentity: Throttling: Rate exceeded"),
    ],
)
def test_what_aws_refuses_is_told_in_one_line(scene: Scene, code: str, message: str, told: str):
    scene.intercept("GetCallerIdentity", refusal("GetCallerIdentity", code, message))
    result = scene.run("lock")
    assert (result.exit_code, result.stderr) == (1, f"{told}\n")


@pytest.mark.parametrize(
    ("operation", "action"),
    [("GetBucketEncryption", "s3:GetEncryptionConfiguration"), ("GetBucketPolicy", "s3:GetBucketPolicy")],
)
def test_an_action_that_s3_denies_without_a_word_is_named_as_iam_does(scene: Scene, operation: str, action: str):
    scene.intercept(operation, refusal(operation, "AccessDenied", "Access Denied"))
    result = scene.run("bootstrap")
    assert result.exit_code == 1
    assert result.stderr == f"denied: {action}; these credentials need it (AccessDenied: Access Denied)\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ProfileNotFound(profile="x"),
            "the AWS credentials are not complete: The config profile (x) could not be found",
        ),
        (PartialCredentialsError(provider="env", cred_var="secret"), "the AWS credentials are not complete: "),
        (CredentialRetrievalError(provider="x", error_msg="y"), "the AWS credentials cannot be had; sign in again "),
        (TokenRetrievalError(provider="sso", error_msg="y"), "the AWS credentials cannot be had; sign in again "),
        (EndpointConnectionError(endpoint_url="https://x"), "AWS cannot be reached from here: "),
        (ParamValidationError(report="y"), "boto3: "),
    ],
)
def test_what_does_not_reach_aws_is_told_in_one_line(error: Exception, told: str):
    line = explain(error)  # pyright: ignore[reportArgumentType] - each is one of botocore's
    assert line.startswith(told)
    assert "\n" not in line


def test_an_arn_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]):
    arn = "arn:aws:secretsmanager:us-west-1:123456789012:secret:credential"
    console().print(arn)
    assert capsys.readouterr().out == f"{arn}\n"
