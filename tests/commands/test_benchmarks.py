"""Benchmarks: evaluation of a rehearsal's log, and the generated page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from operations.document.command import replace_parts
from synthesized.platform import Platform
from tests.benchmarks import rehearsal
from tests.benchmarks.__main__ import PAGE, PARTS
from tests.benchmarks.rehearsal import Chain, along_tiers, chains, fixed_delays

LOG = """\
prod-network  aws_vpc.vpc (vpc): Creation complete after 13s [id=vpc-1]
\x1b[2K\x1b[1A\x1b[Gprod-foundation  aws_kms_key.key-files (key-files)-replica: Creation complete after 12s [id=2]
              aws_kms_key.key-logs (key-logs): Creation complete after 16s [id=1]
prod-service  aws_lb.load-balancer (load-balancer): Creation complete after 1m1s [id=3]
prod-network  aws_subnet.app-a (app-a): Creation complete after 9s [id=subnet-1]
prod-network  aws_nat_gateway.nat-a (nat-a): Destruction complete after 10s
prod-access   data.aws_iam_policy_document.trust (trust): Read complete after 20s [id=1]
"""


def test_a_delay_is_a_types_minimum_duration_rounded_down_to_a_poll():
    assert fixed_delays(LOG) == {"aws_vpc": 10, "aws_kms_key": 10, "aws_lb": 60}


def test_delays_of_dependent_resources_add_up(prod: Platform):
    found = chains(prod, {"aws_rds_cluster": 30, "aws_rds_cluster_instance": 20, "aws_kms_key": 10, "aws_vpc": 15})
    assert found["database"].seconds == 70
    assert found["database"].through == ("aws_rds_cluster", *2 * ["aws_rds_cluster_instance"])
    assert found["foundation"] == Chain(10, ("aws_kms_key",))
    assert found["cache"] == Chain()
    assert along_tiers(prod, found)[0] == 10 + 15 + 70


def test_a_rehearsal_is_compared_with_its_delays(prod: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    network = replace(prod, stacks={"network": replace(prod.stacks["network"], depends_on=())})
    monkeypatch.setattr(Platform, "read", lambda *_: network)
    (tmp_path / "deploy.log").write_text(LOG)
    (tmp_path / "report.json").write_text(json.dumps({"seconds": {"network": 12.4, "deploy": 20.0}}))
    measured = rehearsal.measure("prod", tmp_path)
    assert "| network | 12 s | 10 s | 1.24x | `aws_vpc` 10 s |" in measured
    assert "| deploy | 20 s | 10 s | 2.00x |" in measured


def test_without_a_rehearsal_the_message_says_to_run_make_rehearse(tmp_path: Path):
    with pytest.raises(SystemExit, match="run make rehearse ENV=prod"):
        rehearsal.measure("prod", tmp_path)


def test_the_page_has_a_place_for_every_part():
    parts = {name: f"{name} is here" for name in ("machine", *PARTS)}
    assert all(part in replace_parts(PAGE, parts) for part in parts.values())
