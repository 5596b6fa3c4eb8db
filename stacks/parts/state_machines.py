"""Step Functions state machines that call AWS services directly and notify people of failures."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sfn_state_machine import (
    SfnStateMachine,
    SfnStateMachineLoggingConfiguration,
    SfnStateMachineTracingConfiguration,
)
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from stacks.parts.logs import log_group
from stacks.parts.service_roles import ServiceRole, service_role
from stacks.statements import Statement, allow, via_service
from stacks.tier import TierStack

State = Mapping[str, Any]
TRACING_ACTIONS = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


def notify_state(topic: SnsTopic, message: str, *, next_state: str | None = None) -> State:
    """A state that publishes a message to the topic. It is the last one unless `next_state` is set."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Arguments": {"TopicArn": topic.arn, "Message": message},
        **({"Next": next_state} if next_state else {"End": True}),
    }


def state_machine(
    tier: TierStack,
    id: str,
    states: Mapping[str, State],
    *,
    permissions: Sequence[Statement],
    topic: SnsTopic,
    topic_key: KmsKey,
    log_key: KmsKey,
    minutes: int,
    description: str,
) -> SfnStateMachine:
    """A state machine in JSONata with its role and log group; it starts at the first state.

    Args:
        permissions: in addition to publishing to the topic, logging and tracing.
        topic_key: KMS key of the topic.
        minutes: timeout of an execution.
    """
    name = tier.names.resource_name(id)
    log = log_group(tier, f"{id}-log", tier.names.state_machine_log_group(id), key=log_key)
    role, policy = service_role(
        tier,
        id,
        "states.amazonaws.com",
        [
            *permissions,
            allow("Tell", ["sns:Publish"], [topic.arn]),
            allow(
                "EncryptWhatIsTold",
                ["kms:Decrypt", "kms:GenerateDataKey*"],
                [topic_key.arn],
                when=[via_service("sns", tier.settings.region)],
            ),
            # These actions support no resource-level permissions.
            allow(
                "Log",
                [
                    "logs:CreateLogDelivery",
                    "logs:DeleteLogDelivery",
                    "logs:DescribeLogGroups",
                    "logs:DescribeResourcePolicies",
                    "logs:GetLogDelivery",
                    "logs:ListLogDeliveries",
                    "logs:PutResourcePolicy",
                    "logs:UpdateLogDelivery",
                ],
                ["*"],
            ),
            # https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html
            allow("Trace", TRACING_ACTIONS, ["*"]),
        ],
        source_arn=tier.names.arn("states", f"stateMachine:{name}"),
        description=description,
    )
    return SfnStateMachine(
        tier,
        f"{id}-workflow",
        name=name,
        role_arn=role.arn,
        type="STANDARD",
        definition=json.dumps(
            {
                "Comment": description,
                "QueryLanguage": "JSONata",
                "TimeoutSeconds": minutes * 60,
                "StartAt": next(iter(states)),
                "States": dict(states),
            }
        ),
        logging_configuration=SfnStateMachineLoggingConfiguration(
            level="ERROR", include_execution_data=False, log_destination=f"{log.arn}:*"
        ),
        tracing_configuration=SfnStateMachineTracingConfiguration(enabled=True),
        depends_on=[policy],
    )


def starter_role(tier: TierStack, id: str, principal: str, machine: SfnStateMachine, *, source_arn: str) -> ServiceRole:
    """A role that may only start executions of a state machine."""
    return service_role(
        tier,
        f"{id}-start",
        principal,
        [allow("Start", ["states:StartExecution"], [machine.arn])],
        source_arn=source_arn,
        description=f"Starts {id}",
    )
