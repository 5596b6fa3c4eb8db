"""What services do as a role that a call passes to them: the role must trust the service, and allow it.

AWS refuses some of these calls at once, and lets others fail later, unseen: delivery of logs, start of tasks. Here all
are refused at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local_aws.actions import Call, Check, backend, key_arn


@dataclass(frozen=True)
class Use:
    """What a service does as a role."""

    role: str
    """ARN of the role."""
    service: str
    """The service's principal."""
    source: str
    """ARN of the resource on whose behalf the service acts."""
    checks: tuple[Check, ...]


def uses_of(call: Call) -> Iterator[Use]:
    """What services do as the roles that a call passes to them."""
    if find := USES.get(call.name):
        yield from find(call)


def _each(actions: str, resource: str = "*") -> tuple[Check, ...]:
    return tuple(Check(action, resource) for action in actions.split())


def _streams(group: str, call: Call) -> str:
    own = group.removesuffix(":*") if group.startswith("arn:") else call.arn(f"log-group:{group}", "logs")
    return f"{own}:log-stream:*"


def _function(call: Call) -> Iterator[Use]:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions"""
    if (call.arguments.get("VpcConfig") or {}).get("SubnetIds"):
        interfaces = _each(
            "ec2:AssignPrivateIpAddresses ec2:CreateNetworkInterface ec2:DeleteNetworkInterface "
            "ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:UnassignPrivateIpAddresses"
        )
        source = call.arn(f"function:{call.arguments['FunctionName']}")
        yield Use(call.arguments["Role"], "lambda.amazonaws.com", source, interfaces)


def invocation(log_group: str, call: Call, *, traced: bool) -> tuple[Check, ...]:
    """What Lambda does as a function's role at each invocation.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    """
    traces = _each("xray:PutTelemetryRecords xray:PutTraceSegments") if traced else ()
    return (*_each("logs:CreateLogStream logs:PutLogEvents", _streams(log_group, call)), *traces)


def _trail(call: Call) -> Iterator[Use]:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html"""
    if role := call.arguments.get("CloudWatchLogsRoleArn"):
        group = _streams(call.arguments["CloudWatchLogsLogGroupArn"], call)
        source = call.arn(f"trail/{call.arguments['Name']}")
        yield Use(role, "cloudtrail.amazonaws.com", source, _each("logs:CreateLogStream logs:PutLogEvents", group))


def _flow_logs(call: Call) -> Iterator[Use]:
    """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html"""
    if role := call.arguments.get("DeliverLogsPermissionArn"):
        group = call.arguments.get("LogDestination") or call.arguments["LogGroupName"]
        writes = _each("logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents", _streams(group, call))
        source = call.arn("vpc-flow-log/*")
        yield Use(role, "vpc-flow-logs.amazonaws.com", source, (*writes, *_each("logs:DescribeLogGroups")))


def _monitoring(call: Call) -> Iterator[Use]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.Enabling.html"""
    if role := call.arguments.get("MonitoringRoleArn"):
        source = call.arn(f"db:{call.arguments['DBInstanceIdentifier']}")
        writes = _each("logs:CreateLogStream logs:PutLogEvents", _streams("RDSOSMetrics", call))
        yield Use(role, "monitoring.rds.amazonaws.com", source, writes)


def _state_machine(call: Call) -> Iterator[Use]:
    """https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html, and xray-iam.html there"""
    arguments = call.arguments
    if not arguments.get("roleArn"):
        return
    source = arguments.get("stateMachineArn") or call.arn(f"stateMachine:{arguments['name']}")
    checks: list[Check] = []
    if (arguments.get("loggingConfiguration") or {}).get("level", "OFF") != "OFF":
        checks += _each(
            "logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies "
            "logs:GetLogDelivery logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery"
        )
    if (arguments.get("tracingConfiguration") or {}).get("enabled"):
        checks += _each("xray:GetSamplingRules xray:GetSamplingTargets xray:PutTelemetryRecords xray:PutTraceSegments")
    yield Use(arguments["roleArn"], "states.amazonaws.com", source, tuple(checks))


def _backup(call: Call) -> Iterator[Use]:
    selection = call.arguments.get("BackupSelection") or call.arguments["RestoreTestingSelection"]
    yield Use(selection["IamRoleArn"], "backup.amazonaws.com", call.arn("backup-plan:*"), ())


def _schedule(call: Call) -> Iterator[Use]:
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html"""
    target = call.arguments["Target"]
    group = call.arguments.get("GroupName", "default")
    source = call.arn(f"schedule-group/{group}")
    yield Use(target["RoleArn"], "scheduler.amazonaws.com", source, target_checks(target["Arn"]))


def _targets(call: Call) -> Iterator[Use]:
    for target in call.arguments["Targets"]:
        if role := target.get("RoleArn"):
            source = call.arn(f"rule/{call.arguments['Rule']}")
            yield Use(role, "events.amazonaws.com", source, target_checks(target["Arn"]))


# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
TARGET_ACTIONS = {"events": "events:PutEvents", "states": "states:StartExecution"}


def target_checks(arn: str) -> tuple[Check, ...]:
    """What EventBridge does on a target, as a role.

    Raises:
        NotImplementedError: that is not known.
    """
    if arn.split(":")[2] not in TARGET_ACTIONS:
        raise NotImplementedError(f"what EventBridge does on {arn} as a role is not known")
    return _each(TARGET_ACTIONS[arn.split(":")[2]], arn)


def _tasks(call: Call) -> Iterator[Use]:
    """What ECS does as the execution role before it starts a task, and that the task's own role trusts tasks.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    name = call.arguments.get("taskDefinition")
    if call.operation == "UpdateService" and not name and call.arguments.get("forceNewDeployment"):
        cluster = call.arguments.get("cluster", "default")
        (service,) = backend("ecs", call).describe_services(cluster, [call.arguments["service"]])[0] or (None,)
        name = service and service.task_definition
    if not name:
        return
    task: Any = backend("ecs", call).describe_task_definition(name)
    source = call.arn(f"service/{call.arguments.get('cluster', 'default').rpartition('/')[2]}/*")
    if own := getattr(task, "task_role_arn", None):
        yield Use(own, "ecs-tasks.amazonaws.com", source, ())
    if not (role := getattr(task, "execution_role_arn", None)):
        return
    checks: list[Check] = []
    for container in task.container_definitions:
        checks += _image(container["image"], call)
        options = (container.get("logConfiguration") or {}).get("options") or {}
        if group := options.get("awslogs-group"):
            checks += _each("logs:CreateLogStream logs:PutLogEvents", _streams(group, call))
        for secret in container.get("secrets") or []:
            checks += _secret(secret["valueFrom"], call)
    yield Use(role, "ecs-tasks.amazonaws.com", source, tuple(checks))


def _image(image: str, call: Call) -> Iterator[Check]:
    registry, _, rest = image.partition("/")
    if registry.endswith(".amazonaws.com"):
        repository = call.arn(f"repository/{rest.partition('@')[0].partition(':')[0]}", "ecr")
        yield Check("ecr:GetAuthorizationToken")
        yield from _each("ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer", repository)


def _secret(reference: str, call: Call) -> Iterator[Check]:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html"""
    if ":secretsmanager:" not in reference:
        return
    # The secret's ARN has seven parts; a key, a stage and a version may follow.
    arn = ":".join(reference.split(":")[:7])
    yield Check("secretsmanager:GetSecretValue", arn)
    secrets: Any = backend("secretsmanager", call).secrets
    if arn in secrets and secrets[arn].kms_key_id:
        via = {"kms:ViaService": f"secretsmanager.{call.region}.amazonaws.com"}
        yield Check("kms:Decrypt", key_arn(secrets[arn].kms_key_id, call), via)


USES: dict[str, Callable[[Call], Iterator[Use]]] = {
    "backup:CreateBackupSelection": _backup,
    "backup:CreateRestoreTestingSelection": _backup,
    "cloudtrail:CreateTrail": _trail,
    "ec2:CreateFlowLogs": _flow_logs,
    "ecs:CreateService": _tasks,
    "ecs:UpdateService": _tasks,
    "events:PutTargets": _targets,
    "lambda:CreateFunction": _function,
    "rds:CreateDBInstance": _monitoring,
    "scheduler:CreateSchedule": _schedule,
    "states:CreateStateMachine": _state_machine,
    "states:UpdateStateMachine": _state_machine,
}
