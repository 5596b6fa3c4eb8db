"""`python -m operations snapshots BASE`: how a change affects the stacks, for its reviewer.

In a plain diff of a snapshot, a line does not show which resource it belongs to. This command compares the snapshots of
two versions resource by resource, as Markdown that fits the summary of a GitHub job.
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
"""GitHub's limit for a step's summary in bytes. It drops a longer summary entirely.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
"""
CONTEXT_LINES = 3
"""Lines of context around a difference, as in git."""

Parts = Mapping[str, list[str]]
"""Lines of each resource, data source and output of a stack, by address."""


class SnapshotsError(RefusedError):
    """The snapshots of a version cannot be read."""


@dataclass(frozen=True)
class SnapshotDifference:
    """The difference of a stack between two versions."""

    stack: str
    added: int
    changed: int
    removed: int
    """Counts of resources, data sources, outputs and other blocks."""
    lines: tuple[str, ...]


def snapshots(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The commit or branch to compare with, such as `main`.")],
) -> None:
    """Show how the stacks differ from another version, as Markdown.

    Compares the snapshots in the working tree, resource by resource, with those of the merge base of HEAD and BASE.
    Reads only the git repository.

    When: in a pull request. CI adds the output to the job's summary.

    Example: `python -m operations snapshots main`

    Exit codes: 0 compared; 1 a version or a snapshot cannot be read; 2 usage.
    """
    with one_line_errors():
        before, after = committed(ROOT, base), present(ROOT)
        typer.echo(summary(differences(before, after), stacks=len({*before, *after}), base=base), nl=False)


def committed(project: Path, base: str) -> dict[str, Parts]:
    """Snapshots of the merge base of HEAD and a commit or branch, by stack.

    Raises:
        SnapshotsError: there is no merge base, or a snapshot cannot be read.
    """
    base = _git(project, "rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}").strip()
    shared = _git(project, "merge-base", base, "HEAD").strip()
    listed = _git(project, "ls-tree", "-z", "--name-only", shared, f"{SNAPSHOTS.as_posix()}/").split("\0")
    return {
        name[1]: _parts(file, _git(project, "cat-file", "blob", f"{shared}:./{file}"))
        for file in listed
        if (name := NAME.fullmatch(file.rpartition("/")[2]))
    }


def present(project: Path) -> dict[str, Parts]:
    """Snapshots in the working tree, by stack.

    Raises:
        SnapshotsError: a snapshot cannot be read.
    """
    return {
        name[1]: _parts(file.name, file.read_bytes())
        for file in (project / SNAPSHOTS).glob("*")
        if (name := NAME.fullmatch(file.name))
    }


def differences(before: Mapping[str, Parts], after: Mapping[str, Parts]) -> list[SnapshotDifference]:
    """The differences of all stacks that differ, sorted by name."""
    found = (_difference(name, before.get(name, {}), after.get(name, {})) for name in sorted({*before, *after}))
    return [difference for difference in found if difference.lines]


def summary(found: Sequence[SnapshotDifference], *, stacks: int, base: str, limit: int = LIMIT) -> str:
    """Differences in Markdown. If they exceed the limit, the longest are truncated.

    Args:
        found: the differences.
        stacks: the number of stacks.
        base: the version that was compared with, as the user named it, for the command that shows the rest.
        limit: maximum size in bytes.
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
    # Smallest first: what a small stack leaves of its share goes to the larger ones.
    shown: dict[str, list[str]] = {}
    for number, each in enumerate(sorted(found, key=lambda each: _size(each.lines))):
        shown[each.stack] = _fit(each.lines, room // (len(found) - number))
        room -= _size(shown[each.stack])
    blocks = ("\n".join(_block(each, shown[each.stack], base)) for each in found)
    return "\n\n".join(["\n".join(head), *blocks]) + "\n"


def _git(project: Path, *arguments: str) -> str:
    run = subprocess.run(  # noqa: S603 - no shell, and --end-of-options precedes the argument that the user chooses
        ["git", *arguments],  # noqa: S607 - the git on the PATH
        cwd=project,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if run.returncode:
        # Without a merge base, as in a shallow clone, git fails silently.
        raise SnapshotsError(f"git {' '.join(arguments)}: {' '.join(run.stderr.split()) or 'no merge base'}")
    return run.stdout


def _parts(name: str, text: str | bytes) -> Parts:
    try:
        document: dict[str, dict[str, Any]] = json.loads(text)
        return {address: _lines(body) for address, body in _addressed(document)}
    except (ValueError, AttributeError) as error:
        raise SnapshotsError(f"{name}: not a snapshot of a stack: {error}") from error


def _addressed(document: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The blocks of a document by Terraform address."""
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
    """JSON in ASCII, without the characters that end a Markdown code block.

    ASCII rules out homoglyphs and bidirectional control characters.
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
    """The differences in a resource. Each hunk is headed by the resource's address and the enclosing keys."""
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
    """The keys that enclose a line of indented JSON, outermost first."""
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
    """Size in bytes, including line ends."""
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
    if omitted := len(difference.lines) - len(shown):
        file = SNAPSHOTS / f"test_stack[{difference.stack}].json"
        block += [
            f"Lines omitted because of GitHub's size limit: {omitted:,}. To see all:",
            f"`git diff --merge-base {base} -- '{file.as_posix()}'`",
            "",
        ]
    return [*block, "</details>"]
