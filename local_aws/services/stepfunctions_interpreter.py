"""The interpreter of state machines: moto's, with JSONata, and with tasks that call the local AWS.

AWS does not state its version of JSONata, but it lacks the operators that 2.1 introduced: package.json has the last
version before that. AWS's additional functions (`$hash`, `$parse` and others) are missing: expressions with them fail.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
https://repost.aws/questions/QUjbMZmvsUSP-L54CZCpycFg
"""

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError
from moto.core.utils import get_service_model
from moto.stepfunctions.models import stepfunctions_backends
from moto.stepfunctions.parser.api import HistoryEventType, InvalidDefinition
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from local_aws import session

JSONATA = Path(__file__).with_name("jsonata.js")
SERVICE_NAMES = {
    "applicationautoscaling": "application-autoscaling",
    "cloudwatchlogs": "logs",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "servicequotas": "service-quotas",
    "sfn": "stepfunctions",
}
"""botocore's name of a service by that in a resource, where they differ."""
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
"""A word of a service ID: `Secrets` and `Manager`, `ECS`, `Dynamo` and `DB`."""
UNCAUGHT = {"States.DataLimitExceeded", "States.Runtime"}
"""Errors that States.ALL does not catch.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""
LONGEST_PAUSE = 0.1
"""Seconds after which a wait notices that its execution was stopped."""


class EvaluationError(Exception):
    """A JSONata expression is invalid, failed, or returned nothing."""


class SdkTask(StateTaskServiceAwsSdk):
    """A task that calls an action of the AWS SDK. In moto, members keep the case of the service's API.

    https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
    """

    def _validate_service_integration_is_supported(self) -> None:
        try:
            self._operation()
        except (UnknownServiceError, OperationNotFoundError) as error:
            raise ValueError(f"The resource provided {self.resource.resource_arn} not recognized.") from error

    def _get_boto_service_name(self, boto_service_name: str | None = None) -> str:
        name = boto_service_name or self.resource.api_name
        return SERVICE_NAMES.get(name, name)

    @staticmethod
    def _normalise_service_error_name(service_name: str) -> str:
        """Service part of an error's name: `Ecs`, `SecretsManager`."""
        model: Any = get_service_model(SERVICE_NAMES.get(service_name, service_name))
        return "".join(word.capitalize() for word in WORD.findall(model.service_id))

    def _eval_service_task(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> None:
        operation = self._operation()
        if operation.input_shape:
            self._to_boto_request(normalised_parameters, operation.input_shape)
        super()._eval_service_task(env, resource_runtime_part, normalised_parameters, state_credentials)
        response = json.loads(json.dumps(env.stack[-1], default=_format_time))
        if operation.output_shape:
            self._from_boto_response(response, operation.output_shape)
        env.stack[-1] = response

    def _operation(self) -> Any:
        action = self.resource.api_action
        return get_service_model(self._get_boto_service_name()).operation_model(action[0].upper() + action[1:])


def _format_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _client(region: str, service: str, state_credentials: Any) -> Any:
    """A boto3 client for the local AWS that acts as the role of a state machine."""
    current, role = session.current(), state_credentials.role_arn
    account = role.split(":")[4]
    machines = stepfunctions_backends[account][region].state_machines
    source = next((machine.arn for machine in machines if machine.roleArn == role), "")
    credentials = current.authorizer.assume(role, "states.amazonaws.com", "state-machine", source)
    # A session of its own: creating clients is not thread-safe.
    client = cast(Any, boto3.Session().client)
    return client(
        service,
        region_name=region,
        endpoint_url=current.environment["AWS_ENDPOINT_URL"],
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
        **{name.lower(): value for name, value in credentials.items()},
    )


def evaluate(expression: str, bindings: dict[str, Any]) -> Any:
    """Value of a JSONata expression.

    Raises:
        EvaluationError: it is invalid, failed, or returned nothing.
    """
    process = session.current().processes.start(["node", str(JSONATA)])
    output, _ = process.communicate(to_json_str({"expression": expression, "bindings": bindings}))
    # Node may print warnings before the answer.
    answer = json.loads(output.splitlines()[-1]) if process.returncode == 0 else {"error": output}
    if "error" in answer:
        raise EvaluationError(f"The JSONata expression '{expression}' threw an error: {answer['error']}")
    if "value" not in answer:
        raise EvaluationError(f"The JSONata expression '{expression}' returned nothing (undefined).")
    return answer["value"]


def _evaluate(self: Any, env: Any) -> None:
    """Evaluate a JSONata string of a definition."""
    store, states = env.variable_store, env.states
    bindings = {**store._outer_scope, **store._inner_scope, "states": states._states_data}
    try:
        value = evaluate(self.expression, bindings)
    except EvaluationError as error:
        name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
        details: Any = {"evaluationFailedEventDetails": {"error": name.error_name, "cause": str(error)}}
        raise FailureEventException(
            FailureEvent(env, name, HistoryEventType.EvaluationFailed, EventDetails(**details))
        ) from error
    env.stack.append(value)


def _wait(_: Any, env: Any, wait_seconds: float) -> None:
    """Wait, unless the execution is stopped. moto's wait does not end if it takes fractions of a second."""
    deadline = time.monotonic() + wait_seconds * session.current().wait_factor
    while env.is_running() and (left := deadline - time.monotonic()) > 0:
        env.program_state_event.wait(min(left, LONGEST_PAUSE))


def _sleep(seconds: float) -> None:
    """Wait before a retry."""
    time.sleep(seconds * session.current().wait_factor)


def _match(self: Any, env: Any) -> None:
    """Match an error with those of a retrier or a catcher. In moto, States.ALL matches every error."""
    error = env.stack[-1]
    _match_error(self, env)
    if error and error.error_name in UNCAUGHT:
        env.stack[-1] = error in self.error_names


_match_error = ErrorEqualsDecl._eval_body  # pyright: ignore[reportPrivateUsage] - moto has no other way to extend it


def install() -> None:
    """Replace parts of moto's interpreter for the lifetime of this process."""
    modules = [module for name, module in sys.modules.items() if name.startswith("moto.stepfunctions.parser.")]
    for owner, name, replacement in (
        (InvalidDefinition, "TYPE", "InvalidDefinition"),
        (ErrorEqualsDecl, "_eval_body", _match),
        (retrier_decl, "time", SimpleNamespace(sleep=_sleep)),
        (state_task_service_factory, "StateTaskServiceAwsSdk", SdkTask),
        (StringJSONata, "_eval_body", _evaluate),
        (WaitFunction, "_wait_interval", _wait),
        *((module, "boto_client_for", _client) for module in modules if hasattr(module, "boto_client_for")),
    ):
        setattr(owner, name, replacement)
    # Failures are in the history of the execution.
    logging.getLogger("moto.stepfunctions.parser").setLevel(logging.CRITICAL)
