"""`python -m operations document`: generates parts of pages in `docs/`, and its pictures.

A part is enclosed in the comments `<!-- begin NAME -->` and `<!-- end NAME -->`. The rest of a page is written by hand.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from operations.atlantis import REPOS, profiles
from operations.document import controls, runbooks, settings_reference
from operations.document.pictures import matrix, overview, rotation, stacks
from operations.document.tables import keys_table, roles_table, zones_table
from operations.errors import RefusedError, one_line_errors
from stacks import ROOT
from stacks.settings import Environment, load_environments
from synthesized.platform import Platform

DOCS = ROOT / "docs"

Pages = Mapping[Path, Mapping[str, str]]
"""Content by page and name of part."""


def document() -> None:
    """Generate the parts of pages and the pictures in `docs/` that derive from code and settings.

    Reads the settings and the output of `make synth`. A test fails while a page is out of date.

    When: after a change to the stacks, the settings or the controls.

    Example: `python -m operations document`

    Exit codes: 0 written; 1 nothing is synthesized, or a page is missing or lacks a part's comments; 2 usage.
    """
    with one_line_errors():
        environments = load_environments(ROOT / "environments")
        platforms = {settings.name: Platform.synthesized(settings.name) for settings in environments}
        write(pages(environments, platforms))
        for file, picture in images(environments, platforms).items():
            file.parent.mkdir(exist_ok=True)
            file.write_text(picture, encoding="utf-8")


def pages(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Pages:
    """The generated parts of all pages."""
    platform = _documented_platform(environments, platforms)
    zones = [f"### {settings.name}\n\n{zones_table(platforms[settings.name])}" for settings in environments]
    of_runbooks: dict[Path, dict[str, str]] = {}
    for (page, heading), facts in runbooks.facts(list(platforms.values())).items():
        of_runbooks.setdefault(DOCS / "runbooks" / f"{page}.md", {})[heading] = facts
    return {
        DOCS / "atlantis.md": {
            "repos": _code("yaml", REPOS.read_text(encoding="utf-8")),
            "profiles": _code("ini", profiles(environments, "credential_source = EcsContainer")),
        },
        DOCS / "ci.md": {"plan-roles": _code("json", plan_roles(environments))},
        DOCS / "controls.md": {
            "controls": controls.tables(),
            "checks": controls.checks(),
            "others": controls.out_of_scope(),
        },
        DOCS / "settings.md": {"settings": settings_reference.reference()},
        DOCS / "availability.md": {"zones": "\n".join(zones)},
        DOCS / "security.md": {"roles": roles_table(platform), "keys": keys_table(platform)},
        DOCS / "runbooks" / "README.md": {"all": runbooks.overview(list(platforms.values()))},
        DOCS / "architecture.md": {"stacks": f"{stacks.flowchart(platform)}\n{stacks.table(platform)}"},
        DOCS / "rotation.md": {
            "rotation": rotation.rotation(platform),
            "redeployment": rotation.redeployment(platform),
        },
        **of_runbooks,
    }


def images(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Mapping[Path, str]:
    """The pictures in files, as SVG."""
    platform = _documented_platform(environments, platforms)
    pictures = {"platform": overview.picture(platform), "reachability": matrix.picture(platform)}
    return {DOCS / "pictures" / f"{name}.svg": picture for name, picture in pictures.items()}


def _documented_platform(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Platform:
    """Production, because it has every resource."""
    return platforms[max(environments, key=lambda settings: settings.production).name]


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}```\n"


def write(pages: Pages) -> None:
    """Replace the parts of pages.

    Raises:
        RefusedError: a page lacks a part's comments; no page is written.
    """
    texts = {page: replace_parts(page, parts) for page, parts in pages.items()}
    for page, text in texts.items():
        page.write_text(text, encoding="utf-8")


def replace_parts(page: Path, parts: Mapping[str, str]) -> str:
    """A page's text with new parts.

    Raises:
        RefusedError: the page lacks a part's comments.
    """
    text = page.read_text(encoding="utf-8")
    for name, content in parts.items():
        place = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not place.search(text):
            raise RefusedError(f"{page} lacks <!-- begin {name} --> and <!-- end {name} -->")
        text = place.sub(lambda match, content=content: f"{match[1]}{content}{match[2]}", text)
    return text


def plan_roles(environments: Iterable[Environment]) -> str:
    """The repository variable `PLAN_ROLES` as JSON: the role that CI assumes to plan each environment."""
    roles = [
        {
            "environment": settings.name,
            "role": settings.names.deployer_role_arn("plan"),
            "region": settings.region,
        }
        for settings in environments
    ]
    return f"{json.dumps(roles, indent=2)}\n"
