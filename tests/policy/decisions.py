"""What IAM would decide of a call by one of the roles that deploy: by its policies and its boundary.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal

from synthesized.permissions import deployer_statements
from synthesized.platform import Platform
from synthesized.policy_statements import Statement, as_list

Context = Mapping[str, str | list[str]]
Decision = Literal["allowed", "denied", "not allowed"]


def decide(platform: Platform, role: str, action: str, resource: str, **told: str | list[str]) -> Decision:
    """Whether a role may do something to something.

    Args:
        told: what AWS tells of the call, by the keys of conditions with `__` for `:` and `_in_` for `/`.
    """
    # What has no Region is asked in the first that AWS had.
    region = "us-east-1" if action.startswith(("iam:", "route53:")) else "us-west-1"
    context = {"aws:RequestedRegion": region} | {
        key.replace("__", ":").replace("_in_", "/"): value for key, value in told.items()
    }
    own, boundary = deployer_statements(role, platform)
    effects = [_effects(policy, action, resource, context) for policy in (own, boundary)]
    if any("Deny" in each for each in effects):
        return "denied"
    return "allowed" if all("Allow" in each for each in effects) else "not allowed"


def _effects(policy: Iterable[Statement], action: str, resource: str, context: Context) -> set[str]:
    return {each["Effect"] for each in policy if _is_about(each, action, resource) and _holds(each, context)}


def _is_about(statement: Statement, action: str, resource: str) -> bool:
    if not any(fnmatchcase(action.lower(), pattern.lower()) for pattern in as_list(statement["Action"])):
        return False
    if "NotResource" in statement:
        return not any(fnmatchcase(resource, pattern) for pattern in as_list(statement["NotResource"]))
    return any(fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"]))


def _holds(statement: Statement, context: Context) -> bool:
    return all(
        _one_holds(test, as_list(context.get(key)), as_list(values))
        for test, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _one_holds(test: str, told: list[str], values: list[str]) -> bool:
    if test == "Null":
        return values == [str(not told).lower()]
    among = [value in values for value in told]
    return {
        "StringEquals": any(among),
        "ArnEquals": any(among),
        "ForAnyValue:StringEquals": any(among),
        # These hold of what is not told at all.
        "StringNotEquals": not any(among),
        "ForAllValues:StringNotEquals": not any(among),
    }[test]
