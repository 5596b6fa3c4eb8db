"""An environment as a pull request would have it."""

from pathlib import Path

import pytest

from rehearsal.proposal import propose
from stacks.settings import SettingsError
from synthesized.platform import Platform


def test_one_way_out_is_added_and_nothing_else(tmp_path: Path, dev: Platform):
    propose("dev", "198.51.100.0/24", tmp_path)
    proposed = {resource.address: resource.body for resource in Platform.read(tmp_path, "dev").resources}
    before = {resource.address: resource.body for resource in dev.resources}
    changed = {address for address in proposed.keys() | before.keys() if proposed.get(address) != before.get(address)}
    rules = [address for address in changed if address.startswith("aws_vpc_security_group_egress_rule.")]
    assert rules
    assert all(proposed[rule]["cidr_ipv4"] == "198.51.100.0/24" for rule in rules)
    assert not set(rules) & before.keys()
    assert changed == set(rules)


def test_what_the_settings_do_not_allow_is_not_proposed(tmp_path: Path):
    with pytest.raises(ValueError, match="a public range of /8 or smaller"):
        propose("dev", "10.0.0.0/8", tmp_path)
    with pytest.raises(SettingsError, match="production"):
        propose("production", "198.51.100.0/24", tmp_path)
    assert not list(tmp_path.iterdir())
