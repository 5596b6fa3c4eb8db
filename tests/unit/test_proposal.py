"""The `propose` command: an environment with a proposed egress rule."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from operations import account
from operations.__main__ import app
from rehearsal import proposal
from rehearsal.proposal import synthesize
from synthesized.platform import Platform
from tests.conftest import REFERENCE


def test_the_proposal_adds_one_egress_rule_and_nothing_else(
    tmp_path: Path, dev: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(account, "ENVIRONMENTS", REFERENCE)
    monkeypatch.setattr(proposal, "own_tiers_of", lambda _: ())
    synthesize("dev", "198.51.100.0/24", tmp_path)
    proposed = {resource.address: resource.body for resource in Platform.read(tmp_path, "dev").resources}
    before = {resource.address: resource.body for resource in dev.resources}
    changed = {address for address in proposed.keys() | before.keys() if proposed.get(address) != before.get(address)}
    rules = [address for address in changed if address.startswith("aws_vpc_security_group_egress_rule.")]
    assert rules
    assert all(proposed[rule]["cidr_ipv4"] == "198.51.100.0/24" for rule in rules)
    assert not set(rules) & before.keys()
    assert changed == set(rules)


def propose(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["propose", *arguments])


def test_an_invalid_range_is_refused(tmp_path: Path):
    result = propose("dev", "10.0.0.0/8", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("CIDR = 10.0.0.0/8: allowed: a public range of /8 or smaller")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_unknown_environment_is_a_usage_error(tmp_path: Path):
    assert propose("production", "198.51.100.0/24", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize("folder", ["file/folder", "taken"])
def test_an_unwritable_folder_is_reported(tmp_path: Path, folder: str):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "stacks").write_text("")
    result = propose("dev", "198.51.100.0/24", str(tmp_path / folder))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{tmp_path / folder}")
    assert result.stderr.count("\n") == 1
