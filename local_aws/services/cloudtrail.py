"""CloudTrail: trails are validated, keep only their latest selectors, and are deleted with their tags."""

import json
from copy import copy
from typing import Any, cast

from moto.cloudtrail.models import CloudTrailBackend, Trail, cloudtrail_backends
from moto.cloudtrail.responses import CloudTrailResponse
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from local_aws.extension import ApiError, Extension
from local_aws.policy_parsing import as_list, service_principals, statements

Selectors = list[dict[str, Any]]

# Event selectors of a new trail.
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html
DEFAULT_SELECTORS: Selectors = [
    {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [],
        "ExcludeManagementEventSources": [],
    }
]
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
OPERATORS = {"Equals", "StartsWith", "EndsWith", "NotEquals", "NotStartsWith", "NotEndsWith"}
EQUALS_ONLY_FIELDS = {"eventCategory", "readOnly", "resources.type"}
"""Fields that support only Equals."""


class Backend(CloudTrailBackend):
    """Adds validation when trails are created and updated."""

    def create_trail(self, name: str, *args: Any, **settings: Any) -> Trail:
        if name in self.trails:
            raise ApiError("TrailAlreadyExistsException", f"Trail {name} already exists for {self.account_id}")
        trail = super().create_trail(name, *args, **settings)
        try:
            self.validate(trail)
        except ApiError:
            del self.trails[name]
            raise
        trail.event_selectors = list(DEFAULT_SELECTORS)
        return trail

    def update_trail(self, name: str, *args: Any, **settings: Any) -> Trail:
        before = copy(self.get_trail(name))
        trail = super().update_trail(name, *args, **settings)
        try:
            self.validate(trail)
        except ApiError:
            self.trails[before.trail_name] = before
            raise
        return trail

    def validate(self, trail: Trail) -> None:
        """Refuse a trail whose bucket, bucket policy, key, log group or role does not allow delivery."""
        buckets = s3_backends[self.account_id][self.partition].buckets
        if trail.bucket_name not in buckets:
            raise ApiError("S3BucketDoesNotExistException", f"S3 bucket {trail.bucket_name} does not exist!")
        if not _allows_delivery(json.loads(buckets[trail.bucket_name].policy or "{}"), trail.arn):
            raise ApiError("InsufficientS3BucketPolicyException", f"Incorrect S3 bucket policy: {trail.bucket_name}")
        if (
            trail.kms_key_id
            and trail.kms_key_id.rpartition("/")[2] not in kms_backends[self.account_id][self.region_name].keys
        ):
            raise ApiError("KmsKeyNotFoundException", f"The key {trail.kms_key_id} does not exist.")
        if bool(trail.cw_log_group_arn) != bool(trail.cw_role_arn):
            raise ApiError(
                "InvalidCloudWatchLogsRoleArnException", "A log group requires a role, and a role requires a log group."
            )
        if trail.cw_log_group_arn:
            group = trail.cw_log_group_arn.split(":", 6)[6].removesuffix(":*")
            if group not in logs_backends[self.account_id][self.region_name].groups:
                raise ApiError("InvalidCloudWatchLogsLogGroupArnException", f"The log group {group} does not exist.")
            roles = iam_backends[self.account_id][self.partition].roles.values()
            if trail.cw_role_arn not in {role.arn for role in roles}:
                raise ApiError("InvalidCloudWatchLogsRoleArnException", f"Access denied: {trail.cw_role_arn}")

    def put_event_selectors(
        self, trail_name: str, event_selectors: Selectors, advanced_event_selectors: Selectors
    ) -> tuple[str, Selectors, Selectors]:
        for selector in advanced_event_selectors or []:
            for field in selector["FieldSelectors"]:
                used = OPERATORS & field.keys()
                if not used or (field["Field"] in EQUALS_ONLY_FIELDS and used != {"Equals"}):
                    raise ApiError(
                        "InvalidEventSelectorsException", f"The field {field['Field']} does not support this operator."
                    )
        trail = self.get_trail(trail_name)
        # Each kind of selector replaces the other.
        trail.event_selectors = event_selectors or []
        trail.advanced_event_selectors = advanced_event_selectors or []
        return trail.arn, trail.event_selectors, trail.advanced_event_selectors

    def put_insight_selectors(
        self, trail_name: str, insight_selectors: list[dict[str, str]]
    ) -> tuple[str, list[dict[str, str]]]:
        trail = self.get_trail(trail_name)
        trail.insight_selectors = list(insight_selectors)
        return trail.arn, trail.insight_selectors

    def delete_trail(self, name: str) -> None:
        trail = self.get_trail(name)
        self.tagging_service.delete_all_tags_for_resource(trail.arn)
        del self.trails[trail.trail_name]


class Responses(CloudTrailResponse):
    """Adds the flags HasCustomEventSelectors and HasInsightSelectors."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, cloudtrail_backends[self.current_account][self.region])

    def get_trail(self) -> str:
        trail = self.backend.get_trail(self._get_param("Name"))
        return json.dumps({"Trail": trail.description(include_region=True) | _selector_flags(trail)})

    def describe_trails(self) -> str:
        names = self._get_param("trailNameList") or []
        trails = self.backend.describe_trails(self._get_bool_param("includeShadowTrails", True))
        selected = [trail for trail in trails if not names or {trail.trail_name, trail.arn} & set(names)]
        return json.dumps(
            {"trailList": [trail.description(include_region=True) | _selector_flags(trail) for trail in selected]}
        )


def _selector_flags(trail: Trail) -> dict[str, bool]:
    has_custom = trail.advanced_event_selectors or trail.event_selectors != DEFAULT_SELECTORS
    return {"HasCustomEventSelectors": bool(has_custom), "HasInsightSelectors": bool(trail.insight_selectors)}


def _allows_delivery(policy: dict[str, Any], trail: str) -> bool:
    """Whether a bucket policy allows CloudTrail to read the bucket's ACL and to write, for this trail."""
    allowed = set[str]()
    for statement in statements(policy):
        services = service_principals(statement)
        sources = statement.get("Condition", {}).get("StringEquals", {}).get("aws:SourceArn", trail)
        if statement["Effect"] == "Allow" and "cloudtrail.amazonaws.com" in services and trail in as_list(sources):
            allowed |= set(as_list(statement["Action"]))
    return allowed >= {"s3:GetBucketAcl", "s3:PutObject"}


EXTENSION = Extension(
    "cloudtrail",
    Responses,
    Backend,
    gaps={"aws_cloudtrail": "was not validated; kept replaced selectors"},
)
