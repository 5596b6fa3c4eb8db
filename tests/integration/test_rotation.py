"""The application's credential: contents, encryption, rotation, and the rotation function."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stacks.network.subnets import SubnetKind
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import Superset, expect

KEYS = {"username", "password", "engine", "host", "port", "dbname"}
"""Keys of the credential in the application's contract: docs/application.md."""


@pytest.fixture(scope="session")
def secret(deployed: DeployedEnvironment) -> Response:
    # RDS manages the master secret, which does not have the environment's tags.
    arn = only_one("credential of the application", deployed.arns("secretsmanager", "secret"))
    return deployed.call("secretsmanager", "describe_secret", SecretId=arn)


@pytest.fixture(scope="session")
def credential(deployed: DeployedEnvironment, secret: Response) -> dict[str, Any]:
    """The secret's value, with login and password replaced by whether they are set. Only this fixture reads it."""
    try:
        value = json.loads(deployed.call("secretsmanager", "get_secret_value", SecretId=secret["ARN"])["SecretString"])
        public = {key: value[key] for key in value.keys() - {"username", "password"}}
        return {**public, **{key: bool(value[key]) for key in value.keys() & {"username", "password"}}}
    except (ValueError, AttributeError):
        pytest.fail(f"{secret['ARN']}: found no JSON object, expected one with {sorted(KEYS)}", pytrace=False)


@pytest.fixture(scope="session")
def function(deployed: DeployedEnvironment) -> Response:
    arn = only_one("rotation function", deployed.arns("lambda", "function"))
    return deployed.call("lambda", "get_function_configuration", FunctionName=arn)


def test_credential_has_the_keys_of_the_contract(secret: Response, credential: dict[str, Any]):
    filled = {key for key, value in credential.items() if value}
    expect("keys with a value", {secret["ARN"]: filled}, Superset(KEYS))


def test_credential_is_for_the_writer_endpoint(
    secret: Response, credential: dict[str, Any], cluster: Response, settings: Environment
):
    target = tuple(credential.get(key) for key in ("engine", "host", "port", "dbname"))
    wanted = ("postgres", cluster["Endpoint"], cluster["Port"], settings.database.name)
    expect("engine, host, port and database", {secret["ARN"]: target}, wanted)


def test_rotation_schedule_of_the_credential(secret: Response, function: Response, settings: Environment):
    rules, wanted = secret.get("RotationRules", {}), settings.rotation
    schedule = rules.get("ScheduleExpression") or rules.get("AutomaticallyAfterDays")
    rotated = (secret.get("RotationEnabled"), schedule, secret.get("RotationLambdaARN"))
    expect(
        "rotation, schedule or days, function",
        {secret["ARN"]: rotated},
        (True, wanted.schedule or wanted.days, function["FunctionArn"]),
    )


def test_last_rotation_succeeded(secret: Response):
    stages = sorted(stage for staged in secret.get("VersionIdsToStages", {}).values() for stage in staged)
    # A failed rotation leaves a pending version.
    found_stages = [stage for stage in stages if stage in {"AWSCURRENT", "AWSPENDING"}]
    expect("stages", {secret["ARN"]: found_stages}, ["AWSCURRENT"])


def test_age_of_the_credential(secret: Response, settings: Environment):
    rotated = secret.get("LastRotatedDate", secret["CreatedDate"])
    oldest = datetime.now(UTC) - timedelta(days=settings.rotation.days + 1)
    expect(f"was last rotated ({rotated}) after {oldest:%Y-%m-%d}", {secret["ARN"]: rotated > oldest}, True)


def test_credential_is_encrypted_with_the_kms_key_for_secrets(secret: Response, keys: dict[str, str]):
    expect("key", {secret["ARN"]: secret.get("KmsKeyId")}, keys["secrets"])


def test_secret_denies_other_accounts_and_plaintext(
    deployed: DeployedEnvironment, secret: Response, settings: Environment
):
    policy = deployed.call("secretsmanager", "get_resource_policy", SecretId=secret["ARN"]).get("ResourcePolicy")
    statements = json.loads(policy)["Statement"] if policy else []
    denied = {
        json.dumps(values)
        for one in statements
        if one["Effect"] == "Deny"
        for values in one.get("Condition", {}).values()
    }
    wanted = [{"aws:SecureTransport": "false"}, {"aws:PrincipalAccount": settings.account}]
    expect("denies under the conditions", {secret["ARN"]: denied}, Superset(map(json.dumps, wanted)))


def test_function_is_in_the_app_subnets(function: Response, subnets: dict[SubnetKind, dict[str, str]]):
    function_subnets = set(function.get("VpcConfig", {}).get("SubnetIds", []))
    expect("subnets", {function["FunctionArn"]: function_subnets}, set(subnets["app"]))


def test_function_has_its_security_group(function: Response, groups: dict[str, str]):
    parties = [groups.get(id) for id in function.get("VpcConfig", {}).get("SecurityGroupIds", [])]
    expect("security groups", {function["FunctionArn"]: parties}, ["rotation"])


def test_variables_of_the_function_are_encrypted_with_the_kms_key_for_secrets(function: Response, keys: dict[str, str]):
    expect("key", {function["FunctionArn"]: function.get("KMSKeyArn")}, keys["secrets"])


def test_only_secrets_manager_invokes_the_function(deployed: DeployedEnvironment, function: Response, secret: Response):
    arn = function["FunctionArn"]
    missing = deployed.error_code("lambda", "get_policy", FunctionName=arn)
    statements = (
        [] if missing else json.loads(deployed.call("lambda", "get_policy", FunctionName=arn)["Policy"])["Statement"]
    )
    callers = {
        (json.dumps(one["Principal"]), json.dumps(one.get("Condition", {}).get("ArnLike"))) for one in statements
    }
    wanted = (json.dumps({"Service": "secretsmanager.amazonaws.com"}), json.dumps({"AWS:SourceArn": secret["ARN"]}))
    expect("principal and condition", {arn: callers}, {wanted})


def test_age_of_the_credential_is_checked_daily(deployed: DeployedEnvironment):
    machines = set(deployed.arns("states", "stateMachine"))
    schedules = [
        deployed.call("scheduler", "get_schedule", Name=one["Name"], GroupName=one["GroupName"])
        for one in deployed.list_all("scheduler", "list_schedules", "Schedules")
        if one["Target"]["Arn"] in machines
    ]
    states = {one["Arn"]: (one["State"], one["ScheduleExpression"]) for one in schedules}
    expect("schedule", states, ("ENABLED", "rate(1 day)"))
