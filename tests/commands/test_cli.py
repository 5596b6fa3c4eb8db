"""`python -m operations`: help texts, and one line per error."""

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

from operations import __main__ as commands
from operations.__main__ import COMMANDS, app
from operations.errors import explain
from operations.terminal import console
from stacks.settings import SettingsError
from tests.commands.conftest import ACCOUNT, Scene, refusal


def test_it_runs_as_a_module_and_lists_its_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delitem(sys.modules, "operations.__main__")
    monkeypatch.setattr(sys, "argv", ["operations", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("operations", run_name="__main__", alter_sys=True)
    output = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Usage: python -m operations" in output
    for command in COMMANDS:
        assert f" {command} " in output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_an_example_and_exit_codes(command: str):
    help_ = CliRunner().invoke(app, [command, "--help"])
    text = " ".join(help_.output.split())
    assert help_.exit_code == 0
    assert f"Example: python -m operations {command} " in text
    assert re.search(r"Exit codes: 0 .+?; 1 .+?; 2 usage\.", text)


@pytest.mark.parametrize("arguments", [[], *([command] for command in COMMANDS)])
def test_flags_have_no_type_in_the_help(arguments: list[str]):
    help_ = CliRunner().invoke(app, [*arguments, "--help"]).output
    assert "--help" in help_
    assert "<bool>" not in help_


def test_a_mistake_in_own_tiers_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch):
    def fail(_: str) -> None:
        raise SettingsError("stacks/own/x: allowed: something else")

    monkeypatch.setattr(commands, "import_module", fail)
    result = CliRunner().invoke(app, ["orphans", "dev"])
    assert (result.exit_code, result.stderr) == (1, "stacks/own/x: allowed: something else\n")


@pytest.mark.parametrize("arguments", [["lock"], ["lock", "nowhere"], ["bootstrap", "dev", "--force"], ["nothing"]])
def test_wrong_usage_ends_with_2(arguments: list[str]):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_unknown_environment_is_refused_with_a_list_of_the_known_ones(scene: Scene):
    known, scene.name = scene.name, "nowhere"
    assert f"existing ones: {known}" in " ".join(scene.run("lock").output.replace("│", " ").split())


def test_invalid_settings_are_reported(scene: Scene):
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
        f"environment {scene.name} belongs to account 999999999999 (environments/{scene.name}.toml)\n"
    )


def test_without_credentials_the_message_says_how_to_get_some(scene: Scene):
    scene.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    scene.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = scene.run("lock")
    assert result.exit_code == 1
    assert result.stderr.startswith("no AWS credentials: set AWS_PROFILE, or ")


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("ExpiredToken", "", "the AWS credentials have expired; sign in again or get new ones (ExpiredToken)"),
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
def test_an_error_of_aws_is_explained_in_one_line(scene: Scene, code: str, message: str, expected: str):
    scene.intercept("GetCallerIdentity", refusal("GetCallerIdentity", code, message))
    result = scene.run("lock")
    assert (result.exit_code, result.stderr) == (1, f"{expected}\n")


@pytest.mark.parametrize(
    ("operation", "action"),
    [("GetBucketEncryption", "s3:GetEncryptionConfiguration"), ("GetBucketPolicy", "s3:GetBucketPolicy")],
)
def test_an_action_that_s3_does_not_name_is_named_as_in_iam(scene: Scene, operation: str, action: str):
    scene.intercept(operation, refusal(operation, "AccessDenied", "Access Denied"))
    result = scene.run("bootstrap")
    assert result.exit_code == 1
    assert result.stderr == f"denied: {action}; these credentials need it (AccessDenied: Access Denied)\n"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ProfileNotFound(profile="x"),
            "the AWS credentials are incomplete: The config profile (x) could not be found",
        ),
        (PartialCredentialsError(provider="env", cred_var="secret"), "the AWS credentials are incomplete: "),
        (
            CredentialRetrievalError(provider="x", error_msg="y"),
            "the AWS credentials cannot be retrieved; sign in again ",
        ),
        (TokenRetrievalError(provider="sso", error_msg="y"), "the AWS credentials cannot be retrieved; sign in again "),
        (EndpointConnectionError(endpoint_url="https://x"), "AWS cannot be reached: "),
        (ParamValidationError(report="y"), "boto3: "),
    ],
)
def test_an_error_before_aws_is_reached_is_explained_in_one_line(error: Exception, expected: str):
    line = explain(error)  # pyright: ignore[reportArgumentType] - each is one of botocore's
    assert line.startswith(expected)
    assert "\n" not in line


def test_an_arn_is_printed_unchanged(capsys: pytest.CaptureFixture[str]):
    arn = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:credential"
    console().print(arn)
    assert capsys.readouterr().out == f"{arn}\n"
