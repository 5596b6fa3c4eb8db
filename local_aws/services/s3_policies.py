"""Bucket policies decided with their conditions, for requests on objects.

moto denies whatever a statement with a condition speaks of. Here a statement applies if its conditions hold for what
the request says; one whose operator is not known here is told as not supported.
"""

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from fnmatch import fnmatchcase
from typing import Any

from moto.iam.access_control import PermissionResult

from local_aws.policy_parsing import as_list, statements

Values = Iterable[str]

ENCRYPTION_HEADERS = tuple(
    f"x-amz-server-side-encryption{what}" for what in ("", "-aws-kms-key-id", "-customer-algorithm")
)

# What IAM calls the actions that moto names by their HTTP methods.
ACTIONS = {"s3:HeadObject": "s3:GetObject", "s3:PostObject": "s3:PutObject"}

OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
    "Bool": lambda found, wanted: found.lower() == wanted.lower(),
    "NumericLessThan": lambda found, wanted: float(found) < float(wanted),
    "StringEquals": lambda found, wanted: found == wanted,
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
"""Of the request that this thread answers."""


def condition_keys(headers: Mapping[str, str], account: str) -> dict[str, str]:
    """The condition keys of a request of the one account. The loopback, which nobody listens to, counts as TLS."""
    said = {f"s3:{name}": headers[name] for name in ENCRYPTION_HEADERS if name in headers}
    return said | {
        "aws:PrincipalAccount": account,
        "aws:PrincipalIsAWSService": "false",
        "aws:SecureTransport": "true",
        "s3:TlsVersion": "1.3",
    }


def evaluate(policy: Mapping[str, Any], action: str, resource: str, keys: Mapping[str, str]) -> PermissionResult:
    """What a bucket's policy says to a request.

    Raises:
        NotImplementedError: a condition has an operator that is not known here.
    """
    asked = ACTIONS.get(action, action).lower()
    effects = {
        statement["Effect"]
        for statement in statements(policy)
        if any(fnmatchcase(asked, each.lower()) for each in as_list(statement.get("Action")))
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
    """Whether it speaks of everybody, or of the account as a whole; who asks within it is not known."""
    named = as_list(principal.get("AWS")) if isinstance(principal, dict) else as_list(principal)
    account = keys["aws:PrincipalAccount"]
    return bool({"*", account, f"arn:aws:iam::{account}:root"} & set(named))


def _matches_condition(operator: str, found: str | None, wanted: Values) -> bool:
    if operator == "Null":
        return any((found is None) == (str(each).lower() == "true") for each in wanted)
    if operator in NEGATED:
        # A key that is not there is none of the values.
        return found is None or not _matches_condition(NEGATED[operator], found, wanted)
    if operator not in OPERATORS:
        raise NotImplementedError(f"condition {operator}")
    return found is not None and any(OPERATORS[operator](found, str(each)) for each in wanted)
