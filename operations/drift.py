"""`python -m operations drift ENV`: changes to deployed resources that were made outside Terraform.

A refresh-only plan compares the state with the actual resources. Most of its differences are not drift: values that AWS
computes, and effects of one resource on another, such as a rule on its security group. Drift is a change to an argument
that the stacks manage, or an addition next to the stacks' own resources.
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
"""A resource's tags including the stack's default tags, which Terraform manages too."""

CONTENT = {"aws_lambda_function": {"code_sha256"}}
"""By resource type, computed arguments that change with the content of a resource only.

The provider compares a function's code with its state, not with AWS: no plan shows code that somebody else uploaded.
https://github.com/hashicorp/terraform-provider-aws/issues/42826
"""

ComputedArguments = Mapping[str, Mapping[str, bool]]
"""By resource type, the arguments that AWS computes if the configuration does not set them, and whether it can."""


@dataclass(frozen=True)
class DriftedAttribute:
    """A change to one resource. Only names of arguments, never values, which may be sensitive."""

    tier: str
    address: str
    action: str
    """`changed`, `deleted`, or `added to`, which the next apply does not revert."""
    arguments: tuple[str, ...]


@dataclass
class Drift:
    """Drift of an environment."""

    changes: list[DriftedAttribute] = field(default_factory=list)
    not_deployed: list[str] = field(default_factory=list)
    """Tiers without a state."""
    unknown: dict[str, str] = field(default_factory=dict)
    """The error of each tier that could not be checked."""

    @property
    def needs_attention(self) -> bool:
        """Whether there is drift, or a tier could not be checked."""
        return bool(self.changes or self.unknown)


def drift(
    environment: EnvironmentName,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List changes to deployed resources that were made outside Terraform, for example in the console.

    Runs a refresh-only plan of each deployed tier, two at a time, from the output of `make synth`. Prints names of
    resources and arguments, never values. Arguments in `ignore_changes` and values that AWS computes are not drift. The
    next deployment reverts what is `changed` or `deleted`, but not what is `added to` (a rule in a security group, a
    route, a policy of a role), nor a function's code (`code_sha256`). Changes nothing and takes no lock.

    When: on a schedule, and before a deployment that somebody else prepared.

    Example: `python -m operations drift prod`

    Exit codes: 0 no drift; 1 drift, or a tier could not be checked, or refused or failed; 2 usage. With --json,
    `changes` and `unknown` distinguish these.
    """
    with one_line_errors():
        account = connect(environment)
        platform = Platform.synthesized(environment)
        refuse_locked(account)
        states = {tier: read_state(account, stack.backend) for tier, stack in platform.stacks.items()}
        if not any(states.values()):
            raise RefusedError(f"{environment}: nothing is deployed")
        deployed = [stack for tier, stack in platform.stacks.items() if states[tier]]
        found = detect_drift(deployed)
        found.not_deployed = [tier for tier, state in states.items() if not state]
        if as_json:
            typer.echo(json.dumps({"environment": environment, **asdict(found)}, indent=2))
        else:
            _show(found, environment, len(deployed))
    if found.needs_attention:
        raise typer.Exit(1)


def detect_drift(stacks: Iterable[Stack], run: TerraformRunner = run_in_folder) -> Drift:
    """Detect drift in deployed stacks. `run` runs Terraform."""
    every, found = list(stacks), Drift()
    answers = run_in_parallel("drift", [partial(_changes_or_error, run, stack) for stack in every], PARALLEL_RUNS)
    for stack, answer in zip(every, answers, strict=True):
        if isinstance(answer, str):
            found.unknown[stack.tier] = answer
        else:
            found.changes += answer
    return found


def changes_in(stack: Stack, planned: Mapping[str, Any], schema: ComputedArguments) -> list[DriftedAttribute]:
    """The drift in a plan of a stack, refresh-only or not."""
    managed = planned.get("prior_state", {}).get("values", {}).get("root_module", {}).get("resources", [])
    return [
        change
        for entry in planned.get("resource_drift", [])
        if entry["mode"] == "managed"
        for change in _changes(stack, entry, managed, schema)
    ]


def computed_arguments(stack: Stack, run: TerraformRunner = run_in_folder) -> ComputedArguments:
    """Computed arguments of the provider that a stack requires. Cached: reading the schema takes ten seconds.

    Raises:
        TerraformError: Terraform failed.
    """
    file = CACHE / "schemas" / f"{stack.required_providers}-computed.json"
    if not file.is_file():
        types = json.loads(run(stack, "providers", "schema", "-json"))["provider_schemas"][PROVIDER]
        filled = {
            type_: {
                name: attribute.get("optional", False)
                for name, attribute in each["block"].get("attributes", {}).items()
                if attribute.get("computed")
            }
            for type_, each in types["resource_schemas"].items()
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        # Another process may be writing it.
        (part := file.with_suffix(f".{stack.name}")).write_text(json.dumps(filled), encoding="utf-8")
        part.replace(file)
    return json.loads(file.read_text(encoding="utf-8"))


def _changes_or_error(run: TerraformRunner, stack: Stack) -> list[DriftedAttribute] | str:
    try:
        # Without a lock: it changes nothing and must not block a deployment.
        planned = plan(stack, "-refresh-only", "-lock=false", run=run)
        return changes_in(stack, planned, computed_arguments(stack, run))
    except TerraformError as error:
        return " ".join(str(error).split())


def _changes(stack: Stack, entry: Body, managed: list[Body], schema: ComputedArguments) -> Iterator[DriftedAttribute]:
    before, after = entry["change"]["before"], entry["change"]["after"]
    if after is None:
        yield DriftedAttribute(stack.tier, entry["address"], "deleted", ())
        return
    body = stack.document["resource"].get(entry["type"], {}).get(entry["name"], {})
    ignored = body.get("lifecycle", {}).get("ignore_changes", [])
    computed = schema.get(entry["type"], {})
    filled = computed.keys() - body.keys() - {TAGS, *CONTENT.get(entry["type"], ())}
    separate = row_of(entry["type"]).separate_resources
    # Arguments that the stack could set, and does not: AWS accepts any value.
    open_ = {name for name in filled - {*ignored, *separate} if computed[name] and ignored != "all"}
    differing = [name for name in sorted(before) if _normalize(before[name]) != _normalize(after.get(name))]
    changed = [
        "tags" if name == TAGS else name
        for name in differing
        if ignored != "all" and name not in {*ignored, *filled, *separate}
    ]
    if changed:
        yield DriftedAttribute(stack.tier, entry["address"], "changed", tuple(dict.fromkeys(changed)))
    added = [
        name
        for name in differing
        if ((part := separate.get(name)) and part.count(after[name]) > _count_managed(part, before["id"], managed))
        or (name in open_ and _is_new_list(before[name], after[name]))
    ]
    if added:
        yield DriftedAttribute(stack.tier, entry["address"], "added to", tuple(added))


def _is_new_list(before: Any, after: Any) -> bool:
    """Whether a list had no entries, and has some."""
    return isinstance(after, list) and not _normalize(before) and bool(_normalize(after))


# The provider accepts names of protocols and returns numbers.
# https://www.iana.org/assignments/protocol-numbers
PROTOCOLS = {"icmp": "1", "tcp": "6", "udp": "17"}


def _count_managed(part: SeparateResource, id: str, managed: list[Body]) -> int:
    """The number of the stack's resources that supply an argument of another."""
    return sum(each["type"] == part.type and each["values"][part.parent_argument] == id for each in managed)


def _normalize(value: Any, name: str = "") -> Any:
    """A value without meaningless differences: empty values of any kind, and the order of lists.

    The provider does not distinguish an unset argument from zero.
    """
    if isinstance(value, Mapping):
        normalized = {inner: _normalize(each, inner) for inner, each in value.items()}
        return {inner: each for inner, each in normalized.items() if each is not None} or None
    if isinstance(value, list):
        return sorted((_normalize(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True)) or None
    return (PROTOCOLS.get(value, value) if name == "protocol" else value) or None


def _show(found: Drift, environment: str, checked: int) -> None:
    terminal = console()
    if found.changes:
        table = Table(title=f"Changed behind Terraform's back in {environment}", title_justify="left")
        for heading in ("tier", "resource", "what", "arguments"):
            table.add_column(heading, overflow="fold")
        for change in found.changes:
            row = (change.tier, change.address, change.action, ", ".join(change.arguments))
            table.add_row(*map(Text, row))
        terminal.print(table)
    for tier, error in found.unknown.items():
        terminal.print(f"{tier}: could not be checked: {error}", markup=False, soft_wrap=True)
    if found.not_deployed:
        terminal.print(f"not deployed: {', '.join(found.not_deployed)}", markup=False)
    terminal.print(f"{environment}: {len(found.changes)} resources of {checked} tiers were changed")
