"""The `main.py` program."""

from pathlib import Path

import pytest

import main
from synthesized.platform import Platform
from tests.conftest import SHIPPED
from tests.synthesized import tiers_with_own


def test_every_environment_is_synthesized(shipped: dict[str, Platform]):
    """The fixture runs the program itself."""
    stacks = shipped[SHIPPED[0]].stacks["network"].folder.parent
    expected = {f"{name}-{tier}" for name in SHIPPED for tier in tiers_with_own(name)}
    assert {path.name for path in stacks.iterdir()} == expected


def test_invalid_settings_end_the_program_with_their_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENV", "nowhere")
    with pytest.raises(SystemExit, match=r"environments/nowhere\.toml: no such environment"):
        main.main()


@pytest.mark.parametrize("folder", ["file/out", "taken"])
def test_an_unwritable_output_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "stacks").write_text("")
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / folder))
    with pytest.raises(SystemExit, match=r"CDKTF_OUTDIR = .*: allowed: a writable folder"):
        main.main()
