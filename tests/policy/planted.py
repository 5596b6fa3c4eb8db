"""Copies of a synthesized platform with a defect, to test that checks find it."""

from collections.abc import Collection
from copy import deepcopy
from dataclasses import replace
from typing import Any

from synthesized.platform import Body, Platform, Resource


def is_noticed(problem: str, found: Collection[str], before: Collection[str]) -> bool:
    """Whether a problem was found that was not there before; if nothing new was found, whether it was there before."""
    new = set(found) - set(before)
    return any(problem in each for each in (new or before))


def with_changed(platform: Platform, address: str, **arguments: Any) -> Platform:
    """The platform with arguments of one of its resources or data sources changed."""
    (found,) = (each for each in (*platform.resources, *platform.data) if each.address == address)
    planted = replace(found, body={**deepcopy(found.body), **arguments})

    def changed(each: Resource) -> Resource:
        return planted if each is found else each

    return replace(platform, resources=tuple(map(changed, platform.resources)), data=tuple(map(changed, platform.data)))


def without(platform: Platform, *addresses: str) -> Platform:
    """The platform without some of its resources."""
    assert set(addresses) <= {resource.address for resource in platform.resources}
    return replace(platform, resources=tuple(each for each in platform.resources if each.address not in addresses))


def with_added(platform: Platform, tier: str, type_: str, name: str, body: Body) -> Platform:
    """The platform with one more resource."""
    added = Resource(f"{type_}.{tier}_{name}", f"{type_}.{name}", tier, type_, name, body)
    return replace(platform, resources=(*platform.resources, added))


def with_statement(platform: Platform, document: str, **arguments: Any) -> Platform:
    """The platform with one more statement in a policy document, which is named by its address without the type."""
    address = f"data.aws_iam_policy_document.{document}"
    return with_changed(platform, address, statement=[*_statements(platform, address), arguments])


def with_statement_changed(platform: Platform, document: str, sid: str, **arguments: Any) -> Platform:
    """The platform with a statement of a policy document changed."""
    address = f"data.aws_iam_policy_document.{document}"
    statements = _statements(platform, address)
    assert sid in {statement["sid"] for statement in statements}
    changed = [{**each, **(arguments if each["sid"] == sid else {})} for each in statements]
    return with_changed(platform, address, statement=changed)


def _statements(platform: Platform, address: str) -> list[Body]:
    (document,) = (each for each in platform.data if each.address == address)
    return document.body["statement"]
