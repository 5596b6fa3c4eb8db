"""The document that controls check and mutations change: all resources, with embedded JSON and policies resolved.

JSON strings are decoded and policy documents are inlined, so that a path reaches each value, as in
`network_configuration.assign_public_ip` or `policy.statement[sid=DenyPlaintext].effect`. Without such a filter, a path
through a list selects every element.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Self

from synthesized.platform import Body, Platform

JSON_ARGUMENTS = ("container_definitions", "definition", "event_pattern")
POLICY = re.compile(r"\$\{data\.aws_iam_policy_document\.([\w-]+)\.json\}")
STEP = re.compile(r"([\w-]+)(?:\[([\w-]+)=([^\]]*)\])?")


@dataclass(frozen=True)
class Document:
    """Bodies of all resources by address, and each stack's backend and providers under `stack.<tier>`."""

    bodies: dict[str, Body]
    _indexed: set[str] = field(init=False, repr=False, compare=False, default_factory=set)
    _index: dict[str, list[str]] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Addresses by selector."""

    @classmethod
    def of(cls, platform: Platform) -> Self:
        """The document of an environment."""
        policies = {
            resource.address.rpartition(".")[2]: resource.body
            for resource in platform.data
            if resource.type == "aws_iam_policy_document"
        }
        stacks = {
            f"stack.{tier}": deepcopy({"backend": stack.backend, "provider": stack.providers})
            for tier, stack in platform.stacks.items()
        }
        resources = {resource.address: _resolve(resource.body, policies) for resource in platform.resources}
        return cls({**resources, **stacks})

    def of_type(self, *selectors: str) -> dict[str, Body]:
        """Bodies by address, selected by type (`aws_lb`), type and tier (`aws_lb.service`), or address."""
        if self.bodies.keys() != self._indexed:  # a mutation adds and removes resources
            self._indexed.clear()
            self._index.clear()
            for address in self.bodies:
                self._indexed.add(address)
                type_, _, name = address.partition(".")
                for selector in (type_, f"{type_}.{name.partition('_')[0]}"):
                    self._index.setdefault(selector, []).append(address)
                self._index[address] = [address]
        return {address: self.bodies[address] for each in selectors for address in self._index.get(each, ())}

    def unreferenced(self, attribute: str, by: str) -> list[str]:
        """Addresses of resources whose `type.attribute` no `type.argument` refers to."""
        type_, _, name = attribute.partition(".")
        referring, _, argument = by.partition(".")
        references = {body[argument] for body in self.of_type(referring).values()}
        return [address for address in self.of_type(type_) if f"${{{address}.{name}}}" not in references]

    def referenced(self, reference: Any) -> Body:
        """Body of the resource that `${aws_kms_key.x.arn}` refers to; empty if it is no such reference."""
        found = re.match(r"\$\{([a-z]\w*\.[\w-]+)", str(reference))
        return self.bodies.get(found[1], {}) if found else {}


def values(body: Any, path: str) -> list[Any]:
    """All values at a path; a single None if there are none."""
    return [parent.get(key) for parent, key in _parents(body, path)] or [None]


def set_value(body: Body, path: str, value: Any) -> None:
    """Set the value at a path; None removes it.

    Raises:
        LookupError: nothing is at the path.
    """
    parents = list(_parents(body, path))
    if not parents:
        raise LookupError(path)
    for parent, key in parents:
        if value is None:
            del parent[key]
        else:
            parent[key] = deepcopy(value)


def _parents(body: Any, path: str) -> Iterator[tuple[Body, str]]:
    """The mappings that contain the last key of a path, with that key."""
    *steps, (last, _, _) = STEP.findall(path)
    parents = [body]
    for key, name, wanted in steps:
        children = [child for parent in parents for child in _mappings(parent.get(key))]
        parents = [child for child in children if not name or str(child.get(name)) == wanted]
    for parent in parents:
        yield parent, last


def _mappings(value: Any) -> list[Body]:
    return [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, dict)]


def _resolve(value: Any, policies: dict[str, Body], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _resolve(entry, policies, name) for name, entry in value.items()}
    if isinstance(value, list):
        return [_resolve(entry, policies) for entry in value]
    if isinstance(value, str) and (policy := POLICY.fullmatch(value)):
        return deepcopy(policies[policy[1]])
    return json.loads(value) if key in JSON_ARGUMENTS else value
