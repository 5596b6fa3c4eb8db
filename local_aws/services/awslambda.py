"""Lambda: runs functions, each invocation in a process with only the function's package, and checks the caller."""

import base64
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path
from threading import Lock, Thread
from typing import Any, cast
from uuid import uuid4
from zipfile import ZipFile

from botocore.exceptions import UnknownServiceError
from moto.awslambda.models import LambdaBackend, LambdaFunction, lambda_backends
from moto.awslambda.responses import LambdaResponse
from moto.core.utils import get_service_model
from moto.ec2.models import ec2_backends
from moto.rds.models import rds_backends

from local_aws import lambda_runtime, session
from local_aws.actions import Call
from local_aws.authorization import Origin
from local_aws.extension import ApiError, Extension
from local_aws.gateway import SERVICE_MODELS
from local_aws.network import Place, reached_services, reaches, reaches_internet
from local_aws.service_uses import Use, invocation

RUNTIME = Path(lambda_runtime.__file__)
ASYNCHRONOUS_RETRIES = 2
"""Retries of a failed asynchronous invocation: AWS's default."""
ACCOUNT_CONCURRENCY = 1000
"""Concurrent executions per account and Region: AWS's default."""

# Settings that moto drops.
DROPPED_BY_MOTO = ("DeadLetterConfig", "FileSystemConfigs")
# Settings that moto drops in updates only, with moto's attribute.
UPDATE_ATTRIBUTES = {"KMSKeyArn": "kms_key_arn", "TracingConfig": "tracing_config"}
FOLDER_LOCK = Lock()
# IAM's prefix of services whose VPC endpoints have another name.
ENDPOINT_SERVICES = {"monitoring": "cloudwatch"}


@dataclass(frozen=True)
class Invocation:
    """Result of an invocation."""

    payload: str
    error: str | None
    """Value of the header X-Amz-Function-Error."""
    log: str


class Function(LambdaFunction):
    """A function that runs without Docker."""

    def __init__(self, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
        super().__init__(account_id, spec, region, version)
        self.dropped_settings: dict[str, Any] = {}
        """Settings of the request that moto does not store."""
        self.logging: dict[str, str] = {}
        """Logging configuration, without defaults."""
        self.store_settings(spec)

    def store_settings(self, settings: Mapping[str, Any]) -> None:
        """Store the settings of a create or update request that moto drops."""
        self.dropped_settings = self.dropped_settings | {
            name: settings[name] for name in DROPPED_BY_MOTO if name in settings
        }
        self.logging = self.logging | (settings.get("LoggingConfig") or {})
        for name in settings.keys() & UPDATE_ATTRIBUTES.keys():
            setattr(self, UPDATE_ATTRIBUTES[name], settings[name])
        if storage := settings.get("EphemeralStorage"):
            self.ephemeral_storage = storage["Size"]

    @property
    def logging_config(self) -> dict[str, str]:
        """Logging configuration, with AWS's defaults."""
        levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
        defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
        return {**defaults, **(levels if self.has_json_logs else {}), **self.logging}

    @property
    def has_json_logs(self) -> bool:
        """Whether the log format is JSON."""
        return self.logging.get("LogFormat") == "JSON"

    @property
    def vpc_config(self) -> dict[str, Any] | None:
        config = super().vpc_config
        if config and config.get("SubnetIds"):
            subnet = ec2_backends[self.account_id][self.region].get_subnet(config["SubnetIds"][0])
            config["VpcId"] = subnet.vpc_id
        return config

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:
        return {**super().get_configuration(on_create), **self.dropped_settings, "LoggingConfig": self.logging_config}

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        self.store_settings(config_updates)
        super().update_configuration(config_updates)
        return self.get_configuration()

    def update_function_code(self, updated_spec: dict[str, Any]) -> dict[str, Any]:
        if architectures := updated_spec.get("Architectures"):
            self.architectures = architectures
        return super().update_function_code(updated_spec)

    def invoke(self, body: str, request_headers: Any, response_headers: Any) -> str:
        kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
        event = json.loads(body or "{}")
        if kind == "Event":
            Thread(target=self._run_asynchronously, args=(event,), daemon=True).start()
        if kind != "RequestResponse":
            return ""
        invocation = self.run(event)
        if invocation.error:
            response_headers["x-amz-function-error"] = invocation.error
        response_headers["x-amz-executed-version"] = str(self.version)
        response_headers["x-amz-log-result"] = base64.b64encode(invocation.log.encode()[-4096:]).decode()
        return invocation.payload

    def _run_asynchronously(self, event: Any) -> None:
        for _ in range(1 + ASYNCHRONOUS_RETRIES):
            if not self.run(event).error:
                return

    def run(self, event: Any) -> Invocation:
        """Run the handler, and write its output to the log group."""
        request = str(uuid4())
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[{self.version}]{uuid4().hex}"
        with tempfile.TemporaryDirectory(prefix="local-aws-lambda-") as name:
            folder = Path(name)
            task, response = folder / "task", folder / "response"
            with ZipFile(BytesIO(self.code_bytes)) as archive:
                archive.extractall(task)
            began = datetime.now(UTC)
            process = session.current().processes.start(
                [sys.executable, "-I", "-S", "-B", str(RUNTIME), str(response), str(task), str(boto3_folder())],
                cwd=task,
                env=self._environment(folder, stream, request),
            )
            output, has_timed_out = _wait_for(process, json.dumps(event), int(self.timeout))
            ended = datetime.now(UTC)
            payload = response.read_text(encoding="utf-8") if response.exists() and not has_timed_out else None
        error = "Unhandled" if has_timed_out or process.returncode else None
        if payload is None:
            payload, line = self._missing_response(request, process.returncode, has_timed_out=has_timed_out)
            output += line
            error = "Unhandled"
        status = "timeout" if has_timed_out else "error" if error else "success"
        log = self._format_log(output, request, (began, ended), status)
        self._write(stream, log)
        return Invocation(payload, error, "\n".join(log))

    def _missing_response(self, request: str, code: int, *, has_timed_out: bool) -> tuple[str, str]:
        if has_timed_out:
            kind, message = "Sandbox.Timedout", f"Task timed out after {int(self.timeout)}.00 seconds"
            line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {request} {message}\n"
        else:
            kind, message = "Runtime.ExitError", f"Runtime exited with error: exit status {code}"
            line = f"RequestId: {request} Error: {message}\n{kind}\n"
        return json.dumps({"errorType": kind, "errorMessage": f"RequestId: {request} Error: {message}"}), line

    def _environment(self, folder: Path, stream: str, request: str) -> dict[str, str]:
        """The function's environment variables and Lambda's own. Nothing is inherited."""
        logging = self.logging_config
        levels = {"AWS_LAMBDA_LOG_LEVEL": logging["ApplicationLogLevel"]} if self.has_json_logs else {}
        return {
            **self.environment_vars,
            **session.current().environment,
            **self._network(session.current().environment),
            **self._credentials(),
            **levels,
            "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.run_time}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_size),
            "AWS_LAMBDA_FUNCTION_NAME": self.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": str(self.version),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "LAMBDA_TASK_ROOT": str(folder / "task"),
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": str(folder),
            "TZ": ":UTC",
            "_FUNCTION_ARN": self.function_arn,
            "_HANDLER": str(self.handler),
            "_REQUEST_ID": request,
            "_TIMEOUT": str(self.timeout),
        }

    def _credentials(self) -> dict[str, str]:
        """Environment variables with credentials of the function's role."""
        origin = Origin(self.function_arn, self._endpoints())
        authorizer = session.current().authorizer
        # The session has the name of the function. https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
        return authorizer.assume(self.role, "lambda.amazonaws.com", self.function_name, self.function_arn, origin)

    def _endpoints(self) -> dict[str, Any]:
        """VPC endpoints that calls of the function go through, by IAM's prefix of the service."""
        config = self.vpc_config
        if not config or not config.get("SubnetIds"):
            return {}
        endpoints = ec2_backends[self.account_id][self.region].vpc_end_points.values()
        return {
            ENDPOINT_SERVICES.get(service, service): endpoint
            for endpoint in endpoints
            if endpoint.vpc_id == config["VpcId"] and endpoint.state == "available"
            for service in [endpoint.service_name.rpartition(".")[2]]
        }

    def _network(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Environment variables that lead a function in a VPC nowhere, where packets of its own would be dropped.

        They apply to boto3, and to libpq, if a database of the VPC is out of reach.
        """
        config = self.vpc_config
        if not config or not config.get("SubnetIds"):
            return {}
        ec2 = ec2_backends[self.account_id][self.region]
        here = Place(config["SubnetIds"], config["SecurityGroupIds"])
        real, nowhere = environment["AWS_ENDPOINT_URL"], f"http://{session.current().black_hole()}"
        found = {"AWS_ENDPOINT_URL": real if reaches_internet(ec2, here) else nowhere}
        for service, is_reached in reached_services(ec2, here):
            with contextlib.suppress(UnknownServiceError):
                model: Any = get_service_model(SERVICE_MODELS.get(service, service))
                name = model.service_id.replace(" ", "_").upper()
                found[f"AWS_ENDPOINT_URL_{name}"] = real if is_reached else nowhere
        databases = cast(Any, rds_backends[self.account_id][self.region])
        for cluster in databases.clusters.values():
            subnets = [each.id for each in databases.subnets(cluster) if each.vpc_id == config["VpcId"]]
            there = Place(subnets, cluster.vpc_security_group_ids)
            if cluster.servers and subnets and not reaches(ec2, here, there, cluster.port):
                found["PGHOSTADDR"] = session.current().black_hole(cluster.port).partition(":")[0]
        return found

    def _format_log(self, output: str, request: str, period: tuple[datetime, datetime], status: str) -> list[str]:
        """The output between the lines that Lambda itself logs."""
        began, ended = period
        milliseconds = 1000 * (ended - began).total_seconds()
        billed = int(milliseconds) + 1
        lines = output.splitlines()
        if not self.has_json_logs:
            report = (
                f"Duration: {milliseconds:.2f} ms\tBilled Duration: {billed} ms\tMemory Size: {self.memory_size} MB"
            )
            start = f"START RequestId: {request} Version: {self.version}"
            return [start, *lines, f"END RequestId: {request}", f"REPORT RequestId: {request}\t{report}"]

        def platform(kind: str, at: datetime, record: dict[str, Any]) -> str:
            text = f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
            return json.dumps({"time": text, "type": f"platform.{kind}", "record": {"requestId": request, **record}})

        metrics = {
            "durationMs": round(milliseconds, 3),
            "billedDurationMs": billed,
            "memorySizeMB": int(self.memory_size),
        }
        return [
            platform("start", began, {"version": str(self.version)}),
            *lines,
            platform("report", ended, {"metrics": metrics, "status": status}),
        ]

    def _write(self, stream: str, lines: list[str]) -> None:
        group = self.logging_config["LogGroup"]
        call = Call("lambda", "Invoke", {}, self.account_id, self.region)
        checks = invocation(group, call, traced=(self.tracing_config or {}).get("Mode") == "Active")
        # Without permission, Lambda runs the function, and its logs are lost.
        with contextlib.suppress(ApiError):
            use = Use(self.role, "lambda.amazonaws.com", self.function_arn, checks)
            session.current().authorizer.check_role(use, call)
            self._write_allowed(group, stream, lines)

    def _write_allowed(self, group: str, stream: str, lines: list[str]) -> None:
        logs = self.logs_backend
        logs.ensure_log_group(group)
        logs.create_log_stream(group, stream)
        at = int(1000 * time.time())
        logs.put_log_events(group, stream, [{"timestamp": at, "message": line} for line in lines])


def _wait_for(process: "subprocess.Popen[str]", event: str, timeout: int) -> tuple[str, bool]:
    """Wait for a process. Returns its output, and whether it timed out."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin  # noqa: S101 - Popen was called with PIPE
    assert stdout  # noqa: S101 - as above
    printed: list[str] = []
    reading = Thread(target=lambda: printed.append(stdout.read()), daemon=True)
    reading.start()
    with contextlib.suppress(BrokenPipeError):
        stdin.write(f"{event}\n")
        stdin.flush()
    has_timed_out = False
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        has_timed_out = True
    session.kill(process)
    process.wait()
    reading.join()
    stdout.close()
    with contextlib.suppress(BrokenPipeError):
        stdin.close()
    return "".join(printed), has_timed_out


@cache
def _boto3_parts() -> dict[str, Path]:
    """Installed files of boto3 and its dependencies, by top-level name."""
    parts: dict[str, Path] = {}
    pending = ["boto3"]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        installed = distribution(name)
        for file in installed.files or []:
            top = file.parts[0]
            if not top.endswith(".dist-info") and top not in {"..", "__pycache__"}:
                parts[top] = Path(str(installed.locate_file(top)))
        pending += [re.split(r"[\s<>=!~;\[(]", need)[0] for need in installed.requires or [] if "extra ==" not in need]
    return parts


def boto3_folder() -> Path:
    """Folder with the packages that Lambda's runtime provides."""
    folder = session.current().folder / "lambda-runtime"
    with FOLDER_LOCK:
        if not folder.exists():
            folder.mkdir()
            for name, path in _boto3_parts().items():
                (folder / name).symlink_to(path)
    return folder


class Backend(LambdaBackend):
    """Adds invocations by AWS services."""

    def invoke_as(self, service: str, source_arn: str, function_arn: str, event: Any) -> Invocation:
        """Invoke a function as an AWS service does on behalf of a resource.

        Raises:
            ApiError: the function's policy does not allow it.
        """
        function = cast(Function, self.get_function(function_arn))
        action = "lambda:InvokeFunction"
        session.current().authorizer.check_service(service, action, function.function_arn, source_arn, self.region_name)
        return function.run(event)


class Responses(LambdaResponse):
    """Adds the account's concurrency."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, lambda_backends[self.current_account][self.region])

    def get_account_settings(self) -> str:
        reserved = sum(int(function.reserved_concurrency or 0) for function in self.backend.list_functions())
        limit = {
            "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
            "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - reserved,
        }
        return json.dumps({"AccountLimit": limit})


EXTENSION = Extension(
    "awslambda",
    Responses,
    Backend,
    models=(Function,),
    routes=("{0}/(?P<api_version>[^/]+)/account-settings/?$",),
    gaps={
        "aws_lambda_function": "did not run without Docker; dropped dead-letter, logging and VPC settings, and updates",
        "aws_lambda_permission": "was not checked on invocation",
    },
)
