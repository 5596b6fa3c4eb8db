"""SNS: topics and subscriptions."""

from typing import Any

import pytest

from local_aws.server import LocalAws

KEY = "arn:aws:kms:us-west-1:123456789012:key/one"


@pytest.fixture(scope="module")
def sns(aws: LocalAws) -> Any:
    return aws.client("sns")


def test_a_topic_has_a_default_policy(sns: Any) -> None:
    topic = sns.create_topic(Name="completed", Attributes={"KmsMasterKeyId": KEY})["TopicArn"]
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["KmsMasterKeyId"], attributes["DisplayName"]) == (KEY, "")
    assert '"Sid":"__default_statement_ID"' in attributes["Policy"]


def test_an_address_is_subscribed_at_once(sns: Any) -> None:
    topic = sns.create_topic(Name="subscribed")["TopicArn"]
    address = "oncall@shop.example"
    subscription = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address, ReturnSubscriptionArn=True)
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"]
    assert (attributes["TopicArn"], attributes["Protocol"], attributes["Endpoint"]) == (topic, "email", address)
    assert attributes["PendingConfirmation"] == "false"
