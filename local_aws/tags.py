"""Tags of a resource as they are at the moment."""

from collections.abc import Mapping
from typing import Any, cast

from moto.backends import get_backend
from moto.iam.models import iam_backends

from local_aws.actions import without_streams
from local_aws.services.resourcegroupstaggingapi import tagged_resources

# moto's name of a service, where ARNs have another.
MOTO_NAMES = {
    "application-autoscaling": "applicationautoscaling",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "states": "stepfunctions",
}


def tags_of(arn: str, account: str) -> Mapping[str, str]:
    """Tags of a resource by its ARN; none if there is no such resource."""
    arn = without_streams(arn)
    _, _, service, region, _, own = arn.split(":", 5)
    if service == "iam":
        return _of_iam(arn, account)
    backends: Any = cast(Any, get_backend(cast(Any, MOTO_NAMES.get(service, service))))[account]
    backend = backends[region or "aws"]
    name = own.rpartition("/")[2]
    if service == "ec2":
        return dict(backend.tags.get(name, {}))
    if service == "kms":
        return backend.tagger.get_tag_dict_for_resource(name)
    if service == "backup":  # moto lists vaults alone
        return backend.tagger.get_tag_dict_for_resource(arn)
    if service == "logs":
        return backend.tagger.get_tag_dict_for_resource(arn)
    found = tagged_resources(MOTO_NAMES.get(service, service), backend)
    return next((resource.tags for resource in found if resource.arn == arn), {})


def _of_iam(arn: str, account: str) -> Mapping[str, str]:
    """Tags of a role, a policy or an identity provider."""
    iam = iam_backends[account]["aws"]
    for role in list(iam.roles.values()):
        if role.arn == arn:
            return {tag["Key"]: tag["Value"] for tag in role.tags}
    for found in (*iam.managed_policies.values(), *iam.open_id_providers.values()):
        if found.arn == arn:
            tags: Any = found.tags
            pairs = tags.values() if isinstance(tags, dict) else tags
            return {tag["Key"]: tag["Value"] for tag in pairs}
    return {}
