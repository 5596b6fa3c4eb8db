"""The platform as controls look at it, and as mutations change it: one document, with nothing left to resolve.

JSON within a string stands decoded, and a policy document stands where it is used, so that a path leads to each value:
`network_configuration.assign_public_ip`, `policy.statement[sid=DenyPlaintext].effect`. Where a path meets a list
without such a filter, it leads to every element.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

from synthesized.platform import Body, Platform

JSON_ARGUMENTS = ("container_definitions", "definition", "event_pattern")
POLICY = re.compile(r"\$\{data\.aws_iam_policy_document\.([\w-]+)\.json\}")
STEP = re.compile(r"([\w-]+)(?:\[([\w-]+)=([^\]]*)\])?")


@dataclass(frozen=True)
class Document:
    """Bodies of all resources by their addresses, and each stack's backend and providers under `stack.<tier>`."""

    bodies: dict[str, Body]

    @classmethod
    def of(cls, platform: Platform) -> Self:
        """An environment's document."""
        policies = {
            resource.address.rpartition(".")[2]: resource.body
            for resource in platform.data
            if resource.type == "aws_iam_policy_document"
        }
        stacks = {
            f"stack.{tier}": deepcopy({"backend": stack.backend, "provider": stack.providers})
            for tier, stack in platform.stacks.items()
        }
        resources = {resource.address: _resolved(resource.body, policies) for resource in platform.resources}
        return cls({**resources, **stacks})

    def copy(self) -> Self:
        """One to change."""
        return type(self)(deepcopy(self.bodies))

    def of_type(self, *selectors: str) -> dict[str, Body]:
        """Bodies by address, of types (`aws_lb`) or of one resource (`aws_lb.service_load-balancer`)."""
        return {
            address: body
            for address, body in self.bodies.items()
            if address in selectors or address.partition(".")[0] in selectors
        }

    def unreferenced(self, attribute: str, by: str) -> list[str]:
        """Addresses of a type that nothing refers to: by which `type.attribute`, and at which `type.argument`."""
        type_, _, read = attribute.partition(".")
        referring, _, argument = by.partition(".")
        referred = {body[argument] for body in self.of_type(referring).values()}
        return [address for address in self.of_type(type_) if f"${{{address}.{read}}}" not in referred]

    def referenced(self, reference: Any) -> Body:
        """The resource that an interpolation such as `${aws_kms_key.x.arn}` is about; empty where it is none."""
        found = re.match(r"\$\{([a-z]\w*\.[\w-]+)", str(reference))
        return self.bodies.get(found[1], {}) if found else {}


def values(body: Any, path: str) -> list[Any]:
    """All values that a path leads to; one None where it leads nowhere."""
    return [parent.get(key) for parent, key in _ends(body, path)] or [None]


def set_value(body: Body, path: str, value: Any) -> None:
    """Set what a path leads to; None takes it away.

    Raises:
        LookupError: there is no such place.
    """
    ends = list(_ends(body, path))
    if not ends:
        raise LookupError(path)
    for parent, key in ends:
        if value is None:
            del parent[key]
        else:
            parent[key] = deepcopy(value)


def _ends(body: Any, path: str) -> Iterator[tuple[Body, str]]:
    """The mappings that a path's last step is taken in, with its key."""
    *steps, (last, _, _) = STEP.findall(path)
    places = [body]
    for key, name, wanted in steps:
        found = [entry for place in places for entry in _each(place.get(key))]
        places = [entry for entry in found if not name or str(entry.get(name)) == wanted]
    for place in places:
        yield place, last


def _each(value: Any) -> list[Body]:
    return [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, dict)]


def _resolved(value: Any, policies: dict[str, Body], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _resolved(entry, policies, name) for name, entry in value.items()}
    if isinstance(value, list):
        return [_resolved(entry, policies) for entry in value]
    if isinstance(value, str) and (policy := POLICY.fullmatch(value)):
        return deepcopy(policies[policy[1]])
    return json.loads(value) if key in JSON_ARGUMENTS else value
