"""The application's database credential, and what rotates it: a secret, a function, a schedule, and a check of its age.

The secret is made without a version: the first rotation makes that, together with the roles in the database, so no
credential is ever in a plan or in a state. Two logins take turns, and what running tasks hold stays valid for as long
as it takes to start them anew (docs/rotation.md).
"""

from functools import partial

from cdktf import AssetType, Fn, TerraformAsset
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionEnvironment,
    LambdaFunctionLoggingConfig,
    LambdaFunctionTracingConfig,
    LambdaFunctionVpcConfig,
)
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
from stacks.parts import ports
from stacks.parts.alarms import Alarm, raise_alarms
from stacks.parts.logs import log_group
from stacks.parts.policy_documents import document
from stacks.parts.roles import ServiceRole, service_role
from stacks.rotation.credential_age import check_age_daily
from stacks.rotation.package import rotation_package
from stacks.settings import Environment
from stacks.statements import Condition, Statement, allow, deny, deny_other_accounts, deny_plaintext, equals, via
from stacks.tier import TierStack

TIMEOUT = 300
"""Seconds, of one step: longer than all that it waits for can take together."""

INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""What Lambda does to put a function into a VPC."""


class RotationStack(TierStack):
    """The application's secret, the rotation's function and schedule, the daily check."""

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
        self._foundation = foundation
        self._master_secret = database.cluster.master_user_secret.get(0).secret_arn
        self.secret = self._secret()
        log = log_group(self, "log", self.names.rotation_log, key=foundation.keys.logs)
        function = self._function(network, database, log, self._role(log))
        self._rotate(function)
        check_age_daily(self, foundation, self.secret)
        self._watch()
        self._publish_names(function)

    def _secret(self) -> SecretsmanagerSecret:
        secret = SecretsmanagerSecret(
            self,
            "credential",
            name=self.names.of_resource("database-credential"),
            description="The application's login to the database: two take turns. Written by the rotation alone",
            kms_key_id=self._foundation.keys.secrets.arn,
            recovery_window_in_days=30 if self.settings.deletion_protection else 0,
            lifecycle=self.kept(),
        )
        SecretsmanagerSecretPolicy(
            self,
            "credential-policy",
            secret_arn=secret.arn,
            block_public_policy=True,
            policy=document(
                self,
                "credential-access",
                deny_other_accounts(self.settings.account, ["secretsmanager:*"], ["*"]),
                deny_plaintext(["secretsmanager:*"], ["*"]),
            ),
        )
        return secret

    def _role(self, log: CloudwatchLogGroup) -> ServiceRole:
        return service_role(
            self,
            "rotation",
            "lambda.amazonaws.com",
            self._permissions(log),
            source_arn=None,
            why="Rotates the credential of the application, and nothing else",
        )

    def _permissions(self, log: CloudwatchLogGroup) -> list[Statement]:
        return [
            allow(
                "RotateCredential",
                [
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                [self.secret.arn],
                # Only while this function is the one that rotates the secret.
                when=[equals("secretsmanager:resource/AllowRotationLambdaArn", self.names.rotation_arn)],
            ),
            allow(
                "LogInAsMaster",
                ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
                [self._master_secret],
            ),
            allow("MakePassword", ["secretsmanager:GetRandomPassword"], ["*"]),
            allow(
                "UseKey",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [self._foundation.keys.secrets.arn],
                when=[via("secretsmanager", self.settings.region)],
            ),
            allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log.arn}:*"]),
            allow("Trace", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"]),
            allow("JoinVpc", INTERFACES, ["*"]),
            # Lambda makes the interfaces; the function's own code has no business with them.
            deny(
                "LeaveVpcAlone",
                INTERFACES,
                ["*"],
                when=[Condition("ArnEquals", "lambda:SourceFunctionArn", [self.names.rotation_arn])],
            ),
        ]

    def _function(
        self, network: NetworkStack, database: DatabaseStack, log: CloudwatchLogGroup, role: ServiceRole
    ) -> LambdaFunction:
        zipped = rotation_package()
        package = TerraformAsset(self, "package", path=str(zipped.path), type=AssetType.FILE)
        wanted = self.settings.rotation
        variables = {
            "SECRET_ARN": self.secret.arn,
            "MASTER_SECRET_ARN": self._master_secret,
            "DATABASE_ENGINE": "postgres",
            "DATABASE_HOST": database.cluster.endpoint,
            "DATABASE_READER_HOST": database.cluster.reader_endpoint,
            "DATABASE_PORT": str(ports.DATABASE),
            "DATABASE_NAME": database.cluster.database_name,
            "OWNER_ROLE": wanted.owner,
            "ADOPTED_ROLE": wanted.adopted,
            "CONNECTION_LIMIT": str(wanted.connection_limit),
            "MINIMUM_AGE": str(wanted.minimum_age_hours * 60 * 60),
        }
        return LambdaFunction(
            self,
            "function",
            function_name=self.names.rotation,
            description="Rotates the credential of the application",
            runtime="python3.13",
            architectures=[zipped.architecture],
            handler="lambda_rotation.handler.handle",
            filename=package.path,
            source_code_hash=Fn.filebase64sha256(package.path),
            role=role.role.arn,
            memory_size=512,  # MiB; also sets how much of a processor it has, and SCRAM takes some
            timeout=TIMEOUT,
            reserved_concurrent_executions=wanted.reserved_concurrency,
            environment=LambdaFunctionEnvironment(
                variables={name: value for name, value in variables.items() if value}
            ),
            kms_key_arn=self._foundation.keys.secrets.arn,
            vpc_config=LambdaFunctionVpcConfig(
                subnet_ids=[subnet.id for subnet in network.app_subnets.values()],
                security_group_ids=[network.security_groups.rotation.id],
            ),
            logging_config=LambdaFunctionLoggingConfig(
                log_format="JSON", log_group=log.name, application_log_level="INFO", system_log_level="INFO"
            ),
            tracing_config=LambdaFunctionTracingConfig(mode="Active"),
            depends_on=[role.permissions],
        )

    def _rotate(self, function: LambdaFunction) -> None:
        """PCI DSS 8.3.9, 8.6.3: at once, and then as the settings say."""
        wanted = self.settings.rotation
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
                automatically_after_days=None if wanted.schedule else wanted.days,
                schedule_expression=wanted.schedule or None,
            ),
            depends_on=[permission],
        )

    def _watch(self) -> None:
        function = partial(
            Alarm,
            namespace="AWS/Lambda",
            dimensions={"FunctionName": self.names.rotation},
            period=300,
            periods=1,
            missing="notBreaching",
        )
        self.alarms = raise_alarms(
            self,
            self._foundation.alarm_topic,
            [
                function(
                    name="errors",
                    metric="Errors",
                    statistic="Sum",
                    threshold=1,
                    unit="failed steps",
                    why="the credential is not rotated; the one that is current goes on working",
                ),
                function(
                    name="throttles",
                    metric="Throttles",
                    statistic="Sum",
                    threshold=1,
                    unit="calls that were turned away",
                    why="the account has no concurrency left for the rotation",
                ),
                function(
                    name="duration",
                    metric="Duration",
                    statistic="Maximum",
                    threshold=TIMEOUT * 1000 * 3 // 4,
                    unit="milliseconds, three quarters of what a step may take",
                    why="the next rotation may be cut off; the database or its replica answers slowly",
                ),
            ],
        )

    def _publish_names(self, function: LambdaFunction) -> None:
        self.publish("secret_arn", self.secret, "arn", "The credential of the application; tasks get it from ECS")
        self.publish("secret_name", self.secret, "name", "The same, as people type it")
        self.publish("function_name", function, "function_name", "The function that rotates it")
        self.offer(self.secret, "id")
