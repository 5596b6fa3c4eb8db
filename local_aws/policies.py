"""Evaluation of IAM policies: whether a statement applies to a request, and what all policies together decide.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import json
import operator
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from local_aws.policy_parsing import as_list

Values = Sequence[str]
VARIABLE = re.compile(r"\$\{([^}]+)\}")
LITERALS = {"*": "\\*", "?": "\\?", "$": "\\$"}
"""Policy variables for characters with a meaning of their own."""


@dataclass(frozen=True)
class Principal:
    """Who makes a request."""

    arn: str
    """ARN of the role, the user or the account's root; or a service's name, such as `events.amazonaws.com`."""
    session: str = ""
    """ARN of the role's session."""
    federated: str = ""
    """ARN of the identity provider that vouches for a caller who has no role yet."""
    is_of_account: bool = True
    """Whether to name its account is to name it."""

    @property
    def account(self) -> str:
        """The account, if the principal belongs to one."""
        return self.arn.split(":")[4] if self.arn.startswith("arn:") and self.is_of_account else ""


@dataclass(frozen=True)
class Request:
    """An action on a resource, with the condition keys that AWS sends for it."""

    principal: Principal
    action: str
    resource: str
    keys: "Keys"

    def __str__(self) -> str:
        return f"{self.principal.arn}: {self.action} on {self.resource}"


class Keys:
    """Condition keys of a request. Their names are compared without case."""

    def __init__(self, values: Mapping[str, str | Values], more: Callable[[str], Values | None] | None = None) -> None:
        """Store the values; `more` looks up others, by their names in lower case, when a condition asks for them."""
        self._values = {name.lower(): [value] if isinstance(value, str) else value for name, value in values.items()}
        self._more = more or (lambda _: None)

    def get(self, name: str) -> Values | None:
        """Values of a key, or None if the request does not have it."""
        found = self._values.get(name.lower())
        return self._more(name.lower()) if found is None else found


@dataclass(frozen=True)
class Statement:
    """A statement of a policy."""

    policy: str
    """Name of the policy."""
    sid: str
    body: Mapping[str, Any] = field(compare=False)
    text: str = field(default="", repr=False)
    """The body as JSON, by which statements are compared."""

    def __str__(self) -> str:
        return f"{self.policy.rpartition('/')[2]}/{self.sid}"

    @property
    def effect(self) -> str:
        """Allow or Deny."""
        return self.body["Effect"]

    def applies(self, request: Request) -> bool:
        """Whether action, resource and conditions match, of a policy without principals."""
        return (
            _chosen(self.body, "Action", request.action, _matches_action)
            and (not {"Resource", "NotResource"} & self.body.keys() or self._has_resource(request))
            and all(
                holds(test, request.keys.get(key), [_expand(value, request.keys) for value in as_list(values)])
                for test, conditions in self.body.get("Condition", {}).items()
                for key, values in conditions.items()
            )
        )

    def _has_resource(self, request: Request) -> bool:
        def matches(pattern: str, resource: str) -> bool:
            expanded = _expand(pattern, request.keys)
            # A trailing `*` of a part of an ARN also spans the colons after it.
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
            return expanded is not None and bool(_glob(expanded).fullmatch(resource))

        return _chosen(self.body, "Resource", request.resource, matches)

    def names(self, principal: Principal) -> bool:
        """Whether the statement of a resource-based policy is about a principal.

        Raises:
            NotImplementedError: it has NotPrincipal.
        """
        if "NotPrincipal" in self.body:
            raise NotImplementedError("NotPrincipal is not implemented")
        return _names(self.body.get("Principal"), principal)

    def delegates(self, principal: Principal) -> bool:
        """Whether it names a principal's account alone: that leaves the decision to the policies of identities."""
        return not _names(self.body.get("Principal"), replace(principal, is_of_account=False))


@dataclass(frozen=True)
class Policies:
    """All policies that apply to a request within one account."""

    identity: Sequence[Statement]
    boundary: Sequence[Statement] | None = None
    resource: Sequence[Statement] = ()
    endpoint: Sequence[Statement] | None = None
    needs_resource_policy: bool = False
    """Without a statement of the resource's own policy, nothing is allowed: as for KMS keys and trust policies."""


@dataclass(frozen=True)
class Decision:
    """What policies decide."""

    reason: str = ""
    """Why the request is denied, in AWS's words; empty if it is allowed."""
    needed: frozenset[Statement] = frozenset()
    """Statements without which the request would be denied."""

    @property
    def is_allowed(self) -> bool:
        """Whether the request is allowed."""
        return not self.reason


def decide(request: Request, policies: Policies) -> Decision:
    """What all policies together decide on a request of a principal to a resource of the same account."""
    kinds = {
        "identity-based policy": [each for each in policies.identity if each.applies(request)],
        "permissions boundary": [each for each in policies.boundary or () if each.applies(request)],
        "resource-based policy": [
            each for each in policies.resource if each.names(request.principal) and each.applies(request)
        ],
        "VPC endpoint policy": [
            each for each in policies.endpoint or () if each.names(request.principal) and each.applies(request)
        ],
    }
    for kind, applying in kinds.items():
        if any(each.effect == "Deny" for each in applying):
            article = "an" if kind[0] == "i" else "a"
            return Decision(f"with an explicit deny in {article} {kind}")
    identity, boundary, resource, endpoint = kinds.values()
    if policies.endpoint is not None and not endpoint:
        return _unallowed(request, "VPC endpoint policy")
    if policies.needs_resource_policy and not resource:
        return _unallowed(request, "resource-based policy")
    granting = [each for each in resource if not each.delegates(request.principal)]
    if not granting and not identity:
        return _unallowed(request, "identity-based policy")
    # Not limited by the boundary: what a resource's policy grants to a session itself, or to a service.
    is_limited = not any(_names_session(each, request.principal) for each in granting)
    if policies.boundary is not None and is_limited and not boundary:
        return _unallowed(request, "permissions boundary")
    layers = [endpoint, boundary if is_limited else []]
    layers += [resource] if policies.needs_resource_policy else []
    layers += [[*granting, *identity]]
    return Decision(needed=frozenset(layer[0] for layer in layers if len(layer) == 1))


def _unallowed(request: Request, kind: str) -> Decision:
    return Decision(f"because no {kind} allows the {request.action} action")


def _names_session(statement: Statement, principal: Principal) -> bool:
    named = statement.body.get("Principal")
    return isinstance(named, dict) and bool(principal.session) and principal.session in as_list(named.get("AWS"))


@cache
def parse(name: str, document: str) -> tuple[Statement, ...]:
    """Statements of a policy, from its name and its JSON."""
    found = as_list(json.loads(document).get("Statement"))
    return tuple(
        Statement(name, each.get("Sid") or str(place), each, json.dumps(each)) for place, each in enumerate(found)
    )


def _chosen(body: Mapping[str, Any], element: str, value: str, matches: Callable[[str, str], bool]) -> bool:
    if (excluded := body.get(f"Not{element}")) is not None:
        return not any(matches(each, value) for each in as_list(excluded))
    return any(matches(each, value) for each in as_list(body.get(element)))


def _names(element: Any, principal: Principal) -> bool:
    if element == "*":
        return True
    named: Mapping[str, Any] = element or {}
    account = principal.account
    accounts = {account, f"arn:aws:iam::{account}:root"} if account else set[str]()
    return bool(
        ({"*", principal.arn, principal.session, *accounts} - {""}) & {*as_list(named.get("AWS"))}
        or principal.arn in as_list(named.get("Service"))
        or (principal.federated and principal.federated in as_list(named.get("Federated")))
    )


def _matches_action(pattern: str, action: str) -> bool:
    return bool(_glob(pattern.lower()).fullmatch(action.lower()))


def _matches_arn(pattern: str, arn: str) -> bool:
    """Whether each part of an ARN matches, in conditions: there, wildcards do not span the colons between parts."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(
        _glob(one).fullmatch(other) for one, other in zip(patterns, parts, strict=True)
    )


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """A pattern with `*` and `?`; a backslash before them, which policy variables leave, takes their meaning."""
    pieces = {"*": ".*", "?": "."}
    tokens = re.findall(r"\\[*?$]|.", pattern, re.DOTALL)
    return re.compile("".join(pieces.get(each) or re.escape(each.removeprefix("\\")) for each in tokens), re.DOTALL)


def _expand(value: Any, keys: Keys) -> str | None:
    """A value with its policy variables replaced; None if the request does not have one of them."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "${" not in text:
        return text
    missing = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = found[1].partition(",")
        if name in LITERALS:
            return LITERALS[name]
        values = keys.get(name.strip())
        if not values:
            missing = missing or not default
            return default.strip(" '")
        return values[0]

    expanded = VARIABLE.sub(replaced, text)
    return None if missing else expanded


def holds(test: str, actual: Values | None, expected: Iterable[str | None]) -> bool:
    """Whether a condition holds.

    Raises:
        NotImplementedError: there is no such operator.
    """
    wanted = [each for each in expected if each is not None]
    quantifier, _, plain = test.rpartition(":")
    if plain == "Null":
        return (not actual) == (wanted[0].lower() == "true")
    name = plain.removesuffix("IfExists")
    if name not in OPERATORS and name not in NEGATED:
        raise NotImplementedError(f"the condition operator {test} is not implemented")
    if not actual and plain.endswith("IfExists"):
        return True

    def matches(value: str) -> bool:
        positive = any(OPERATORS[NEGATED.get(name, name)](value, each) for each in wanted)
        return positive != (name in NEGATED)

    if quantifier == "ForAllValues":
        return all(map(matches, actual or ()))
    if quantifier == "ForAnyValue":
        return any(map(matches, actual or ()))
    # Negated operators hold if the key is absent.
    return name in NEGATED if not actual else all(map(matches, actual))


def _arn_like(actual: str, expected: str) -> bool:
    return _matches_arn(expected, actual)


def _compares(compare: Callable[[Any, Any], bool], convert: Callable[[str], Any]) -> Callable[[str, str], bool]:
    return lambda actual, expected: compare(convert(actual), convert(expected))


def _moment(text: str) -> datetime:
    """A time: ISO 8601, or seconds since 1970."""
    if re.fullmatch(r"[\d.]+", text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_network(actual: str, expected: str) -> bool:
    return ip_address(actual) in ip_network(expected, strict=False)


def _comparisons(kind: str, convert: Callable[[str], Any]) -> Iterator[tuple[str, Callable[[str, str], bool]]]:
    yield f"{kind}Equals", _compares(operator.eq, convert)
    yield f"{kind}LessThan", _compares(operator.lt, convert)
    yield f"{kind}LessThanEquals", _compares(operator.le, convert)
    yield f"{kind}GreaterThan", _compares(operator.gt, convert)
    yield f"{kind}GreaterThanEquals", _compares(operator.ge, convert)


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "BinaryEquals": _compares(operator.eq, b64decode),
    "Bool": _compares(operator.eq, str.lower),
    "IpAddress": _in_network,
    "StringEquals": operator.eq,
    "StringEqualsIgnoreCase": _compares(operator.eq, str.lower),
    "StringLike": lambda actual, expected: bool(_glob(expected).fullmatch(actual)),
    **dict(_comparisons("Numeric", float)),
    **dict(_comparisons("Date", _moment)),
}
NEGATED = {
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
}
