"""Finds plans in files: alone, several in one file, or among the output of wrappers and runners."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.errors import RefusedError

MAX_BYTES = 128 * 2**20
"""A plan with ten thousand resources has about 100 MB. Python needs about eight times as much memory."""
EXPECTED = "the output of `terraform show -json PLANFILE`"
PLAN_START = re.compile(r'\{\s*"format_version"\s*:')
"""Terraform writes the version first."""
START = re.compile(rf"^(?:[ \t]*(?=\{{)|(?!::)[^\n]*?(?={PLAN_START.pattern}))", re.MULTILINE)
"""Where a JSON object starts: a line, or a plan within a line. GitHub's debug lines repeat the output after `::`."""
REPORTED_ERROR = re.compile(r"(?:\b|\x1b\[[0-9;]*m)Error: ")
"""Terraform colours the word unless told not to."""
PLAN_PART = re.compile(r'^(?!::).*"(?:output_changes|planned_values|prior_state|resource_changes)"\s*:', re.MULTILINE)
"""Part of a plan, on a line that is not one of GitHub's commands, which repeat the output."""

STATE = "a state, the output of `terraform show -json` without a file"
OTHER_DOCUMENTS = (
    (lambda found: "valid" in found and "diagnostics" in found, "the output of `terraform validate -json`"),
    (lambda found: "provider_schemas" in found, "provider schemas"),
    (lambda found: "terraform_version" in found and "serial" in found and "lineage" in found, "a state file"),
    (lambda found: "@level" in found and "@message" in found, "the output of `terraform plan -json`"),
    (lambda found: "format_version" not in found, "other JSON, without a format_version"),
    # Without a state, `terraform show -json` prints only the version.
    (
        lambda found: found.keys() <= {"format_version", "terraform_version", "values", "checks"},
        STATE,
    ),
)
"""Other JSON documents of Terraform."""


@dataclass(frozen=True)
class PlanFile:
    """Content of a file with plans."""

    plans: tuple[Mapping[str, Any], ...]
    other_lines: int = 0
    """Lines that are not part of a plan."""
    unread: tuple[str, ...] = ()
    """What else the file contains that may stand for changes."""


def read_file(file: Path) -> PlanFile:
    """Read the plans in a file.

    Raises:
        RefusedError: there is none, or one is truncated. The message says what the file contains instead.
    """
    text = _decode(file, _read_bytes(file))
    documents, other = _parse(file, text)
    kinds = [_kind(document) for document in documents]
    plans = tuple(document for document, kind in zip(documents, kinds, strict=True) if not kind)
    if not plans:
        raise RefusedError(f"{file}: not a plan but {kinds[0]}; allowed: {EXPECTED}")
    states = (number for number, kind in enumerate(kinds, 1) if kind == STATE)
    unread = [f"document {number} is not a plan but {STATE}" for number in states]
    if REPORTED_ERROR.search(other):
        unread.append("an error is reported beside the plan")
    without_version = (document for document, kind in zip(documents, kinds, strict=True) if kind)
    if PLAN_PART.search(other) or any("resource_changes" in document for document in without_version):
        unread.append("part of another plan, which cannot be read")
    return PlanFile(plans, sum(bool(line.strip()) for line in other.splitlines()), tuple(unread))


def _kind(document: Mapping[str, Any]) -> str:
    """What a document is, or empty for a plan."""
    return next((kind for is_it, kind in OTHER_DOCUMENTS if is_it(document)), "")


def _read_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError(f"{file}: cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise RefusedError(f"{file}: too large; allowed: up to {MAX_BYTES >> 20} MiB")
    if content.startswith(b"PK\x03\x04"):
        raise RefusedError(f"{file}: a binary plan file; allowed: {EXPECTED}")
    if not content.strip():
        raise RefusedError(f"{file}: empty; allowed: {EXPECTED}")
    return content


def _decode(file: Path, content: bytes) -> str:
    # Windows PowerShell redirects output as UTF-16.
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file}: not JSON: {error.reason} at byte {error.start}; allowed: {EXPECTED}") from error


def _parse(file: Path, text: str) -> tuple[list[Any], str]:
    """Documents, and the text around them."""
    try:
        try:
            whole = json.loads(text, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            return _search(file, text, error)
    except RecursionError as error:
        raise RefusedError(f"{file}: nested too deeply for a plan") from error
    except RefusedError:
        raise
    except ValueError as error:  # a number with more digits than Python parses, or a repeated key
        raise RefusedError(f"{file}: JSON that cannot be parsed: {error}") from error
    documents = whole if isinstance(whole, list) else [whole]
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise RefusedError(f"{file}: not a plan: JSON, but not an object; allowed: {EXPECTED}")
    return documents, ""


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of which no member hides another."""
    found = dict(members)
    if len(found) < len(members):
        ((name, _),) = Counter(name for name, _ in members).most_common(1)
        raise ValueError(f"{name!r} is there more than once")
    return found


def _search(file: Path, text: str, error: json.JSONDecodeError) -> tuple[list[Any], str]:
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    documents: list[Any] = []
    other: list[str] = []
    position = 0
    while (start := _next_start(text, position)) is not None:
        try:
            document, end = decoder.raw_decode(text, start)
        except json.JSONDecodeError as problem:
            if PLAN_START.match(text, start) or not text[:start].strip():
                raise _refusal(file, text, problem) from problem
            end = text.find("\n", start) + 1 or len(text)
            other.append(text[position:end])
        else:
            documents.append(document)
            other.append(text[position : end if _kind(document) else start])
        position = end
    if not documents:
        raise _refusal(file, text, error) from error
    return documents, "\n".join([*other, text[position:]])


def _next_start(text: str, position: int) -> int | None:
    """Start of the next JSON object, also of one that follows another on the same line."""
    rest = re.compile(r"\s*(?=\{)").match(text, position) or START.search(text, position)
    return rest.end() if rest else None


def _refusal(file: Path, text: str, error: json.JSONDecodeError) -> RefusedError:
    stripped = text.strip()
    is_cut = stripped[:1] in ("{", "[") and (stripped[-1:] not in ("}", "]") or error.pos >= len(text.rstrip()))
    problem = f"truncated after {len(text)} characters" if is_cut else "not JSON"
    return RefusedError(f"{file}: {problem} ({error}); allowed: {EXPECTED}")
