"""VPC endpoints: tasks and the rotation function use AWS services without leaving the VPC, in their own account only.

ECR's bucket of image layers, in an account of AWS, is the exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint

from stacks.network.flows import S3
from stacks.parts.policy_documents import policy_document
from stacks.statements import EVERYONE, Condition, Statement, allow
from stacks.tier import TierStack

REGISTRY_LOGIN = "ecr:GetAuthorizationToken"
"""The only action of IMAGE_PULL that does not support resource-level permissions."""
IMAGE_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", REGISTRY_LOGIN, "ecr:GetDownloadUrlForLayer")


@dataclass(frozen=True)
class Endpoint:
    """An AWS service, and the actions that its endpoint allows."""

    service: str
    actions: Sequence[str]
    is_gateway: bool = False
    """Whether it is a gateway endpoint, as DynamoDB has one: routes instead of addresses in the VPC."""
    group: str = "endpoints"
    """Security group of an interface endpoint."""


SECRETS_ENDPOINT = Endpoint(
    "secretsmanager",
    (
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetRandomPassword",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
    ),
    group="secrets_endpoint",
)
"""It has a security group of its own: the rotation function may reach no other endpoint."""
SHARED_ENDPOINTS = (
    Endpoint("ecr.api", IMAGE_PULL),
    Endpoint("ecr.dkr", IMAGE_PULL),
    Endpoint("kms", ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")),
    Endpoint("logs", ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")),
    Endpoint("monitoring", ("cloudwatch:PutMetricData",)),
    Endpoint("sts", ("sts:AssumeRole", "sts:GetCallerIdentity")),
)
S3_ENDPOINT = Endpoint(S3, ("s3:GetObject", "s3:ListBucket", "s3:PutObject"), is_gateway=True)


def merged(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """One endpoint for each service, which allows the actions of all: a VPC can have only one with its DNS name."""
    found: dict[str, Endpoint] = {}
    for endpoint in endpoints:
        before = found.setdefault(endpoint.service, endpoint)
        found[endpoint.service] = replace(before, actions=tuple(dict.fromkeys((*before.actions, *endpoint.actions))))
    return list(found.values())


def interface_endpoint(
    tier: TierStack, vpc: Vpc, endpoint: Endpoint, *, subnets: Sequence[Subnet], group: SecurityGroup
) -> VpcEndpoint:
    """An interface endpoint with an address in each subnet."""
    return _endpoint(
        tier,
        vpc,
        endpoint,
        # Requests without a resource, such as sts:GetCallerIdentity, do not have the key of the resource's account.
        [_own_account(tier, endpoint, "StringEqualsIfExists")],
        vpc_endpoint_type="Interface",
        subnet_ids=[subnet.id for subnet in subnets],
        security_group_ids=[group.id],
        private_dns_enabled=True,
    )


def gateway_endpoint(tier: TierStack, vpc: Vpc, endpoint: Endpoint, route_tables: Sequence[RouteTable]) -> VpcEndpoint:
    """A gateway endpoint with a route in each table."""
    is_s3 = endpoint.service == S3
    # Each request that S3's endpoint allows names a bucket, so it has the key.
    statements = [_own_account(tier, endpoint, "StringEquals" if is_s3 else "StringEqualsIfExists")]
    if is_s3:
        # Layers are downloaded with URLs presigned by ECR, not by a principal of ours.
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
        layers = f"arn:aws:s3:::prod-{tier.settings.region}-starport-layer-bucket/*"
        statements.append(allow("ImageLayers", ["s3:GetObject"], [layers], to=EVERYONE))
    return _endpoint(
        tier,
        vpc,
        endpoint,
        statements,
        vpc_endpoint_type="Gateway",
        route_table_ids=[table.id for table in route_tables],
    )


def _endpoint(
    tier: TierStack, vpc: Vpc, endpoint: Endpoint, statements: Sequence[Statement], **placement: Any
) -> VpcEndpoint:
    name = endpoint.service.replace(".", "-")
    return VpcEndpoint(
        tier,
        f"endpoint-{name}",
        vpc_id=vpc.id,
        service_name=f"com.amazonaws.{tier.settings.region}.{endpoint.service}",
        policy=policy_document(tier, f"endpoint-{name}-policy", *statements),
        tags={"Name": tier.names.resource_name(name)},
        **placement,
    )


def _own_account(tier: TierStack, endpoint: Endpoint, resource_test: str) -> Statement:
    account = [tier.settings.account]
    return allow(
        "OwnAccount",
        endpoint.actions,
        ["*"],
        to=EVERYONE,
        when=[
            Condition("StringEquals", "aws:PrincipalAccount", account),
            Condition(resource_test, "aws:ResourceAccount", account),
        ],
    )
