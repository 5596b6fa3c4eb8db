"""Log groups: made before what writes to them, encrypted with our key, kept for as long as audits ask."""

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from stacks.tier import TierStack


def log_group(tier: TierStack, id: str, name: str, *, key: KmsKey) -> CloudwatchLogGroup:
    """A log group. PCI DSS 10.5.1: its retention comes from the settings; 10.3: its key is the logs' own."""
    return CloudwatchLogGroup(
        tier, id, name=name, kms_key_id=key.arn, retention_in_days=tier.settings.log_retention_days, lifecycle=tier.kept
    )
