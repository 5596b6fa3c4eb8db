"""Commands of the AWS CLI, as documentation writes them, held against AWS's own descriptions of its services."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import botocore.session
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, ServiceModel, Shape

NESTED = r"(?: [^()] | \( (?: [^()] | \( [^()]* \) )* \) )*"
"""What stands in brackets, and in brackets within."""
# A word of a shell's: what is quoted may hold substitutions, and what a person fills in stands in <angles>.
WORD = re.compile(
    rf"""(?: '[^']*'
          | " (?: \\. | \$\( {NESTED} \) | [^"\\] )* "
          | \$\( {NESTED} \)
          | <[^<>\n]+>
          | [^\s'"`|;&)<>]
        )+""",
    re.VERBOSE,
)
COMMAND = re.compile(r"(?<![\w./-])aws ([a-z][a-z0-9-]+) ([a-z][a-z0-9-]+)")
GLOBAL_OPTIONS = {"max-items", "no-cli-pager", "output", "profile", "query", "region"}
CLI_ONLY_OPTIONS = {
    # What the CLI has and no API: options by command.
    "cloudtrail validate-logs": {"end-time", "start-time", "trail-arn", "verbose"},
    "ecs wait": {"cluster", "services"},
    "logs tail": {"filter-pattern", "follow", "log-stream-names", "since"},
    "s3 cp": {"recursive"},
    "s3 ls": {"recursive"},
}
SERVICES = {"configservice": "config", "s3api": "s3"}
"""The CLI's name of a service, where botocore has another."""


@dataclass(frozen=True)
class Command:
    """A command, and its options without their values."""

    service: str
    operation: str
    options: frozenset[str]

    @property
    def problem(self) -> str:
        """What is wrong with it; empty where nothing is."""
        own = CLI_ONLY_OPTIONS.get(f"{self.service} {self.operation}")
        if own is not None:
            return ", ".join(f"--{option} is unknown" for option in sorted(self.options - own - GLOBAL_OPTIONS))
        operation = _operation(self.service, self.operation)
        if isinstance(operation, str):
            return operation
        return ", ".join(
            f"--{option} is unknown" for option in sorted(self.options - _options(operation) - GLOBAL_OPTIONS)
        )

    @property
    def missing_options(self) -> set[str]:
        """Options that a person must give, and did not."""
        operation = _operation(self.service, self.operation)
        if isinstance(operation, str):
            return set()
        required: list[str] = getattr(operation.input_shape, "required_members", [])
        return {xform_name(name, "-") for name in required} - self.options


def find_commands(text: str) -> Iterator[Command]:
    """The commands of a text, those within substitutions among them."""
    joined = text.replace("\\\n", " ")
    for found in COMMAND.finditer(joined):
        yield Command(found[1], found[2], frozenset(_options_after(joined, found.end())))


def _options_after(text: str, position: int) -> Iterator[str]:
    """Up to where the command ends: its line, unless that is joined to the next; a pipe, a bracket, a backtick."""
    while following := re.compile(r"[ \t]+").match(text, position):
        word = WORD.match(text, following.end())
        if not word:
            return
        if word[0].startswith("--"):
            yield word[0].removeprefix("--")
        position = word.end()


@cache
def _service(name: str) -> ServiceModel | None:
    try:
        return botocore.session.get_session().get_service_model(SERVICES.get(name, name))
    except UnknownServiceError:
        return None


@cache
def _operation(service: str, operation: str) -> OperationModel | str:
    model = _service(service)
    if model is None:
        return f"there is no service {service}"
    names: list[str] = [*model.operation_names]  # pyright: ignore[reportGeneralTypeIssues] - a property, to botocore
    named = {xform_name(name, "-"): name for name in names}
    return model.operation_model(named[operation]) if operation in named else f"{service} has no {operation}"


def _options(operation: OperationModel) -> set[str]:
    members: dict[str, Shape] = getattr(operation.input_shape, "members", {})
    named = {xform_name(name, "-"): shape for name, shape in members.items()}
    return {*named, *(f"no-{name}" for name, shape in named.items() if shape.type_name == "boolean")}
