"""The synthesized platform read back as one thing: an environment's stacks joined into one document.

Tools that look at one stack at a time see half of each relation that crosses stacks. Here an environment's resources
stand side by side, each under `<type>.<tier>_<name>`, and what one stack reads from another's remote state is replaced
by what the other publishes there. A reference that leads nowhere is an error.
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
# What an expression may refer to: a resource or data source of any provider, or what no stack here has.
REFERENCE = re.compile(r"(?<![\w.-])(data\.)?([a-z]\w*_\w+|local|module|var)\.([A-Za-z_][\w-]*)")
INTERPOLATED_REFERENCE = re.compile(r"\$\{((?:data\.)?\w+\.[\w-]+)\.[\w.\[\]]+\}")
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"')
# Arguments that hold addresses without the braces of an interpolation.
BARE_ADDRESSES = ("depends_on", "replace_triggered_by")


class PlatformError(Exception):
    """What was synthesized cannot be read, or does not hold together."""


@dataclass(frozen=True)
class Stack:
    """One tier's stack as it was synthesized."""

    name: str
    tier: str
    folder: Path
    document: Body
    depends_on: tuple[str, ...]
    """Names of the stacks whose outputs it reads."""

    @property
    def environment(self) -> str:
        """The environment that it belongs to."""
        return self.name.removesuffix(f"-{self.tier}")

    @property
    def backend(self) -> Body:
        """Where its state lives."""
        return self.document["terraform"]["backend"]["s3"]

    @property
    def required_providers(self) -> str:
        """The same for stacks that require the same providers in the same versions."""
        required = json.dumps(self.document["terraform"]["required_providers"], sort_keys=True)
        return sha256(required.encode()).hexdigest()[:16]

    @property
    def providers(self) -> list[Body]:
        """Its configurations of the AWS provider."""
        return self.document["provider"]["aws"]


@dataclass(frozen=True)
class Resource:
    """A resource or data source of the joined document."""

    address: str
    """Within the joined document."""
    address_in_stack: str
    """Within its own stack."""
    tier: str
    type: str
    name: str
    """Within its own stack."""
    body: Body

    @property
    def label(self) -> str:
        """What a person calls it: its tier, and its name there."""
        return f"{self.tier}/{self.name}"


@dataclass(frozen=True)
class Platform:
    """One environment: its stacks, and the one document that they make together."""

    environment: str
    stacks: Mapping[str, Stack]
    """By tier, in the order of their dependencies."""
    resources: tuple[Resource, ...]
    data: tuple[Resource, ...]

    @classmethod
    def read(cls, folder: Path, environment: str) -> Self:
        """Read an environment's stacks from the folder that cdktf wrote.

        Raises:
            PlatformError: nothing was synthesized there, or a reference leads nowhere.
        """
        stacks = {stack.tier: stack for stack in read_stacks(folder) if stack.name == f"{environment}-{stack.tier}"}
        if not stacks:
            raise PlatformError(f"{folder}: holds no stack of {environment}; run make synth")
        return cls(
            environment=environment,
            stacks=stacks,
            resources=tuple(_joined(stacks, "resource")),
            data=tuple(_joined(stacks, "data")),
        )

    @classmethod
    def synthesized(cls, environment: str) -> Self:
        """Read an environment's stacks from where they are synthesized.

        Raises:
            PlatformError: nothing was synthesized there, or a reference leads nowhere.
        """
        return cls.read(output_folder(), environment)

    @property
    def document(self) -> Body:
        """Resources and data sources of all tiers as one Terraform JSON document, to be looked at, not applied."""
        document: Body = {"resource": {}, "data": {}}
        for section, resources in (("resource", self.resources), ("data", self.data)):
            for resource in resources:
                document[section].setdefault(resource.type, {})[resource.address.rpartition(".")[2]] = resource.body
        return document

    @property
    def zones(self) -> list[str]:
        """The availability zones that it is spread over."""
        return sorted({subnet.body["availability_zone"] for subnet in self.of_type("aws_subnet")})

    def of_type(self, *types: str) -> list[Resource]:
        """The resources of some types."""
        return [resource for resource in self.resources if resource.type in types]

    def resolve(self, expression: str) -> Resource:
        """The resource or data source that an expression leads to, which is a reference to an attribute and no more.

        Raises:
            PlatformError: it leads nowhere, or is more.
        """
        reference = INTERPOLATED_REFERENCE.fullmatch(expression)
        for resource in (*self.resources, *self.data):
            if reference and resource.address == reference[1]:
                return resource
        raise PlatformError(f"{expression}: leads to no resource of {self.environment}")


def output_folder() -> Path:
    """Where the stacks are synthesized: `cdktf.out`, or what CDKTF_OUTDIR names."""
    return Path(os.environ.get("CDKTF_OUTDIR") or ROOT / "cdktf.out")


def read_stacks(folder: Path) -> list[Stack]:
    """All stacks that cdktf wrote into a folder, each after those that it depends on.

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
        raise PlatformError(f"{folder}: no output of cdktf can be read there; run make synth ({error!r})") from error
    return _in_order(stacks)


def _in_order(stacks: list[Stack]) -> list[Stack]:
    ordered: dict[str, Stack] = {}
    while waiting := [stack for stack in stacks if stack.name not in ordered]:
        ready = [stack for stack in waiting if ordered.keys() >= set(stack.depends_on)]
        if not ready:
            raise PlatformError(
                f"{', '.join(stack.name for stack in waiting)}: depend on one another, or on none of these"
            )
        ordered |= {stack.name: stack for stack in ready}
    return list(ordered.values())


def _joined(stacks: Mapping[str, Stack], section: str) -> Iterator[Resource]:
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
                    body=_rewritten(body, lambda expression, stack=stack: _expression(stacks, stack, expression)),
                )


def _rewritten(value: Any, rewrite: Callable[[str], str], *, bare: bool = False) -> Any:
    """A copy of a JSON value with every expression rewritten."""
    if isinstance(value, dict):
        return {
            key: _rewritten(entry, rewrite, bare=key in BARE_ADDRESSES) for key, entry in value.items() if key != "//"
        }
    if isinstance(value, list):
        return [_rewritten(entry, rewrite, bare=bare) for entry in value]
    if isinstance(value, str):
        return rewrite(value) if bare else _template(value, rewrite)
    return value


def _template(text: str, rewrite: Callable[[str], str]) -> str:
    """A text with the expressions in its interpolations rewritten; `$${` is no interpolation."""
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
    """Where the brace closes that was opened before a position."""
    depth = 1
    for index in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise PlatformError(f"{text}: an interpolation is not closed")


def _expression(stacks: Mapping[str, Stack], stack: Stack, expression: str) -> str:
    """An expression of one stack, as it reads in the joined document."""

    def joined(match: re.Match[str]) -> str:
        data, type_, name = match.groups()
        known = stack.document.get("data" if data else "resource", {}).get(type_, {})
        if name not in known or type_ == "terraform_remote_state":
            raise PlatformError(f"{stack.name}: refers to {match[0]}, which it does not have")
        return f"{data or ''}{type_}.{stack.tier}_{name}"

    def of_own(text: str) -> str:
        return _outside(
            LITERAL,
            text,
            lambda code: REFERENCE.sub(joined, code),
            lambda literal: _template(literal[0], lambda inner: _expression(stacks, stack, inner)),
        )

    def of_other(match: re.Match[str]) -> str:
        upstream, output = _output(stacks, stack, state=match[1], name=match[2])
        return _expression(stacks, upstream, output)

    # What another stack publishes is rewritten in the other's own terms.
    return _outside(REMOTE_STATE, expression, of_own, of_other)


def _outside(
    pattern: re.Pattern[str], text: str, outside: Callable[[str], str], inside: Callable[[re.Match[str]], str]
) -> str:
    """A text with what matches a pattern treated in one way, and what stands around it in another."""
    parts: list[str] = []
    position = 0
    for match in pattern.finditer(text):
        parts += [outside(text[position : match.start()]), inside(match)]
        position = match.end()
    return "".join([*parts, outside(text[position:])])


def _output(stacks: Mapping[str, Stack], reader: Stack, *, state: str, name: str) -> tuple[Stack, str]:
    """The stack that a remote state belongs to, and the expression that it publishes under the name."""
    config = reader.document.get("data", {}).get("terraform_remote_state", {}).get(state, {}).get("config", {})
    for stack in stacks.values():
        if config and all(stack.backend.get(argument) == config[argument] for argument in ("bucket", "key")):
            output = stack.document.get("output", {}).get(name)
            if output is None:
                raise PlatformError(f"{reader.name}: reads output {name}, which {stack.name} does not publish")
            return stack, _as_expression(output["value"])
    raise PlatformError(f"{reader.name}: reads remote state {state}, which belongs to no stack of this environment")


def _as_expression(value: Any) -> str:
    """An output's value, as it can stand within an expression."""
    text = str(value)
    is_one_interpolation = text.startswith("${") and _closing_brace(text, 2) == len(text) - 1
    return text[2:-1] if is_one_interpolation else json.dumps(value)
