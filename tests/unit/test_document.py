"""Generated parts of the documentation are current, links work, and the changelog is well-formed."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from operations.__main__ import app
from operations.document import command
from operations.document.command import DOCS, images, pages, plan_roles, replace_parts
from operations.document.tables import keys_table, roles_table
from stacks import ROOT
from stacks.settings import load_environments
from synthesized.platform import Platform
from tests.conftest import REFERENCE, only_tiers, synthesize_all
from tests.failures import expect_none
from tests.policy.planted import with_changed


def stale(written: Mapping[Path, str]) -> Iterator[str]:
    """What differs of files that follow from the code."""
    for file, text in written.items():
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        changed = [line for line in difflib.ndiff(old.splitlines(), text.splitlines()) if line[0] in "+-"]
        yield from (f"{file.relative_to(ROOT)}: make generated: {line}" for line in changed)


@pytest.mark.derived
def test_every_page_and_picture_is_current(shipped: dict[str, Platform]):
    environments = load_environments(ROOT / "environments")
    drawn = images(environments, shipped)
    replaced = {page: replace_parts(page, parts) for page, parts in pages(environments, shipped).items()}
    expect_none(stale({**replaced, **drawn}))
    assert drawn.keys() == set((DOCS / "pictures").iterdir())


def test_every_picture_is_shown():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for file in (DOCS / "pictures").iterdir():
        assert f"](pictures/{file.name})" in text


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: dict[str, Platform]) -> Path:
    """A folder with outdated pages."""
    monkeypatch.setattr(command, "DOCS", tmp_path)
    monkeypatch.setenv("CDKTF_OUTDIR", str(next(iter(shipped.values())).stacks["network"].folder.parent.parent))
    for page, parts in pages(load_environments(ROOT / "environments"), shipped).items():
        places = [f"<!-- begin {name} -->\nstale\n<!-- end {name} -->\n" for name in parts]
        page.parent.mkdir(exist_ok=True)
        page.write_text("\n".join(["before", *places, "after\n"]))
    return tmp_path


def document() -> Result:
    return CliRunner().invoke(app, ["document"])


def test_manually_written_text_is_kept(docs: Path):
    assert document().exit_code == 0
    texts = [page.read_text() for page in docs.rglob("*.md")]
    assert len(texts) == 8 + len(list((DOCS / "runbooks").glob("*.md"))) - 2  # two pages are not generated
    for text in texts:
        assert text.startswith("before\n<!-- begin ")
        assert text.endswith(" -->\n\nafter\n")
        assert "stale" not in text


def test_pictures_are_written(docs: Path):
    assert document().exit_code == 0
    assert {file.name for file in (docs / "pictures").iterdir()} == {"platform.svg", "reachability.svg"}


def test_a_page_without_markers_is_reported_and_no_page_changed(docs: Path):
    (docs / "security.md").write_text("nothing here\n")
    result = document()
    assert result.exit_code == 1
    assert "lacks <!-- begin roles -->" in result.stderr
    assert result.stderr.count("\n") == 1
    assert (docs / "security.md").read_text() == "nothing here\n"
    assert "stale" in (docs / "settings.md").read_text()


def test_a_missing_page_is_reported_and_no_page_changed(docs: Path):
    (docs / "ci.md").unlink()
    result = document()
    assert (result.exit_code, result.stderr) == (1, f"{docs / 'ci.md'}: No such file or directory\n")
    assert "stale" in (docs / "settings.md").read_text()


def test_missing_output_of_cdktf_is_reported(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "nothing"))
    result = document()
    assert result.exit_code == 1
    assert "run make synth" in result.stderr
    assert "stale" in (docs / "settings.md").read_text()


def test_tables_of_roles_and_keys_contain_no_names_of_an_environment(shipped: dict[str, Platform]):
    for platform in shipped.values():
        for table in (roles_table(platform), keys_table(platform)):
            for name in ("${", "eu-west-3", f"acme-{platform.environment}"):
                assert name not in table


def test_the_table_of_roles_lists_permissions(prod: Platform):
    points = [f"${{aws_efs_access_point.storage_{use}.arn}}" for use in ("uploads", "documents")]
    use_files = {
        "sid": "UseFiles",
        "effect": "Allow",
        "actions": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
        "resources": ["${aws_efs_file_system.storage_files.arn}"],
        "condition": [{"test": "StringEquals", "variable": "elasticfilesystem:AccessPointArn", "values": points}],
    }
    use_cache = {
        "sid": "UseCache",
        "effect": "Allow",
        "actions": ["elasticache:Connect"],
        "resources": [
            "${aws_elasticache_replication_group.cache_cache.arn}",
            "${aws_elasticache_user.cache_application.arn}",
        ],
    }
    document = "data.aws_iam_policy_document.service_service-task-permissions"
    table = roles_table(with_changed(prod, document, statement=[use_files, use_cache]))
    rows = {row.split(" | ")[0].strip("| "): row for row in table.splitlines()}
    assert rows["service/service-task"] == (
        "| service/service-task | `ecs-tasks.amazonaws.com` | What the application itself may do: its files, through"
        " their access points, and its cache | `elasticfilesystem:ClientMount`, `elasticfilesystem:ClientWrite` on"
        " `storage/files` where `elasticfilesystem:AccessPointArn` is `storage/uploads`, `storage/documents`;"
        " `elasticache:Connect` on `cache/cache`, `cache/application` |"
    )
    assert "never `ec2:AssignPrivateIpAddresses`" in rows["rotation/rotation"]
    assert "AWS's managed policy `arn:aws:iam::aws:policy/" in rows["database/database-monitoring"]


def test_the_table_of_keys_lists_users(prod: Platform):
    rows = {row.split(" | ")[0].strip("| "): row for row in keys_table(prod).splitlines()}
    services = "`cloudtrail.amazonaws.com`, `config.amazonaws.com`, `logs.<region>.amazonaws.com`"
    assert rows["foundation/key-logs"] == f"| foundation/key-logs | {services} | none |"
    secrets = rows["foundation/key-secrets"]
    assert "service/service-execution: `kms:Decrypt` where `kms:ViaService` is `secretsmanager." in secrets


PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def prose(page: Path) -> str:
    """A page without code, which contains no links or headings."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!`)`[^`\n]+`(?!`)", lambda span: re.sub(r"[\[\]()#]", "", span[0]), text)


@cache
def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings as GitHub creates them; repeated ones are numbered."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE):
        words = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return set(found)


def broken(page: Path) -> list[str]:
    """Broken links within the project."""
    found: list[str] = []
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        target_page = page.parent / path if path else page
        if not target_page.exists() or (anchor and anchor not in anchors(target_page)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_has_a_target(page: Path):
    assert not broken(page)


def test_a_broken_link_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A [`x`](page.md), twice\n# A x, twice\n"
        "[one](other.md) [two](#none) [three](page.md#nor-here) [four](#a-x-twice-1) [five](page.md#a-x-twice)\n"
        "```\n[in code](nowhere.md)\n```\n`[also](nowhere.md)` [six](https://nowhere.example)\n"
    )
    assert broken(page) == ["other.md", "#none", "page.md#nor-here"]


def test_every_make_target_in_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`(?:ENV=\w+ )?make (\w+)`", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_index_lists_every_decision():
    folder = DOCS / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", index, flags=re.MULTILINE)
    headings = {page.name: page.read_text(encoding="utf-8").partition("\n")[0] for page in folder.glob("0*.md")}
    assert [(page, f"# {number}. {title}") for number, title, page in listed] == sorted(headings.items())
    assert [int(number) for number, _, _ in listed] == list(range(1, len(listed) + 1))
    assert all(int(page[:4]) == int(number) for number, _, page in listed)


def test_the_changelog_follows_keep_a_changelog():
    text = (DOCS / "changelog.md").read_text(encoding="utf-8")
    first, *versions = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert first == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", version) for version in versions)
    kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        headings = re.findall(r"^### (.+)$", part, flags=re.MULTILINE)
        assert headings == [kind for kind in kinds if kind in headings]
        assert headings


def test_plan_roles_on_the_page_are_those_of_the_stacks(tmp_path: Path):
    expected: list[dict[str, str]] = []
    with only_tiers({"access"}):
        platforms = synthesize_all(REFERENCE, tmp_path)
    for name, platform in platforms.items():
        stack = platform.stacks["access"]
        role, provider = stack.document["resource"]["aws_iam_role"]["plan"], stack.providers[0]
        arn = f"arn:aws:iam::{provider['allowed_account_ids'][0]}:role{role['path']}{role['name']}"
        expected.append({"environment": name, "role": arn, "region": provider["region"]})
    assert json.loads(plan_roles(load_environments(REFERENCE))) == expected
