"""Lambda: the function's environment, its response, its log, and who may invoke it."""

import base64
import json
import os
import time
from io import BytesIO
from itertools import count
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from local_aws.postgresql import wait_until
from local_aws.server import LocalAws
from local_aws.services.awslambda import Backend
from local_aws.session import Processes
from tests.local_aws.conftest import create_role

NUMBERS = count(1)
SERVICE = "secretsmanager.amazonaws.com"
SECRET = "arn:aws:secretsmanager:us-west-1:123456789012:secret:shop-abcdef"


def zipped(code: str) -> bytes:
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("shop/handler.py", code)
    return content.getvalue()


def create_function(aws: LocalAws, code: str, **settings: Any) -> str:
    name = f"function-{next(NUMBERS)}"
    role = create_role(aws, name, "lambda.amazonaws.com")
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="shop.handler.handle",
        Role=role,
        Code={"ZipFile": zipped(code)},
        **settings,
    )
    return name


def invoke(aws: LocalAws, name: str, event: Any = None, **settings: Any) -> tuple[Any, str | None]:
    response = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **settings)
    return json.loads(response["Payload"].read() or "null"), response.get("FunctionError")


def log_messages(aws: LocalAws, group: str) -> list[str]:
    """Messages in a log group; none before a function that runs in the background has created it."""
    logs = aws.client("logs")
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
    try:
        return [
            event["message"]
            for page in pages
            for stream in page["logStreams"]
            for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
        ]
    except logs.exceptions.ResourceNotFoundException:
        return []


def test_the_handler_receives_the_event_and_its_result_is_returned(aws: LocalAws):
    name = create_function(aws, "def handle(event, context): return {'got': event, 'name': context.function_name}")
    assert invoke(aws, name, {"number": 7}) == ({"got": {"number": 7}, "name": name}, None)
    assert invoke(aws, f"arn:aws:lambda:us-west-1:123456789012:function:{name}") == ({"got": None, "name": name}, None)


DESCRIBES_ENVIRONMENT = """
import os, sys
def handle(event, context):
    try:
        import moto
        found = True
    except ImportError:
        found = False
    import boto3
    who = boto3.client("sts").get_caller_identity()["Account"]
    return {
        "environment": dict(os.environ), "moto": found, "account": who, "folder": os.getcwd(), "files": os.listdir(),
        "left": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn, "path": sys.path,
    }
"""


def test_a_function_has_only_its_zip_boto3_and_its_own_environment(aws: LocalAws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CALLER_VARIABLE", "1")
    name = create_function(
        aws, DESCRIBES_ENVIRONMENT, Environment={"Variables": {"GREETING": "hello"}}, Timeout=20, MemorySize=256
    )
    found, error = invoke(aws, name)
    assert error is None
    assert not found["moto"]
    assert found["account"] == aws.account
    assert found["files"] == ["shop"]
    assert not os.path.exists(found["folder"])  # noqa: PTH110 - the function returned a string
    assert 0 < found["left"] <= 20_000
    assert found["arn"] == f"arn:aws:lambda:us-west-1:123456789012:function:{name}"
    environment = found["environment"]
    assert environment["GREETING"] == "hello"
    assert "CALLER_VARIABLE" not in environment
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environment["AWS_REGION"] == "us-west-1"
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["LAMBDA_TASK_ROOT"] == found["folder"]
    assert not [variable for variable in environment if variable in {"_REQUEST_ID", "_FUNCTION_ARN", "_TIMEOUT"}]


def test_an_exception_is_returned_and_logged(aws: LocalAws):
    name = create_function(aws, "def handle(event, context):\n    raise KeyError('shelf')")
    response, error = invoke(aws, name)
    assert error == "Unhandled"
    assert response["errorType"] == "KeyError"
    assert response["errorMessage"] == "'shelf'"
    assert "in handle\n    raise KeyError('shelf')" in response["stackTrace"][0]
    text = "\n".join(log_messages(aws, f"/aws/lambda/{name}"))
    assert "[ERROR] KeyError: 'shelf'\nTraceback (most recent call last):" in text


def test_an_import_error_is_returned(aws: LocalAws):
    response, error = invoke(aws, create_function(aws, "import no_such_module"))
    assert (response["errorType"], error) == ("ModuleNotFoundError", "Unhandled")


def test_a_function_times_out(aws: LocalAws):
    name = create_function(
        aws, "import time\ndef handle(event, context):\n    print('began', flush=True)\n    time.sleep(60)", Timeout=1
    )
    began = time.monotonic()
    response, error = invoke(aws, name)
    assert time.monotonic() - began < 10
    assert (response["errorType"], error) == ("Sandbox.Timedout", "Unhandled")
    assert response["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    text = "\n".join(log_messages(aws, f"/aws/lambda/{name}"))
    assert "began" in text
    assert "Task timed out after 1.00 seconds" in text


def test_a_process_that_exits_without_a_response_is_an_error(aws: LocalAws):
    response, error = invoke(aws, create_function(aws, "import os\ndef handle(event, context): os._exit(3)"))
    assert (response["errorType"], error) == ("Runtime.ExitError", "Unhandled")
    assert response["errorMessage"].endswith("exit status 3")


def test_a_process_that_does_not_read_its_event_is_an_error(aws: LocalAws):
    name = create_function(aws, "import os\nos._exit(4)")
    assert invoke(aws, name, "x" * 1_000_000)[1] == "Unhandled"


LOGS = """
import logging
logging.getLogger().setLevel("INFO")
def handle(event, context):
    print("printed")
    logging.getLogger("shop").info("logged %s", 7)
    try:
        raise ValueError("caught")
    except ValueError:
        logging.getLogger("shop").exception("trouble")
"""


def test_output_is_logged_between_the_lines_of_lambda(aws: LocalAws):
    name = create_function(aws, LOGS)
    response = aws.client("lambda").invoke(FunctionName=name, LogType="Tail")
    lines = log_messages(aws, f"/aws/lambda/{name}")
    assert lines[0].startswith("START RequestId: ")
    assert "printed" in lines
    assert any(line.startswith("[INFO]\t") and line.endswith("\tlogged 7") for line in lines)
    assert lines[-2].startswith("END RequestId: ")
    assert "Memory Size: 128 MB" in lines[-1]
    assert base64.b64decode(response["LogResult"]).decode().splitlines() == lines
    (stream,) = aws.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert "/[$LATEST]" in stream["logStreamName"]


def test_the_log_format_and_log_group_can_be_configured(aws: LocalAws):
    name = create_function(aws, LOGS, LoggingConfig={"LogFormat": "JSON", "LogGroup": "custom-group"})
    invoke(aws, name)
    lines = log_messages(aws, "custom-group")
    assert "printed" in lines
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line["type"] for line in records if "type" in line] == ["platform.start", "platform.report"]
    assert records[-1]["record"]["status"] == "success"
    logged = {line["message"]: line for line in records if "message" in line}
    assert logged["logged 7"]["level"] == "INFO"
    assert logged["logged 7"]["logger"] == "shop"
    assert logged["trouble"]["errorType"] == "ValueError"
    failing = create_function(
        aws, "def handle(event, context): 1 / 0", LoggingConfig={"LogFormat": "JSON", "LogGroup": "failing"}
    )
    invoke(aws, failing)
    records = [json.loads(line) for line in log_messages(aws, "failing")]
    assert [line["errorType"] for line in records if line.get("log_level") == "ERROR"] == ["ZeroDivisionError"]
    assert records[-1]["record"]["status"] == "error"


def test_an_asynchronous_invocation_returns_at_once_and_is_retried_twice(aws: LocalAws):
    name = create_function(aws, "def handle(event, context):\n    print('tried')\n    raise ValueError")
    assert aws.client("lambda").invoke(FunctionName=name, InvocationType="Event")["StatusCode"] == 202
    wait_until(lambda: log_messages(aws, f"/aws/lambda/{name}").count("tried") == 3)
    fine = create_function(aws, "def handle(event, context): print('tried')")
    assert aws.client("lambda").invoke(FunctionName=fine, InvocationType="DryRun")["StatusCode"] == 204
    aws.client("lambda").invoke(FunctionName=fine, InvocationType="Event")
    wait_until(lambda: log_messages(aws, f"/aws/lambda/{fine}").count("tried") == 1)


def test_running_functions_are_killed_with_the_session(aws: LocalAws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aws.session, "processes", processes := Processes())
    name = create_function(aws, "import time\ndef handle(event, context):\n    time.sleep(60)", Timeout=60)
    aws.client("lambda").invoke(FunctionName=name, InvocationType="Event")
    wait_until(processes.has_running)
    processes.end()
    # All three attempts: a process that starts after the end is killed at once.
    wait_until(lambda: "\n".join(log_messages(aws, f"/aws/lambda/{name}")).count("Runtime.ExitError") == 3)
    assert not processes.has_running()


def test_settings_are_kept_and_can_be_updated(aws: LocalAws):
    ec2, functions = aws.client("ec2"), aws.client("lambda")
    network = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="function", Description="x", VpcId=network)["GroupId"]
    name = create_function(
        aws,
        "",
        DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-west-1:123456789012:letters"},
        VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "one", "ApplicationLogLevel": "DEBUG"},
        TracingConfig={"Mode": "Active"},
        KMSKeyArn="arn:aws:kms:us-west-1:123456789012:key/one",
        Publish=True,
    )
    made = functions.get_function_configuration(FunctionName=name)
    assert made["DeadLetterConfig"] == {"TargetArn": "arn:aws:sqs:us-west-1:123456789012:letters"}
    assert made["VpcConfig"]["VpcId"] == network
    assert (made["EphemeralStorage"], made["SnapStart"]["ApplyOn"]) == ({"Size": 512}, "None")
    assert made["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": "one",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "INFO",
    }
    changed = functions.update_function_configuration(
        FunctionName=name,
        KMSKeyArn="arn:aws:kms:us-west-1:123456789012:key/two",
        TracingConfig={"Mode": "PassThrough"},
        EphemeralStorage={"Size": 1024},
        LoggingConfig={"LogGroup": "two"},
        MemorySize=1024,
    )
    assert changed["KMSKeyArn"].endswith("/two")
    assert changed["TracingConfig"] == {"Mode": "PassThrough"}
    assert changed["EphemeralStorage"] == {"Size": 1024}
    assert changed["LoggingConfig"]["LogGroup"] == "two"
    assert changed["LoggingConfig"]["LogFormat"] == "JSON"
    assert changed["MemorySize"] == 1024
    functions.update_function_code(FunctionName=name, ZipFile=zipped(""), Architectures=["arm64"])
    assert functions.get_function_configuration(FunctionName=name)["Architectures"] == ["arm64"]
    functions.update_function_code(FunctionName=name, ZipFile=zipped("pass"))
    assert functions.get_function_configuration(FunctionName=name)["Architectures"] == ["arm64"]


def test_a_function_without_subnets_has_no_vpc(aws: LocalAws):
    name = create_function(aws, "", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    assert "VpcId" not in aws.client("lambda").get_function_configuration(FunctionName=name)["VpcConfig"]


def test_a_service_may_invoke_a_function_only_for_the_permitted_resource(aws: LocalAws):
    name = create_function(aws, "def handle(event, context): return event")
    backend: Backend = aws.backend("awslambda")

    def invoke(service: str = SERVICE, source: str = SECRET) -> str:
        return backend.invoke_as(service, source, name, "event").payload

    def is_refused(service: str = SERVICE, source: str = SECRET) -> bool:
        with pytest.raises(Exception, match="is not authorized to perform: lambda:InvokeFunction"):
            invoke(service, source)
        return True

    def allow(id: str, **parameters: str) -> None:
        aws.client("lambda").add_permission(FunctionName=name, StatementId=id, **parameters)

    assert is_refused()
    allow("reader", Action="lambda:GetFunction", Principal=SERVICE)
    allow("other-account", Action="lambda:InvokeFunction", Principal=SERVICE, SourceAccount="999999999999")
    allow("other-service", Action="lambda:InvokeFunction", Principal="events.amazonaws.com")
    assert is_refused()
    allow("pattern", Action="lambda:InvokeFunction", Principal=SERVICE, SourceArn=SECRET.replace("abcdef", "*"))
    assert invoke() == '"event"'
    assert is_refused(source=SECRET.replace("shop", "till"))
    aws.client("lambda").remove_permission(FunctionName=name, StatementId="pattern")
    assert is_refused()
    allow("exact", Action="lambda:*", Principal=SERVICE, SourceAccount=aws.account, SourceArn=SECRET)
    assert invoke() == '"event"'


def test_a_permission_is_a_statement_with_conditions(aws: LocalAws):
    functions, name = aws.client("lambda"), create_function(aws, "")
    functions.add_permission(
        FunctionName=name,
        StatementId="one",
        Action="lambda:InvokeFunction",
        Principal=SERVICE,
        SourceAccount=aws.account,
        SourceArn=SECRET,
    )
    (statement,) = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    assert statement == {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": "lambda:InvokeFunction",
        "Resource": f"arn:aws:lambda:us-west-1:{aws.account}:function:{name}",
        "Condition": {"StringEquals": {"AWS:SourceAccount": aws.account}, "ArnLike": {"AWS:SourceArn": SECRET}},
    }


def test_a_missing_function_is_not_found(aws: LocalAws):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        invoke(aws, "nowhere")


def test_reserved_concurrency_reduces_the_accounts_unreserved_concurrency(aws: LocalAws):
    def unreserved() -> int:
        limit = aws.client("lambda").get_account_settings()["AccountLimit"]
        assert limit["ConcurrentExecutions"] == 1000
        return limit["UnreservedConcurrentExecutions"]

    before = unreserved()
    name = create_function(aws, "")
    assert unreserved() == before
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    assert unreserved() == before - 3
