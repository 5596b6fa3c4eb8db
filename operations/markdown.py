"""Markdown, as the generated parts of `docs/` are written in."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a pipe within a cell does not end it."""
    first, *rest = (f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in (head, *rows))
    return "".join([first, f"|{'---|' * len(head)}\n", *rest])
