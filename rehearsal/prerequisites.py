"""What an account has before the platform comes to it, beside what bootstrap makes."""

import json

from local_aws.server import LocalAws
from stacks.names import Names
from stacks.settings import Environment


def create_prerequisites(aws: LocalAws, settings: Environment) -> None:
    """Make the public zone of its domain, and what an organization has of its own: boundary and key administrators."""
    aws.client("route53").create_hosted_zone(Name=settings.service.hosted_zone, CallerReference="rehearsal")
    bootstraps, iam = Names.from_settings(settings).resource_name(""), aws.client("iam")
    for arn in {settings.permissions_boundary, *settings.foundation.key_administrators}:
        kind, *path, name = arn.split(":", 5)[5].split("/")
        if name.startswith(bootstraps):
            continue
        named: dict[str, str] = {f"{kind.title()}Name": name, "Path": "/".join(["", *path, ""])}
        if kind == "policy":
            iam.create_policy(**named, PolicyDocument=_allowing(Action="*", Resource="*"))
        else:
            trust = _allowing(Action="sts:AssumeRole", Principal={"AWS": settings.account})
            iam.create_role(**named, AssumeRolePolicyDocument=trust)


def _allowing(**said: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **said}]})
