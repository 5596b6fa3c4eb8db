"""Lambda: what is changed behind Terraform's back."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _function(**asked: Any) -> Change:
    return lambda aws, it: aws.client("lambda").update_function_configuration(FunctionName=it["id"], **asked)


def _statement(aws: LocalAws, it: dict[str, Any]) -> dict[str, Any]:
    function = aws.backend("awslambda").get_function(it["function_name"])
    return next(statement for statement in function.policy.statements if statement["Sid"] == it["id"])


def _permission(**held: Any) -> Change:
    return lambda aws, it: _statement(aws, it).update(held)


def _condition(operator: str, key: str, value: str) -> Change:
    return lambda aws, it: _statement(aws, it)["Condition"].update({operator: {key: value}})


def _other_architecture(aws: LocalAws, it: dict[str, Any]) -> None:
    function = aws.backend("awslambda").get_function(it["id"])
    function.architectures = ["arm64" if it["architectures"] == ["x86_64"] else "x86_64"]


def _untag(aws: LocalAws, it: dict[str, Any]) -> None:
    aws.client("lambda").untag_resource(Resource=it["arn"], TagKeys=["Project"])


def _elsewhere(aws: LocalAws, it: dict[str, Any]) -> None:
    network = it["vpc_config"][0]
    wanted = {"SubnetIds": network["subnet_ids"][:1], "SecurityGroupIds": network["security_group_ids"]}
    _function(VpcConfig=wanted)(aws, it)


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
    ("aws_lambda_function", "vpc_config"): _elsewhere,
    ("aws_lambda_permission", "action"): _permission(Action="lambda:GetFunction"),
    ("aws_lambda_permission", "principal"): _permission(Principal={"Service": "events.amazonaws.com"}),
    ("aws_lambda_permission", "source_account"): _condition("StringEquals", "AWS:SourceAccount", "999999999999"),
    ("aws_lambda_permission", "source_arn"): _condition("ArnLike", "AWS:SourceArn", "arn:aws:s3:::another"),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_lambda_function", "filename"): "is a file of this machine's",
    ("aws_lambda_function", "function_name"): IDENTIFIES,
    ("aws_lambda_function", "source_code_hash"): "is the file's own; the code's is code_sha256, which is computed",
    ("aws_lambda_permission", "function_name"): IDENTIFIES,
    ("aws_lambda_permission", "statement_id"): IDENTIFIES,
}
