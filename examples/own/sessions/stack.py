"""Carts of customers who have not signed in, in a DynamoDB table."""

from cdktf_cdktf_provider_aws import dynamodb_table as dynamodb
from constructs import Construct

from stacks.own_tier import Alarm, Endpoint, Grant, OwnTier, ResourceType, Tiers
from stacks.settings import Environment

CHANGES = "CreateTable DeleteTable TagResource UntagResource UpdateContinuousBackups UpdateTable UpdateTimeToLive"
READS = "DescribeContinuousBackups DescribeTable DescribeTimeToLive ListTagsOfResource"
USE = Grant("Table", "dynamodb", "DeleteItem GetItem PutItem", "table/{ours}sessions")
KEY = "server_side_encryption.kms_key_arn"
TABLE = ResourceType("aws_dynamodb_table", r"dynamodb:table/(.+)", "AWS::DynamoDB::Table", "table", key=KEY)


class SessionsStack(OwnTier):
    """The table, its key and alarm."""

    tier = "sessions"
    deployment = (Grant("Tables", "dynamodb", CHANGES, "table/{ours}*", reads=READS),)
    losses = ("dynamodb:DeleteTable",)
    tasks = (USE,)
    endpoints = (Endpoint("dynamodb", USE.iam_actions(), is_gateway=True),)
    resource_types = (TABLE,)

    def __init__(self, scope: Construct, settings: Environment, tiers: Tiers) -> None:
        super().__init__(scope, settings, tiers)
        key = self.create_key("sessions")
        table = dynamodb.DynamodbTable(
            self,
            "table",
            name=self.names.resource_name("sessions"),
            billing_mode="PAY_PER_REQUEST",
            hash_key="id",
            attribute=[dynamodb.DynamodbTableAttribute(name="id", type="S")],
            ttl=dynamodb.DynamodbTableTtl(attribute_name="expires", enabled=True),
            point_in_time_recovery=dynamodb.DynamodbTablePointInTimeRecovery(enabled=True),
            server_side_encryption=dynamodb.DynamodbTableServerSideEncryption(enabled=True, kms_key_arn=key.arn),
            deletion_protection_enabled=settings.deletion_protection,
            lifecycle=self.stateful_lifecycle(),
        )
        self.publish("table_name", table, "name", "Table of sessions")
        self.allow_tasks(key)
        self.watch(
            Alarm(
                name="throttled",
                namespace="AWS/DynamoDB",
                metric="ThrottledRequests",
                dimensions={"TableName": table.name},
                statistic="Sum",
                threshold=10,
                unit="requests",
                period=60,
                periods=3,
                treat_missing_data="notBreaching",
                reason="customers lose what is in their carts",
            )
        )
