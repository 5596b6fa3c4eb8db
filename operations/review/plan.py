"""Parses plans in the format of `terraform show -json`.

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
"""A plan with ten thousand resources has about 100 MB. Python needs about eight times as much memory."""
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

AttributePath = tuple[str | int, ...]


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


class Plan(_PlanModel):
    """A Terraform plan."""

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
        """Changes to managed resources."""
        return (change for change in self.resource_changes if change.mode == "managed")

    @property
    def deferred(self) -> Iterator[ResourceChange]:
        """Changes that are deferred to another plan."""
        return (entry.resource_change for entry in self.deferred_changes if entry.resource_change.mode == "managed")

    @property
    def is_first(self) -> bool:
        """Whether it is the stack's first plan: nothing exists yet."""
        return all(change.action == "create" for change in self.changes)

    @property
    def failed_checks(self) -> list[str]:
        """Names of failed checks."""
        return [check.address.to_display for check in self.checks if check.status in {"fail", "error"}]


@dataclass(frozen=True)
class NamedPlan:
    """A plan with the name of its stack."""

    stack: str
    plan: Plan


def read_plans(files: list[Path]) -> list[NamedPlan]:
    """Read plans from files. Each gets a unique name.

    Raises:
        RefusedError: a file is not a plan.
    """
    plans = [(file, read_plan(file)) for file in files]
    names = [_stack_name(file, plan) for file, plan in plans]
    return [
        NamedPlan(name if names.count(name) == 1 else f"{name} ({file})", plan)
        for name, (file, plan) in zip(names, plans, strict=True)
    ]


def read_plan(file: Path) -> Plan:
    """Read a plan from a file.

    Raises:
        RefusedError: the file is not a plan. The message says what it contains instead.
    """
    document = _parse_json(file, _read_bytes(file))
    if not isinstance(document, dict):
        raise RefusedError(f"{file}: not a plan: JSON, but not an object; allowed: {EXPECTED}")
    for is_it, what in OTHER_DOCUMENTS:
        if is_it(document):
            raise RefusedError(f"{file}: not a plan but {what}; allowed: {EXPECTED}")
    version = document["format_version"]
    if not isinstance(version, str) or not FORMAT.fullmatch(version):
        raise RefusedError(
            f"{file}: format_version {_truncate(version)}: allowed: 1.x, written by Terraform 1.1 and later"
        )
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = _truncate("/".join(map(str, problem["loc"])))
        raise RefusedError(f"{file}: not a valid plan: {where}: {problem['msg']}") from error


EXPECTED = "the output of `terraform show -json PLANFILE`"

OTHER_DOCUMENTS = (
    (lambda found: "valid" in found and "diagnostics" in found, "the output of `terraform validate -json`"),
    (lambda found: "provider_schemas" in found, "provider schemas"),
    (lambda found: "terraform_version" in found and "serial" in found and "lineage" in found, "a state file"),
    (lambda found: "@level" in found and "@message" in found, "a line of the output of `terraform plan -json`"),
    (lambda found: "format_version" not in found, "other JSON, without a format_version"),
    # Without a state, `terraform show -json` prints only the version.
    (
        lambda found: found.keys() <= {"format_version", "terraform_version", "values", "checks"},
        "a state, the output of `terraform show -json` without a file",
    ),
)
"""Other JSON documents of Terraform."""


def _read_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError(f"{file}: cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise RefusedError(f"{file}: too large; allowed: up to {MAX_BYTES >> 20} MiB")
    if content.startswith(b"PK\x03\x04"):
        raise RefusedError(f"{file}: a binary plan file; allowed: {EXPECTED}")
    if not content.strip():
        raise RefusedError(f"{file}: empty; allowed: {EXPECTED}")
    return content


def _parse_json(file: Path, content: bytes) -> Any:
    try:
        # Windows PowerShell redirects output as UTF-16.
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file}: not JSON: {error.reason} at byte {error.start}; allowed: {EXPECTED}") from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if text.startswith('{"@level"') and error.msg == "Extra data":
            what = "the output of `terraform plan -json`"
            raise RefusedError(f"{file}: not a plan but {what}; allowed: {EXPECTED}") from error
        stripped = text.strip()
        is_cut = stripped[:1] in ("{", "[") and (stripped[-1:] not in ("}", "]") or error.pos >= len(text.rstrip()))
        problem = f"truncated after {len(content)} bytes" if is_cut else "not JSON"
        raise RefusedError(f"{file}: {problem} ({error}); allowed: {EXPECTED}") from error
    except RecursionError as error:
        raise RefusedError(f"{file}: nested too deeply for a plan") from error
    except ValueError as error:  # a number with more digits than Python parses
        raise RefusedError(f"{file}: JSON that cannot be parsed: {error}") from error


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
