"""Markdown for the generated parts of `docs/`."""

import re
from collections.abc import Iterable, Sequence

from synthesized.platform import Platform

REFERENCE = re.compile(r"\$\{[^}]+\}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Pipes in cells are escaped."""
    first, *rest = (" | ".join(map(_cell, row)) for row in (head, *rows))
    return "".join([f"| {first} |\n|{'---|' * len(head)}\n", *(f"| {row} |\n" for row in rest)])


def generalize(platform: Platform, text: str) -> str:
    """A text with references replaced by names, and names of the environment by placeholders."""
    (provider, *_) = next(iter(platform.stacks.values())).providers
    text = REFERENCE.sub(lambda match: platform.resolve(match[0]).label, text)
    for value, placeholder in (
        (provider["allowed_account_ids"][0], "<account>"),
        (provider["region"], "<region>"),
        (f"{platform.company}-{platform.environment}-", "<company>-<environment>-"),
        (f"{platform.company}/{platform.environment}", "<company>/<environment>"),
    ):
        text = text.replace(value, placeholder)
    return text


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
