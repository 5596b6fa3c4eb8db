"""GuardDuty: one detector with all features, which keep their settings until they are updated; and tags."""

import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote

from moto.guardduty.models import Detector, GuardDutyBackend
from moto.guardduty.responses import GuardDutyResponse

from local_aws.extension import ApiError, Extension

Features = list[dict[str, Any]]

# Features of a new detector: all enabled except runtime monitoring.
# https://docs.aws.amazon.com/guardduty/latest/APIReference/API_CreateDetector.html
ENABLED_FEATURES = (
    *("CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS", "S3_DATA_EVENTS", "EKS_AUDIT_LOGS", "EBS_MALWARE_PROTECTION"),
    *("RDS_LOGIN_EVENTS", "LAMBDA_NETWORK_LOGS"),
)
DISABLED_FEATURES = ("EKS_RUNTIME_MONITORING", "RUNTIME_MONITORING")
AGENT_MANAGEMENT = {
    "EKS_RUNTIME_MONITORING": ("EKS_ADDON_MANAGEMENT",),
    "RUNTIME_MONITORING": ("EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT"),
}
"""Additional configuration that GetDetector returns by feature, even while the feature is disabled.
https://github.com/go-to-k/cdk-real-drift/pull/1493"""
CONFIGURABLE = {*ENABLED_FEATURES, *DISABLED_FEATURES} - {"CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS"}
DATA_SOURCES = {
    "CLOUD_TRAIL": ("cloudTrail",),
    "DNS_LOGS": ("dnsLogs",),
    "FLOW_LOGS": ("flowLogs",),
    "S3_DATA_EVENTS": ("s3Logs",),
    "EKS_AUDIT_LOGS": ("kubernetes", "auditLogs"),
    "EBS_MALWARE_PROTECTION": ("malwareProtection", "scanEc2InstanceWithFindings", "ebsVolumes"),
}
"""Path of the data source that GetDetector also returns for a feature.
https://docs.aws.amazon.com/guardduty/latest/ug/guardduty-feature-object-api-changes-march2023.html"""
ADDITIONAL = "additionalConfiguration"


class Backend(GuardDutyBackend):
    """Limits the account to one detector, and keeps the settings of features that a request does not name."""

    def create_detector(
        self,
        enable: bool,
        finding_publishing_frequency: str,
        data_sources: dict[str, Any],
        tags: dict[str, str],
        features: Features,
    ) -> str:
        if self.detectors:
            raise ApiError(
                "BadRequestException",
                "The request is rejected because a detector already exists for the current account.",
            )
        defaults = [
            _new_feature(name, status)
            for status, names in (("ENABLED", ENABLED_FEATURES), ("DISABLED", DISABLED_FEATURES))
            for name in names
        ]
        created = super().create_detector(enable, finding_publishing_frequency, data_sources, tags, defaults)
        self.update_features(self.detectors[created], features)
        return created

    def update_detector(
        self,
        detector_id: str,
        enable: bool,
        finding_publishing_frequency: str,
        data_sources: dict[str, Any],
        features: Features,
    ) -> None:
        detector = self.get_detector(detector_id)
        self.update_features(detector, features)
        super().update_detector(detector_id, enable, finding_publishing_frequency, data_sources, cast(Any, None))

    def update_features(self, detector: Detector, features: Features | None) -> None:
        """Set features and their additional configurations. Others keep their status."""
        existing = {feature["name"]: feature for feature in detector.features if feature["name"] in CONFIGURABLE}
        for feature in features or []:
            _refuse_invalid(feature, existing)
        for feature in features or []:
            known = existing[feature["name"]]
            known["status"] = feature["status"]
            agents = {agent["name"]: agent for agent in known.get(ADDITIONAL, [])}
            for agent in feature.get(ADDITIONAL, []):
                agents[agent["name"]]["status"] = agent["status"]

    def delete_detector(self, detector_id: str) -> None:
        self.get_detector(detector_id)
        super().delete_detector(detector_id)

    def arn(self, detector: Detector) -> str:
        return f"arn:{self.partition}:guardduty:{self.region_name}:{self.account_id}:detector/{detector.id}"

    def detector_by_arn(self, arn: str) -> Detector:
        return self.get_detector(arn.rpartition("/")[2])


def _new_feature(name: str, status: str) -> dict[str, Any]:
    agents = [{"name": agent, "status": "DISABLED"} for agent in AGENT_MANAGEMENT.get(name, ())]
    return {"name": name, "status": status, **({ADDITIONAL: agents} if agents else {})}


def _refuse_invalid(feature: dict[str, Any], existing: Mapping[str, dict[str, Any]]) -> None:
    agents = {agent["name"] for agent in existing.get(feature["name"], {}).get(ADDITIONAL, [])}
    for part, names in ((feature, existing.keys()), *((agent, agents) for agent in feature.get(ADDITIONAL, []))):
        if part["name"] not in names:
            raise ApiError("BadRequestException", f"Feature {part['name']} cannot be set to {part['status']}")


class Responses(GuardDutyResponse):
    """Adds the data sources of features, and the actions on tags."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.guardduty_backend)

    def get_detector(self) -> str:
        detector = json.loads(super().get_detector())
        detector["dataSources"] = {}
        for feature in detector["features"]:
            if feature["name"] in DATA_SOURCES:
                first, *rest = DATA_SOURCES[feature["name"]]
                source: dict[str, Any] = {"status": feature["status"]}
                for name in reversed(rest):
                    source = {name: source}
                detector["dataSources"][first] = source
        return json.dumps(detector)

    @property
    def _tagged(self) -> Detector:
        return self.backend.detector_by_arn(unquote(self.path.partition("/tags/")[2]))

    def list_tags_for_resource(self) -> str:
        return json.dumps({"tags": self._tagged.tags})

    def tag_resource(self) -> str:
        self._tagged.tags.update(self._get_param("tags"))
        return "{}"

    def untag_resource(self) -> str:
        for key in self.querystring.get("tagKeys", []):
            self._tagged.tags.pop(key, None)
        return "{}"


EXTENSION = Extension(
    "guardduty",
    Responses,
    Backend,
    routes=("{0}/tags/(?P<resource_arn>.+)$",),
    gaps={
        "aws_guardduty_detector": "lacked tagging after creation, and allowed several per account",
        "aws_guardduty_detector_feature": "removed all other features on update; no additional configuration",
    },
)
