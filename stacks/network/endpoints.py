"""VPC endpoints: tasks and the rotation function use AWS services without leaving the VPC, in their own account only.

ECR's bucket of image layers, in an account of AWS, is the exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint

from stacks.parts.policy_documents import policy_document
from stacks.statements import EVERYONE, Condition, allow, string_equals
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


SECRETS_ENDPOINT = Endpoint(
    "secretsmanager",
    (
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetRandomPassword",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
    ),
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


S3_ENDPOINT = Endpoint("s3", ("s3:GetObject", "s3:ListBucket", "s3:PutObject"), is_gateway=True)


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
    id = f"endpoint-{endpoint.service.replace('.', '-')}"
    return VpcEndpoint(
        tier,
        id,
        vpc_id=vpc.id,
        vpc_endpoint_type="Interface",
        service_name=f"com.amazonaws.{tier.settings.region}.{endpoint.service}",
        subnet_ids=[subnet.id for subnet in subnets],
        security_group_ids=[group.id],
        private_dns_enabled=True,
        policy=_own_account_policy(tier, id, endpoint),
        tags={"Name": tier.names.resource_name(endpoint.service.replace(".", "-"))},
    )


def gateway_endpoint(tier: TierStack, vpc: Vpc, endpoint: Endpoint, route_tables: Sequence[RouteTable]) -> VpcEndpoint:
    """A gateway endpoint with a route in each table."""
    id = f"endpoint-{endpoint.service}"
    return VpcEndpoint(
        tier,
        id,
        vpc_id=vpc.id,
        vpc_endpoint_type="Gateway",
        service_name=f"com.amazonaws.{tier.settings.region}.{endpoint.service}",
        route_table_ids=[table.id for table in route_tables],
        policy=_own_account_policy(tier, id, endpoint),
        tags={"Name": tier.names.resource_name(endpoint.service)},
    )


def _own_account_policy(tier: TierStack, id: str, endpoint: Endpoint) -> str:
    own_account = tier.settings.account
    return policy_document(
        tier,
        f"{id}-policy",
        allow(
            "OwnAccount",
            endpoint.actions,
            ["*"],
            to=EVERYONE,
            when=[
                string_equals("aws:PrincipalAccount", own_account),
                # Requests without a resource, such as sts:GetCallerIdentity, do not have this key.
                Condition("StringEqualsIfExists", "aws:ResourceAccount", [own_account]),
            ],
        ),
    )


def s3_endpoint(tier: TierStack, vpc: Vpc, endpoint: Endpoint, route_tables: Sequence[RouteTable]) -> VpcEndpoint:
    """The gateway endpoint of S3, for this account's buckets and the bucket of ECR's image layers."""
    region = tier.settings.region
    return VpcEndpoint(
        tier,
        "endpoint-s3",
        vpc_id=vpc.id,
        vpc_endpoint_type="Gateway",
        service_name=f"com.amazonaws.{region}.s3",
        route_table_ids=[table.id for table in route_tables],
        policy=policy_document(
            tier,
            "endpoint-s3-policy",
            allow(
                "OwnAccount",
                endpoint.actions,
                ["*"],
                to=EVERYONE,
                when=[
                    string_equals("aws:PrincipalAccount", tier.settings.account),
                    string_equals("aws:ResourceAccount", tier.settings.account),
                ],
            ),
            # Layers are downloaded with URLs presigned by ECR, not by a principal of ours.
            # https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
            allow(
                "ImageLayers", ["s3:GetObject"], [f"arn:aws:s3:::prod-{region}-starport-layer-bucket/*"], to=EVERYONE
            ),
        ),
        tags={"Name": tier.names.resource_name("s3")},
    )
