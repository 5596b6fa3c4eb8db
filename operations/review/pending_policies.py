"""Policies that a plan shows only as "known after apply", as the data source that makes them will say them.

Terraform reads a data source during the apply where anything that it depends on changes, if only a tag. The plan then
tells the statements of an `aws_iam_policy_document`, but not the document that comes of them.
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
    """A policy that is not known yet."""

    document: Any
    assumed: bool
    """Whether some of it is known only after the apply, and taken here as it was."""


def pending_policy(plan: Plan, address: str, argument: str, before: Any) -> PendingPolicy | None:
    """The policy that an argument will have, or None where the plan does not tell it.

    Args:
        before: the document that it has now, or None.
    """
    try:
        return _pending_policy(plan, address, argument, before)
    except (AttributeError, KeyError, TypeError):  # Terraform would tell it otherwise
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
    """The module of an address, as a prefix, and what the configuration says of the resource."""
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
    was = {statement.get("Sid"): statement for statement in statements(before) if statement.get("Sid")}
    made: list[Statement] = []
    assumed = False
    for key in listed.keys:
        statement = listed.at(key)
        old = was.get(statement.at("sid").value)
        new, unknown = _statement(statement)
        for element in unknown:
            if old is None or element not in old:
                return None
            new[element], assumed = old[element], True
        made.append(new)
    return PendingPolicy({"Statement": made}, assumed)


def _statement(told: Side) -> tuple[Statement, list[str]]:
    """A statement as IAM writes it, and its elements of which something is not known yet."""
    made: Statement = {"Sid": told.at("sid").value, "Effect": told.at("effect").value or "Allow"}
    unknown: list[str] = []
    for argument, element in {**LISTS, **PRINCIPALS, "condition": "Condition"}.items():
        found = told.at(argument)
        if found.is_unknown:
            unknown.append(element)
        elif found.value:
            made[element] = _element(argument, found.value)
    return made, unknown


def _element(argument: str, value: Any) -> Any:
    if argument in LISTS:
        return value
    made: dict[str, Any] = {}
    for block in value:
        if argument == "condition":
            made.setdefault(block["test"], {})[block["variable"]] = block["values"]
        else:
            made.setdefault(block["type"], []).extend(block["identifiers"])
    return made if argument == "condition" or made.keys() != {"*"} else "*"
