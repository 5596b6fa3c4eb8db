"""Evaluation of bucket policies, with their conditions, for requests on objects.

moto ignores conditions, so statements apply to too many requests. Here a statement applies only if its conditions match
the request. Unsupported operators raise NotImplementedError.
"""

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from fnmatch import fnmatchcase
from typing import Any

from moto.iam.access_control import PermissionResult

from local_aws.policy_parsing import as_list, statements

Values = Iterable[str]

ENCRYPTION_HEADERS = tuple(
    f"x-amz-server-side-encryption{suffix}" for suffix in ("", "-aws-kms-key-id", "-customer-algorithm")
)

# IAM's action names, where moto uses the HTTP method.
ACTIONS = {"s3:HeadObject": "s3:GetObject", "s3:PostObject": "s3:PutObject"}

OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
    "Bool": lambda actual, expected: actual.lower() == expected.lower(),
    "NumericLessThan": lambda actual, expected: float(actual) < float(expected),
    "StringEquals": lambda actual, expected: actual == expected,
    "StringLike": fnmatchcase,
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
NEGATED = {
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "StringNotEquals": "StringEquals",
    "StringNotLike": "StringLike",
}

REQUEST_HEADERS: ContextVar[Mapping[str, str]] = ContextVar("HEADERS")
"""Headers of this thread's request."""


def condition_keys(headers: Mapping[str, str], account: str) -> dict[str, str]:
    """Condition keys of a request by the account itself. Requests over the loopback interface count as TLS."""
    encryption = {f"s3:{name}": headers[name] for name in ENCRYPTION_HEADERS if name in headers}
    return encryption | {
        "aws:PrincipalAccount": account,
        "aws:PrincipalIsAWSService": "false",
        "aws:SecureTransport": "true",
        "s3:TlsVersion": "1.3",
    }


def evaluate(policy: Mapping[str, Any], action: str, resource: str, keys: Mapping[str, str]) -> PermissionResult:
    """Evaluate a bucket policy for a request.

    Raises:
        NotImplementedError: a condition has an unsupported operator.
    """
    name = ACTIONS.get(action, action).lower()
    effects = {
        statement["Effect"]
        for statement in statements(policy)
        if any(fnmatchcase(name, each.lower()) for each in as_list(statement.get("Action")))
        and any(fnmatchcase(resource, each) for each in as_list(statement.get("Resource")))
        and _matches_principal(statement.get("Principal"), keys)
        and all(
            _matches_condition(operator, keys.get(key), as_list(values))
            for operator, conditions in statement.get("Condition", {}).items()
            for key, values in conditions.items()
        )
    }
    if "Deny" in effects:
        return PermissionResult.DENIED
    return PermissionResult.PERMITTED if effects else PermissionResult.NEUTRAL


def _matches_principal(principal: Any, keys: Mapping[str, str]) -> bool:
    """Whether the principal is everyone or the account. Individual users and roles are not evaluated."""
    principals = as_list(principal.get("AWS")) if isinstance(principal, dict) else as_list(principal)
    account = keys["aws:PrincipalAccount"]
    return bool({"*", account, f"arn:aws:iam::{account}:root"} & set(principals))


def _matches_condition(operator: str, actual: str | None, expected: Values) -> bool:
    if operator == "Null":
        return any((actual is None) == (str(each).lower() == "true") for each in expected)
    if operator.endswith("IfExists"):
        return actual is None or _matches_condition(operator.removesuffix("IfExists"), actual, expected)
    if operator in NEGATED:
        # Negated operators match if the key is absent.
        return actual is None or not _matches_condition(NEGATED[operator], actual, expected)
    if operator not in OPERATORS:
        raise NotImplementedError(f"the condition operator {operator} is not implemented")
    return actual is not None and any(OPERATORS[operator](actual, str(each)) for each in expected)
