"""Out-of-band changes to Lambda resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _function(**parameters: Any) -> Change:
    return lambda aws, state: aws.client("lambda").update_function_configuration(FunctionName=state["id"], **parameters)


def _statement(aws: LocalAws, state: dict[str, Any]) -> dict[str, Any]:
    function = aws.backend("awslambda").get_function(state["function_name"])
    return next(statement for statement in function.policy.statements if statement["Sid"] == state["id"])


def _permission(**attributes: Any) -> Change:
    return lambda aws, state: _statement(aws, state).update(attributes)


def _condition(operator: str, key: str, value: str) -> Change:
    return lambda aws, state: _statement(aws, state)["Condition"].update({operator: {key: value}})


def _other_architecture(aws: LocalAws, state: dict[str, Any]) -> None:
    function = aws.backend("awslambda").get_function(state["id"])
    function.architectures = ["arm64" if state["architectures"] == ["x86_64"] else "x86_64"]


def _untag(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("lambda").untag_resource(Resource=state["arn"], TagKeys=["Project"])


def _reduce_subnets(aws: LocalAws, state: dict[str, Any]) -> None:
    network = state["vpc_config"][0]
    wanted = {"SubnetIds": network["subnet_ids"][:1], "SecurityGroupIds": network["security_group_ids"]}
    _function(VpcConfig=wanted)(aws, state)


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_lambda_function", "architectures"): _other_architecture,
    ("aws_lambda_function", "description"): _function(Description="Another"),
    ("aws_lambda_function", "environment"): _function(Environment={"Variables": {"MINIMUM_AGE": "0"}}),
    ("aws_lambda_function", "handler"): _function(Handler="another.handle"),
    ("aws_lambda_function", "kms_key_arn"): _function(KMSKeyArn="arn:aws:kms:us-west-1:111122223333:key/another"),
    ("aws_lambda_function", "logging_config"): _function(LoggingConfig={"ApplicationLogLevel": "DEBUG"}),
    ("aws_lambda_function", "memory_size"): _function(MemorySize=128),
    ("aws_lambda_function", "role"): _function(Role="arn:aws:iam::111122223333:role/another"),
    ("aws_lambda_function", "runtime"): _function(Runtime="python3.12"),
    ("aws_lambda_function", "tags_all"): _untag,
    ("aws_lambda_function", "timeout"): _function(Timeout=10),
    ("aws_lambda_function", "tracing_config"): _function(TracingConfig={"Mode": "PassThrough"}),
    ("aws_lambda_function", "vpc_config"): _reduce_subnets,
    ("aws_lambda_permission", "action"): _permission(Action="lambda:GetFunction"),
    ("aws_lambda_permission", "principal"): _permission(Principal={"Service": "events.amazonaws.com"}),
    ("aws_lambda_permission", "source_account"): _condition("StringEquals", "AWS:SourceAccount", "999999999999"),
    ("aws_lambda_permission", "source_arn"): _condition("ArnLike", "AWS:SourceArn", "arn:aws:s3:::another"),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_lambda_function", "filename"): "a local path",
    ("aws_lambda_function", "function_name"): IDENTIFIES,
    (
        "aws_lambda_function",
        "source_code_hash",
    ): "the hash of the local file; code_sha256, which is computed, is that of the code",
    ("aws_lambda_permission", "function_name"): IDENTIFIES,
    ("aws_lambda_permission", "statement_id"): IDENTIFIES,
}
