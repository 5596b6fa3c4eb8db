"""`python -m operations snapshots BASE`: what a change makes of the stacks, for whoever reviews it.

A snapshot is one long document, in which a line says little of where it stands. Here the snapshots of two versions are
compared resource by resource, as Markdown that fits into the summary of a GitHub job.
"""

import difflib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from operations.errors import RefusedError, one_line_errors
from stacks import ROOT

SNAPSHOTS = Path("tests/snapshots/__snapshots__/test_snapshots")
NAME = re.compile(r"test_stack\[([A-Za-z0-9_-]+)\]\.json")
LIMIT = 1024 * 1024
"""Bytes of a step's summary; GitHub drops a longer one as a whole.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
"""
CONTEXT_LINES = 3
"""Lines shown before and after what differs, as git does."""

Parts = Mapping[str, list[str]]
"""Of a stack: the lines of each resource, data source and output, by address."""


class SnapshotsError(RefusedError):
    """The snapshots of one of the two versions cannot be read."""


@dataclass(frozen=True)
class SnapshotDifference:
    """Of a stack, between two versions."""

    stack: str
    added: int
    changed: int
    removed: int
    """Resources, data sources, outputs and the like."""
    lines: tuple[str, ...]


def snapshots(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The commit or branch to compare with, such as `main`.")],
) -> None:
    """Show how the stacks differ from those of another version, as Markdown.

    Compares the snapshots of the working tree with those of the last version that it shares with BASE, resource by
    resource. Reads the git repository alone.

    When: in a pull request; CI writes it into the summary of the job.

    Example: `python -m operations snapshots main`

    Exit codes: 0 compared; 1 a version or a snapshot cannot be read; 2 usage.
    """
    with one_line_errors():
        before, after = committed(ROOT, base), present(ROOT)
        typer.echo(summary(differences(before, after), stacks=len({*before, *after}), base=base), nl=False)


def committed(project: Path, base: str) -> dict[str, Parts]:
    """Stacks as the last version has them that the working tree shares with a commit or branch, by name.

    Raises:
        SnapshotsError: there is no such version, or a snapshot of it cannot be read.
    """
    base = _git(project, "rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}").strip()
    shared = _git(project, "merge-base", base, "HEAD").strip()
    listed = _git(project, "ls-tree", "-z", "--name-only", shared, f"{SNAPSHOTS.as_posix()}/").split("\0")
    return {
        name[1]: _parts(file, _git(project, "cat-file", "blob", f"{shared}:{file}"))
        for file in listed
        if (name := NAME.fullmatch(file.rpartition("/")[2]))
    }


def present(project: Path) -> dict[str, Parts]:
    """Stacks as the working tree has them, by name.

    Raises:
        SnapshotsError: one cannot be read.
    """
    return {
        name[1]: _parts(file.name, file.read_bytes())
        for file in (project / SNAPSHOTS).glob("*")
        if (name := NAME.fullmatch(file.name))
    }


def differences(before: Mapping[str, Parts], after: Mapping[str, Parts]) -> list[SnapshotDifference]:
    """Those of all stacks that differ, by name."""
    found = (_difference(name, before.get(name, {}), after.get(name, {})) for name in sorted({*before, *after}))
    return [difference for difference in found if difference.lines]


def summary(found: Sequence[SnapshotDifference], *, stacks: int, base: str, limit: int = LIMIT) -> str:
    """Of all differences, in Markdown; where they have no room, each stack's loses its end.

    Args:
        found: the differences.
        stacks: how many stacks there are.
        base: what they are held against, to name the command that shows all.
        limit: bytes.
    """
    if not found:
        return f"### None of {stacks} stacks changes\n"
    head = [
        f"### {len(found)} of {stacks} stacks {'changes' if len(found) == 1 else 'change'}",
        "",
        "| stack | added | changed | removed |",
        "|---|--:|--:|--:|",
        *(f"| `{each.stack}` | {each.added} | {each.changed} | {each.removed} |" for each in found),
    ]
    room = limit - _size(head) - sum(_size(_block(each, [], base)) + 1 for each in found)
    # What a small stack does not need of its share is left to the larger ones.
    shown: dict[str, list[str]] = {}
    for number, each in enumerate(sorted(found, key=lambda each: _size(each.lines))):
        shown[each.stack] = _fit(each.lines, room // (len(found) - number))
        room -= _size(shown[each.stack])
    blocks = ("\n".join(_block(each, shown[each.stack], base)) for each in found)
    return "\n\n".join(["\n".join(head), *blocks]) + "\n"


def _git(project: Path, *arguments: str) -> str:
    run = subprocess.run(  # noqa: S603 - no shell reads them, and git takes none for an option
        ["git", *arguments],  # noqa: S607 - whichever git is in use
        cwd=project,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if run.returncode:
        # Two versions without a common one, as in a clone that lacks it, are told without a word.
        raise SnapshotsError(f"git {' '.join(arguments)}: {' '.join(run.stderr.split()) or 'finds none'}")
    return run.stdout


def _parts(name: str, text: str | bytes) -> Parts:
    try:
        document: dict[str, dict[str, Any]] = json.loads(text)
        return {address: _lines(body) for address, body in _addressed(document)}
    except (ValueError, AttributeError) as error:
        raise SnapshotsError(f"{name}: no snapshot of a stack: {error}") from error


def _addressed(document: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """What a document holds, as Terraform addresses it."""
    for section, entries in document.items():
        for key, body in entries.items():
            if section in ("resource", "data"):
                prefix = "data." if section == "data" else ""
                yield from ((f"{prefix}{key}.{name}", named) for name, named in body.items())
            else:
                yield f"{section}.{key}", body


def _lines(body: Any) -> list[str]:
    return _escaped(body, indent=2).splitlines()


def _escaped(value: Any, indent: int | None = None) -> str:
    """JSON of ASCII alone, and without what ends a block of code.

    No letter is mistaken for another, and none turns the line.
    """
    return json.dumps(value, indent=indent, sort_keys=True).replace("```", r"``\u0060")


def _difference(stack: str, before: Parts, after: Parts) -> SnapshotDifference:
    addresses = sorted({*before, *after})
    changed = [name for name in addresses if name in before and name in after and before[name] != after[name]]
    return SnapshotDifference(
        stack,
        added=len(after.keys() - before.keys()),
        changed=len(changed),
        removed=len(before.keys() - after.keys()),
        lines=tuple(line for name in addresses for line in _hunks(name, before.get(name, []), after.get(name, []))),
    )


def _hunks(address: str, before: list[str], after: list[str]) -> Iterator[str]:
    """What differs in a resource, each place under the resource's address and what it lies within."""
    for group in difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT_LINES):
        _, start, end, new_start, _ = next(opcode for opcode in group if opcode[0] != "equal")
        lines, place = (before, start) if start < end else (after, new_start)
        yield f"@@ {' '.join([_escaped(address)[1:-1], *_enclosing_keys(lines, place)])} @@"
        for what, start, end, new_start, new_end in group:
            if what == "equal":
                yield from (f" {line}" for line in before[start:end])
            else:
                yield from (f"-{line}" for line in before[start:end])
                yield from (f"+{line}" for line in after[new_start:new_end])


def _enclosing_keys(lines: Sequence[str], place: int) -> list[str]:
    """The keys that a line lies within, the outermost first, of JSON that is indented."""
    keys: list[str] = []
    indent = _indent(lines[place])
    for line in reversed(lines[:place]):
        if _indent(line) < indent:
            indent = _indent(line)
            if key := re.match(r' *"((?:[^"\\]|\\.)*)": ', line):
                keys.insert(0, key[1])
    return keys


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _size(lines: Sequence[str]) -> int:
    """In bytes, with the ends of the lines."""
    return sum(len(line.encode()) + 1 for line in lines)


def _fit(lines: Sequence[str], room: int) -> list[str]:
    shown: list[str] = []
    for line in lines:
        room -= _size([line])
        if room < 0:
            break
        shown.append(line)
    return shown


def _block(difference: SnapshotDifference, shown: Sequence[str], base: str) -> list[str]:
    block = [f"<details><summary>{difference.stack}</summary>", "", "```diff", *shown, "```", ""]
    if left := len(difference.lines) - len(shown):
        file = SNAPSHOTS / f"test_stack[{difference.stack}].json"
        block += [
            f"Left out, for GitHub's limit of {LIMIT:,} bytes: {left:,} lines. All of it:",
            f"`git diff {base} -- '{file.as_posix()}'`",
            "",
        ]
    return [*block, "</details>"]
