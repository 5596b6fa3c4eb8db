"""AWS CLI commands in documentation, checked against botocore's service models."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import botocore.session
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, ServiceModel, Shape

NESTED = r"(?: [^()] | \( (?: [^()] | \( [^()]* \) )* \) )*"
"""Content of parentheses, with nested parentheses."""
# A shell word. Quoted parts may contain substitutions; placeholders are in <angle brackets>.
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
    # Options of CLI commands that no API operation corresponds to.
    "cloudtrail validate-logs": {"end-time", "start-time", "trail-arn", "verbose"},
    "ecs wait": {"cluster", "services"},
    "rds wait": {"db-cluster-identifier"},
    "logs tail": {"filter-pattern", "follow", "log-stream-names", "since"},
    "s3 cp": {"recursive"},
    "s3 ls": {"recursive"},
}
SERVICES = {"configservice": "config", "s3api": "s3"}
"""botocore's service names, where the CLI's differ."""


@dataclass(frozen=True)
class Command:
    """An AWS CLI command and the names of its options."""

    service: str
    operation: str
    options: frozenset[str]

    @property
    def problem(self) -> str:
        """Why the command is invalid; empty if it is valid."""
        cli_options = CLI_ONLY_OPTIONS.get(f"{self.service} {self.operation}")
        if cli_options is not None:
            return ", ".join(f"--{option} is unknown" for option in sorted(self.options - cli_options - GLOBAL_OPTIONS))
        operation = _operation(self.service, self.operation)
        if isinstance(operation, str):
            return operation
        return ", ".join(
            f"--{option} is unknown" for option in sorted(self.options - _options(operation) - GLOBAL_OPTIONS)
        )

    @property
    def missing_options(self) -> set[str]:
        """Required options that the command lacks."""
        operation = _operation(self.service, self.operation)
        if isinstance(operation, str):
            return set()
        required: list[str] = getattr(operation.input_shape, "required_members", [])
        return {xform_name(name, "-") for name in required} - self.options


def find_commands(text: str) -> Iterator[Command]:
    """Find all commands in a text, including those in substitutions."""
    joined = text.replace("\\\n", " ")
    for found in COMMAND.finditer(joined):
        yield Command(found[1], found[2], frozenset(_options_after(joined, found.end())))


def _options_after(text: str, position: int) -> Iterator[str]:
    """Options up to the end of the command: end of line, pipe, closing parenthesis or backtick."""
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
        return f"unknown service {service}"
    names: list[str] = [*model.operation_names]  # pyright: ignore[reportGeneralTypeIssues] - a property in botocore
    by_cli_name = {xform_name(name, "-"): name for name in names}
    if operation not in by_cli_name:
        return f"{service} has no {operation}"
    return model.operation_model(by_cli_name[operation])


def _options(operation: OperationModel) -> set[str]:
    members: dict[str, Shape] = getattr(operation.input_shape, "members", {})
    options = {xform_name(name, "-"): shape for name, shape in members.items()}
    return {*options, *(f"no-{name}" for name, shape in options.items() if shape.type_name == "boolean")}
