"""AWS Config: recording modes, and validation of configuration recorders and delivery channels."""

from typing import Any

from moto.config.models import ConfigBackend
from moto.config.responses import ConfigResponse
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

from local_aws.extension import ApiError, Extension

DEFAULT_RECORDING_MODE = {"recordingFrequency": "CONTINUOUS"}


class Backend(ConfigBackend):
    """Adds recording modes, by name of the configuration recorder."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.recording_modes: dict[str, dict[str, Any]] = {}

    def put_configuration_recorder(self, config_recorder: dict[str, Any]) -> None:
        role, mode = config_recorder.get("roleARN"), config_recorder.get("recordingMode", DEFAULT_RECORDING_MODE)
        if role not in {known.arn for known in iam_backends[self.account_id][self.partition].roles.values()}:
            raise ApiError("InvalidRoleException", f"The role ARN '{role}' is invalid.")
        super().put_configuration_recorder(config_recorder)
        self.recording_modes[config_recorder["name"]] = mode

    def describe_configuration_recorders(self, recorder_names: list[str] | None) -> list[dict[str, Any]]:
        recorders = super().describe_configuration_recorders(recorder_names)
        return [{**recorder, "recordingMode": self.recording_modes[recorder["name"]]} for recorder in recorders]

    def put_delivery_channel(self, delivery_channel: dict[str, Any]) -> None:
        name = delivery_channel.get("s3BucketName", "")
        bucket = s3_backends[self.account_id][self.partition].buckets.get(name)
        if bucket is None:
            raise ApiError("NoSuchBucketException", f"Cannot find a S3 bucket with name: {name}")
        if bucket.default_lock_mode:
            raise ApiError("InsufficientDeliveryPolicyException", f"Bucket {name} has an Object Lock default retention")
        super().put_delivery_channel(delivery_channel)

    def put_config_rule(self, config_rule: dict[str, Any], tags: list[dict[str, str]] | None = None) -> str:
        if not self.recorders:
            raise ApiError("NoAvailableConfigurationRecorderException", "Configuration recorder is not available")
        existing = self.config_rules.get(config_rule.get("ConfigRuleName", ""))
        existing_tags = dict(existing.tags) if existing else {}
        arn = super().put_config_rule(config_rule, tags)
        if existing:
            existing.tags = existing_tags  # AWS applies tags to new rules only
        return arn


EXTENSION = Extension(
    "config",
    ConfigResponse,
    Backend,
    gaps={
        "aws_config_config_rule": "required no recorder, and lost its tags on update",
        "aws_config_configuration_recorder": "ignored the recording mode, and accepted any role",
        "aws_config_configuration_recorder_status": "accepted any role",
        "aws_config_delivery_channel": "accepted any bucket",
    },
)
