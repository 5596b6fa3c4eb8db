"""Documentation that follows from the code is current."""

import re
from pathlib import Path

import pytest

from main import ROOT
from operations import document
from operations.document import DOCS, main, settings_table, with_parts
from stacks.settings import load_environments
from stacks.settings.section import Section
from tests.conftest import REFERENCE


def test_the_settings_page_is_current():
    assert with_parts(DOCS / "settings.md", {"settings": settings_table()}) == (DOCS / "settings.md").read_text(
        encoding="utf-8"
    ), "run make docs"


def test_every_key_has_a_meaning():
    rows = [row.strip("| ").split(" | ") for row in settings_table().splitlines()[2:]]
    assert len(rows) > 30
    assert not [key for key, meaning, *_ in rows if not meaning.strip()]


def test_every_key_of_the_shipped_files_is_listed():
    (prod,) = load_environments(REFERENCE, only="prod")
    listed = set(re.findall(r"^\| `([a-z_.\[\]]+)`", settings_table(), flags=re.MULTILINE))
    for name, value in prod:
        keys = {f"{name}.{key}" for key, _ in value} if isinstance(value, Section) else {name}
        assert keys - {"name"} <= listed


def test_what_a_person_wrote_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "settings.md"
    page.write_text("before\n<!-- begin settings -->\nstale\n<!-- end settings -->\nafter\n")
    monkeypatch.setattr(document, "DOCS", tmp_path)
    main()
    text = page.read_text()
    assert text.startswith("before\n<!-- begin settings -->\n| key |")
    assert text.endswith("<!-- end settings -->\nafter\n")
    assert "stale" not in text


def test_a_page_without_a_place_is_told_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "settings.md"
    page.write_text("nothing here\n")
    monkeypatch.setattr(document, "DOCS", tmp_path)
    with pytest.raises(SystemExit, match="allowed: a place for settings"):
        main()
    assert page.read_text() == "nothing here\n"


PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_readme_names_each_target_that_it_speaks_of():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`(?:ENV=\w+ )?make (\w+)`", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
