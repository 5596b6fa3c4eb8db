"""checkov passes for every environment's joined stacks, except for waivers. Rehearsals run it on plans."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from operations.scan.checkov import Scan, scan_stacks
from operations.scan.waivers import find_problems, waivers
from synthesized.platform import Platform, Resource
from tests.failures import expect_none

pytestmark = pytest.mark.derived

AT_ONCE = 2
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def scans(platforms: dict[str, Platform], prod_with_own_tiers: Platform) -> Mapping[str, Scan]:
    """Scans by environment."""
    scanned = {**platforms, "prod": prod_with_own_tiers}

    def scan(name: str) -> Scan:
        return scan_stacks(scanned[name], production=name == "prod")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(scanned, pool.map(scan, scanned), strict=True))


def test_waivers_cover_exactly_the_failed_checks(scans: Mapping[str, Scan]):
    expect_none(find_problems(list(scans.values()), waivers(), TODAY, all_environments=True))


def test_hundreds_of_checks_pass(scans: Mapping[str, Scan]):
    assert all(scan.passed > 800 for scan in scans.values())


def test_defects_and_missing_relations_between_stacks_are_found(
    prod_with_own_tiers: Platform, scans: Mapping[str, Scan]
):
    port = "aws_vpc_security_group_ingress_rule.network_internet-to-load-balancer-443-in"
    changes = {port: {"from_port": 22, "to_port": 22}, "aws_rds_cluster.database_cluster": {"storage_encrypted": False}}

    def planted(resource: Resource) -> Resource:
        return replace(resource, body={**resource.body, **changes.get(resource.address, {})})

    resources = [
        planted(entry) for entry in prod_with_own_tiers.resources if entry.type != "aws_wafv2_web_acl_association"
    ]
    found = scan_stacks(replace(prod_with_own_tiers, resources=tuple(resources)), production=True).findings
    before = {(finding.check, finding.resource) for finding in scans["prod"].findings}
    planted_in = {
        ("CKV2_AWS_28", "aws_lb.service_load-balancer"),
        ("CKV_AWS_24", port),
        ("CKV_AWS_96", "aws_rds_cluster.database_cluster"),
    }
    assert {(finding.check, finding.resource) for finding in found} - before == planted_in - before


def test_empty_scan_fails(prod: Platform):
    empty = scan_stacks(replace(prod, resources=(), data=()), production=True)
    assert "stacks: no check passed: nothing was scanned" in find_problems([empty], (), TODAY)
