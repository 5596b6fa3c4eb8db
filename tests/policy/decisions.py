"""IAM's decision on a call by a deployer role, by its policies and its permissions boundary, as synthesized."""

from collections.abc import Iterable
from typing import Literal

from local_aws import policies
from local_aws.policies import Keys, Policies, Principal, Request
from stacks.names import GITHUB_ISSUER
from synthesized.permissions import deployer_statements
from synthesized.platform import Platform
from synthesized.policy_statements import Statement
from synthesized.roles import Role

Decision = Literal["allowed", "denied", "not allowed"]
CALLER = Principal("arn:aws:iam::111122223333:role/deployer")


def decide(platform: Platform, role: str, action: str, resource: str, **keys: str | list[str]) -> Decision:
    """Whether a role may perform an action on a resource.

    Args:
        keys: condition keys of the request context, with `__` for `:` and `_in_` for `/`.
    """
    # Global services use us-east-1.
    region = "us-east-1" if action.startswith(("iam:", "route53:")) else "eu-west-3"
    context = {"aws:RequestedRegion": region} | {
        key.replace("__", ":").replace("_in_", "/"): value for key, value in keys.items()
    }
    own, boundary = map(_statements, deployer_statements(role, platform))
    decision = policies.decide(Request(CALLER, action, resource, Keys(context)), Policies(own, boundary))
    if "explicit deny" in decision.reason:
        return "denied"
    return "allowed" if decision.is_allowed else "not allowed"


def assumes(role: Role, **token: str) -> bool:
    """Whether a token of GitHub lets its bearer assume a role.

    Args:
        token: the claims of the token, such as `sub`.
    """
    keys = Keys({f"{GITHUB_ISSUER}:{claim}": value for claim, value in token.items()})
    request = Request(CALLER, "sts:AssumeRoleWithWebIdentity", "*", keys)
    return {each.effect for each in _statements(role.trust) if each.applies(request)} == {"Allow"}


def _statements(bodies: Iterable[Statement]) -> list[policies.Statement]:
    return [policies.Statement("", "", body) for body in bodies]
