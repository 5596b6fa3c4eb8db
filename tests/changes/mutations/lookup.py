"""Lookup of the resources that mutations change, by names and tags of the only environment."""

from typing import Any

from local_aws.server import LocalAws


def named(aws: LocalAws, prefix: str, what: str) -> str:
    """ID of an EC2 resource, by the ID's prefix and the end of its tag Name, `<company>-<environment>-<what>`."""
    pages = aws.client("ec2").get_paginator("describe_tags").paginate(Filters=[{"Name": "key", "Values": ["Name"]}])
    tags = [tag for page in pages for tag in page["Tags"] if tag["Value"].endswith(f"-{what}")]
    (id,) = (tag["ResourceId"] for tag in tags if tag["ResourceId"].startswith(f"{prefix}-"))
    return id


def tagged(aws: LocalAws, service: str, type_: str, **tags: str) -> list[str]:
    """ARNs by service and type, as written in ARNs, or empty for all; optionally by further tags."""
    filters = [{"Key": key, "Values": [value]} for key, value in {"ManagedBy": "cdktf", **tags}.items()]
    pages = aws.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
    arns = [entry["ResourceARN"] for page in pages for entry in page["ResourceTagMappingList"]]
    return sorted(arn for arn in arns if service in {"", arn.split(":")[2]} and arn.split(":", 5)[5].startswith(type_))


def tag(aws: LocalAws, arn: str, **tags: str) -> None:
    """Tag a resource of any service."""
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    # Services that moto's Tagging API does not support.
    match arn.split(":")[2]:
        case "cloudtrail":
            aws.client("cloudtrail").add_tags(ResourceId=arn, TagsList=listed)
        case "config":
            aws.client("config").tag_resource(ResourceArn=arn, Tags=listed)
        case "elasticloadbalancing":
            aws.client("elbv2").add_tags(ResourceArns=[arn], Tags=listed)
        case "ecr":
            aws.client("ecr").tag_resource(resourceArn=arn, tags=listed)
        case "guardduty":
            aws.client("guardduty").tag_resource(ResourceArn=arn, Tags=tags)
        case "wafv2":
            aws.client("wafv2").tag_resource(ResourceARN=arn, Tags=listed)
        case _:
            aws.client("resourcegroupstaggingapi").tag_resources(ResourceARNList=[arn], Tags=tags)


def bucket(aws: LocalAws, what: str) -> str:
    """Name of a bucket, `<company>-<environment>-<what>-<account>-<region>`."""
    buckets = aws.client("s3").list_buckets()["Buckets"]
    (name,) = (one["Name"] for one in buckets if f"-{what}-{aws.account}-" in one["Name"])
    return name


def key(aws: LocalAws, purpose: str) -> str:
    """ARN of a key."""
    kms = aws.client("kms")
    aliases = [alias for page in kms.get_paginator("list_aliases").paginate() for alias in page["Aliases"]]
    (id,) = (one["TargetKeyId"] for one in aliases if one["AliasName"].endswith(f"-{purpose}"))
    return kms.describe_key(KeyId=id)["KeyMetadata"]["Arn"]


def cluster(aws: LocalAws) -> Any:
    """moto's object of the Aurora cluster."""
    (one,) = aws.backend("rds").clusters.values()
    return one


def instance(aws: LocalAws) -> Any:
    """moto's object of an instance of the cluster."""
    return sorted(aws.backend("rds").databases.items())[0][1]


def secret(aws: LocalAws) -> str:
    """ARN of the application's credential."""
    (arn,) = tagged(aws, "secretsmanager", "secret", Tier="rotation")
    return arn


def service(aws: LocalAws) -> Any:
    """moto's object of the ECS service."""
    (one,) = aws.backend("ecs").services.values()
    return one


def balancer(aws: LocalAws) -> str:
    """ARN of the load balancer."""
    (one,) = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return one["LoadBalancerArn"]


def topic(aws: LocalAws) -> str:
    """ARN of the alarm topic."""
    (arn,) = tagged(aws, "sns", "")
    return arn
