"""The program as it is run."""

from pathlib import Path

import pytest

import main
from synthesized.platform import Platform
from tests.conftest import SHIPPED
from tests.synthesized import TIERS


def test_every_environment_is_synthesized(shipped: dict[str, Platform]):
    """By the program itself: see the fixture."""
    stacks = shipped[SHIPPED[0]].stacks["network"].folder.parent
    assert {path.name for path in stacks.iterdir()} == {f"{name}-{tier}" for name in SHIPPED for tier in TIERS}


def test_wrong_settings_are_what_it_exits_with(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENV", "nowhere")
    with pytest.raises(SystemExit, match=r"environments/nowhere\.toml: there is no such environment"):
        main.main()


@pytest.mark.parametrize("folder", ["file/out", "taken"])
def test_an_output_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "stacks").write_text("")
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / folder))
    with pytest.raises(SystemExit, match=r"CDKTF_OUTDIR = .*: allowed: a folder that can be written"):
        main.main()
