"""Plans as `terraform show -json` tells them.

Format: https://developer.hashicorp.com/terraform/internals/json-format
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operations.errors import RefusedError

MAX_BYTES = 128 * 2**20
"""Bytes. Ten thousand resources make a plan of about 100 MB; Python takes about eight times of it in memory."""
FORMAT = re.compile(r"1\.\d+")
"""Minor versions only add to the format: https://developer.hashicorp.com/terraform/internals/json-format#format-summary"""
GENERIC_NAMES = {"default", "out", "plan", "show", "tfplan"}
"""Of files, that say nothing of the stack; its folder does."""

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

AttributePath = tuple[str | int, ...]


class _PlanModel(BaseModel):
    """What Terraform tells, and as much more as it likes."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Importing(_PlanModel):
    """Where a change brings what exists into the state."""

    id: str | None = None


class Change(_PlanModel):
    """From what to what."""

    actions: tuple[str, ...]
    before: Any = None
    after: Any = None
    after_unknown: Any = False
    before_sensitive: Any = False
    after_sensitive: Any = False
    replace_paths: tuple[AttributePath, ...] | None = ()
    importing: Importing | None = None


class ResourceChange(_PlanModel):
    """A change of one resource."""

    address: str
    type: str = ""
    mode: Literal["managed", "data"] = "managed"
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
        """Address, with what tells a deposed object from the one that took its place."""
        return f"{self.address} (deposed {self.deposed})" if self.deposed else self.address


class OutputChange(_PlanModel):
    """A change of one output."""

    actions: tuple[str, ...]


class DeferredChange(_PlanModel):
    """A change that waits for another plan."""

    reason: str = ""
    resource_change: ResourceChange


class CheckAddress(_PlanModel):
    """What is checked."""

    to_display: str = ""


class PlanCheck(_PlanModel):
    """Of a `check` block, a condition or a validation."""

    address: CheckAddress = CheckAddress()
    status: str = ""


class Plan(_PlanModel):
    """A plan."""

    format_version: str
    resource_changes: tuple[ResourceChange, ...] = ()
    resource_drift: tuple[ResourceChange, ...] = ()
    deferred_changes: tuple[DeferredChange, ...] = ()
    output_changes: Mapping[str, OutputChange] = Field(default_factory=dict)
    checks: tuple[PlanCheck, ...] = ()
    errored: bool = False
    complete: bool = True
    configuration: Any = None

    @property
    def changes(self) -> Iterator[ResourceChange]:
        """Of managed resources; a data source is only read."""
        return (change for change in self.resource_changes if change.mode == "managed")

    @property
    def deferred(self) -> Iterator[ResourceChange]:
        """Changes that wait for another plan."""
        return (entry.resource_change for entry in self.deferred_changes if entry.resource_change.mode == "managed")

    @property
    def is_first(self) -> bool:
        """Whether the stack has nothing yet."""
        return all(change.action == "create" for change in self.changes)

    @property
    def failed_checks(self) -> list[str]:
        """What was checked and does not hold."""
        return [check.address.to_display for check in self.checks if check.status in {"fail", "error"}]


@dataclass(frozen=True)
class NamedPlan:
    """A plan with the name of its stack."""

    stack: str
    plan: Plan


def read_plans(files: list[Path]) -> list[NamedPlan]:
    """The plans in files, each with a name of its own.

    Raises:
        RefusedError: one holds no plan.
    """
    plans = [(file, read_plan(file)) for file in files]
    names = [_stack_name(file, plan) for file, plan in plans]
    return [
        NamedPlan(name if names.count(name) == 1 else f"{name} ({file})", plan)
        for name, (file, plan) in zip(names, plans, strict=True)
    ]


def read_plan(file: Path) -> Plan:
    """The plan in a file.

    Raises:
        RefusedError: it holds none, with what it holds instead.
    """
    document = _parse_json(file, _read_bytes(file))
    if not isinstance(document, dict):
        raise RefusedError(f"{file}: no plan: JSON, but no object; allowed: {EXPECTED}")
    for is_it, what in OTHER_DOCUMENTS:
        if is_it(document):
            raise RefusedError(f"{file}: no plan but {what}; allowed: {EXPECTED}")
    version = document["format_version"]
    if not isinstance(version, str) or not FORMAT.fullmatch(version):
        raise RefusedError(
            f"{file}: format_version {_truncate(version)}: this reads 1.x, as Terraform 1.1 and later write it"
        )
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = _truncate("/".join(map(str, problem["loc"])))
        raise RefusedError(f"{file}: no plan that Terraform would write: {where}: {problem['msg']}") from error


EXPECTED = "what `terraform show -json PLANFILE` writes"

OTHER_DOCUMENTS = (
    (lambda found: "valid" in found and "diagnostics" in found, "what `terraform validate -json` says"),
    (lambda found: "provider_schemas" in found, "the schemas of providers"),
    (lambda found: "terraform_version" in found and "serial" in found and "lineage" in found, "a state itself"),
    (lambda found: "@level" in found and "@message" in found, "a line of `terraform plan -json`"),
    (lambda found: "format_version" not in found, "other JSON, without a format_version"),
    # Without any state there is nothing but the version.
    (
        lambda found: found.keys() <= {"format_version", "terraform_version", "values", "checks"},
        "a state, as `terraform show -json` tells one without a file",
    ),
)
"""What else Terraform writes as JSON."""


def _read_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError(f"{file}: cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise RefusedError(f"{file}: larger than {MAX_BYTES >> 20} MiB, which is as much as a review reads")
    if content.startswith(b"PK\x03\x04"):
        raise RefusedError(f"{file}: a plan as Terraform saves it; allowed: {EXPECTED}")
    if not content.strip():
        raise RefusedError(f"{file}: empty; allowed: {EXPECTED}")
    return content


def _parse_json(file: Path, content: bytes) -> Any:
    try:
        # What Windows PowerShell redirects is UTF-16.
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file}: no JSON: {error.reason} at byte {error.start}; allowed: {EXPECTED}") from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if text.startswith('{"@level"') and error.msg == "Extra data":
            what = "what `terraform plan -json` says, line by line"
            raise RefusedError(f"{file}: no plan but {what}; allowed: {EXPECTED}") from error
        whole = text.strip()
        is_cut = whole[:1] in ("{", "[") and (whole[-1:] not in ("}", "]") or error.pos >= len(text.rstrip()))
        problem = f"truncated: {len(content)} bytes, and no end" if is_cut else "no JSON"
        raise RefusedError(f"{file}: {problem} ({error}); allowed: {EXPECTED}") from error
    except RecursionError as error:
        raise RefusedError(f"{file}: nested deeper than any plan") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise RefusedError(f"{file}: no JSON that can be read: {error}") from error


def _stack_name(file: Path, plan: Plan) -> str:
    """Its environment and tier, where its provider tags all with them; or what the file is called."""
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
