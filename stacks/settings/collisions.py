"""Collisions: what two environments must not share, although each settings file is valid on its own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from operator import attrgetter
from typing import Any

from stacks.settings.audit import AuditSettings
from stacks.settings.environment import Environment

Pair = tuple[Environment, Environment]


@dataclass(frozen=True)
class Collision:
    """A key whose values in two environments may collide."""

    key: str
    occurs: Callable[[Pair], object]
    allowed: str
    within: tuple[str, ...] = ()
    """Keys in which the environments must agree to collide: what is unique in an account may recur in another."""
    spares_successors: bool = False
    """Whether an environment may share the value with the one that it replaces."""


def _values(pair: Pair, key: str) -> tuple[Any, Any]:
    one, other = map(attrgetter(key), pair)
    return one, other


def _is_shared(key: str) -> Callable[[Pair], bool]:
    def is_shared(pair: Pair) -> bool:
        one, other = _values(pair, key)
        return bool(set(one) & set(other)) if isinstance(one, tuple) else one == other

    return is_shared


def _replaces(pair: Pair) -> bool:
    """Whether one environment replaces the other."""
    one, other = pair
    return one.replaces == other.name or other.replaces == one.name


OWN = (
    ("service.domain", "a domain"),
    ("permissions_boundary", "a policy"),
    ("foundation.key_administrators", "roles"),
)
"""What each environment has for itself, unless it replaces the other."""
ONCE = (*(f"audit.{service}" for service in AuditSettings.model_fields), "database.os_metrics_log")
"""What one environment manages for an account and Region."""

COLLISIONS = (
    # So that the VPCs can be peered, or attached to one transit gateway.
    Collision(
        "network.cidr", lambda pair: pair[0].network.cidr.overlaps(pair[1].network.cidr), "ranges that do not overlap"
    ),
    Collision(
        "account",
        lambda pair: pair[0].production != pair[1].production,
        "an account for each, because only one of them is production (PCI DSS 6.5.3)",
        within=("account",),
    ),
    # acme with shop-dev is acme-shop with dev; and deployment roles are in the path of a company named acme-access.
    Collision(
        "company",
        lambda pair: bool(pair[0].names.prefixes & pair[1].names.prefixes),
        "company and environment that do not join to the same names",
        within=("account",),
    ),
    # Their roles could reach each other's resources both ways.
    Collision(
        "replaces",
        lambda pair: pair[0].replaces == pair[1].name and pair[1].replaces == pair[0].name,
        "missing in one of them: two environments do not replace each other",
    ),
    # Also of a successor: what bootstrap creates for an environment denies what has another environment's tag.
    Collision(
        "permissions_boundary",
        lambda pair: _replaces(pair) and pair[0].permissions_boundary in {each.names.boundary_arn for each in pair},
        "another policy than bootstrap's, which is of one environment only",
        within=("permissions_boundary",),
    ),
    *(
        Collision(
            key,
            _is_shared(key),
            f"{what} for each, unless one has `replaces` with the name of the other",
            spares_successors=True,
        )
        for key, what in OWN
    ),
    Collision(
        "access.oidc_provider",
        lambda pair: not any(_values(pair, "access.oidc_provider")),
        "missing in one, which creates the account's only provider; the ARN of that in the other",
        within=("account",),
    ),
    *(
        Collision(
            key,
            lambda pair, key=key: all(_values(pair, key)),
            "true in one of them, which manages it for the account and Region",
            within=("account", "region"),
        )
        for key in ONCE
    ),
)


def find_collisions(environments: list[Environment], only: str | None, path: Callable[[str], str]) -> Iterator[str]:
    """One line for each collision. No file knows which environment is deployed, so the line blames neither.

    Args:
        only: the environment whose collisions are wanted; None for all.
        path: returns the path of an environment's file.
    """
    for pair in combinations(environments, 2):
        one, other = pair
        if only not in {None, one.name, other.name}:
            continue
        for rule in COLLISIONS:
            if (_replaces(pair) and rule.spares_successors) or not rule.occurs(pair):
                continue
            if all(first == second for first, second in (_values(pair, key) for key in rule.within)):
                yield (
                    f"{path(one.name)} and {path(other.name)}: {rule.key} {_format(*_values(pair, rule.key))}: "
                    f"allowed: {rule.allowed}; change the one that is not deployed yet"
                )


def _format(one: Any, other: Any) -> str:
    if one is None:
        return "is missing"
    texts = dict.fromkeys(json.dumps(value, default=str) for value in (one, other))
    return f"= {' and '.join(texts)}"
