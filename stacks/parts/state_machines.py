"""State machines of Step Functions: they call AWS's services without a function of ours, and notify of failures."""

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


def notify_state(topic: SnsTopic, message: str, *, next_state: str | None = None) -> State:
    """A state that publishes a message to the topic, and is the last one unless `then` names the next."""
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
    may: Sequence[Statement],
    topic: SnsTopic,
    topic_key: KmsKey,
    log_key: KmsKey,
    minutes: int,
    description: str,
) -> SfnStateMachine:
    """A state machine that starts with its first state, written in JSONata.

    Args:
        minutes: after so many it is cut off.
        may: what it may do beside publishing to the topic and writing its log.
        topic_key: encrypts the topic's messages.
    """
    name = tier.names.resource_name(id)
    log = log_group(tier, f"{id}-log", tier.names.state_machine_log_group(id), key=log_key)
    role, permissions = service_role(
        tier,
        id,
        "states.amazonaws.com",
        [
            *may,
            allow("Tell", ["sns:Publish"], [topic.arn]),
            allow(
                "EncryptWhatIsTold",
                ["kms:Decrypt", "kms:GenerateDataKey*"],
                [topic_key.arn],
                when=[via_service("sns", tier.settings.region)],
            ),
            # None of these knows a resource.
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
            allow("Trace", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
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
        depends_on=[permissions],
    )


def starter_role(tier: TierStack, id: str, principal: str, machine: SfnStateMachine, *, source_arn: str) -> ServiceRole:
    """The role of what starts a state machine, and may do nothing else."""
    return service_role(
        tier,
        f"{id}-start",
        principal,
        [allow("Start", ["states:StartExecution"], [machine.arn])],
        source_arn=source_arn,
        description=f"Starts {id}",
    )
