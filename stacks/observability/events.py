"""Events that no metric covers: failed deployments, stopped tasks, AWS Health, expiring certificates."""

from stacks.parts.events import Event
from stacks.service.stack import ServiceStack


def platform_events(service: ServiceStack) -> list[Event]:
    """Events of the service, its certificate, and AWS Health."""
    return [
        Event(
            name="deployment-failed",
            source="aws.ecs",
            detail_types=["ECS Deployment State Change"],
            resources=[service.service.id],
            detail={"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
            message="a deployment failed and is rolled back.",
            input_paths={"reason": "$.detail.reason"},
        ),
        Event(
            name="tasks-not-placed",
            source="aws.ecs",
            detail_types=["ECS Service Action"],
            resources=[service.service.id],
            detail={"eventType": ["WARN", "ERROR"]},
            message="ECS reports a problem with the service: <what>.",
            input_paths={"what": "$.detail.eventName"},
        ),
        Event(
            name="task-stopped",
            source="aws.ecs",
            detail_types=["ECS Task State Change"],
            detail={
                "clusterArn": [service.cluster.arn],
                "lastStatus": ["STOPPED"],
                # Tasks stopped by ECS or a person have other stop codes, except those that fail health checks.
                "$or": [
                    {"stopCode": ["TaskFailedToStart", "EssentialContainerExited"]},
                    {"stoppedReason": [{"prefix": "Task failed"}]},
                ],
            },
            message="a task stopped unexpectedly: <task>.",
            input_paths={"reason": "$.detail.stoppedReason", "task": "$.detail.taskArn"},
        ),
        Event(
            name="aws-health",
            source="aws.health",
            detail_types=["AWS Health Event"],
            detail={"eventTypeCategory": ["issue", "investigation", "scheduledChange"]},
            message="AWS Health reports <code> for <service>.",
            input_paths={"code": "$.detail.eventTypeCode", "service": "$.detail.service"},
        ),
        Event(
            name="certificate-expiry",
            source="aws.acm",
            detail_types=[
                "ACM Certificate Approaching Expiration",
                "ACM Certificate Expired",
                "ACM Certificate Renewal Action Required",
            ],
            resources=[service.load_balancer.certificate.arn],
            message="<what>.",
            input_paths={"what": "$.detail-type"},
        ),
    ]
