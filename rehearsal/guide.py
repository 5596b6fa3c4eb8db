"""The guide `docs/operations.md`, run as it is written: its commands, one after the other, in a copy of the project.

A block is a `console`: commands after `$ `, and what they print, in which `...` stands for anything, in a line or
instead of lines; what stands between two of these follows line by line. A block beneath a paragraph that begins with
one of `NEEDS` is not run.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Self

from operations.terraform import environment
from rehearsal.deployment import cli_variables
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import PROCESS_VARIABLES, ProgramError, run, without_variables
from rehearsal.pull_requests import KEY_VARIABLES, SHARED_FOLDERS, copy_project
from stacks import ROOT

PAGE = ROOT / "docs" / "operations.md"
SKIP_MARKERS = ("**Needs AWS:**", "**Needs Docker:**")
"""What a paragraph begins with whose block cannot be run here."""
ELLIPSIS = "..."
PROMPT, CONTINUATION = "$ ", "\\"
PROFILE_COMMAND = re.compile(r"export AWS_PROFILE=globecart-(\w+)")
"""The command by which the guide goes to an environment's account."""
REMOVED_VARIABLES = (
    # They come with the profile.
    *(*KEY_VARIABLES, "AWS_REGION", "AWS_DEFAULT_REGION"),
    # The guide sets them, or leaves them alone.
    *("ENV", "CDKTF_OUTDIR"),
    # It changes what Terraform prints.
    "TF_IN_AUTOMATION",
)
"""Variables that whoever follows the guide does not have."""
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""Colours, and how the cdktf CLI draws over its last lines."""


@dataclass(frozen=True)
class GuideCommand:
    """A command of the guide's, and what it shows of what that prints."""

    line: int
    """Where it stands."""
    text: str
    expected_output: tuple[str, ...] = ()
    skip_reason: str = ""
    """Why it is not run here."""

    def first_missing_line(self, printed: Sequence[str]) -> str | None:
        """The first line that is shown, and was not printed after those before it."""
        at, anywhere = 0, False
        for left_out, group in groupby(self.expected_output, lambda line: line == ELLIPSIS):
            if left_out:
                anywhere = True
                continue
            lines = list(group)
            starts = range(at, len(printed) - len(lines) + 1) if anywhere else [at]
            found = next((start for start in starts if _first_unlike(lines, printed[start:]) is None), None)
            if found is None:
                return _first_unlike(lines, printed[at:]) if not anywhere else _first_absent(lines, printed[at:])
            at, anywhere = found + len(lines), False
        return None


def _first_unlike(shown: Sequence[str], printed: Sequence[str]) -> str | None:
    """The first line that is not the one at its place."""
    places = enumerate(shown)
    return next((line for at, line in places if at >= len(printed) or not _fits(line, printed[at])), None)


def _first_absent(shown: Sequence[str], printed: Sequence[str]) -> str:
    """The first line that is at no place at all; where each is somewhere, the first."""
    return next((line for line in shown if not any(_fits(line, each) for each in printed)), shown[0])


def _fits(shown: str, printed: str) -> bool:
    """Whether a line is what was printed; how far it is indented does not matter, nor how wide a table was."""
    shown, printed = (" ".join(text.split()) for text in (shown, printed))
    return re.fullmatch(".*".join(map(re.escape, shown.split(ELLIPSIS))), printed) is not None


def parse_commands(text: str) -> list[GuideCommand]:
    """The guide's commands, in their order.

    Raises:
        RehearsalError: a block is neither to be run nor marked, or is not closed.
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
            raise RehearsalError(f"{PAGE.name}:{number}: {line.strip()}: allowed: a block of the console, not indented")
        else:
            needs = paragraph if paragraph.startswith(SKIP_MARKERS) else ""
            found += _block(number, lines, needs)
            paragraph = ""
    return found


def _block(number: int, lines: Iterator[tuple[int, str]], needs: str) -> list[GuideCommand]:
    found: list[tuple[int, list[str], list[str]]] = []
    for at, line in lines:
        if line == "```":
            break
        if line.startswith(PROMPT):
            found.append((at, [line.removeprefix(PROMPT)], []))
        elif not found:
            raise RehearsalError(f"{PAGE.name}:{at}: {line}: allowed: a command, after '{PROMPT}'")
        elif not found[-1][2] and found[-1][1][-1].endswith(CONTINUATION):
            found[-1][1].append(line)
        else:
            found[-1][2].append(line)
    else:
        raise RehearsalError(f"{PAGE.name}:{number}: a block that does not end")
    if not found:
        raise RehearsalError(f"{PAGE.name}:{number}: a block without a command")
    return [GuideCommand(at, "\n".join(text), tuple(shown), needs) for at, text, shown in found]


def commands_by_environment(commands: Iterable[GuideCommand]) -> list[tuple[str, list[GuideCommand]]]:
    """Environments, each with the commands that are given in its account.

    Raises:
        RehearsalError: one is given before the guide has gone to any.
    """
    found: list[tuple[str, list[GuideCommand]]] = []
    for command in commands:
        if entered := PROFILE_COMMAND.fullmatch(command.text):
            found.append((entered[1], []))
        if not found:
            raise RehearsalError(f"{PAGE.name}:{command.line}: a command before export AWS_PROFILE=globecart-...")
        found[-1][1].append(command)
    return found


@dataclass
class GuideShell:
    """Who follows the guide, in a copy of the project: with a shell, and with a profile of the account's."""

    folder: Path
    variables: dict[str, str]
    log: Path
    checkout: Path = field(init=False)

    def __post_init__(self) -> None:
        """Name the copy."""
        self.checkout = self.folder / "checkout"

    @classmethod
    def of(cls, rehearsal: Rehearsal) -> Self:
        """Somebody whose account is empty.

        Raises:
            RehearsalError: the project is not set up.
        """
        aws, folder = rehearsal.aws, rehearsal.deployment.folder
        given = aws.environment
        config = folder / "aws.ini"
        config.write_text(
            f"[profile globecart-{rehearsal.settings.name}]\n"
            f"region = {given['AWS_REGION']}\n"
            f"aws_access_key_id = {given['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {given['AWS_SECRET_ACCESS_KEY']}\n",
            encoding="utf-8",
        )
        variables = {
            **without_variables({**environment(), **given}, *REMOVED_VARIABLES, *PROCESS_VARIABLES),
            **cli_variables(folder),
            "AWS_CONFIG_FILE": str(config),
            # The provider lies in a mirror, maybe; the CLI would ask the registry for its sums.
            "CDKTF_SKIP_PROVIDER_LOCK": "true",
        }
        person = cls(folder, variables, folder / "guide.log")
        person.checkout.mkdir()
        copy_project(person.checkout, *SHARED_FOLDERS, "node_modules")
        return person

    def run(self, command: GuideCommand) -> None:
        """Give a command in the shell, whose exported variables the next one has.

        Raises:
            RehearsalError: it fails, or does not print what the guide shows.
        """
        after = self.folder / "variables"
        script = f"{command.text}\ncode=$?; env -0 >'{after}'; exit $code"
        where = f"{PAGE.name}:{command.line}: {command.text.splitlines()[0]}"
        try:
            printed = run(["bash", "-c", script], cwd=self.checkout, variables=self.variables, log=self.log)
        except ProgramError as error:
            raise RehearsalError(f"{where}: {error}") from error
        missing = command.first_missing_line([CONTROL_SEQUENCE.sub("", line).rstrip() for line in printed])
        if missing is not None:
            raise RehearsalError(f"{where}: does not print: {missing} (what it prints: {self.log})")
        exported = after.read_text(encoding="utf-8").rstrip("\0").split("\0")
        self.variables = dict(entry.split("=", 1) for entry in exported)
