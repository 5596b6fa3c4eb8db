"""IAM's decision on a call by a deployer role, by its policies and its permissions boundary.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal

from synthesized.permissions import deployer_statements
from synthesized.platform import Platform
from synthesized.policy_statements import Statement, as_list
from synthesized.roles import Role

ISSUER = "token.actions.githubusercontent.com"
Context = Mapping[str, str | list[str]]
Decision = Literal["allowed", "denied", "not allowed"]


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
    own, boundary = deployer_statements(role, platform)
    effects = [_effects(policy, action, resource, context) for policy in (own, boundary)]
    if any("Deny" in each for each in effects):
        return "denied"
    return "allowed" if all("Allow" in each for each in effects) else "not allowed"


def assumes(role: Role, **token: str) -> bool:
    """Whether a token of GitHub lets its bearer assume a role.

    Args:
        token: the claims of the token, such as `sub`.
    """
    context = {f"{ISSUER}:{claim}": value for claim, value in token.items()}
    statements = [each for each in role.trust if "sts:AssumeRoleWithWebIdentity" in as_list(each["Action"])]
    return {each["Effect"] for each in statements if _applies(each, context)} == {"Allow"}


def _effects(policy: Iterable[Statement], action: str, resource: str, context: Context) -> set[str]:
    return {each["Effect"] for each in policy if _covers(each, action, resource) and _applies(each, context)}


def _covers(statement: Statement, action: str, resource: str) -> bool:
    if not any(fnmatchcase(action.lower(), pattern.lower()) for pattern in as_list(statement["Action"])):
        return False
    if "NotResource" in statement:
        return not any(fnmatchcase(resource, pattern) for pattern in as_list(statement["NotResource"]))
    return any(fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"]))


def _applies(statement: Statement, context: Context) -> bool:
    return all(
        evaluate(operator, as_list(context.get(key)), as_list(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def evaluate(operator: str, actual: list[str], values: list[str]) -> bool:
    if operator == "Null":
        return values == [str(not actual).lower()]
    matches = any(value in values for value in actual)
    return {
        "StringEquals": matches,
        "ArnEquals": matches,
        "StringEqualsIfExists": matches or not actual,
        "ForAnyValue:StringEquals": matches,
        # Negated operators are true if the key is not in the request context.
        "StringNotEquals": not matches,
        "ForAllValues:StringNotEquals": not matches,
    }[operator]
