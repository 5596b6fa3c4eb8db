"""Rotation of the application's database credential: secret, function, schedule, daily check of the credential's age.

Terraform creates the secret without a version. The first rotation creates the version and the database roles, so no
credential is ever in a plan or a state. Two logins alternate, so the credential of running tasks stays valid until they
are replaced (docs/rotation.md).
"""

from functools import partial

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.lambda_function import LambdaFunction
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret
from cdktf_cdktf_provider_aws.secretsmanager_secret_policy import SecretsmanagerSecretPolicy
from cdktf_cdktf_provider_aws.secretsmanager_secret_rotation import (
    SecretsmanagerSecretRotation,
    SecretsmanagerSecretRotationRotationRules,
)
from constructs import Construct

from stacks.database.stack import DatabaseStack
from stacks.foundation.stack import FoundationStack
from stacks.network.stack import NetworkStack
from stacks.parts.alarms import Alarm, create_alarms
from stacks.parts.policy_documents import policy_document
from stacks.rotation.credential_age import check_age_daily
from stacks.rotation.function import TIMEOUT, rotation_function
from stacks.settings import Environment
from stacks.statements import deny_other_accounts, deny_plaintext
from stacks.tier import TierStack


class RotationStack(TierStack):
    """The application's secret, the rotation function and its schedule, the daily check."""

    tier = "rotation"

    def __init__(
        self,
        scope: Construct,
        settings: Environment,
        *,
        foundation: FoundationStack,
        network: NetworkStack,
        database: DatabaseStack,
    ) -> None:
        super().__init__(scope, settings)
        self.secret = self._secret(foundation.keys.secrets)
        function = rotation_function(
            self, self.secret, foundation=foundation, network=network, cluster=database.cluster
        )
        self._rotate(function)
        check_age_daily(self, foundation, self.secret)
        self._watch(foundation)
        self._publish_names(function)

    def _secret(self, key: KmsKey) -> SecretsmanagerSecret:
        secret = SecretsmanagerSecret(
            self,
            "credential",
            name=self.names.resource_name("database-credential"),
            description="The application's login to the database: two take turns. Written by the rotation alone",
            kms_key_id=key.arn,
            recovery_window_in_days=30 if self.settings.deletion_protection else 0,
            lifecycle=self.stateful_lifecycle(),
        )
        SecretsmanagerSecretPolicy(
            self,
            "credential-policy",
            secret_arn=secret.arn,
            block_public_policy=True,
            policy=policy_document(
                self,
                "credential-access",
                deny_other_accounts(self.settings.account, ["secretsmanager:*"], ["*"]),
                deny_plaintext(["secretsmanager:*"], ["*"]),
            ),
        )
        return secret

    def _rotate(self, function: LambdaFunction) -> None:
        """PCI DSS 8.3.9, 8.6.3: rotate immediately, then on the schedule of the settings."""
        settings = self.settings.rotation
        permission = LambdaPermission(
            self,
            "permission",
            statement_id="SecretsManager",
            action="lambda:InvokeFunction",
            function_name=function.function_name,
            principal="secretsmanager.amazonaws.com",
            source_account=self.settings.account,
            source_arn=self.secret.arn,
        )
        SecretsmanagerSecretRotation(
            self,
            "rotation-schedule",
            secret_id=self.secret.id,
            rotation_lambda_arn=function.arn,
            rotate_immediately=True,
            rotation_rules=SecretsmanagerSecretRotationRotationRules(
                automatically_after_days=None if settings.schedule else settings.days,
                schedule_expression=settings.schedule or None,
            ),
            depends_on=[permission],
        )

    def _watch(self, foundation: FoundationStack) -> None:
        function = partial(
            Alarm,
            namespace="AWS/Lambda",
            dimensions={"FunctionName": self.names.rotation},
            period=300,
            periods=1,
            treat_missing_data="notBreaching",
        )
        self.alarms = create_alarms(
            self,
            foundation.alarm_topic,
            [
                function(
                    name="errors",
                    metric="Errors",
                    statistic="Sum",
                    threshold=1,
                    unit="failed steps",
                    reason="the credential was not rotated; the current one still works",
                ),
                function(
                    name="throttles",
                    metric="Throttles",
                    statistic="Sum",
                    threshold=1,
                    unit="throttled invocations",
                    reason="the account has no concurrency left for the rotation",
                ),
                function(
                    name="duration",
                    metric="Duration",
                    statistic="Maximum",
                    threshold=TIMEOUT * 1000 * 3 // 4,
                    unit="milliseconds, 75% of the timeout",
                    reason="the next rotation may time out; the database or a reader responds slowly",
                ),
            ],
        )

    def _publish_names(self, function: LambdaFunction) -> None:
        self.publish("secret_arn", self.secret, "arn", "The credential of the application; tasks get it from ECS")
        self.publish("secret_name", self.secret, "name", "The same, as people type it")
        self.publish("function_name", function, "function_name", "The function that rotates it")
        self.export(self.secret, "id")
