"""For each resource type of an extension of the local AWS, `tests/changes` changes every argument."""

from collections.abc import Iterable, Iterator, Set

from local_aws.extensions import EXTENSIONS
from synthesized.platform import Platform
from tests.changes.tables import CHANGES, COMMON, UNREAD, arguments_of
from tests.failures import expect_none


def problems(platforms: Iterable[Platform], arguments: Set[tuple[str, str]], problem: str) -> Iterator[str]:
    """A problem of arguments by type, for each resource of the type."""
    for type_, argument in sorted(arguments):
        addresses = {resource.address for platform in platforms for resource in platform.of_type(type_)}
        yield from (f"{address}: {argument}: {problem}" for address in sorted(addresses) or [type_])


def test_every_argument_has_a_change_or_a_reason(platforms: dict[str, Platform]):
    wanted = {key for platform in platforms.values() for key in arguments_of(platform)}
    expect_none(problems(platforms.values(), wanted - CHANGES.keys() - UNREAD.keys(), "has no change and no reason"))


def test_every_change_is_of_an_argument_that_a_stack_sets(platforms: dict[str, Platform]):
    wanted = {key for platform in platforms.values() for key in arguments_of(platform)}
    covered = {(type_, argument) for type_, argument in CHANGES.keys() | UNREAD.keys() if argument != "tags"}
    expect_none(problems(platforms.values(), covered - wanted, "has a change, but no stack sets it"))


def test_arguments_without_a_change_have_a_reason():
    assert all(UNREAD.values())
    assert not CHANGES.keys() & UNREAD.keys()


def test_common_arguments_have_a_reason_and_a_change():
    assert all(COMMON.values())
    assert COMMON.keys() <= CHANGES.keys()


def test_every_extension_has_resource_types():
    # The Tagging API and Service Quotas serve all types, EventBridge no argument of a rule, IAM bootstrap, and ELB adds
    # what no stack sets.
    without = {extension.service for extension in EXTENSIONS if not extension.gaps}
    assert without == {"events", "iam", "resourcegroupstaggingapi", "servicequotas"}
