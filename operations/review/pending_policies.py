"""Policies that a plan shows as "known after apply", reconstructed from their data source.

Terraform defers reading a data source to apply if any of its dependencies changes, even a tag. The plan then contains
the statements of an `aws_iam_policy_document`, but not the resulting JSON.
"""

import re
from dataclasses import dataclass
from typing import Any

from operations.review.differences import Side, sides
from operations.review.plan import Plan
from operations.review.policy_changes import statements
from synthesized.policy_statements import Statement

DOCUMENT = "data.aws_iam_policy_document."
OTHER_SOURCES = ("override_policy_documents", "source_policy_documents", "override_json", "source_json")
LISTS = {
    "actions": "Action",
    "not_actions": "NotAction",
    "resources": "Resource",
    "not_resources": "NotResource",
}
PRINCIPALS = {"principals": "Principal", "not_principals": "NotPrincipal"}
MODULE = re.compile(r"module\.([\w-]+)(?:\[[^\]]*\])?\.")


@dataclass(frozen=True)
class PendingPolicy:
    """A policy that is known only after apply."""

    document: Any
    assumed: bool
    """Whether unknown elements are assumed to be unchanged."""


def pending_policy(plan: Plan, address: str, argument: str, before: Any) -> PendingPolicy | None:
    """The future policy in an argument, or None if the plan does not contain it.

    Args:
        before: the current policy, or None.
    """
    try:
        return _pending_policy(plan, address, argument, before)
    except (AttributeError, KeyError, TypeError):  # not a configuration that Terraform writes
        return None


def _pending_policy(plan: Plan, address: str, argument: str, before: Any) -> PendingPolicy | None:
    module, name = _find_configuration(plan.configuration, address)
    references = name["expressions"][argument]["references"]
    sources = {".".join(each.split(".")[:3]) for each in references if each.startswith(DOCUMENT)}
    if len(sources) != 1:
        return None
    wanted = module + sources.pop()
    found = [change for change in plan.resource_changes if change.address == wanted and change.mode == "data"]
    return _policy(sides(found[0].change)[1], before) if len(found) == 1 else None


def _find_configuration(configuration: Any, address: str) -> tuple[str, Any]:
    """The module prefix of an address, and the resource's configuration."""
    module = configuration["root_module"]
    prefix = ""
    while found := MODULE.match(address):
        prefix, address = prefix + found[0], address[found.end() :]
        module = module["module_calls"][found[1]]["module"]
    address = address.partition("[")[0]
    return prefix, next((each for each in module["resources"] if each["address"] == address), None)


def _policy(source: Side, before: Any) -> PendingPolicy | None:
    if source.is_sensitive or any(source.at(name).value or source.at(name).is_unknown for name in OTHER_SOURCES):
        return None
    listed = source.at("statement")
    if listed.unknown is True or not isinstance(listed.value, list):
        return None
    old_statements = {statement.get("Sid"): statement for statement in statements(before) if statement.get("Sid")}
    built: list[Statement] = []
    assumed = False
    for key in listed.keys:
        statement = listed.at(key)
        old_statement = old_statements.get(statement.at("sid").value)
        new, unknown = _statement(statement)
        for element in unknown:
            if old_statement is None or element not in old_statement:
                return None
            new[element], assumed = old_statement[element], True
        built.append(new)
    return PendingPolicy({"Statement": built}, assumed)


def _statement(statement: Side) -> tuple[Statement, list[str]]:
    """A statement in IAM's format, and the names of its elements that are not entirely known."""
    built: Statement = {"Sid": statement.at("sid").value, "Effect": statement.at("effect").value or "Allow"}
    unknown: list[str] = []
    for argument, element in {**LISTS, **PRINCIPALS, "condition": "Condition"}.items():
        found = statement.at(argument)
        if found.is_unknown:
            unknown.append(element)
        elif found.value:
            built[element] = _element(argument, found.value)
    return built, unknown


def _element(argument: str, value: Any) -> Any:
    if argument in LISTS:
        return value
    built: dict[str, Any] = {}
    for block in value:
        if argument == "condition":
            built.setdefault(block["test"], {})[block["variable"]] = block["values"]
        else:
            built.setdefault(block["type"], []).extend(block["identifiers"])
    return built if argument == "condition" or built.keys() != {"*"} else "*"
