"""Mutations for test_rotation.py: the secret, its value and versions, the function, and the daily check."""

import json
from datetime import datetime, timedelta
from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import key, named, secret, tagged


def secret_in_moto(aws: LocalAws) -> Any:
    """moto's object of the secret, which can be changed where the API does not allow it."""
    return aws.backend("secretsmanager").secrets[secret(aws)]


def change_value(**values: Any) -> Mutation:
    """Change the current version's values in moto: the API would create another version. None removes a key."""

    def change(aws: LocalAws) -> None:
        one = secret_in_moto(aws)
        (current,) = (v for v in one.versions.values() if "AWSCURRENT" in v["version_stages"])
        changed = {**json.loads(current["secret_string"]), **values}
        text = json.dumps({key: value for key, value in changed.items() if value is not None})
        current["secret_string"] = one.secret_string = text

    return change


def rotate_yearly(aws: LocalAws) -> None:
    secret_in_moto(aws).rules = {"AutomaticallyAfterDays": 365}


def leave_pending_version(aws: LocalAws) -> None:
    """Create a pending version, as a failed rotation leaves it."""
    aws.client("secretsmanager").put_secret_value(SecretId=secret(aws), SecretString="{}", VersionStages=["AWSPENDING"])


def backdate_rotation(aws: LocalAws) -> None:
    one = secret_in_moto(aws)
    ago = timedelta(days=60)
    last = one.last_rotation_date
    one.last_rotation_date = last - ago if isinstance(last, datetime) else last - int(ago.total_seconds())


def change_key(aws: LocalAws) -> None:
    aws.client("secretsmanager").update_secret(SecretId=secret(aws), KmsKeyId=key(aws, "files"))


def function(aws: LocalAws) -> str:
    """Name of the function."""
    (arn,) = tagged(aws, "lambda", "function")
    return arn.rpartition(":")[2]


def update_function(**parameters: Any) -> Mutation:
    """Update the function's configuration."""
    return lambda aws: aws.client("lambda").update_function_configuration(FunctionName=function(aws), **parameters)


def change_function_subnets(aws: LocalAws) -> None:
    vpc_config = aws.client("lambda").get_function_configuration(FunctionName=function(aws))["VpcConfig"]
    update_function(
        VpcConfig={"SubnetIds": [named(aws, "subnet", "public-a")], "SecurityGroupIds": vpc_config["SecurityGroupIds"]}
    )(aws)


def change_function_security_group(aws: LocalAws) -> None:
    vpc_config = aws.client("lambda").get_function_configuration(FunctionName=function(aws))["VpcConfig"]
    update_function(
        VpcConfig={"SubnetIds": vpc_config["SubnetIds"], "SecurityGroupIds": [named(aws, "sg", "service")]}
    )(aws)


def change_function_key(aws: LocalAws) -> None:
    update_function(KMSKeyArn=key(aws, "files"))(aws)


def allow_all_invocations(aws: LocalAws) -> None:
    aws.client("lambda").add_permission(
        FunctionName=function(aws), StatementId="anybody", Action="lambda:InvokeFunction", Principal="*"
    )


def disable_schedule(aws: LocalAws) -> None:
    scheduler = aws.client("scheduler")
    (one,) = scheduler.list_schedules()["Schedules"]
    current = scheduler.get_schedule(Name=one["Name"], GroupName=one["GroupName"])
    kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(**{name: current[name] for name in kept}, State="DISABLED")


MUTATIONS: dict[str, Mutation] = {
    "test_credential_has_the_keys_of_the_contract": change_value(password=None),
    "test_credential_is_for_the_writer_endpoint": change_value(host="reader.example"),
    "test_rotation_schedule_of_the_credential": rotate_yearly,
    "test_last_rotation_succeeded": leave_pending_version,
    "test_age_of_the_credential": backdate_rotation,
    "test_credential_is_encrypted_with_the_kms_key_for_secrets": change_key,
    "test_secret_denies_other_accounts_and_plaintext": lambda aws: aws.client("secretsmanager").delete_resource_policy(
        SecretId=secret(aws)
    ),
    "test_function_is_in_the_app_subnets": change_function_subnets,
    "test_function_has_its_security_group": change_function_security_group,
    "test_variables_of_the_function_are_encrypted_with_the_kms_key_for_secrets": change_function_key,
    "test_only_secrets_manager_invokes_the_function": allow_all_invocations,
    "test_age_of_the_credential_is_checked_daily": disable_schedule,
}
RELATED: Related = {}
