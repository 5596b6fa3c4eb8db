"""Application Auto Scaling: ElastiCache shards and replicas, tags of targets, policies that require a target."""

import json
from collections.abc import Iterator
from typing import Any, cast

from botocore.model import StringShape
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeApplicationAutoscalingPolicy,
    FakeScalableTarget,
    applicationautoscaling_backends,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.resource_tagging import TaggableResourcesMixin, TaggedResource
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import get_service_model
from moto.elasticache.models import elasticache_backends

from local_aws.extension import ApiError, Extension

# Service-linked role of a target whose request names no role, by service namespace.
# https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html
SERVICE_LINKED_ROLES = {"ecs": "ECSService", "elasticache": "ElastiCacheRG", "rds": "RDSCluster"}
NOTHING_SUSPENDED = dict.fromkeys(
    ["DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"], False
)
CONFIGURATION_ATTRIBUTES = {
    "StepScaling": "step_scaling_policy_configuration",
    "TargetTrackingScaling": "target_tracking_scaling_policy_configuration",
}


class Backend(ApplicationAutoscalingBackend, TaggableResourcesMixin):
    """Adds tags, by ARN of the target, and ElastiCache replication groups."""

    SERVICE_NAMESPACE = "application-autoscaling"

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.tags: dict[str, dict[str, str]] = {}

    def register_scalable_target(
        self,
        namespace: str,
        r_id: str,
        dimension: str,
        min_capacity: int | None,
        max_capacity: int | None,
        role_arn: str | None,
        suspended_state: Any,
    ) -> FakeScalableTarget:
        existing = self.targets.get(dimension, {}).get(r_id)
        if existing is None:
            suspended_state = NOTHING_SUSPENDED | (suspended_state or {})
            role_arn = role_arn or self._service_role(namespace)
        if namespace != "elasticache":
            return super().register_scalable_target(
                namespace, r_id, dimension, min_capacity, max_capacity, role_arn or "", suspended_state
            )
        self._check_replication_group(r_id)
        if existing is None:
            target: Any = FakeScalableTarget(
                self, namespace, r_id, dimension, min_capacity, max_capacity, role_arn or "", suspended_state
            )
            existing = self._add_scalable_target(target)
        existing.update(min_capacity, max_capacity, suspended_state)
        return existing

    def deregister_scalable_target(self, namespace: str, r_id: str, dimension: str) -> None:
        self.tags.pop(self._target(namespace, r_id, dimension).arn, None)
        for policy in [
            policy
            for policy in self.policies.values()
            if (policy.resource_id, policy.scalable_dimension) == (r_id, dimension)
        ]:
            self.delete_scaling_policy(policy.policy_name, namespace, r_id, dimension)
        super().deregister_scalable_target(namespace, r_id, dimension)

    def put_scaling_policy(
        self,
        policy_name: str,
        service_namespace: str,
        resource_id: str,
        scalable_dimension: str,
        policy_body: dict[str, Any],
        policy_type: str | None,
    ) -> FakeApplicationAutoscalingPolicy:
        self._target(service_namespace, resource_id, scalable_dimension)
        policy = self._policy(policy_name, service_namespace, resource_id, scalable_dimension)
        if policy is None:
            return super().put_scaling_policy(
                policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type
            )
        # Updated in place, because its alarms refer to its ARN.
        setattr(policy, CONFIGURATION_ATTRIBUTES[str(policy.policy_type)], policy_body)
        return policy

    def delete_scaling_policy(
        self, policy_name: str, service_namespace: str, resource_id: str, scalable_dimension: str
    ) -> None:
        if self._policy(policy_name, service_namespace, resource_id, scalable_dimension) is None:
            raise ApiError("ObjectNotFoundException", f"No scaling policy found: {policy_name} of {resource_id}")
        super().delete_scaling_policy(policy_name, service_namespace, resource_id, scalable_dimension)

    def tags_of(self, arn: str) -> dict[str, str]:
        if arn not in {target.arn for target in self._all_targets()}:
            raise ApiError("ResourceNotFoundException", f"No scalable target found for ARN: {arn}")
        return self.tags.setdefault(arn, {})

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        for target in self._all_targets():
            yield TaggedResource(target.arn, self.tags_of(target.arn), "application-autoscaling:scalable-target")

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        self.tags_of(arn).update(tags)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        tags = self.tags_of(arn)
        for key in tag_keys:
            tags.pop(key, None)

    def _all_targets(self) -> list[FakeScalableTarget]:
        return [target for targets in self.targets.values() for target in targets.values()]

    def _target(self, namespace: str, resource: str, dimension: str) -> FakeScalableTarget:
        target = self.targets.get(dimension, {}).get(resource)
        if target is None:
            raise ApiError(
                "ObjectNotFoundException",
                f"No scalable target registered for service namespace: {namespace}, resource ID: {resource}, "
                f"scalable dimension: {dimension}",
            )
        return target

    def _policy(
        self, name: str, namespace: str, resource: str, dimension: str
    ) -> FakeApplicationAutoscalingPolicy | None:
        key = FakeApplicationAutoscalingPolicy.formulate_key(namespace, resource, dimension, name)
        return self.policies.get(key)

    def _check_replication_group(self, resource: str) -> None:
        kind, _, name = resource.partition("/")
        groups = elasticache_backends[self.account_id][self.region_name].replication_groups
        if kind != "replication-group" or name not in groups:
            raise AWSValidationException(f"ElastiCache replication group doesn't exist: {resource}")

    def _service_role(self, namespace: str) -> str | None:
        if namespace not in SERVICE_LINKED_ROLES:
            return None
        return (
            f"arn:{self.partition}:iam::{self.account_id}:role/aws-service-role/"
            f"{namespace}.application-autoscaling.amazonaws.com/"
            f"AWSServiceRoleForApplicationAutoScaling_{SERVICE_LINKED_ROLES[namespace]}"
        )


class Responses(ApplicationAutoScalingResponse):
    """Adds the actions on tags."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, applicationautoscaling_backends[self.current_account][self.region])

    def register_scalable_target(self) -> str:
        response = super().register_scalable_target()
        if tags := self._get_param("Tags"):
            self.backend.tag_resource(json.loads(response)["ScalableTargetARN"], tags)
        return response

    def describe_scaling_policies(self) -> str:
        response = json.loads(super().describe_scaling_policies())
        resource, names = self._get_param("ResourceId"), self._get_param("PolicyNames")
        response["ScalingPolicies"] = [
            policy
            for policy in response["ScalingPolicies"]
            if resource in {None, policy["ResourceId"]} and (not names or policy["PolicyName"] in names)
        ]
        return json.dumps(response)

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult({"Tags": self.backend.tags_of(self._get_param("ResourceARN"))})

    def tag_resource(self) -> ActionResult:
        self.backend.tag_resource(self._get_param("ResourceARN"), self._get_param("Tags"))
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        self.backend.untag_resource(self._get_param("ResourceARN"), self._get_param("TagKeys"))
        return EmptyResult()

    def _validate_params(self) -> None:
        """Validate against botocore's current model; moto's lists are outdated."""
        for name in ("ServiceNamespace", "ScalableDimension"):
            shape = cast(StringShape, get_service_model("application-autoscaling").shape_for(name))
            value, allowed = self._get_param(name), shape.enum
            if value is not None and value not in allowed:
                raise AWSValidationException(
                    f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' failed to satisfy "
                    f"constraint: Member must satisfy enum value set: {allowed}"
                )


EXTENSION = Extension(
    "applicationautoscaling",
    Responses,
    Backend,
    gaps={
        "aws_appautoscaling_policy": "accepted policies without a target, and changed their ARN on update",
        "aws_appautoscaling_target": "lacked ElastiCache, tags and service-linked roles",
    },
)
