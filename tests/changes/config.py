"""Out-of-band changes to AWS Config resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _put_recorder(**changed: Any) -> Change:
    """Put the configuration recorder with changed parameters."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        config = aws.client("config")
        (current,) = config.describe_configuration_recorders(ConfigurationRecorderNames=[state["name"]])[
            "ConfigurationRecorders"
        ]
        kept = {name: current[name] for name in ("name", "roleARN", "recordingGroup", "recordingMode")}
        config.put_configuration_recorder(ConfigurationRecorder=kept | changed)

    return change


def _another_role(aws: LocalAws, state: dict[str, Any]) -> None:
    role = aws.client("iam").create_role(RoleName="another", AssumeRolePolicyDocument="{}")["Role"]
    _put_recorder(roleARN=role["Arn"])(aws, state)


def _put_channel(**changed: Any) -> Change:
    """Put the delivery channel with changed parameters."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        config = aws.client("config")
        (current,) = config.describe_delivery_channels(DeliveryChannelNames=[state["name"]])["DeliveryChannels"]
        config.put_delivery_channel(DeliveryChannel=current | changed)

    return change


def _another_bucket(aws: LocalAws, state: dict[str, Any]) -> None:
    place = {"LocationConstraint": aws.region}
    aws.client("s3").create_bucket(Bucket="another-bucket", CreateBucketConfiguration=place)
    _put_channel(s3BucketName="another-bucket")(aws, state)


def _stop_recorder(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("config").stop_configuration_recorder(ConfigurationRecorderName=state["name"])


def _rule(**values: Any) -> Change:
    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        vars(aws.backend("config").config_rules[state["name"]]).update(values)

    return change


def _change_source(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.backend("config").config_rules[state["name"]].source.source_identifier = "INCOMING_SSH_DISABLED"


def _add_tag(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("config").tag_resource(ResourceArn=state["arn"], Tags=[{"Key": "Changed", "Value": "yes"}])


_WITHOUT_GLOBAL = {"allSupported": True, "includeGlobalResourceTypes": False}

CHANGES: dict[tuple[str, str], Change] = {
    ("aws_config_config_rule", "description"): _rule(description="changed"),
    ("aws_config_config_rule", "input_parameters"): _rule(input_parameters='{"maxAccessKeyAge": "365"}'),
    ("aws_config_config_rule", "source"): _change_source,
    ("aws_config_config_rule", "tags"): _add_tag,
    ("aws_config_configuration_recorder", "recording_group"): _put_recorder(recordingGroup=_WITHOUT_GLOBAL),
    ("aws_config_configuration_recorder", "recording_mode"): _put_recorder(
        recordingMode={"recordingFrequency": "DAILY"}
    ),
    ("aws_config_configuration_recorder", "role_arn"): _another_role,
    ("aws_config_configuration_recorder_status", "is_enabled"): _stop_recorder,
    ("aws_config_delivery_channel", "s3_bucket_name"): _another_bucket,
    ("aws_config_delivery_channel", "s3_kms_key_arn"): _put_channel(s3KmsKeyArn="arn:aws:kms:::key/other"),
    ("aws_config_delivery_channel", "snapshot_delivery_properties"): _put_channel(
        configSnapshotDeliveryProperties={"deliveryFrequency": "One_Hour"}
    ),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_config_config_rule", "name"): IDENTIFIES,
    ("aws_config_configuration_recorder", "name"): IDENTIFIES,
    ("aws_config_configuration_recorder_status", "name"): IDENTIFIES,
    ("aws_config_delivery_channel", "name"): IDENTIFIES,
}
