"""A review as a comment in GitHub's Markdown.

Whatever a plan says stands in a code span, where nothing is markup and nobody is mentioned. Of its letters, those that
end a span or a cell of a table (backtick and pipe) are shown as others, and those that move a cursor as `?`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from operations.review.findings import Finding, OtherChange, StackReview
from operations.review.rules import Level

LIMIT = 65536
"""Of GitHub for a comment, in characters; counted in bytes here, which is never less."""
FINDINGS_BYTES = 44000
"""Of these, for what matters; what is left is for all else."""
STACKS_BYTES = 8000
HEADINGS_BYTES = 3000
"""Of all else, and for what a plan does not tell."""
MAX_CODE_LENGTH = 160
"""Characters of a name or value."""
SUBSTITUTES = str.maketrans({"`": "'", "|": "¦", "\n": "⏎", "\t": " "})

VERDICTS = {
    Level.DATA_LOSS: "Data is at stake",
    Level.DOWNTIME: "Something stops",
    Level.EXPOSURE: "More is open, or less is watched",
    Level.ROTATION: "The rotation is touched",
    Level.CAPACITY: "Capacity or cost changes",
    Level.OTHER: "Nothing of weight",
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
}
DEFAULT_COLUMNS = ("create", "update", "replace", "delete")

NOT_IN_PLANS = (
    "A plan tells neither `prevent_destroy` nor `ignore_changes`; where it deletes something, no `prevent_destroy` "
    "holds it. Nor does it tell whether AWS takes the changes."
)


def verdict(reviews: Sequence[StackReview]) -> str:
    """In a line."""
    broken = [review.stack for review in reviews if review.errored]
    whole = f"Not a whole plan ({', '.join(map(code, broken[:3]))}{_format_more(broken, 3)}). " if broken else ""
    failing = sum(len(review.failed_checks) for review in reviews)
    checks = f"; {_count(failing, 'check fails', 'checks fail')}" if failing else ""
    worst = worst_of(reviews)
    if worst is None:
        return f"{whole}No changes{checks}"
    counts = Counter(finding.level for review in reviews for finding in review.findings)
    others = counts.pop(Level.OTHER, 0) + sum(len(review.other_changes) + len(review.outputs) for review in reviews)
    counted = [f"{counts[level]} {LEVEL_NAMES[level]}" for level in Level if counts[level]]
    return f"{whole}{VERDICTS[worst]}: {', '.join([*counted, *([f'{others} other'] if others else [])])}{checks}"


def worst_of(reviews: Iterable[StackReview]) -> Level | None:
    """The worst level; None where nothing changes."""
    levels = [review.level for review in reviews if review.level]
    return min(levels, key=lambda level: level.rank, default=None)


def comment(reviews: Sequence[StackReview]) -> str:
    """The whole comment."""
    sections = [[f"### {verdict(reviews)}"], _stacks(reviews), _findings(sorted_findings(reviews))]
    room = LIMIT - HEADINGS_BYTES - sum(len(line.encode()) + 1 for section in sections for line in section)
    sections += [*_details(reviews, room), [NOT_IN_PLANS]]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def sorted_findings(reviews: Iterable[StackReview]) -> list[Finding]:
    """Those of all stacks, the worst first."""
    found = [finding for review in reviews for finding in review.findings]
    return sorted(found, key=lambda finding: finding.level.rank)


def code(text: str) -> str:
    """What a plan says, as a code span that it cannot leave."""
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
        "not a whole plan" if review.errored else "",
        "another plan must follow" if review.deferred or not (review.complete or review.errored) else "",
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
    """What is folded away, in equal parts of the room that is left, in bytes."""
    lists: dict[str, list[tuple[str, OtherChange | str]]] = {
        "All other changes": [(review.stack, rest) for review in reviews for rest in review.other_changes],
        "Outputs": [(review.stack, _output(*output)) for review in reviews for output in review.outputs],
        "Found otherwise than the state has it": [(review.stack, rest) for review in reviews for rest in review.drift],
        "Put off to another plan": [(review.stack, line) for review in reviews for line in review.deferred],
        "Checks that fail": [(review.stack, line) for review in reviews for line in review.failed_checks],
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
    """As many of a number of lines as have room, in bytes, and how many are left."""
    shown: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        shown.append(line)
    return shown, number - len(shown)


def _format_omission(left: int, what: str) -> list[str]:
    return (
        ["", f"Left out, for GitHub's limit of {LIMIT:,} characters: {left} ({what}). `--json` has all."]
        if left
        else []
    )
