"""Entry point of every request: sets the account, logs and counts the call, refuses what is invalid or unsupported."""

import json
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any, cast
from urllib.parse import unquote
from uuid import uuid4
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel, Shape
from moto.core.model import OperationModel
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import UNSIGNED_ACTIONS, DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import NotFound

from local_aws.actions import call_of
from local_aws.authorization import Authorizer
from local_aws.requests import Parsed, parse, violations

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Route = tuple[OperationModel, Request, Mapping[str, Any]]
"""The operation of a request, the request, and the arguments in its path."""

# botocore's service name by signing name, where they differ.
SERVICE_MODELS = {
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
S3_CONTROL = "/v20180820/"
"""Paths of another service than S3, with the same signing name, that is not supported."""
# Part of the User-Agent of Terraform's S3 backend and of its AWS provider.
TERRAFORM_USER_AGENT = "HashiCorp"
# Error codes of requests that a service's model does not allow: the first that the operation declares, or that of the
# protocol. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html
DECLARED_CODES = (
    "ValidationException",
    "BadRequestException",
    "BadRequest",
    "InvalidParameterException",
    "InvalidInput",
)
CODES_OF_PROTOCOLS = {"ec2": "InvalidParameterValue", "query": "ValidationError", "rest-xml": "InvalidArgument"}
# Error codes of calls that IAM denies, by protocol.
CODES_OF_DENIALS = {"ec2": "UnauthorizedOperation", "query": "AccessDenied", "rest-xml": "AccessDenied"}
# HTTP status and error code of services that do not use ThrottlingException. The status matters: it is all that a
# response to an S3 HEAD request has.
THROTTLING_ERRORS = {"s3": (503, "SlowDown"), "ec2": (503, "RequestLimitExceeded")}


@dataclass(frozen=True)
class Call:
    """An API call: the service's signing name and the operation, or the method and path of an unknown operation."""

    service: str
    action: str
    content_type: str = field(default="", compare=False)
    """Content type of the request body: it tells which of the service's protocols the client uses."""
    attempt: int = field(default=1, compare=False)
    """More than 1 if the client repeats the call, as after a lost response."""

    def __str__(self) -> str:
        return f"{self.service}:{self.action}"


@dataclass
class Faults:
    """Injected failures: a fraction of all calls is throttled or fails, which AWS clients must expect."""

    rate: float = 0.0
    """From 0 (none) to 1 (all)."""
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - no secret; reproducible
    injected: Counter[str] = field(default_factory=Counter)
    """By error code."""

    def draw(self, service: str) -> tuple[int, str] | None:
        """HTTP status and error code if this call is to fail."""
        if self.random.random() >= self.rate:
            return None
        status, code = self.random.choice(
            [THROTTLING_ERRORS.get(service, (400, "ThrottlingException")), (500, "InternalFailure")]
        )
        self.injected[code] += 1
        return status, code


class Gateway:
    """WSGI application that wraps moto's."""

    def __init__(self, account: str, log: Path) -> None:
        self.account = account
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.terraform_calls: Counter[str] = Counter()
        """Supported calls by Terraform and its AWS provider, recognized by their User-Agent."""
        self.unsupported: Counter[str] = Counter()
        """Calls that are not implemented, or that raised an exception."""
        self.authorizer = Authorizer(account)
        self.invalid: Counter[str] = Counter()
        """Requests that AWS's models of its services do not allow, with the member."""
        self._moto = _Dispatcher()
        self._log = log
        self._lock = Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI entry point. Every response is logged and counted."""
        # Takes precedence over the account that moto derives from the access key.
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account
        route = find_route(environ)
        call = replace(parse_call(environ, route), attempt=parse_attempt(environ))
        with self._lock:
            fault = self.faults.draw(call.service)
        if fault:
            return self._error(call, start_response, *fault, "Injected fault")
        parsed = parse(*route) if route else None
        if parsed and (wrong := violations(parsed)):
            with self._lock:
                self.invalid.update(f"{call}: {each}" for each in wrong)
            return self._error(call, start_response, 400, _invalid_code(parsed.operation), "; ".join(wrong))
        try:
            denial = self._denial(environ, parsed)
        except Exception as error:  # of a gap in what is known of AWS's checks, or a fault in it
            self._write(traceback.format_exc())
            return self._unsupported(call, start_response, f"authorization: {error!r}")
        if denial and route:
            return self._error(
                call, start_response, 403, _code(route[0], CODES_OF_DENIALS, "AccessDeniedException"), denial
            )
        response = _BufferedResponse(start_response)
        try:
            body = b"".join(self._moto(environ, response.start))
        except NotImplementedError as error:  # from moto, or an extension that does not implement a parameter
            return self._unsupported(call, start_response, str(error) or "not implemented")
        except Exception as error:  # an exception in moto becomes an error response, so one run finds all gaps
            self._write(traceback.format_exc())
            return self._unsupported(call, start_response, f"moto raised {error!r}")
        if response.is_unrouted(environ, body):
            return self._unsupported(call, start_response, "moto has no such route")
        if TERRAFORM_USER_AGENT in environ.get("HTTP_USER_AGENT", ""):
            with self._lock:
                self.terraform_calls[str(call)] += 1
        self._record(call, response.status if response.status < "400" else f"{response.status} {body[:500]!r}")
        response.send()
        return [body]

    def _denial(self, environ: Environ, parsed: Parsed | None) -> str:
        """Why IAM denies a request; empty if it does not."""
        access_key, region, service = _credential_scope(environ)
        if not parsed:
            raise NotImplementedError("AWS's model of the service has no such operation")
        call = call_of(service, str(parsed.operation.name), parsed.arguments, self.account, region)
        return self.authorizer.denial(access_key, call)

    @property
    def problems(self) -> list[str]:
        """One line for each kind of call that AWS, or this local AWS, does not take."""
        return [
            *(f"AWS does not take {call} ({count} calls)" for call, count in self.invalid.items()),
            *(f"the local AWS does not support {call} ({count} calls)" for call, count in self.unsupported.items()),
        ]

    def _unsupported(self, call: Call, start_response: StartResponse, reason: str) -> list[bytes]:
        with self._lock:
            self.unsupported[str(call)] += 1
        # Not 500, moto's own response: clients would retry it for minutes.
        message = f"The local AWS does not support {call}: {reason}"
        return self._error(call, start_response, 400, "InvalidAction", message)

    def _error(self, call: Call, start_response: StartResponse, status: int, code: str, message: str) -> list[bytes]:
        self._record(call, f"{status} {code} {message}")
        content_type, body = format_error(call, code, message)
        start_response(
            f"{status} {code}",
            [
                ("Content-Type", content_type),
                ("Content-Length", str(len(body))),
                ("x-amzn-ErrorType", code),
                ("x-amzn-RequestId", str(uuid4())),
            ],
        )
        return [body]

    def _record(self, call: Call, outcome: str) -> None:
        with self._lock:
            self.calls[str(call)] += 1
            attempt = f" (attempt {call.attempt})" if call.attempt > 1 else ""
            self._write(f"{call}{attempt} {outcome}\n")

    def _write(self, text: str) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(text)


class _Dispatcher(DomainDispatcherApplication):
    """moto's dispatcher with a cache: moto searches its folders for a host's service on every request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._found: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


class _BufferedResponse:
    """moto's response, held back until it is known that moto supports the call."""

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self._arguments: tuple[Any, ...] = ()

    def start(self, *arguments: Any) -> Callable[[bytes], None]:
        self._arguments = arguments
        return lambda _: None

    def send(self) -> None:
        self._start_response(*self._arguments)

    @property
    def status(self) -> str:
        return self._arguments[0]

    def is_unrouted(self, environ: Environ, body: bytes) -> bool:
        """Whether moto has no such route: a 404 or 405 without an AWS error.

        A HEAD response has no body that could show it, and counts as routed.
        """
        if not self.status.startswith(("404", "405")) or environ["REQUEST_METHOD"] == "HEAD":
            return False
        return not body or b"<!doctype html>" in body.lower()


def parse_call(environ: Environ, route: Route | None) -> Call:
    """Service and action of a request, as far as they can be determined."""
    service = _signing_name(environ)
    content_type = environ.get("CONTENT_TYPE", "")
    if route:
        return Call(service, str(route[0].name), content_type)
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return Call(service, target.rpartition(".")[2], content_type)
    if action := _action(environ):
        return Call(service, action, content_type)
    return Call(service, f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}", content_type)


def _signing_name(environ: Environ) -> str:
    return _credential_scope(environ)[2]


def _credential_scope(environ: Environ) -> tuple[str, str, str]:
    """Access key, Region and service for which a request was signed."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if scope := re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request", header):
        return scope[1], scope[2], scope[3]
    # A presigned URL.
    if scope := re.search(r"X-Amz-Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", unquote(environ.get("QUERY_STRING", ""))):
        return scope[1], scope[2], scope[3]
    action = _action(environ)
    service, region = UNSIGNED_ACTIONS.get(action, ("unsigned", "us-east-1"))
    return "", region, service


def _action(environ: Environ) -> str:
    """The action of a request of the query protocol."""
    found = re.search(rb"(?:^|&)Action=(\w+)", _body(environ))
    return found[1].decode() if found else ""


def find_route(environ: Environ) -> Route | None:
    """The route of a request. None if there is no such operation."""
    service = _signing_name(environ)
    name = SERVICE_MODELS.get(service, service)
    if service == "s3" and environ["PATH_INFO"].startswith(S3_CONTROL):
        return None
    try:
        wanted = {**environ, "wsgi.input": BytesIO(_body(environ)), **_target(environ, get_service_model(name))}
        request = Request(wanted)
        operation, arguments = get_service_router(name).match(request)
    # NotImplementedError: a protocol that the service does not support.
    except (NotFound, UnknownServiceError, NotImplementedError):
        return None
    return operation, request, arguments


def _target(environ: Environ, model: ServiceModel) -> Environ:
    """The target of a request in the JSON protocol, with the service's whole prefix.

    AWS's SDK for Go sends `CloudTrail_20131101` for `com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101`.
    """
    prefix, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")
    whole = str(model.metadata.get("targetPrefix", ""))
    return {"HTTP_X_AMZ_TARGET": f"{whole}.{operation}"} if prefix and whole.endswith(f".{prefix}") else {}


def _body(environ: Environ) -> bytes:
    """The body of a request, which can be read again afterwards."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return body


def _protocol(call: Call) -> str:
    try:
        model = get_service_model(SERVICE_MODELS.get(call.service, call.service))
        return determine_request_protocol(model, call.content_type)
    except (UnknownServiceError, NotImplementedError):
        return "json"


def _invalid_code(operation: OperationModel) -> str:
    declared = {shape.name for shape in cast(list[Shape], operation.error_shapes)}
    of_protocol = _code(operation, CODES_OF_PROTOCOLS, "ValidationException")
    return next((code for code in DECLARED_CODES if code in declared), of_protocol)


def _code(operation: OperationModel, by_protocol: Mapping[str, str], otherwise: str) -> str:
    """The error code of an operation's protocol."""
    service = operation.service_model
    protocols = service.metadata.get("protocols", [service.protocol])
    return next((code for protocol, code in by_protocol.items() if protocol in protocols), otherwise)


def parse_attempt(environ: Environ) -> int:
    """Which attempt of a call this is, from the header that AWS's SDKs send: `attempt=2; max=25`."""
    attempt = re.search(r"attempt=(\d+)", environ.get("HTTP_AMZ_SDK_REQUEST", ""))
    return int(attempt[1]) if attempt else 1


def format_error(call: Call, code: str, message: str) -> tuple[str, bytes]:
    """Content type and body of an error response, in the protocol of the call."""
    protocol = _protocol(call)
    if protocol in {"json", "rest-json"}:
        return "application/json", json.dumps({"__type": code, "message": message}).encode()
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if protocol == "ec2":
        error = f"<Response><Errors>{error}</Errors></Response>"
    elif call.service != "s3":
        error = f"<ErrorResponse>{error}</ErrorResponse>"
    return "text/xml", error.encode()
