"""Lambda: what runs, with what around it, what is logged, and who may ask for it."""

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

NUMBERS = count(1)
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
}
SERVICE = "secretsmanager.amazonaws.com"
SECRET = "arn:aws:secretsmanager:us-west-1:123456789012:secret:shop-abcdef"


def zipped(code: str) -> bytes:
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("shop/handler.py", code)
    return content.getvalue()


def make(aws: LocalAws, code: str, **asked: Any) -> str:
    name = f"function-{next(NUMBERS)}"
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="shop.handler.handle",
        Role=role,
        Code={"ZipFile": zipped(code)},
        **asked,
    )
    return name


def call(aws: LocalAws, name: str, event: Any = None, **asked: Any) -> tuple[Any, str | None]:
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **asked)
    return json.loads(answer["Payload"].read() or "null"), answer.get("FunctionError")


def log(aws: LocalAws, group: str) -> list[str]:
    logs = aws.client("logs")
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
    return [
        event["message"]
        for page in pages
        for stream in page["logStreams"]
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]


def test_the_handler_gets_the_event_and_its_answer_comes_back(aws: LocalAws):
    name = make(aws, "def handle(event, context): return {'got': event, 'name': context.function_name}")
    assert call(aws, name, {"number": 7}) == ({"got": {"number": 7}, "name": name}, None)
    assert call(aws, f"arn:aws:lambda:us-west-1:123456789012:function:{name}") == ({"got": None, "name": name}, None)


SURROUNDINGS = """
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


def test_around_it_are_its_zip_boto3_and_an_environment_of_its_own(aws: LocalAws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OF_THE_CALLER", "1")
    name = make(aws, SURROUNDINGS, Environment={"Variables": {"GREETING": "hello"}}, Timeout=20, MemorySize=256)
    found, error = call(aws, name)
    assert error is None
    assert not found["moto"]
    assert found["account"] == aws.account
    assert found["files"] == ["shop"]
    assert not os.path.exists(found["folder"])  # noqa: PTH110 - a text from afar
    assert 0 < found["left"] <= 20_000
    assert found["arn"] == f"arn:aws:lambda:us-west-1:123456789012:function:{name}"
    environment = found["environment"]
    assert environment["GREETING"] == "hello"
    assert "OF_THE_CALLER" not in environment
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environment["AWS_REGION"] == "us-west-1"
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["LAMBDA_TASK_ROOT"] == found["folder"]
    assert not [variable for variable in environment if variable in {"_REQUEST_ID", "_FUNCTION_ARN", "_TIMEOUT"}]


def test_an_exception_is_answered_with_its_type_message_and_trace_and_logged(aws: LocalAws):
    name = make(aws, "def handle(event, context):\n    raise KeyError('shelf')")
    answer, error = call(aws, name)
    assert error == "Unhandled"
    assert answer["errorType"] == "KeyError"
    assert answer["errorMessage"] == "'shelf'"
    assert "in handle\n    raise KeyError('shelf')" in answer["stackTrace"][0]
    text = "\n".join(log(aws, f"/aws/lambda/{name}"))
    assert "[ERROR] KeyError: 'shelf'\nTraceback (most recent call last):" in text


def test_a_module_that_cannot_be_imported_is_an_error(aws: LocalAws):
    answer, error = call(aws, make(aws, "import no_such_module"))
    assert (answer["errorType"], error) == ("ModuleNotFoundError", "Unhandled")


def test_a_function_is_cut_off_after_its_timeout(aws: LocalAws):
    name = make(
        aws, "import time\ndef handle(event, context):\n    print('began', flush=True)\n    time.sleep(60)", Timeout=1
    )
    began = time.monotonic()
    answer, error = call(aws, name)
    assert time.monotonic() - began < 10
    assert (answer["errorType"], error) == ("Sandbox.Timedout", "Unhandled")
    assert answer["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    text = "\n".join(log(aws, f"/aws/lambda/{name}"))
    assert "began" in text
    assert "Task timed out after 1.00 seconds" in text


def test_a_process_that_ends_without_an_answer_is_an_error(aws: LocalAws):
    answer, error = call(aws, make(aws, "import os\ndef handle(event, context): os._exit(3)"))
    assert (answer["errorType"], error) == ("Runtime.ExitError", "Unhandled")
    assert answer["errorMessage"].endswith("exit status 3")


def test_a_process_that_does_not_read_is_an_error(aws: LocalAws):
    name = make(aws, "import os\nos._exit(4)")
    assert call(aws, name, "x" * 1_000_000)[1] == "Unhandled"


SAYS = """
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


def test_what_it_says_is_in_its_log_between_the_platforms_lines(aws: LocalAws):
    name = make(aws, SAYS)
    answer = aws.client("lambda").invoke(FunctionName=name, LogType="Tail")
    lines = log(aws, f"/aws/lambda/{name}")
    assert lines[0].startswith("START RequestId: ")
    assert "printed" in lines
    assert any(line.startswith("[INFO]\t") and line.endswith("\tlogged 7") for line in lines)
    assert lines[-2].startswith("END RequestId: ")
    assert "Memory Size: 128 MB" in lines[-1]
    assert base64.b64decode(answer["LogResult"]).decode().splitlines() == lines
    (stream,) = aws.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert "/[$LATEST]" in stream["logStreamName"]


def test_a_log_in_json_is_lines_of_json_in_the_group_that_was_named(aws: LocalAws):
    name = make(aws, SAYS, LoggingConfig={"LogFormat": "JSON", "LogGroup": "of-our-own"})
    call(aws, name)
    lines = log(aws, "of-our-own")
    assert "printed" in lines
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line["type"] for line in told if "type" in line] == ["platform.start", "platform.report"]
    assert told[-1]["record"]["status"] == "success"
    logged = {line["message"]: line for line in told if "message" in line}
    assert logged["logged 7"]["level"] == "INFO"
    assert logged["logged 7"]["logger"] == "shop"
    assert logged["trouble"]["errorType"] == "ValueError"
    failing = make(aws, "def handle(event, context): 1 / 0", LoggingConfig={"LogFormat": "JSON", "LogGroup": "failing"})
    call(aws, failing)
    told = [json.loads(line) for line in log(aws, "failing")]
    assert [line["errorType"] for line in told if line.get("log_level") == "ERROR"] == ["ZeroDivisionError"]
    assert told[-1]["record"]["status"] == "error"


def test_an_asynchronous_call_answers_at_once_and_is_tried_three_times(aws: LocalAws):
    name = make(aws, "def handle(event, context):\n    print('tried')\n    raise ValueError")
    assert aws.client("lambda").invoke(FunctionName=name, InvocationType="Event")["StatusCode"] == 202
    aws.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    wait_until(lambda: log(aws, f"/aws/lambda/{name}").count("tried") == 3, 30)
    fine = make(aws, "def handle(event, context): print('tried')")
    assert aws.client("lambda").invoke(FunctionName=fine, InvocationType="DryRun")["StatusCode"] == 204
    aws.client("lambda").invoke(FunctionName=fine, InvocationType="Event")
    wait_until(
        lambda: aws.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{fine}")["logGroups"] != []
    )
    wait_until(lambda: log(aws, f"/aws/lambda/{fine}").count("tried") == 1)


def test_what_is_under_way_ends_with_the_session(aws: LocalAws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aws.session, "processes", processes := Processes())
    name = make(aws, "import time\ndef handle(event, context):\n    time.sleep(60)", Timeout=60)
    aws.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    aws.client("lambda").invoke(FunctionName=name, InvocationType="Event")
    wait_until(processes.has_running)
    processes.end()
    # All three tries: what is started after the end is killed at once.
    wait_until(lambda: "\n".join(log(aws, f"/aws/lambda/{name}")).count("Runtime.ExitError") == 3)
    assert not processes.has_running()


def test_what_was_asked_for_comes_back_and_can_be_changed(aws: LocalAws):
    ec2, functions = aws.client("ec2"), aws.client("lambda")
    network = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="function", Description="x", VpcId=network)["GroupId"]
    name = make(
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


def test_a_function_without_a_network_has_none(aws: LocalAws):
    name = make(aws, "", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    assert "VpcId" not in aws.client("lambda").get_function_configuration(FunctionName=name)["VpcConfig"]


def test_a_service_may_invoke_it_for_the_resource_that_the_permission_names(aws: LocalAws):
    name = make(aws, "def handle(event, context): return event")
    backend: Backend = aws.backend("awslambda")

    def invoke(service: str = SERVICE, source: str = SECRET) -> str:
        return backend.invoke_as(service, source, name, "asked").payload

    def is_refused(service: str = SERVICE, source: str = SECRET) -> bool:
        with pytest.raises(Exception, match="is not authorized to perform: lambda:InvokeFunction"):
            invoke(service, source)
        return True

    def allow(id: str, **named: str) -> None:
        aws.client("lambda").add_permission(FunctionName=name, StatementId=id, **named)

    assert is_refused()
    allow("reader", Action="lambda:GetFunction", Principal=SERVICE)
    allow("other-account", Action="lambda:InvokeFunction", Principal=SERVICE, SourceAccount="999999999999")
    allow("other-service", Action="lambda:InvokeFunction", Principal="events.amazonaws.com")
    assert is_refused()
    allow("pattern", Action="lambda:InvokeFunction", Principal=SERVICE, SourceArn=SECRET.replace("abcdef", "*"))
    assert invoke() == '"asked"'
    assert is_refused(source=SECRET.replace("shop", "till"))
    aws.client("lambda").remove_permission(FunctionName=name, StatementId="pattern")
    assert is_refused()
    allow("exact", Action="lambda:*", Principal=SERVICE, SourceAccount=aws.account, SourceArn=SECRET)
    assert invoke() == '"asked"'


def test_a_function_that_is_not_there_is_told(aws: LocalAws):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        call(aws, "nowhere")


def test_the_accounts_concurrency_is_what_functions_have_not_reserved(aws: LocalAws):
    def unreserved() -> int:
        limit = aws.client("lambda").get_account_settings()["AccountLimit"]
        assert limit["ConcurrentExecutions"] == 1000
        return limit["UnreservedConcurrentExecutions"]

    before = unreserved()
    name = make(aws, "")
    assert unreserved() == before
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    assert unreserved() == before - 3
