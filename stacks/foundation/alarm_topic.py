"""The SNS topic for all alarms and events: encrypted, with subscriptions from the settings."""

from hashlib import sha256

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription

from stacks.parts.policy_documents import policy_document
from stacks.statements import allow, arn_like, deny_other_accounts, deny_plaintext, service_principal, string_equals
from stacks.tier import TierStack


def alarm_topic(tier: TierStack, key: KmsKey) -> SnsTopic:
    """PCI DSS 12.10.1: notify the people responsible for the environment."""
    topic = SnsTopic(tier, "alarms", name=tier.names.resource_name("alarms"), kms_master_key_id=key.arn)
    SnsTopicPolicy(tier, "alarms-policy", arn=topic.arn, policy=_access_policy(tier, topic))
    for subscription in tier.settings.foundation.alarm_subscriptions:
        SnsTopicSubscription(
            tier,
            # A hash instead of a position, so that a new entry in the list replaces no other subscription.
            f"alarms-to-{sha256(f'{subscription.protocol} {subscription.endpoint}'.encode()).hexdigest()[:8]}",
            topic_arn=topic.arn,
            protocol=subscription.protocol,
            endpoint=subscription.endpoint,
        )
    tier.publish("alarm_topic_arn", topic, "arn", "Topic that every alarm and event goes to")
    tier.export(topic, "name")
    return topic


def _access_policy(tier: TierStack, topic: SnsTopic) -> str:
    own_account = string_equals("aws:SourceAccount", tier.settings.account)
    our_alarms = tier.names.arn("cloudwatch", f"alarm:{tier.names.alarm_name('*')}")
    our_databases = tier.names.arn("rds", "*")  # the cluster or instance of the event
    return policy_document(
        tier,
        "alarms-access",
        allow(
            "PublishAlarms",
            ["sns:Publish"],
            [topic.arn],
            to=service_principal("cloudwatch.amazonaws.com"),
            when=[own_account, arn_like("aws:SourceArn", our_alarms)],
        ),
        # EventBridge cannot publish to a topic whose policy has conditions.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        allow("PublishEvents", ["sns:Publish"], [topic.arn], to=service_principal("events.amazonaws.com")),
        allow(
            "PublishDatabaseEvents",
            ["sns:Publish"],
            [topic.arn],
            to=service_principal("events.rds.amazonaws.com"),
            when=[own_account, arn_like("aws:SourceArn", our_databases)],
        ),
        deny_plaintext(["sns:Publish"], [topic.arn]),
        deny_other_accounts(tier.settings.account, ["sns:Publish", "sns:Subscribe"], [topic.arn]),
    )
