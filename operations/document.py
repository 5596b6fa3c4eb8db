"""`python -m operations.document`: writes the parts of `docs/` that follow from the code, and the pictures there.

A part stands between two comments, `<!-- begin NAME -->` and `<!-- end NAME -->`; what is around it is a person's.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Le, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from operations import markdown
from operations.pictures import matrix, overview, rotation, stacks
from operations.platform import Platform, PlatformError
from operations.roles import keys_table, roles_table
from operations.terraform import ROOT
from operations.zones import table as zones_table
from stacks.settings import Environment, SettingsError, load_environments
from stacks.settings.load import models_in
from stacks.settings.section import InProduction, Matching

DOCS = ROOT / "docs"
OUT = ROOT / "cdktf.out"

Pages = Mapping[Path, Mapping[str, str]]
"""The parts of pages, by their names."""


def main() -> None:
    """Write all parts and pictures anew, from the settings and from what was synthesized of them."""
    try:
        environments = load_environments(ROOT / "environments")
        platforms = {settings.name: Platform.read(OUT, settings.name) for settings in environments}
    except (PlatformError, SettingsError) as error:
        sys.exit(str(error))
    write(pages(environments, platforms))
    for file, drawn in images(environments, platforms).items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(drawn, encoding="utf-8")


def pages(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Pages:
    """Every page that has parts, and what they are."""
    shown = _shown(environments, platforms)
    zones = [f"### {settings.name}\n\n{zones_table(platforms[settings.name])}" for settings in environments]
    return {
        DOCS / "settings.md": {"settings": settings_table()},
        DOCS / "availability.md": {"zones": "\n".join(zones)},
        DOCS / "security.md": {"roles": roles_table(shown), "keys": keys_table(shown)},
        DOCS / "architecture.md": {"stacks": f"{stacks.flowchart(shown)}\n{stacks.table(shown)}"},
        DOCS / "rotation.md": {"rotation": rotation.rotation(shown), "redeployment": rotation.redeployment(shown)},
    }


def images(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Mapping[Path, str]:
    """Every picture that is a file of its own."""
    shown = _shown(environments, platforms)
    drawn = {"platform": overview.picture(shown), "reachability": matrix.picture(shown)}
    return {DOCS / "pictures" / f"{name}.svg": picture for name, picture in drawn.items()}


def _shown(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Platform:
    """Production: it has all that there is; what differs between environments is told in general."""
    return platforms[max(environments, key=lambda settings: settings.production).name]


def write(pages: Pages) -> None:
    """Write the parts of pages anew. Exits with 1, and changes nothing, where a page lacks the place of its part."""
    try:
        written = {page: with_parts(page, parts) for page, parts in pages.items()}
    except ValueError as error:
        sys.exit(str(error))
    for page, text in written.items():
        page.write_text(text, encoding="utf-8")


def with_parts(page: Path, parts: Mapping[str, str]) -> str:
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
    head = ("key", "meaning", "allowed", "default", "production demands")
    return markdown.table(head, (row for row in _rows(Environment, "") if row[0] != "`name`"))


def _rows(model: type[BaseModel], path: str) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        key = f"{path}{name}"
        is_list = get_origin(field.annotation) is tuple
        sections = list(models_in(field.annotation))
        if not sections or is_list:
            meaning = " ".join((field.description or "").split())
            yield f"`{key}`", meaning, _allowed(field), _default(field), _demands(field)
        for section in sections:
            yield from _rows(section, f"{key}[]." if is_list else f"{key}.")


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    # Where nothing is allowed, too, the rules are of the other one.
    rules = [
        *field.metadata,
        *(rule for part in get_args(field.annotation) for rule in getattr(part, "__metadata__", ())),
    ]
    limits = {type(rule): rule for rule in rules}
    words = [rule.allowed for rule in rules if isinstance(rule, Matching)]
    if Ge in limits and Le in limits:
        words.append(f"{limits[Ge].ge} to {limits[Le].le}")
    if MultipleOf in limits:
        words.append(f"in steps of {limits[MultipleOf].multiple_of}")
    return ", ".join(words)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default == ():
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _demands(field: FieldInfo) -> str:
    return "; ".join(f"{rule.demand}, as {rule.because}" for rule in field.metadata if isinstance(rule, InProduction))


if __name__ == "__main__":
    main()
