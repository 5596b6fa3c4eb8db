"""Runs the guide `docs/operations.md`: all its commands, in order, in a copy of the project.

A `console` block has commands after `$ `, each followed by its expected output. In the output, `...` within a line
stands for any text, and on a line by itself for any number of lines. The page's examples (company, hosted zone,
account, Region) are replaced by those of the rehearsed environment. Blocks below a paragraph that begins with one of
`SKIP_MARKERS` are skipped.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Self

from operations.terraform import environment
from rehearsal.deployment import cli_variables
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import PROCESS_VARIABLES, ProgramError, run, without_variables
from rehearsal.pull_requests import KEY_VARIABLES, SHARED_FOLDERS, copy_project
from stacks import ROOT
from stacks.settings import Environment

PAGE = ROOT / "docs" / "operations.md"
SKIP_MARKERS = ("**Needs AWS:**", "**Needs Docker:**")
"""Beginnings of paragraphs that mark the next block as not runnable here."""
ELLIPSIS = "..."
PROMPT, CONTINUATION = "$ ", "\\"
PROFILE_COMMAND = re.compile(r"export AWS_PROFILE=acme-(\w+)")
"""Command in the guide that selects an environment's account."""
REMOVED_VARIABLES = (
    # Set by the profile.
    *(*KEY_VARIABLES, "AWS_REGION", "AWS_DEFAULT_REGION"),
    # Set by the guide, or not at all.
    *("ENV", "CDKTF_OUTDIR"),
    # Changes Terraform's output.
    "TF_IN_AUTOMATION",
)
"""Environment variables that a reader of the guide does not have."""
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""Terminal control sequences: colors, and cursor movements of the cdktf CLI."""


@dataclass(frozen=True)
class GuideCommand:
    """A command of the guide, and its expected output."""

    line: int
    """Line number in the guide."""
    text: str
    expected_output: tuple[str, ...] = ()
    skip_reason: str = ""
    """Why the command is skipped; empty if it is run."""

    def with_values_of(self, settings: Environment) -> Self:
        """The command and its output with an environment's values in place of the page's examples."""
        return replace(
            self,
            text=_with_values(self.text, settings),
            expected_output=tuple(_with_values(line, settings) for line in self.expected_output),
        )

    def first_missing_line(self, printed: Sequence[str]) -> str | None:
        """The first expected line that was not printed in its place."""
        position, anywhere = 0, False
        for is_ellipsis, group in groupby(self.expected_output, lambda line: line == ELLIPSIS):
            if is_ellipsis:
                anywhere = True
                continue
            lines = list(group)
            starts = range(position, len(printed) - len(lines) + 1) if anywhere else [position]
            found = next((start for start in starts if _first_difference(lines, printed[start:]) is None), None)
            if found is None:
                first = _first_absent if anywhere else _first_difference
                return first(lines, printed[position:])
            position, anywhere = found + len(lines), False
        return None


def _with_values(text: str, settings: Environment) -> str:
    for example, value in (
        (r"\b(?:dev\.)?acme\.example\b", settings.service.hosted_zone),
        (r"\bacme-", f"{settings.company}-"),
        (r"\b111122223333\b", settings.account),
        (r"\bus-west-1\b", settings.region),
    ):
        text = re.sub(example, value, text)
    return text


def _first_difference(expected: Sequence[str], printed: Sequence[str]) -> str | None:
    """The first expected line that differs from the printed line at the same index."""
    lines = enumerate(expected)
    return next((line for index, line in lines if index >= len(printed) or not _matches(line, printed[index])), None)


def _first_absent(expected: Sequence[str], printed: Sequence[str]) -> str:
    """The first expected line that was not printed at all; if all were, the first expected line."""
    return next((line for line in expected if not any(_matches(line, each) for each in printed)), expected[0])


def _matches(expected: str, printed: str) -> bool:
    """Whether a printed line matches, regardless of whitespace."""
    expected, printed = (" ".join(text.split()) for text in (expected, printed))
    return re.fullmatch(".*".join(map(re.escape, expected.split(ELLIPSIS))), printed) is not None


def parse_commands(text: str) -> list[GuideCommand]:
    """Commands of the guide, in order.

    Raises:
        RehearsalError: a block is not a valid console block.
    """
    found: list[GuideCommand] = []
    lines = iter(enumerate(text.splitlines(), 1))
    paragraph, ended = "", True
    for number, line in lines:
        if not line.strip():
            ended = True
        elif "```" not in line:
            paragraph, ended = (line, False) if ended else (paragraph, False)
        elif line != "```console":
            raise RehearsalError(f"{PAGE.name}:{number}: {line.strip()}: allowed: a console block, not indented")
        else:
            skip_reason = paragraph if paragraph.startswith(SKIP_MARKERS) else ""
            found += _parse_block(number, lines, skip_reason)
            paragraph = ""
    return found


def _parse_block(number: int, lines: Iterator[tuple[int, str]], skip_reason: str) -> list[GuideCommand]:
    found: list[tuple[int, list[str], list[str]]] = []
    for at, line in lines:
        if line == "```":
            break
        if line.startswith(PROMPT):
            found.append((at, [line.removeprefix(PROMPT)], []))
        elif not found:
            raise RehearsalError(f"{PAGE.name}:{at}: {line}: allowed: a command after '{PROMPT}'")
        elif not found[-1][2] and found[-1][1][-1].endswith(CONTINUATION):
            found[-1][1].append(line)
        else:
            found[-1][2].append(line)
    else:
        raise RehearsalError(f"{PAGE.name}:{number}: the block is not closed")
    if not found:
        raise RehearsalError(f"{PAGE.name}:{number}: the block has no command")
    return [GuideCommand(at, "\n".join(text), tuple(expected), skip_reason) for at, text, expected in found]


def commands_by_environment(commands: Iterable[GuideCommand]) -> list[tuple[str, list[GuideCommand]]]:
    """Environments in order, each with the commands that run in its account.

    Raises:
        RehearsalError: a command precedes the first `export AWS_PROFILE`.
    """
    found: list[tuple[str, list[GuideCommand]]] = []
    for command in commands:
        if profile := PROFILE_COMMAND.fullmatch(command.text):
            found.append((profile[1], []))
        if not found:
            raise RehearsalError(f"{PAGE.name}:{command.line}: a command before export AWS_PROFILE=acme-...")
        found[-1][1].append(command)
    return found


@dataclass
class GuideShell:
    """A shell in a copy of the project, with an AWS profile for the rehearsed account."""

    folder: Path
    variables: dict[str, str]
    log: Path
    checkout: Path = field(init=False)

    def __post_init__(self) -> None:
        """Set the path of the copy."""
        self.checkout = self.folder / "checkout"

    @classmethod
    def of(cls, rehearsal: Rehearsal) -> Self:
        """A shell for the rehearsal's account, in a new copy of the project.

        Raises:
            RehearsalError: the project is not set up.
        """
        aws, folder = rehearsal.aws, rehearsal.deployment.folder
        credentials = aws.environment
        config = folder / "aws.ini"
        config.write_text(
            f"[profile {rehearsal.settings.company}-{rehearsal.settings.name}]\n"
            f"region = {credentials['AWS_REGION']}\n"
            f"aws_access_key_id = {credentials['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {credentials['AWS_SECRET_ACCESS_KEY']}\n",
            encoding="utf-8",
        )
        variables = {
            **without_variables({**environment(), **credentials}, *REMOVED_VARIABLES, *PROCESS_VARIABLES),
            **cli_variables(folder),
            "AWS_CONFIG_FILE": str(config),
            # The provider may come from a mirror; locking would fetch checksums from the registry.
            "CDKTF_SKIP_PROVIDER_LOCK": "true",
        }
        shell = cls(folder, variables, folder / "guide.log")
        shell.checkout.mkdir()
        copy_project(shell.checkout, *SHARED_FOLDERS, "node_modules")
        return shell

    def run(self, command: GuideCommand) -> None:
        """Run a command, and keep its exported variables for the next one.

        Raises:
            RehearsalError: the command fails, or does not print the expected output.
        """
        variables_file = self.folder / "variables"
        script = f"{command.text}\ncode=$?; env -0 >'{variables_file}'; exit $code"
        where = f"{PAGE.name}:{command.line}: {command.text.splitlines()[0]}"
        try:
            printed = run(["bash", "-c", script], cwd=self.checkout, variables=self.variables, log=self.log)
        except ProgramError as error:
            raise RehearsalError(f"{where}: {error}") from error
        missing = command.first_missing_line([CONTROL_SEQUENCE.sub("", line).rstrip() for line in printed])
        if missing is not None:
            raise RehearsalError(f"{where}: did not print: {missing} (log: {self.log})")
        exported = variables_file.read_text(encoding="utf-8").rstrip("\0").split("\0")
        self.variables = dict(entry.split("=", 1) for entry in exported)
