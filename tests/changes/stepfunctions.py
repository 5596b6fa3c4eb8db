"""Out-of-band changes to Step Functions resources, one per argument."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _update(**changed: Any) -> Change:
    return lambda aws, state: aws.client("stepfunctions").update_state_machine(stateMachineArn=state["arn"], **changed)


def _another_type(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.backend("stepfunctions").describe_state_machine(state["arn"]).type = "EXPRESS"


_DEFINITION = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})

CHANGES: dict[tuple[str, str], Change] = {
    ("aws_sfn_state_machine", "definition"): _update(definition=_DEFINITION),
    ("aws_sfn_state_machine", "logging_configuration"): _update(loggingConfiguration={"level": "OFF"}),
    ("aws_sfn_state_machine", "role_arn"): _update(roleArn="arn:aws:iam::123456789012:role/other"),
    ("aws_sfn_state_machine", "tracing_configuration"): _update(tracingConfiguration={"enabled": False}),
    ("aws_sfn_state_machine", "type"): _another_type,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_sfn_state_machine", "name"): IDENTIFIES,
}
