"""Formats reviews as a comment in GitHub Flavored Markdown.

All text from a plan is in code spans, so that it is neither markup nor a mention. Backticks and pipes, which would end
a span or a table cell, are substituted, and control characters become `?`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from operations.review.findings import Finding, OtherChange, StackReview
from operations.review.rules import Level

LIMIT = 65536
"""GitHub's limit for a comment in characters. Counted in bytes here, which is never less."""
FINDINGS_BYTES = 44000
"""Limit for the table of findings, in bytes."""
STACKS_BYTES = 8000
"""Limit for the table of stacks."""
HEADINGS_BYTES = 3000
"""Reserved for headings and the disclaimer."""
MAX_CODE_LENGTH = 160
"""Maximum length of a name or value in characters."""
SUBSTITUTES = str.maketrans({"`": "'", "|": "¦", "\n": "⏎", "\t": " "})

VERDICTS = {
    Level.DATA_LOSS: "Data is at stake",
    Level.DOWNTIME: "Something stops",
    Level.EXPOSURE: "Access widens or monitoring is reduced",
    Level.ROTATION: "The rotation changes",
    Level.CAPACITY: "Capacity or cost changes",
    Level.OTHER: "Nothing significant",
}
LEVEL_NAMES = {
    Level.DATA_LOSS: "data loss",
    Level.DOWNTIME: "downtime",
    Level.EXPOSURE: "exposure",
    Level.ROTATION: "rotation",
    Level.CAPACITY: "capacity, cost",
    Level.OTHER: "other",
}
COLUMNS = {
    "create": "add",
    "update": "change",
    "replace": "replace",
    "delete": "destroy",
    "forget": "forget",
    "import": "import",
    "move": "move",
    "unknown": "unknown",
    "invoke": "run action",
}
DEFAULT_COLUMNS = ("create", "update", "replace", "delete")

NOT_IN_PLANS = (
    "A plan contains neither `prevent_destroy` nor `ignore_changes`: if it deletes something, no `prevent_destroy` "
    "protects it. Whether AWS accepts the changes shows only during apply."
)


def verdict(reviews: Sequence[StackReview]) -> str:
    """The result in one line."""
    partial = _format_partial("Incomplete plan", [review.stack for review in reviews if review.errored])
    partial += _format_partial("Plan not fully understood", [review.stack for review in reviews if review.unread])
    failing = sum(len(review.failed_checks) for review in reviews)
    actions = sum(review.counts["invoke"] for review in reviews)
    suffix = f"; {_count(failing, 'failed check', 'failed checks')}" if failing else ""
    suffix += f"; {_count(actions, 'action runs', 'actions run')}" if actions else ""
    worst = worst_of(reviews)
    if worst is None:
        nothing = all(review.is_without_changes for review in reviews)
        return f"{partial}{'No changes' if nothing else 'No changes to resources'}{suffix}"
    counts = Counter(finding.level for review in reviews for finding in review.findings)
    others = counts.pop(Level.OTHER, 0) + sum(len(review.other_changes) + len(review.outputs) for review in reviews)
    counted = [f"{counts[level]} {LEVEL_NAMES[level]}" for level in Level if counts[level]]
    judged = "No plan shows what actions do" if actions and worst is Level.OTHER else VERDICTS[worst]
    return f"{partial}{judged}: {', '.join([*counted, *([f'{others} other'] if others else [])])}{suffix}"


def _format_partial(problem: str, stacks: Sequence[str]) -> str:
    return f"{problem} ({', '.join(map(code, stacks[:3]))}{_format_more(stacks, 3)}). " if stacks else ""


def worst_of(reviews: Iterable[StackReview]) -> Level | None:
    """The worst level, or None if nothing changes."""
    levels = [review.level for review in reviews if review.level]
    return min(levels, key=lambda level: level.rank, default=None)


def comment(reviews: Sequence[StackReview]) -> str:
    """The complete comment."""
    sections = [[f"### {verdict(reviews)}"], _stacks(reviews), _findings(sorted_findings(reviews))]
    room = LIMIT - HEADINGS_BYTES - sum(len(line.encode()) + 1 for section in sections for line in section)
    sections += [*_details(reviews, room), _without_order(reviews), [NOT_IN_PLANS]]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _without_order(reviews: Sequence[StackReview]) -> list[str]:
    types = list(dict.fromkeys(type_ for review in reviews for type_ in review.without_order))
    named = f"{', '.join(map(code, types[:5]))}{_format_more(types, 5)}"
    return [f"Lists of {named} are compared without their order: their schema is not known here."] if types else []


def sorted_findings(reviews: Iterable[StackReview]) -> list[Finding]:
    """Findings of all stacks, worst first."""
    found = [finding for review in reviews for finding in review.findings]
    return sorted(found, key=lambda finding: finding.level.rank)


def code(text: str) -> str:
    """Text from a plan as a code span that it cannot escape from."""
    text = f"{text[: MAX_CODE_LENGTH - 1]}…" if len(text) > MAX_CODE_LENGTH else text
    shown = "".join(letter if letter.isprintable() else "?" for letter in text.translate(SUBSTITUTES)).strip()
    return f"`{shown or '?'}`"


def _stacks(reviews: Sequence[StackReview]) -> list[str]:
    actions = [
        action for action in COLUMNS if action in DEFAULT_COLUMNS or any(review.counts[action] for review in reviews)
    ]
    rows = (
        f"| {code(review.stack)} | {' | '.join(str(review.counts[action]) for action in actions)} | {_worst(review)} |"
        for review in reviews
    )
    head = [
        f"| stack | {' | '.join(COLUMNS[action] for action in actions)} | worst |",
        f"|---|{'--:|' * len(actions)}---|",
    ]
    shown, left = _fit(rows, len(reviews), STACKS_BYTES)
    return head + shown + _format_omission(left, "stacks")


def _worst(review: StackReview) -> str:
    level = LEVEL_NAMES[review.level] if review.level else "-"
    notes = [
        "incomplete plan" if review.errored else "",
        "not fully understood" if review.unread else "",
        "another plan is required" if review.deferred or not (review.complete or review.errored) else "",
    ]
    return "; ".join([level, *filter(None, notes)])


def _findings(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    shown, left = _fit(map(_finding, findings), len(findings), FINDINGS_BYTES)
    counts = Counter(finding.level for finding in findings[len(shown) :])
    levels = ", ".join(f"{counts[level]} {LEVEL_NAMES[level]}" for level in Level if counts[level])
    return ["| level | stack | resource | what | |", "|---|---|---|---|---|", *shown, *_format_omission(left, levels)]


def _finding(finding: Finding) -> str:
    argument = f"{code(finding.argument)}: " if finding.argument else ""
    details = "<br>".join(
        [*map(code, finding.details[:4]), *([_format_more(finding.details, 4)] if finding.details[4:] else [])]
    )
    where = f"{code(finding.stack)} | {code(finding.address)}"
    return f"| {LEVEL_NAMES[finding.level]} | {where} | {argument}{finding.sentence} | {details} |"


def _details(reviews: Sequence[StackReview], room: int) -> Iterator[list[str]]:
    """The collapsed sections, which share the remaining bytes equally."""
    lists: dict[str, list[tuple[str, OtherChange | str]]] = {
        "All other changes": [(review.stack, rest) for review in reviews for rest in review.other_changes],
        "Outputs": [(review.stack, _output(*output)) for review in reviews for output in review.outputs],
        "Drift": [(review.stack, rest) for review in reviews for rest in review.drift],
        "Deferred to another plan": [(review.stack, line) for review in reviews for line in review.deferred],
        "Not understood": [(review.stack, line) for review in reviews for line in (*review.unread, *review.notes)],
        "Failed checks": [(review.stack, line) for review in reviews for line in review.failed_checks],
    }
    filled = {title: lines for title, lines in lists.items() if lines}
    for title, lines in filled.items():
        shown, left = _fit((_line(*line) for line in lines), len(lines), room // len(filled))
        yield [
            f"<details><summary>{title} ({len(lines)})</summary>",
            "",
            *shown,
            *_format_omission(left, "more"),
            "",
            "</details>",
        ]


def _line(stack: str, what: OtherChange | str) -> str:
    return f"- {code(stack)}: {_rest(what) if isinstance(what, OtherChange) else code(what)}"


def _output(name: str, action: str) -> str:
    return f"{COLUMNS.get(action, action)} {name}"


def _rest(rest: OtherChange) -> str:
    named = f": {', '.join(map(code, rest.arguments[:8]))}{_format_more(rest.arguments, 8)}" if rest.arguments else ""
    return f"{code(rest.action)} {code(rest.address)}{named}"


def _format_more(of: Sequence[object], shown: int) -> str:
    return f" and {len(of) - shown} more" if len(of) > shown else ""


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _fit(lines: Iterable[str], number: int, room: int) -> tuple[list[str], int]:
    """The lines that fit into a number of bytes, and the number of lines that do not."""
    shown: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        shown.append(line)
    return shown, number - len(shown)


def _format_omission(left: int, what: str) -> list[str]:
    return (
        ["", f"Omitted because of GitHub's limit of {LIMIT:,} characters: {left} ({what}). `--json` has all."]
        if left
        else []
    )
