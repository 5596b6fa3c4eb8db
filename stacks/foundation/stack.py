"""Resources that all other tiers use: KMS keys, log buckets, alarm topic, image repository.

There is one key per purpose. Logs cannot be deleted before their retention ends, and pushed images cannot be changed.
"""

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from constructs import Construct

from stacks.foundation import deliveries
from stacks.foundation.alarm_topic import alarm_topic
from stacks.foundation.buckets import LogBucket
from stacks.foundation.images import image_repository
from stacks.foundation.keys import KEYS, SECOND_REGION_KEYS, customer_key
from stacks.settings import Environment
from stacks.statements import allow, service_principal
from stacks.tier import TierStack


@dataclass(frozen=True, kw_only=True)
class Keys:
    """One customer managed key per purpose (PCI DSS 3.6.1), so that a compromise of one does not affect the others."""

    database: KmsKey
    files: KmsKey
    secrets: KmsKey
    logs: KmsKey
    alarms: KmsKey
    images: KmsKey
    backup: KmsKey


@dataclass(frozen=True, kw_only=True)
class SecondRegionKeys:
    """Keys in the second Region, for data that must be readable when the first Region is lost."""

    files_replica: KmsKey
    backup_copies: KmsKey


@dataclass(frozen=True, kw_only=True)
class LogBuckets:
    """Three buckets, because requirements differ by log source."""

    audit: S3Bucket
    delivery: S3Bucket
    config: S3Bucket


class FoundationStack(TierStack):
    """KMS keys, log buckets, alarm topic, image repository."""

    tier = "foundation"

    def __init__(self, scope: Construct, settings: Environment) -> None:
        super().__init__(scope, settings)
        self.keys = self._keys()
        self.second_region_keys = self._second_region_keys()
        self.log_buckets = self._log_buckets(self.keys.logs)
        self.alarm_topic = alarm_topic(self, self.keys.alarms)
        self.images = image_repository(self, self.keys.images)

    def _keys(self) -> Keys:
        # No condition: EventBridge sends no source to KMS, and its messages would be lost silently. The topic's policy
        # restricts who may publish. https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        alarm_publishers = allow(
            "PublishEncrypted",
            ["kms:GenerateDataKey*", "kms:Decrypt"],
            ["*"],
            to=service_principal("cloudwatch.amazonaws.com", "events.amazonaws.com", "events.rds.amazonaws.com"),
        )
        users = {"logs": deliveries.key_statements(self.names), "alarms": [alarm_publishers]}
        return Keys(
            **{
                purpose: customer_key(self, purpose, protects, *users.get(purpose, ()))
                for purpose, protects in KEYS.items()
            }
        )

    def _second_region_keys(self) -> SecondRegionKeys | None:
        if (there := self.second_region) is None:
            return None
        return SecondRegionKeys(
            **{
                purpose.replace("-", "_"): customer_key(self, purpose, protects, provider=there)
                for purpose, protects in SECOND_REGION_KEYS.items()
            }
        )

    def _log_buckets(self, key: KmsKey) -> LogBuckets:
        delivery = LogBucket(
            self,
            "delivery",
            delivery_statements=deliveries.access_log_statements(
                self.names, "delivery", of_buckets=["audit", "config"]
            ),
            key=None,
            object_lock=False,
            access_log=None,  # logging its own access would log each delivery in turn, endlessly
        )
        audit = LogBucket(
            self,
            "audit",
            delivery_statements=deliveries.trail_statements(self.names, "audit"),
            key=key,
            object_lock=True,
            access_log=delivery,
        )
        config = LogBucket(
            self,
            "config",
            delivery_statements=deliveries.config_statements(self.names, "config"),
            key=key,
            object_lock=False,
            access_log=delivery,
        )
        buckets = LogBuckets(audit=audit.bucket, delivery=delivery.bucket, config=config.bucket)
        self.publish("audit_bucket", buckets.audit, "id", "Archive of the audit trail, locked against deletion")
        self.publish("delivery_bucket", buckets.delivery, "id", "Access logs of the load balancer and of the buckets")
        self.publish("config_bucket", buckets.config, "id", "Configuration history by AWS Config")
        for bucket in (buckets.audit, buckets.delivery, buckets.config):
            self.export(bucket, "arn")
        return buckets
