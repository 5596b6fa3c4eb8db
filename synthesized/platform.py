"""An environment's synthesized stacks, joined into one document.

A tool that reads one stack at a time misses references between stacks. The joined document has all resources of an
environment, each under `<type>.<tier>_<name>`. References to another stack's remote state are replaced by the
expression that the other stack outputs. A dangling reference is an error.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from stacks import ROOT

Body = dict[str, Any]

REMOTE_STATE = re.compile(r"data\.terraform_remote_state\.([\w-]+)\.outputs\.([\w-]+)")
# A resource or data source of any provider; locals, modules and variables, which no stack here has.
REFERENCE = re.compile(r"(?<![\w.-])(data\.)?([a-z]\w*_\w+|local|module|var)\.([A-Za-z_][\w-]*)")
INTERPOLATED_REFERENCE = re.compile(r"\$\{((?:data\.)?\w+\.[\w-]+)\.[\w.\[\]]+\}")
# An output of what AWS may not return. The joined document has what it returns.
TRY = re.compile(r'try\(([^(),]+), "[^"]*"\)')
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"')
# Arguments whose values are addresses without `${}`.
BARE_ADDRESSES = ("depends_on", "replace_triggered_by")


class PlatformError(Exception):
    """Synthesized stacks are missing or unreadable, or a reference between them is broken."""


@dataclass(frozen=True)
class Stack:
    """A synthesized stack: one tier of one environment."""

    name: str
    tier: str
    folder: Path
    document: Body
    depends_on: tuple[str, ...]
    """Names of the stacks whose outputs this stack reads."""

    @property
    def environment(self) -> str:
        """Name of the environment."""
        return self.name.removesuffix(f"-{self.tier}")

    @property
    def backend(self) -> Body:
        """Configuration of the S3 backend."""
        return self.document["terraform"]["backend"]["s3"]

    @property
    def required_providers(self) -> str:
        """Hash of the required providers and versions: equal for stacks that can share an initialized folder."""
        required = json.dumps(self.document["terraform"]["required_providers"], sort_keys=True)
        return sha256(required.encode()).hexdigest()[:16]

    @property
    def providers(self) -> list[Body]:
        """Configurations of the AWS provider."""
        return self.document["provider"]["aws"]


@dataclass(frozen=True)
class Resource:
    """A resource or data source of the joined document."""

    address: str
    """Address in the joined document."""
    address_in_stack: str
    tier: str
    type: str
    name: str
    """Name in its stack."""
    body: Body

    @property
    def label(self) -> str:
        """Tier and name, as in `network/vpc`."""
        return f"{self.tier}/{self.name}"


@dataclass(frozen=True)
class Platform:
    """One environment: its stacks, and the resources and data sources of all of them."""

    environment: str
    stacks: Mapping[str, Stack]
    """By tier, in dependency order."""
    resources: tuple[Resource, ...]
    data: tuple[Resource, ...]

    @classmethod
    def read(cls, folder: Path, environment: str) -> Self:
        """Read an environment's stacks from an output folder of cdktf.

        Raises:
            PlatformError: the folder has no stack of the environment, or a reference is broken.
        """
        stacks = {stack.tier: stack for stack in read_stacks(folder) if stack.name == f"{environment}-{stack.tier}"}
        if not stacks:
            raise PlatformError(f"{folder}: no stack of {environment}; run make synth")
        return cls(
            environment=environment,
            stacks=stacks,
            resources=tuple(_join(stacks, "resource")),
            data=tuple(_join(stacks, "data")),
        )

    @classmethod
    def synthesized(cls, environment: str) -> Self:
        """Read an environment's stacks from the default output folder.

        Raises:
            PlatformError: the folder has no stack of the environment, or a reference is broken.
        """
        return cls.read(output_folder(), environment)

    @property
    def company(self) -> str:
        """The company, from the tag `Project`."""
        provider = next(iter(self.stacks.values())).providers[0]
        return provider["default_tags"][0]["tags"]["Project"]

    @property
    def document(self) -> Body:
        """Resources and data sources of all tiers as one Terraform JSON document, for analysis only."""
        document: Body = {"resource": {}, "data": {}}
        for section, resources in (("resource", self.resources), ("data", self.data)):
            for resource in resources:
                document[section].setdefault(resource.type, {})[resource.address.rpartition(".")[2]] = resource.body
        return document

    @property
    def zones(self) -> list[str]:
        """Availability Zones of the subnets, sorted."""
        return sorted({subnet.body["availability_zone"] for subnet in self.of_type("aws_subnet")})

    def of_type(self, *types: str) -> list[Resource]:
        """The resources of the given types."""
        return [resource for resource in self.resources if resource.type in types]

    def resolve(self, expression: str) -> Resource:
        """The resource or data source that an expression refers to, as in `${aws_vpc.network_vpc.id}`.

        Raises:
            PlatformError: it refers to no resource, or is more than one reference.
        """
        reference = INTERPOLATED_REFERENCE.fullmatch(expression)
        for resource in (*self.resources, *self.data):
            if reference and resource.address == reference[1]:
                return resource
        raise PlatformError(f"{expression}: refers to no resource of {self.environment}")


def output_folder() -> Path:
    """Folder that stacks are synthesized into: CDKTF_OUTDIR, by default `cdktf.out`."""
    return Path(os.environ.get("CDKTF_OUTDIR") or ROOT / "cdktf.out")


def read_stacks(folder: Path) -> list[Stack]:
    """All stacks in an output folder of cdktf, in dependency order.

    Raises:
        PlatformError: there is no readable manifest.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["stacks"]
        stacks = [
            Stack(
                name=name,
                tier=name.rpartition("-")[2],
                folder=folder / entry["workingDirectory"],
                document=json.loads((folder / entry["synthesizedStackPath"]).read_text(encoding="utf-8")),
                depends_on=tuple(entry["dependencies"]),
            )
            for name, entry in manifest.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlatformError(f"{folder}: no readable output of cdktf; run make synth ({error!r})") from error
    return _sort_by_dependency(stacks)


def _sort_by_dependency(stacks: list[Stack]) -> list[Stack]:
    ordered: dict[str, Stack] = {}
    while waiting := [stack for stack in stacks if stack.name not in ordered]:
        ready = [stack for stack in waiting if ordered.keys() >= set(stack.depends_on)]
        if not ready:
            raise PlatformError(
                f"{', '.join(stack.name for stack in waiting)}: circular dependency, or on a stack that is missing"
            )
        ordered |= {stack.name: stack for stack in ready}
    return list(ordered.values())


def _join(stacks: Mapping[str, Stack], section: str) -> Iterator[Resource]:
    prefix = "data." if section == "data" else ""
    for stack in stacks.values():
        for type_, named in stack.document.get(section, {}).items():
            if type_ == "terraform_remote_state":
                continue
            for name, body in named.items():
                yield Resource(
                    address=f"{prefix}{type_}.{stack.tier}_{name}",
                    address_in_stack=f"{prefix}{type_}.{name}",
                    tier=stack.tier,
                    type=type_,
                    name=name,
                    body=_rewrite(body, lambda expression, stack=stack: _expression(stacks, stack, expression)),
                )


def _rewrite(value: Any, rewrite: Callable[[str], str], *, bare: bool = False) -> Any:
    """A copy of a JSON value with every expression rewritten."""
    if isinstance(value, dict):
        return {
            key: _rewrite(entry, rewrite, bare=key in BARE_ADDRESSES) for key, entry in value.items() if key != "//"
        }
    if isinstance(value, list):
        return [_rewrite(entry, rewrite, bare=bare) for entry in value]
    if isinstance(value, str):
        return rewrite(value) if bare else _template(value, rewrite)
    return value


def _template(text: str, rewrite: Callable[[str], str]) -> str:
    """A string with the expressions in its interpolations rewritten; `$${` is an escape."""
    parts: list[str] = []
    position = 0
    while (start := text.find("${", position)) >= 0:
        if text[start - 1 : start] == "$":
            parts.append(text[position : start + 2])
            position = start + 2
            continue
        end = _closing_brace(text, start + 2)
        parts += [text[position:start], "${", rewrite(text[start + 2 : end]), "}"]
        position = end + 1
    return "".join([*parts, text[position:]])


def _closing_brace(text: str, position: int) -> int:
    """Position of the brace that closes the one opened before `position`."""
    depth = 1
    for index in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise PlatformError(f"{text}: unclosed interpolation")


def _expression(stacks: Mapping[str, Stack], stack: Stack, expression: str) -> str:
    """An expression of one stack, rewritten for the joined document."""

    def joined_address(match: re.Match[str]) -> str:
        data, type_, name = match.groups()
        known = stack.document.get("data" if data else "resource", {}).get(type_, {})
        if name not in known or type_ == "terraform_remote_state":
            raise PlatformError(f"{stack.name}: refers to {match[0]}, which is not in the stack")
        return f"{data or ''}{type_}.{stack.tier}_{name}"

    def rewrite_own(text: str) -> str:
        return _split_rewrite(
            LITERAL,
            text,
            lambda code: REFERENCE.sub(joined_address, code),
            lambda literal: _template(literal[0], lambda inner: _expression(stacks, stack, inner)),
        )

    def rewrite_output(match: re.Match[str]) -> str:
        # An output's expression refers to resources of the stack that has the output.
        upstream, output = _output(stacks, stack, state=match[1], name=match[2])
        return _expression(stacks, upstream, output)

    return _split_rewrite(REMOTE_STATE, expression, rewrite_own, rewrite_output)


def _split_rewrite(
    pattern: re.Pattern[str], text: str, outside: Callable[[str], str], inside: Callable[[re.Match[str]], str]
) -> str:
    """A string with one function applied to matches of a pattern, and another to the parts between them."""
    parts: list[str] = []
    position = 0
    for match in pattern.finditer(text):
        parts += [outside(text[position : match.start()]), inside(match)]
        position = match.end()
    return "".join([*parts, outside(text[position:])])


def _output(stacks: Mapping[str, Stack], reader: Stack, *, state: str, name: str) -> tuple[Stack, str]:
    """The stack that a remote state belongs to, and the expression of its output."""
    config = reader.document.get("data", {}).get("terraform_remote_state", {}).get(state, {}).get("config", {})
    for stack in stacks.values():
        if config and all(stack.backend.get(argument) == config[argument] for argument in ("bucket", "key")):
            output = stack.document.get("output", {}).get(name)
            if output is None:
                raise PlatformError(f"{reader.name}: reads output {name}, which {stack.name} does not have")
            return stack, TRY.sub(r"\1", _as_expression(output["value"]))
    raise PlatformError(f"{reader.name}: reads remote state {state}, which belongs to no stack of this environment")


def _as_expression(value: Any) -> str:
    """An output's value as an expression that can be nested in another."""
    text = str(value)
    is_one_interpolation = text.startswith("${") and _closing_brace(text, 2) == len(text) - 1
    return text[2:-1] if is_one_interpolation else json.dumps(value)
