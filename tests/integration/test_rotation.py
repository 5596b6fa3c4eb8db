"""The application's credential: complete, encrypted, rotated every 30 days by a function that nobody else can call."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stacks.network.subnets import SubnetKind
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import Superset, expect

KEYS = {"username", "password", "engine", "host", "port", "dbname"}
"""What the application's contract names: docs/application.md."""


@pytest.fixture(scope="session")
def secret(found: DeployedEnvironment) -> Response:
    # The master's is RDS's, and has RDS's tags.
    arn = only_one("credential of the application", found.arns("secretsmanager", "secret"))
    return found.call("secretsmanager", "describe_secret", SecretId=arn)


@pytest.fixture(scope="session")
def credential(found: DeployedEnvironment, secret: Response) -> dict[str, Any]:
    """What may be told of the secret's value: of the login, whether it is there. The value is read here alone, once."""
    try:
        value = json.loads(found.call("secretsmanager", "get_secret_value", SecretId=secret["ARN"])["SecretString"])
        told = {key: value[key] for key in value.keys() - {"username", "password"}}
        return {**told, **{key: bool(value[key]) for key in value.keys() & {"username", "password"}}}
    except (ValueError, AttributeError):
        pytest.fail(f"{secret['ARN']}: found no JSON object, expected one with {sorted(KEYS)}", pytrace=False)


@pytest.fixture(scope="session")
def function(found: DeployedEnvironment) -> Response:
    arn = only_one("function that rotates", found.arns("lambda", "function"))
    return found.call("lambda", "get_function_configuration", FunctionName=arn)


def test_the_credential_has_all_that_the_application_needs(secret: Response, credential: dict[str, Any]):
    filled = {key for key, value in credential.items() if value}
    expect("keys with a value", {secret["ARN"]: filled}, Superset(KEYS))


def test_the_credential_is_for_the_writer_of_the_database(
    secret: Response, credential: dict[str, Any], cluster: Response, settings: Environment
):
    told = tuple(credential.get(key) for key in ("engine", "host", "port", "dbname"))
    wanted = ("postgres", cluster["Endpoint"], cluster["Port"], settings.database.name)
    expect("engine, host, port and database", {secret["ARN"]: told}, wanted)


def test_the_credential_is_rotated_as_the_settings_say(secret: Response, function: Response, settings: Environment):
    rules, wanted = secret.get("RotationRules", {}), settings.rotation
    every = rules.get("ScheduleExpression") or rules.get("AutomaticallyAfterDays")
    rotated = (secret.get("RotationEnabled"), every, secret.get("RotationLambdaARN"))
    expect(
        "rotation, days, function",
        {secret["ARN"]: rotated},
        (True, wanted.schedule or wanted.days, function["FunctionArn"]),
    )


def test_the_last_rotation_succeeded(secret: Response):
    stages = sorted(stage for staged in secret.get("VersionIdsToStages", {}).values() for stage in staged)
    # A rotation that failed leaves a version that is pending; one that succeeded, the version of before.
    found_stages = [stage for stage in stages if stage in {"AWSCURRENT", "AWSPENDING"}]
    expect("stages", {secret["ARN"]: found_stages}, ["AWSCURRENT"])


def test_the_credential_is_no_older_than_the_settings_say(secret: Response, settings: Environment):
    rotated = secret.get("LastRotatedDate", secret["CreatedDate"])
    oldest = datetime.now(UTC) - timedelta(days=settings.rotation.days + 1)
    expect(f"was last rotated ({rotated}) after {oldest:%Y-%m-%d}", {secret["ARN"]: rotated > oldest}, True)


def test_the_credential_is_encrypted_with_the_key_of_secrets(secret: Response, keys: dict[str, str]):
    expect("key", {secret["ARN"]: secret.get("KmsKeyId")}, keys["secrets"])


def test_no_other_account_and_no_plaintext_reaches_the_credential(
    found: DeployedEnvironment, secret: Response, settings: Environment
):
    policy = found.call("secretsmanager", "get_resource_policy", SecretId=secret["ARN"]).get("ResourcePolicy")
    statements = json.loads(policy)["Statement"] if policy else []
    denied = {
        json.dumps(values)
        for one in statements
        if one["Effect"] == "Deny"
        for values in one.get("Condition", {}).values()
    }
    wanted = [{"aws:SecureTransport": "false"}, {"aws:PrincipalAccount": settings.account}]
    expect("denies where", {secret["ARN"]: denied}, Superset(map(json.dumps, wanted)))


def test_the_function_runs_in_the_app_subnets(function: Response, subnets: dict[SubnetKind, dict[str, str]]):
    within = set(function.get("VpcConfig", {}).get("SubnetIds", []))
    expect("subnets", {function["FunctionArn"]: within}, set(subnets["app"]))


def test_the_function_has_its_security_group(function: Response, groups: dict[str, str]):
    parties = [groups.get(id) for id in function.get("VpcConfig", {}).get("SecurityGroupIds", [])]
    expect("security groups", {function["FunctionArn"]: parties}, ["rotation"])


def test_variables_of_the_function_are_encrypted_with_the_key_of_secrets(function: Response, keys: dict[str, str]):
    expect("key", {function["FunctionArn"]: function.get("KMSKeyArn")}, keys["secrets"])


def test_nobody_but_secrets_manager_calls_the_function(
    found: DeployedEnvironment, function: Response, secret: Response
):
    arn = function["FunctionArn"]
    missing = found.error_code("lambda", "get_policy", FunctionName=arn)
    statements = (
        [] if missing else json.loads(found.call("lambda", "get_policy", FunctionName=arn)["Policy"])["Statement"]
    )
    callers = {
        (json.dumps(one["Principal"]), json.dumps(one.get("Condition", {}).get("ArnLike"))) for one in statements
    }
    wanted = (json.dumps({"Service": "secretsmanager.amazonaws.com"}), json.dumps({"AWS:SourceArn": secret["ARN"]}))
    expect("who may call it, for what", {arn: callers}, {wanted})


def test_the_age_of_the_credential_is_asked_for_daily(found: DeployedEnvironment):
    machines = set(found.arns("states", "stateMachine"))
    schedules = [
        found.call("scheduler", "get_schedule", Name=one["Name"], GroupName=one["GroupName"])
        for one in found.list_all("scheduler", "list_schedules", "Schedules")
        if one["Target"]["Arn"] in machines
    ]
    asked = {one["Arn"]: (one["State"], one["ScheduleExpression"]) for one in schedules}
    expect("schedule", asked, ("ENABLED", "rate(1 day)"))
