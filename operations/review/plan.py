"""Parses plans in the format of `terraform show -json`.

Format: https://developer.hashicorp.com/terraform/internals/json-format
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import ErrorDetails

from operations.errors import RefusedError
from operations.review.documents import read_file

FORMAT = re.compile(r"1\.\d+")
"""Minor versions only add to the format: https://developer.hashicorp.com/terraform/internals/json-format#format-summary"""
GENERIC_NAMES = {"default", "out", "plan", "show", "tfplan"}
"""File names that do not identify the stack; its folder's name is used instead."""

ACTIONS: Mapping[tuple[str, ...], str] = {
    ("no-op",): "no-op",
    ("read",): "read",
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace, successor first",
    ("forget",): "forget",
    ("create", "forget"): "forget",
    ("forget", "create"): "forget",
}
UNKNOWN_ACTION = "unknown"

WITHOUT_CHANGES = {
    "terraform_version",
    "variables",
    "planned_values",
    "proposed_unknown",
    "prior_state",
    "relevant_attributes",
    "timestamp",
    "applyable",
}
"""Parts of a plan that contain no changes."""

AttributePath = tuple[str | int, ...]


def _read_each(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo[list[str]]) -> Any:
    """Read the entries of a list or object without the invalid ones, which are added to the context's list."""
    try:
        return read(value)
    except ValidationError as error:
        problems: dict[Any, ErrorDetails] = {}
        for problem in _problems(error):
            if not problem["loc"]:  # neither a list nor an object
                raise
            problems.setdefault(problem["loc"][0], problem)
    entries: dict[Any, Any] = value if isinstance(value, dict) else dict(enumerate(value))
    for key, problem in problems.items():
        address = entries[key].get("address") if isinstance(entries[key], dict) else None
        path = (info.field_name, address if isinstance(address, str) else key, *problem["loc"][1:])
        info.context.append(_format_problem(path, problem))
    valid = {key: entry for key, entry in entries.items() if key not in problems}
    return read(valid if isinstance(value, dict) else list(valid.values()))


Entry = TypeVar("Entry")
Each = Annotated[tuple[Entry, ...], WrapValidator(_read_each)]


class _PlanModel(BaseModel):
    """Part of a plan. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Importing(_PlanModel):
    """Import of an existing resource."""

    id: str | None = None


class Change(_PlanModel):
    """The actions and the two sides of a change."""

    actions: tuple[str, ...]
    before: Any = None
    after: Any = None
    after_unknown: Any = False
    before_sensitive: Any = False
    after_sensitive: Any = False
    replace_paths: tuple[AttributePath, ...] | None = ()
    importing: Importing | None = None


class ResourceChange(_PlanModel):
    """A change to a resource."""

    address: str
    type: str = ""
    mode: Literal["managed", "data", "ephemeral"] = "managed"
    """OpenTofu lists ephemeral resources too, which only exist during a run."""
    previous_address: str | None = None
    deposed: str | None = None
    action_reason: str | None = None
    change: Change

    @property
    def action(self) -> str:
        """One of `ACTIONS`, or `UNKNOWN_ACTION`."""
        return ACTIONS.get(self.change.actions, UNKNOWN_ACTION)

    @property
    def title(self) -> str:
        """The address, with the deposed key if there is one."""
        return f"{self.address} (deposed {self.deposed})" if self.deposed else self.address


class OutputChange(_PlanModel):
    """A change to an output."""

    actions: tuple[str, ...]


class DeferredChange(_PlanModel):
    """A change that is deferred to another plan."""

    reason: str = ""
    resource_change: ResourceChange


class CheckAddress(_PlanModel):
    """Address of a check."""

    to_display: str = ""


class PlanCheck(_PlanModel):
    """Result of a check block, condition or validation."""

    address: CheckAddress = CheckAddress()
    status: str = ""


class ConditionResult(_PlanModel):
    """Result of a condition, as Terraform 1.2 writes it."""

    address: str
    result: bool | None = None
    unknown: bool = False


class ActionTrigger(_PlanModel):
    """The change that triggers an action."""

    triggering_resource_address: str = ""
    action_trigger_event: str = ""


class ActionInvocation(_PlanModel):
    """An action that the apply runs, from Terraform 1.14 on."""

    address: str
    type: str = ""
    lifecycle_action_trigger: ActionTrigger | None = None

    @property
    def reason(self) -> str:
        """When it runs."""
        trigger = self.lifecycle_action_trigger
        return f"{trigger.action_trigger_event} {trigger.triggering_resource_address}" if trigger else "-invoke"


class DeferredInvocation(_PlanModel):
    """An action that is deferred to another plan."""

    action_invocation: ActionInvocation


class Plan(_PlanModel):
    """A Terraform plan."""

    format_version: str
    resource_changes: Each[ResourceChange] = ()
    resource_drift: Each[ResourceChange] = ()
    deferred_changes: Each[DeferredChange] = ()
    action_invocations: Each[ActionInvocation] = ()
    deferred_action_invocations: Each[DeferredInvocation] = ()
    output_changes: Annotated[Mapping[str, OutputChange], WrapValidator(_read_each)] = Field(default_factory=dict)
    checks: Each[PlanCheck] = ()
    condition_results: Each[ConditionResult] = ()
    errored: bool = False
    complete: bool = True
    configuration: Any = None

    @property
    def changes(self) -> Iterator[ResourceChange]:
        """Changes to managed resources."""
        return (change for change in self.resource_changes if change.mode == "managed")

    @property
    def deferred(self) -> Iterator[ResourceChange]:
        """Changes that are deferred to another plan."""
        return (entry.resource_change for entry in self.deferred_changes if entry.resource_change.mode == "managed")

    @cached_property
    def new_names(self) -> set[str]:
        """Names of the resources that the plan creates."""
        created = (
            change for change in self.changes if change.action == "create" and isinstance(change.change.after, dict)
        )
        names = (
            change.change.after.get(key)
            for change in created
            for key in ("name", "id", *(["bucket"] if change.type.endswith("_bucket") else []))
        )
        return {name for name in names if isinstance(name, str)}

    @property
    def is_first(self) -> bool:
        """Whether it is the stack's first plan: nothing exists yet."""
        return all(change.action == "create" for change in self.changes)

    @property
    def invocations(self) -> tuple[ActionInvocation, ...]:
        """Actions, also those that are deferred to another plan."""
        return (*self.action_invocations, *(entry.action_invocation for entry in self.deferred_action_invocations))

    @property
    def failed_checks(self) -> list[str]:
        """Names of failed checks and conditions."""
        return [check.address.to_display for check in self.checks if check.status in {"fail", "error"}] + [
            condition.address
            for condition in self.condition_results
            if condition.result is False and not condition.unknown
        ]


@dataclass(frozen=True)
class NamedPlan:
    """A plan with the name of its stack."""

    stack: str
    plan: Plan
    unread: tuple[str, ...] = ()
    """Parts that are not understood and may stand for changes."""
    notes: tuple[str, ...] = ()
    """Other parts that are not understood."""


def read_plans(files: list[Path]) -> list[NamedPlan]:
    """Read plans from files. Each gets a unique name.

    Raises:
        RefusedError: a file contains no plan.
    """
    plans = [found for file in files for found in _read_plans(file)]
    names = [found.stack for _, found in plans]
    return [
        found if names.count(found.stack) == 1 else replace(found, stack=f"{found.stack} ({where})")
        for where, found in plans
    ]


def _read_plans(file: Path) -> Iterator[tuple[str, NamedPlan]]:
    """The plans in a file, with their position. What is said of the file is said of its first plan."""
    content = read_file(file)
    unread, notes = content.unread, (f"lines beside the JSON: {content.other_lines}",) if content.other_lines else ()
    known = WITHOUT_CHANGES | Plan.model_fields.keys()
    for number, document in enumerate(content.plans, 1):
        where = f"{file}, plan {number}" if len(content.plans) > 1 else str(file)
        entries: list[str] = []
        plan = _parse_plan(where, document, entries)
        other = tuple(
            f"{field}: unknown to this review" for field in document if document[field] and field not in known
        )
        yield where, NamedPlan(_stack_name(file, plan), plan, (*unread, *entries), (*notes, *other))
        unread, notes = (), ()


def _parse_plan(where: str, document: Mapping[str, Any], unread: list[str]) -> Plan:
    version = document["format_version"]
    if not isinstance(version, str) or not FORMAT.fullmatch(version):
        raise RefusedError(
            f"{where}: format_version {_truncate(version)}: allowed: 1.x, written by Terraform 1.1 and later"
        )
    try:
        return Plan.model_validate(
            {name: value for name, value in document.items() if value is not None}, context=unread
        )
    except ValidationError as error:
        problem = _problems(error)[0]
        raise RefusedError(f"{where}: not a valid plan: {_format_problem(problem['loc'], problem)}") from error


def _problems(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _format_problem(path: Iterable[Any], problem: ErrorDetails) -> str:
    return f"{_truncate('/'.join(map(str, path)))}: {problem['msg']}"


def _stack_name(file: Path, plan: Plan) -> str:
    """Environment and tier from the provider's default tags, or else the name of the file."""
    try:
        provider = plan.configuration["provider_config"]["aws"]["expressions"]
        tags = provider["default_tags"][0]["tags"]["constant_value"]
        return f"{tags['Environment']}-{tags['Tier']}"
    except (KeyError, IndexError, TypeError):
        pass
    name = file.name.partition(".")[0]
    return file.absolute().parent.name if name.lower() in GENERIC_NAMES else name or str(file)


def _truncate(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
