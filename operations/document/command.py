"""`python -m operations document`: writes the parts of `docs/` that follow from the code, and the pictures there.

A part stands between two comments, `<!-- begin NAME -->` and `<!-- end NAME -->`; what is around it is a person's.
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
from stacks.names import Names
from stacks.settings import Environment, load_environments
from synthesized.platform import Platform

DOCS = ROOT / "docs"

Pages = Mapping[Path, Mapping[str, str]]
"""The parts of pages, by their names."""


def document() -> None:
    """Write the generated parts and the pictures of `docs/`, from the settings and from what `make synth` wrote.

    When: after a change of the stacks, the settings or the controls. A test fails while a page is out of date.

    Example: `python -m operations document`

    Exit codes: 0 written; 1 nothing is synthesized, or a page is missing or lacks the place of a part; 2 usage.
    """
    with one_line_errors():
        environments = load_environments(ROOT / "environments")
        platforms = {settings.name: Platform.synthesized(settings.name) for settings in environments}
        write(pages(environments, platforms))
        for file, drawn in images(environments, platforms).items():
            file.parent.mkdir(exist_ok=True)
            file.write_text(drawn, encoding="utf-8")


def pages(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Pages:
    """Every page that has parts, and what they are."""
    shown = _documented_platform(environments, platforms)
    zones = [f"### {settings.name}\n\n{zones_table(platforms[settings.name])}" for settings in environments]
    told: dict[Path, dict[str, str]] = {}
    for (page, heading), facts in runbooks.facts(list(platforms.values())).items():
        told.setdefault(DOCS / "runbooks" / f"{page}.md", {})[heading] = facts
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
        DOCS / "security.md": {"roles": roles_table(shown), "keys": keys_table(shown)},
        DOCS / "runbooks" / "README.md": {"all": runbooks.overview(list(platforms.values()))},
        DOCS / "architecture.md": {"stacks": f"{stacks.flowchart(shown)}\n{stacks.table(shown)}"},
        DOCS / "rotation.md": {"rotation": rotation.rotation(shown), "redeployment": rotation.redeployment(shown)},
        **told,
    }


def images(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Mapping[Path, str]:
    """Every picture that is a file of its own."""
    shown = _documented_platform(environments, platforms)
    drawn = {"platform": overview.picture(shown), "reachability": matrix.picture(shown)}
    return {DOCS / "pictures" / f"{name}.svg": picture for name, picture in drawn.items()}


def _documented_platform(environments: Sequence[Environment], platforms: Mapping[str, Platform]) -> Platform:
    """Production: it has all that there is; what differs between environments is told in general."""
    return platforms[max(environments, key=lambda settings: settings.production).name]


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}```\n"


def write(pages: Pages) -> None:
    """Write the parts of pages anew.

    Raises:
        RefusedError: a page lacks the place of its part; none is written.
    """
    written = {page: replace_parts(page, parts) for page, parts in pages.items()}
    for page, text in written.items():
        page.write_text(text, encoding="utf-8")


def replace_parts(page: Path, parts: Mapping[str, str]) -> str:
    """A page's text with its parts as the code has them now.

    Raises:
        RefusedError: the page has no place for a part.
    """
    text = page.read_text(encoding="utf-8")
    for name, content in parts.items():
        place = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not place.search(text):
            raise RefusedError(f"{page}: allowed: a place for {name}, <!-- begin {name} --> to <!-- end {name} -->")
        text = place.sub(lambda match, content=content: f"{match[1]}{content}{match[2]}", text)
    return text


def plan_roles(environments: Iterable[Environment]) -> str:
    """The repository variable `PLAN_ROLES`, as JSON: the role with which CI plans each environment."""
    roles = [
        {
            "environment": settings.name,
            "role": Names.from_settings(settings).deployer_role_arn("plan"),
            "region": settings.region,
        }
        for settings in environments
    ]
    return f"{json.dumps(roles, indent=2)}\n"
