"""Events that no metric covers: failed deployments, stopped tasks, AWS Health, expiring certificates."""

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget

from stacks.names import GLOBAL_REGION
from stacks.parts.events import Event, event_pattern
from stacks.parts.service_roles import service_role
from stacks.service.stack import ServiceStack
from stacks.statements import allow
from stacks.tier import TierStack

HEALTH_EVENTS = ("AWS Health Event", "AWS Health Abuse Event")
HEALTH_CATEGORIES = ("issue", "investigation", "scheduledChange")
NO_COPY = ("false", False, {"exists": False})
"""Values of `backupEvent` in an event that is no copy. AWS sends copies of the events of all Regions to us-west-2, and
those of us-west-2 to us-east-1. The schema says true or false, its examples have a string.

https://docs.aws.amazon.com/health/latest/ug/choosing-a-region.html
https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
"""


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
            message="ECS reports a problem with the service.",
            input_paths={"what": "$.detail.eventName", "reason": "$.detail.reason"},
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
            message="a task stopped unexpectedly.",
            input_paths={"reason": "$.detail.stoppedReason", "task": "$.detail.taskArn"},
        ),
        Event(
            name="aws-health",
            source="aws.health",
            detail_types=HEALTH_EVENTS,
            detail=_health_detail(service.settings.region, "global"),
            message="AWS Health reports an event.",
            input_paths={
                "code": "$.detail.eventTypeCode",
                "service": "$.detail.service",
                "region": "$.detail.eventRegion",
            },
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
            message="the certificate expires soon, is expired, or cannot be renewed.",
            input_paths={"what": "$.detail-type", "days": "$.detail.DaysToExpiry"},
        ),
    ]


def forward_global_health_events(tier: TierStack) -> None:
    """Send health events of global services, such as an exposed access key, to the environment's own Region.

    AWS delivers them in us-east-1.
    https://docs.aws.amazon.com/health/latest/ug/choosing-a-region.html
    """
    if (there := tier.global_region) is None:
        return
    name = tier.names.resource_name("global-health")
    role, permissions = service_role(
        tier,
        "global-health",
        "events.amazonaws.com",
        [allow("Forward", ["events:PutEvents"], [tier.names.event_bus_arn])],
        source_arn=tier.names.arn_in(GLOBAL_REGION, "events", f"rule/{name}"),
        description="Forwards health events of global services",
    )
    rule = CloudwatchEventRule(
        tier,
        "event-global-health",
        provider=there,
        name=name,
        description="Health events of global services and of this account: forwards them to the environment's Region",
        event_pattern=event_pattern("aws.health", HEALTH_EVENTS, detail=_health_detail("global")),
    )
    CloudwatchEventTarget(
        tier,
        "event-global-health-to-region",
        provider=there,
        rule=rule.name,
        target_id="own-region",
        arn=tier.names.event_bus_arn,
        role_arn=role.arn,
        depends_on=[permissions],
    )


def _health_detail(*regions: str) -> dict[str, object]:
    """Pattern of health events: all of the account, and public ones of these Regions (`global`: of global services)."""
    return {
        "eventTypeCategory": list(HEALTH_CATEGORIES),
        "backupEvent": list(NO_COPY),
        "$or": [{"eventRegion": list(regions)}, {"eventScopeCode": ["ACCOUNT_SPECIFIC"]}],
    }
