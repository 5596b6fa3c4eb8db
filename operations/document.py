"""`python -m operations.document`: writes the parts of `docs/` that follow from the code.

A part stands between two comments, `<!-- begin NAME -->` and `<!-- end NAME -->`; what is around it is a person's.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from operations.terraform import ROOT
from stacks.settings import Environment
from stacks.settings.load import models_in
from stacks.settings.section import InProduction

DOCS = ROOT / "docs"


def main() -> None:
    """Write all parts anew. Exits with 1, and changes nothing, where a page lacks the place of its part."""
    pages = {DOCS / "settings.md": {"settings": settings_table()}}
    try:
        written = {page: with_parts(page, parts) for page, parts in pages.items()}
    except ValueError as error:
        sys.exit(str(error))
    for page, text in written.items():
        page.write_text(text, encoding="utf-8")


def with_parts(page: Path, parts: dict[str, str]) -> str:
    """A page's text with its parts as the code has them now.

    Raises:
        ValueError: the page has no place for a part.
    """
    text = page.read_text(encoding="utf-8")
    for name, content in parts.items():
        place = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not place.search(text):
            raise ValueError(f"{page}: allowed: a place for {name}, <!-- begin {name} --> to <!-- end {name} -->")
        text = place.sub(lambda match, content=content: f"{match[1]}{content}{match[2]}", text)
    return text


def settings_table() -> str:
    """Every key that a settings file may have."""
    rows = ["| key | meaning | default | production demands |", "|---|---|---|---|"]
    rows += [f"| {' | '.join(row)} |" for row in _rows(Environment, "") if row[0] != "`name`"]
    return "\n".join(rows) + "\n"


def _rows(model: type[BaseModel], path: str) -> Iterator[tuple[str, str, str, str]]:
    meanings = _attribute_docstrings(model)
    for name, field in model.model_fields.items():
        key = f"{path}{name}"
        of_list = isinstance(field.default, tuple) or "tuple" in str(field.annotation)
        sections = list(models_in(field.annotation))
        if not sections or of_list:
            yield f"`{key}`", meanings.get(name, ""), _default(field), _demands(field)
        for section in sections:
            yield from _rows(section, f"{key}[]." if of_list else f"{key}.")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be said"
    if field.default == ():
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _demands(field: FieldInfo) -> str:
    return "; ".join(f"{rule.demand}: {rule.because}" for rule in field.metadata if isinstance(rule, InProduction))


def _attribute_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The texts below a class's attributes, which Python itself throws away."""
    (defined,) = ast.parse(dedent(inspect.getsource(model))).body
    body = defined.body if isinstance(defined, ast.ClassDef) else []
    return {
        attribute.target.id: " ".join(below.value.value.split())
        for attribute, below in pairwise(body)
        if isinstance(attribute, ast.AnnAssign) and isinstance(attribute.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }


if __name__ == "__main__":
    main()
