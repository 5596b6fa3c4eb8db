"""Changes of what the local AWS adds to AWS Config."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change


def _recorder(**changed: Any) -> Change:
    """Put the recorder as it is, but for what is changed."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        config = aws.client("config")
        (known,) = config.describe_configuration_recorders(ConfigurationRecorderNames=[state["name"]])[
            "ConfigurationRecorders"
        ]
        kept = {name: known[name] for name in ("name", "roleARN", "recordingGroup", "recordingMode")}
        config.put_configuration_recorder(ConfigurationRecorder=kept | changed)

    return change


def _another_role(aws: LocalAws, state: dict[str, Any]) -> None:
    role = aws.client("iam").create_role(RoleName="another", AssumeRolePolicyDocument="{}")["Role"]
    _recorder(roleARN=role["Arn"])(aws, state)


def _channel(**changed: Any) -> Change:
    """Put the channel as it is, but for what is changed."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        config = aws.client("config")
        (known,) = config.describe_delivery_channels(DeliveryChannelNames=[state["name"]])["DeliveryChannels"]
        config.put_delivery_channel(DeliveryChannel=known | changed)

    return change


def _another_bucket(aws: LocalAws, state: dict[str, Any]) -> None:
    place = {"LocationConstraint": aws.region}
    aws.client("s3").create_bucket(Bucket="another-bucket", CreateBucketConfiguration=place)
    _channel(s3BucketName="another-bucket")(aws, state)


def _stops(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("config").stop_configuration_recorder(ConfigurationRecorderName=state["name"])


def _rule(**values: Any) -> Change:
    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        vars(aws.backend("config").config_rules[state["name"]]).update(values)

    return change


def _asks_for_something_else(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.backend("config").config_rules[state["name"]].source.source_identifier = "INCOMING_SSH_DISABLED"


def _is_tagged(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("config").tag_resource(ResourceArn=state["arn"], Tags=[{"Key": "Changed", "Value": "yes"}])


_LESS = {"allSupported": True, "includeGlobalResourceTypes": False}

CHANGES: dict[tuple[str, str], Change] = {
    ("aws_config_config_rule", "description"): _rule(description="changed"),
    ("aws_config_config_rule", "input_parameters"): _rule(input_parameters='{"maxAccessKeyAge": "365"}'),
    ("aws_config_config_rule", "source"): _asks_for_something_else,
    ("aws_config_config_rule", "tags"): _is_tagged,
    ("aws_config_configuration_recorder", "recording_group"): _recorder(recordingGroup=_LESS),
    ("aws_config_configuration_recorder", "recording_mode"): _recorder(recordingMode={"recordingFrequency": "DAILY"}),
    ("aws_config_configuration_recorder", "role_arn"): _another_role,
    ("aws_config_configuration_recorder_status", "is_enabled"): _stops,
    ("aws_config_delivery_channel", "s3_bucket_name"): _another_bucket,
    ("aws_config_delivery_channel", "s3_kms_key_arn"): _channel(s3KmsKeyArn="arn:aws:kms:::key/other"),
    ("aws_config_delivery_channel", "snapshot_delivery_properties"): _channel(
        configSnapshotDeliveryProperties={"deliveryFrequency": "One_Hour"}
    ),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_config_config_rule", "name"): "identity: a rule of another name is another rule",
    ("aws_config_configuration_recorder", "name"): "identity: a recorder of another name is another recorder",
    ("aws_config_configuration_recorder_status", "name"): "identity: it is the status of the recorder of that name",
    ("aws_config_delivery_channel", "name"): "identity: a channel of another name is another channel",
}
