"""`python -m operations drift ENV`: what has been changed behind Terraform's back, in all tiers.

A refresh-only plan compares the state with what is there. Most of what it tells is nobody's change: values that AWS
fills in later, and what one resource of the stack does to another (a rule to its security group). What counts is what
Terraform is told to keep, and what has been added beside what the stacks made.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from operations.account import EnvironmentName, connect
from operations.errors import RefusedError, one_line_errors
from operations.lock import refuse_locked
from operations.plans import PARALLEL_RUNS, TerraformRunner, plan, run_in_folder
from operations.states import read_state
from operations.terminal import console, run_in_parallel
from operations.terraform import CACHE, TerraformError
from synthesized.catalogue.row import SeparateResource
from synthesized.catalogue.table import row_of
from synthesized.platform import Body, Platform, Stack

PROVIDER = "registry.terraform.io/hashicorp/aws"
TAGS = "tags_all"
"""A resource's tags with those of the whole stack, which Terraform keeps too."""

ComputedArguments = Mapping[str, list[str]]
"""By type: the arguments that AWS fills in where nobody sets them."""


@dataclass(frozen=True)
class DriftedAttribute:
    """What somebody has done to one resource. Arguments are named, and their values never told: some are secret."""

    tier: str
    address: str
    action: str
    """`changed`, `deleted`, or `added to`, where Terraform would not set it right."""
    arguments: tuple[str, ...]


@dataclass
class Drift:
    """Of an environment."""

    changes: list[DriftedAttribute] = field(default_factory=list)
    not_deployed: list[str] = field(default_factory=list)
    """Tiers without a state."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Why a tier could not be looked at, by tier."""

    @property
    def needs_attention(self) -> bool:
        """Whether somebody must look at it."""
        return bool(self.changes or self.unknown)


def drift(
    environment: EnvironmentName,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: the same as JSON.")] = False,
) -> None:
    """List what has been changed behind Terraform's back: in the console, by a script, by a person in a hurry.

    A refresh-only plan of every tier that is deployed, two at a time, from what `make synth` wrote. Names resources and
    arguments, never values. Left out is what the stacks themselves leave to others (`ignore_changes`: what scales under
    load) and what AWS fills in. `changed` and `deleted` is what the next deployment sets right; `added to` is what it
    would leave: a rule in a security group, a route, a policy of a role. Changes nothing, and takes no lock.

    When: on a schedule, and before a deployment that somebody else prepared.

    Example: `python -m operations drift prod`

    Exit codes: 0 nothing was changed; 1 something was, or a tier could not be looked at, or it refused or failed;
    2 usage. With --json, `changes` and `unknown` say which.
    """
    with one_line_errors():
        account = connect(environment)
        platform = Platform.synthesized(environment)
        refuse_locked(account, "what a run under way changes is no drift")
        states = {tier: read_state(account, stack.backend) for tier, stack in platform.stacks.items()}
        if not any(states.values()):
            raise RefusedError(f"{environment}: nothing is deployed")
        deployed = [stack for tier, stack in platform.stacks.items() if states[tier]]
        told = detect_drift(deployed)
        told.not_deployed = [tier for tier, state in states.items() if not state]
        if as_json:
            typer.echo(json.dumps({"environment": environment, **asdict(told)}, indent=2))
        else:
            _show(told, environment, len(deployed))
    if told.needs_attention:
        raise typer.Exit(1)


def detect_drift(stacks: Iterable[Stack], run: TerraformRunner = run_in_folder) -> Drift:
    """What has been changed in stacks that are deployed; `run` is who runs Terraform."""
    every, told = list(stacks), Drift()
    answers = run_in_parallel("drift", [partial(_changes_or_error, run, stack) for stack in every], PARALLEL_RUNS)
    for stack, answer in zip(every, answers, strict=True):
        if isinstance(answer, str):
            told.unknown[stack.tier] = answer
        else:
            told.changes += answer
    return told


def changes_in(stack: Stack, planned: Mapping[str, Any], schema: ComputedArguments) -> list[DriftedAttribute]:
    """What a plan of a stack, refresh-only or not, tells that is somebody's change."""
    made = planned.get("prior_state", {}).get("values", {}).get("root_module", {}).get("resources", [])
    return [
        change
        for entry in planned.get("resource_drift", [])
        if entry["mode"] == "managed"
        for change in _changes(stack, entry, made, schema)
    ]


def computed_arguments(stack: Stack, run: TerraformRunner = run_in_folder) -> ComputedArguments:
    """Of the provider that a stack requires; remembered, because Terraform takes ten seconds to tell.

    Raises:
        TerraformError: Terraform does not tell.
    """
    file = CACHE / "schemas" / f"{stack.required_providers}.json"
    if not file.is_file():
        types = json.loads(run(stack, "providers", "schema", "-json"))["provider_schemas"][PROVIDER]
        filled = {
            type_: [name for name, told in each["block"].get("attributes", {}).items() if told.get("computed")]
            for type_, each in types["resource_schemas"].items()
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        # Another may be writing it.
        (part := file.with_suffix(f".{stack.name}")).write_text(json.dumps(filled), encoding="utf-8")
        part.replace(file)
    return json.loads(file.read_text(encoding="utf-8"))


def _changes_or_error(run: TerraformRunner, stack: Stack) -> list[DriftedAttribute] | str:
    try:
        # Without a lock: it changes nothing, and a deployment need not wait for it.
        planned = plan(stack, "-refresh-only", "-lock=false", run=run)
        return changes_in(stack, planned, computed_arguments(stack, run))
    except TerraformError as error:
        return " ".join(str(error).split())


def _changes(stack: Stack, entry: Body, made: list[Body], schema: ComputedArguments) -> Iterator[DriftedAttribute]:
    before, after = entry["change"]["before"], entry["change"]["after"]
    if after is None:
        yield DriftedAttribute(stack.tier, entry["address"], "deleted", ())
        return
    body = stack.document["resource"].get(entry["type"], {}).get(entry["name"], {})
    ignored = body.get("lifecycle", {}).get("ignore_changes", [])
    filled = set(schema.get(entry["type"], ())) - body.keys() - {TAGS}
    separate = row_of(entry["type"]).separate_resources
    differing = [name for name in sorted(before) if _normalize(before[name]) != _normalize(after.get(name))]
    kept = [
        "tags" if name == TAGS else name
        for name in differing
        if ignored != "all" and name not in {*ignored, *filled, *separate}
    ]
    if kept:
        yield DriftedAttribute(stack.tier, entry["address"], "changed", tuple(dict.fromkeys(kept)))
    added = [
        name
        for name in differing
        if (part := separate.get(name)) and part.count(after[name]) > _count_managed(part, before["id"], made)
    ]
    if added:
        yield DriftedAttribute(stack.tier, entry["address"], "added to", tuple(added))


# Protocols are set by name, and told by number.
# https://www.iana.org/assignments/protocol-numbers
PROTOCOLS = {"icmp": "1", "tcp": "6", "udp": "17"}


def _count_managed(part: SeparateResource, id: str, made: list[Body]) -> int:
    """How many of an argument's resources the stack has."""
    return sum(each["type"] == part.type and each["values"][part.parent_argument] == id for each in made)


def _normalize(value: Any, name: str = "") -> Any:
    """A value without what is only said in another way: nothing, in any of its forms, and the order of lists.

    The provider does not tell an argument that nobody set from one that is zero.
    """
    if isinstance(value, Mapping):
        said = {inner: _normalize(each, inner) for inner, each in value.items()}
        return {inner: each for inner, each in said.items() if each is not None} or None
    if isinstance(value, list):
        return sorted((_normalize(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True)) or None
    return (PROTOCOLS.get(value, value) if name == "protocol" else value) or None


def _show(told: Drift, environment: str, looked_at: int) -> None:
    shown = console()
    if told.changes:
        table = Table(title=f"Changed behind Terraform's back in {environment}", title_justify="left")
        for heading in ("tier", "resource", "what", "arguments"):
            table.add_column(heading, overflow="fold")
        for change in told.changes:
            row = (change.tier, change.address, change.action, ", ".join(change.arguments))
            table.add_row(*map(Text, row))
        shown.print(table)
    for tier, why in told.unknown.items():
        shown.print(f"{tier}: could not be looked at: {why}", markup=False, soft_wrap=True)
    if told.not_deployed:
        shown.print(f"not deployed: {', '.join(told.not_deployed)}", markup=False)
    shown.print(f"{environment}: {len(told.changes)} resources of {looked_at} tiers were changed")
