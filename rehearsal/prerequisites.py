"""Resources that an account has before the first deployment, besides those that bootstrap creates."""

import json

from local_aws.server import LocalAws
from stacks.settings import Environment


def create_prerequisites(aws: LocalAws, settings: Environment) -> None:
    """Create the public hosted zone and, unless bootstrap does, the permissions boundary and the key administrators."""
    aws.client("route53").create_hosted_zone(Name=settings.service.hosted_zone, CallerReference="rehearsal")
    iam, names = aws.client("iam"), settings.names
    made_by_bootstrap = {names.boundary_arn, names.key_administrators_arn}
    for arn in {settings.permissions_boundary, *settings.foundation.key_administrators} - made_by_bootstrap:
        kind, *path, name = arn.split(":", 5)[5].split("/")
        name_and_path: dict[str, str] = {f"{kind.title()}Name": name, "Path": "/".join(["", *path, ""])}
        if kind == "policy":
            iam.create_policy(**name_and_path, PolicyDocument=allow(Action="*", Resource="*"))
        else:
            trust = allow(Action="sts:AssumeRole", Principal={"AWS": settings.account})
            iam.create_role(**name_and_path, AssumeRolePolicyDocument=trust)


def allow(**elements: object) -> str:
    """A policy of one statement, which allows something."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **elements}]})
