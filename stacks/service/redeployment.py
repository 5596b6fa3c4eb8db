"""Redeployment after rotations, and a check that the first rotation has finished before tasks start.

Tasks read the credential when they start, and the next rotation changes the previous one. When a version becomes
current, Secrets Manager sends an event, and a state machine starts a deployment. It first waits for a deployment in
progress, because some of its tasks may have read the previous credential.
"""

from typing import NamedTuple

from cdktf import ITerraformDependable, Postcondition, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.data_aws_secretsmanager_secret_versions import DataAwsSecretsmanagerSecretVersions
from cdktf_cdktf_provider_aws.ecs_cluster import EcsCluster
from cdktf_cdktf_provider_aws.ecs_service import EcsService
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret

from stacks.foundation.stack import FoundationStack
from stacks.parts.events import event_pattern
from stacks.parts.state_machines import State, notify_state, starter_role, state_machine
from stacks.statements import allow, arn_like
from stacks.tier import TierStack

LONGEST_DEPLOYMENT = 45
"""Minutes. Less than an hour, the minimum time between two rotations."""


class RunningService(NamedTuple):
    """The ECS service and its cluster."""

    cluster: EcsCluster
    service: EcsService


ROTATION_FINISHED = 'contains(version.version_stages, "AWSCURRENT") && !contains(version.version_stages, "AWSPENDING")'


def first_rotation(
    tier: TierStack, secret: SecretsmanagerSecret, *, depends_on: ITerraformDependable
) -> DataAwsSecretsmanagerSecretVersions:
    """A data source that fails the plan or apply if there is no credential yet. It does not read the secret's value.

    Without a credential, tasks could not start and ECS would retry endlessly.
    """
    return DataAwsSecretsmanagerSecretVersions(
        tier,
        "credential-versions",
        secret_id=secret.id,
        lifecycle=TerraformResourceLifecycle(
            postcondition=[
                Postcondition(
                    # Without any version, the attribute is null instead of an empty list.
                    condition=f"${{try(anytrue([for version in self.versions : {ROTATION_FINISHED}]), false)}}",
                    error_message="The database credential has not had its first rotation. It begins when the rotation "
                    "tier is deployed, and takes a minute; where it failed, docs/rotation.md says what to do.",
                )
            ]
        ),
        depends_on=[depends_on],
    )


def redeploy_after_rotation(
    tier: TierStack, foundation: FoundationStack, secret: SecretsmanagerSecret, running: RunningService
) -> None:
    """Redeploy the service whenever a version of the secret becomes current."""
    machine = state_machine(
        tier,
        "redeployment",
        _states(tier, foundation, running),
        permissions=[
            allow(
                "Redeploy",
                ["ecs:DescribeServices", "ecs:UpdateService"],
                [running.service.id],
                when=[arn_like("ecs:cluster", running.cluster.arn)],
            )
        ],
        topic=foundation.alarm_topic,
        topic_key=foundation.keys.alarms,
        log_key=foundation.keys.logs,
        minutes=LONGEST_DEPLOYMENT,
        description="Starts new tasks after the database credential was rotated",
    )
    name = tier.names.resource_name("credential-rotated")
    rule = CloudwatchEventRule(
        tier,
        "credential-rotated",
        name=name,
        description="The database credential was rotated: starts new tasks",
        event_pattern=event_pattern(
            "aws.secretsmanager",
            ["Secret Label Updated"],
            resources=[secret.arn],
            detail={"labelUpdated": ["AWSCURRENT"]},
        ),
    )
    start = starter_role(
        tier,
        "redeployment",
        "events.amazonaws.com",
        machine,
        source_arn=tier.names.arn("events", f"rule/{name}"),
    )
    CloudwatchEventTarget(
        tier,
        "credential-rotated-to-redeployment",
        rule=rule.name,
        target_id="redeployment",
        arn=machine.arn,
        role_arn=start.role.arn,
        depends_on=[start.permissions],
    )


def _states(tier: TierStack, foundation: FoundationStack, running: RunningService) -> dict[str, State]:
    service = {"Cluster": running.cluster.arn, "Service": running.service.name}
    failure = [{"ErrorEquals": ["States.ALL"], "Next": "TellFailure"}]
    return {
        "Look": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:ecs:describeServices",
            "Arguments": {"Cluster": service["Cluster"], "Services": [service["Service"]]},
            "Catch": failure,
            "Next": "IsDeploying",
        },
        "IsDeploying": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $count($states.input.Services[0].Deployments) > 1 %}", "Next": "Wait"}],
            "Default": "Redeploy",
        },
        "Wait": {"Type": "Wait", "Seconds": 60, "Next": "Look"},
        "Redeploy": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:ecs:updateService",
            "Arguments": {**service, "ForceNewDeployment": True},
            # The response describes the service; nothing uses it.
            "Output": {},
            "Catch": failure,
            "End": True,
        },
        "TellFailure": notify_state(
            foundation.alarm_topic,
            f"{tier.settings.name}: the database credential was rotated, but no new tasks could be started."
            f" {tier.runbook_reference('redeployment')}",
            next_state="Failed",
        ),
        "Failed": {"Type": "Fail"},
    }
