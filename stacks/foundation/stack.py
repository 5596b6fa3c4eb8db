"""What every other tier stands on: keys, log buckets, the alarm topic, the image repository.

A key a purpose, each with a policy of its own; logs that nobody deletes before their age; one topic that every alarm
goes to; images that cannot change once they are pushed.
"""

from dataclasses import dataclass
from hashlib import sha256

from cdktf_cdktf_provider_aws.data_aws_ecr_lifecycle_policy_document import (
    DataAwsEcrLifecyclePolicyDocument,
    DataAwsEcrLifecyclePolicyDocumentRule,
    DataAwsEcrLifecyclePolicyDocumentRuleAction,
    DataAwsEcrLifecyclePolicyDocumentRuleSelection,
)
from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktf_cdktf_provider_aws.ecr_repository import (
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
)
from cdktf_cdktf_provider_aws.ecr_repository_policy import EcrRepositoryPolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription
from constructs import Construct

from stacks.foundation import deliveries
from stacks.foundation.buckets import LogBucket
from stacks.foundation.keys import customer_key
from stacks.parts.policy_documents import document
from stacks.settings import Environment
from stacks.statements import allow, deny_other_accounts, deny_plaintext, equals, matches_arn, service
from stacks.tier import TierStack


@dataclass(frozen=True, kw_only=True)
class Keys:
    """A customer managed key a purpose (PCI DSS 3.6.1): to lose the trust in one leaves the others standing."""

    database: KmsKey
    files: KmsKey
    secrets: KmsKey
    logs: KmsKey
    alarms: KmsKey
    images: KmsKey
    backup: KmsKey


@dataclass(frozen=True, kw_only=True)
class SecondRegionKeys:
    """The same for what is kept in the second Region, where no key of the first can be asked for once that is lost."""

    files: KmsKey
    backup: KmsKey


@dataclass(frozen=True, kw_only=True)
class LogBuckets:
    """Three, because AWS's rules differ by who delivers."""

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
        self.alarm_topic = self._alarm_topic(self.keys.alarms)
        self.images = self._image_repository(self.keys.images)
        self._forget_interrupted_pushes(self.images)

    def _keys(self) -> Keys:
        # No condition: EventBridge sends no source to KMS, and its messages would be lost without a sign. The topic's
        # own policy says who may publish. https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        alarm_publishers = allow(
            "PublishEncrypted",
            ["kms:GenerateDataKey*", "kms:Decrypt"],
            ["*"],
            to=service("cloudwatch.amazonaws.com", "events.amazonaws.com", "events.rds.amazonaws.com"),
        )
        return Keys(
            database=customer_key(self, "database", "Aurora's storage, snapshots and Performance Insights"),
            files=customer_key(self, "files", "EFS file systems and the cache"),
            secrets=customer_key(self, "secrets", "secrets in Secrets Manager"),
            logs=customer_key(
                self, "logs", "log groups, the audit archive and Config's records", *deliveries.key_use(self.names)
            ),
            alarms=customer_key(self, "alarms", "messages of the alarm topic", alarm_publishers),
            images=customer_key(self, "images", "container images"),
            backup=customer_key(self, "backup", "recovery points in the backup vault"),
        )

    def _second_region_keys(self) -> SecondRegionKeys | None:
        if (there := self.second_region) is None:
            return None
        return SecondRegionKeys(
            files=customer_key(self, "files-replica", "the file system's replica in the second Region", provider=there),
            backup=customer_key(self, "backup-copies", "copies of backups in the second Region", provider=there),
        )

    def _log_buckets(self, key: KmsKey) -> LogBuckets:
        delivery = LogBucket(
            self,
            "delivery",
            deliverers=deliveries.access_logs(self.names, "delivery", of_buckets=["audit", "config"]),
            key=None,
            locked=False,
            access_log=None,  # its own access logs would log their own delivery, for ever
        )
        audit = LogBucket(
            self,
            "audit",
            deliverers=deliveries.trail_logs(self.names, "audit"),
            key=key,
            locked=True,
            access_log=delivery,
        )
        config = LogBucket(
            self,
            "config",
            deliverers=deliveries.config_records(self.names, "config"),
            key=key,
            locked=False,
            access_log=delivery,
        )
        buckets = LogBuckets(audit=audit.bucket, delivery=delivery.bucket, config=config.bucket)
        self.publish("audit_bucket", buckets.audit, "id", "Archive of the audit trail, locked against deletion")
        self.publish("delivery_bucket", buckets.delivery, "id", "Access logs of the load balancer and of the buckets")
        self.publish("config_bucket", buckets.config, "id", "Configuration history by AWS Config")
        for bucket in (buckets.audit, buckets.delivery, buckets.config):
            self.offer(bucket, "arn")
        return buckets

    def _alarm_topic(self, key: KmsKey) -> SnsTopic:
        """PCI DSS 12.10.1: whoever answers for the environment is told."""
        topic = SnsTopic(self, "alarms", name=self.names.of_resource("alarms"), kms_master_key_id=key.arn)
        SnsTopicPolicy(self, "alarms-policy", arn=topic.arn, policy=self._who_may_publish(topic))
        for subscription in self.settings.foundation.alarm_subscriptions:
            SnsTopicSubscription(
                self,
                # Named by what it is, so that a new entry in the list moves no other.
                f"alarms-to-{sha256(f'{subscription.protocol} {subscription.endpoint}'.encode()).hexdigest()[:8]}",
                topic_arn=topic.arn,
                protocol=subscription.protocol,
                endpoint=subscription.endpoint,
            )
        self.publish("alarm_topic_arn", topic, "arn", "Topic that every alarm and event goes to")
        self.offer(topic, "name")
        return topic

    def _who_may_publish(self, topic: SnsTopic) -> str:
        own_account = equals("aws:SourceAccount", self.settings.account)
        our_alarms = self.names.arn("cloudwatch", f"alarm:{self.names.of_resource('*')}")
        our_databases = self.names.arn("rds", "*")  # RDS names the cluster or instance that something happened to
        return document(
            self,
            "alarms-access",
            allow(
                "PublishAlarms",
                ["sns:Publish"],
                [topic.arn],
                to=service("cloudwatch.amazonaws.com"),
                when=[own_account, matches_arn("aws:SourceArn", our_alarms)],
            ),
            # EventBridge delivers to no topic whose policy sets it a condition.
            # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
            allow("PublishEvents", ["sns:Publish"], [topic.arn], to=service("events.amazonaws.com")),
            allow(
                "PublishDatabaseEvents",
                ["sns:Publish"],
                [topic.arn],
                to=service("events.rds.amazonaws.com"),
                when=[own_account, matches_arn("aws:SourceArn", our_databases)],
            ),
            deny_plaintext(["sns:Publish"], [topic.arn]),
            deny_other_accounts(self.settings.account, ["sns:Publish", "sns:Subscribe"], [topic.arn]),
        )

    def _image_repository(self, key: KmsKey) -> EcrRepository:
        """PCI DSS 6.3.1: what was scanned is what runs, because a tag never moves to another image."""
        repository = EcrRepository(
            self,
            "images",
            name=self.names.service,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            encryption_configuration=[EcrRepositoryEncryptionConfiguration(encryption_type="KMS", kms_key=key.arn)],
            force_delete=not self.settings.deletion_protection,
            lifecycle=self.kept(),
        )
        EcrRepositoryPolicy(
            self,
            "images-policy",
            repository=repository.name,
            policy=document(self, "images-access", deny_other_accounts(self.settings.account, ["ecr:*"], [])),
        )
        self.publish("image_repository_url", repository, "repository_url", "Where the application's images are pushed")
        self.offer(repository, "arn", "name")
        return repository

    def _forget_interrupted_pushes(self, repository: EcrRepository) -> None:
        """Tagged images stay: whichever is expired by count or age may be the one that runs."""
        EcrLifecyclePolicy(
            self,
            "images-lifecycle",
            repository=repository.name,
            policy=DataAwsEcrLifecyclePolicyDocument(
                self,
                "images-retention",
                rule=[
                    DataAwsEcrLifecyclePolicyDocumentRule(
                        priority=1,
                        description="Interrupted pushes",
                        selection=[
                            DataAwsEcrLifecyclePolicyDocumentRuleSelection(
                                tag_status="untagged",
                                count_type="sinceImagePushed",
                                count_unit="days",
                                count_number=14,
                            )
                        ],
                        action=[DataAwsEcrLifecyclePolicyDocumentRuleAction(type="expire")],
                    )
                ],
            ).json,
        )
