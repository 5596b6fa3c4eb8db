"""The Lambda function that rotates the credential, in the VPC, with a role that permits nothing else."""

from cdktf import AssetType, Fn, Op, Precondition, TerraformAsset, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionEnvironment,
    LambdaFunctionLoggingConfig,
    LambdaFunctionTracingConfig,
    LambdaFunctionVpcConfig,
)
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret

from stacks.database.stack import NO_MASTER_SECRET
from stacks.foundation.stack import FoundationStack
from stacks.network.stack import NetworkStack
from stacks.parts import ports
from stacks.parts.logs import log_group
from stacks.parts.service_roles import ServiceRole, service_role
from stacks.rotation.function_package import rotation_package
from stacks.statements import Condition, allow, deny, string_equals, via_service
from stacks.tier import TierStack

TIMEOUT = 300
"""Seconds per step: more than the sum of all its own timeouts."""

NETWORK_INTERFACE_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""Actions that Lambda needs to connect a function to a VPC."""


def rotation_function(
    tier: TierStack,
    secret: SecretsmanagerSecret,
    *,
    foundation: FoundationStack,
    network: NetworkStack,
    cluster: RdsCluster,
) -> LambdaFunction:
    """The function with its log group and role.

    Args:
        secret: the secret to rotate.
        cluster: the cluster with the credential's database roles.
    """
    key, master_secret = foundation.keys.secrets, cluster.master_user_secret.get(0).secret_arn
    log = log_group(tier, "log", tier.names.rotation_log_group, key=foundation.keys.logs)
    role = _role(tier, secret, master_secret, key, log)
    zipped = rotation_package()
    package = TerraformAsset(tier, "package", path=str(zipped.path), type=AssetType.FILE)
    settings = tier.settings.rotation
    variables = {
        "SECRET_ARN": secret.arn,
        "MASTER_SECRET_ARN": master_secret,
        "DATABASE_ENGINE": "postgres",
        "DATABASE_HOST": cluster.endpoint,
        "DATABASE_READER_HOST": cluster.reader_endpoint,
        "DATABASE_PORT": str(ports.DATABASE),
        "DATABASE_NAME": cluster.database_name,
        "OWNER_ROLE": settings.owner,
        "ADOPTED_ROLE": settings.adopted,
        "CONNECTION_LIMIT": str(settings.connection_limit),
        "MINIMUM_AGE": str(settings.minimum_age_hours * 60 * 60),
    }
    return LambdaFunction(
        tier,
        "function",
        function_name=tier.names.rotation,
        description="Rotates the credential of the application",
        runtime="python3.13",
        architectures=[zipped.architecture],
        handler="lambda_rotation.handler.handle",
        filename=package.path,
        source_code_hash=Fn.filebase64sha256(package.path),
        role=role.role.arn,
        memory_size=512,  # MiB; CPU is proportional to memory, and SCRAM needs some
        timeout=TIMEOUT,
        reserved_concurrent_executions=settings.reserved_concurrency,
        environment=LambdaFunctionEnvironment(variables={name: value for name, value in variables.items() if value}),
        kms_key_arn=key.arn,
        vpc_config=LambdaFunctionVpcConfig(
            subnet_ids=[subnet.id for subnet in network.app_subnets.values()],
            security_group_ids=[network.security_groups.rotation.id],
        ),
        logging_config=LambdaFunctionLoggingConfig(
            log_format="JSON", log_group=log.name, application_log_level="INFO", system_log_level="INFO"
        ),
        tracing_config=LambdaFunctionTracingConfig(mode="Active"),
        lifecycle=TerraformResourceLifecycle(
            precondition=[
                Precondition(
                    condition=Op.neq(master_secret, NO_MASTER_SECRET),
                    error_message="The database has no master secret, as after a restore. Let RDS manage its password "
                    "(aws rds modify-db-cluster --manage-master-user-password), and deploy the database tier first.",
                )
            ]
        ),
        depends_on=[role.permissions],
    )


def _role(
    tier: TierStack, secret: SecretsmanagerSecret, master_secret: str, key: KmsKey, log: CloudwatchLogGroup
) -> ServiceRole:
    return service_role(
        tier,
        "rotation",
        "lambda.amazonaws.com",
        [
            allow(
                "RotateCredential",
                [
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                [secret.arn],
                # Only while this function is the secret's rotation function.
                when=[string_equals("secretsmanager:resource/AllowRotationLambdaArn", tier.names.rotation_arn)],
            ),
            allow(
                "LogInAsMaster",
                ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
                [master_secret],
            ),
            allow("MakePassword", ["secretsmanager:GetRandomPassword"], ["*"]),
            allow(
                "UseKey",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [key.arn],
                when=[via_service("secretsmanager", tier.settings.region)],
            ),
            allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log.arn}:*"]),
            allow("Trace", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"]),
            allow("JoinVpc", NETWORK_INTERFACE_ACTIONS, ["*"]),
            # Lambda creates the network interfaces; the function's own code must not.
            deny(
                "LeaveVpcAlone",
                NETWORK_INTERFACE_ACTIONS,
                ["*"],
                when=[Condition("ArnEquals", "lambda:SourceFunctionArn", [tier.names.rotation_arn])],
            ),
        ],
        source_arn=None,
        description="Rotates the credential of the application, and nothing else",
    )
