"""For each resource type of an extension of the local AWS, `tests/changes` changes every argument."""

from local_aws.extensions import EXTENSIONS
from synthesized.platform import Platform
from tests.changes.tables import CHANGES, COMMON, UNREAD, arguments_of


def test_every_argument_has_a_change_or_a_reason(platforms: dict[str, Platform]):
    wanted = {key for platform in platforms.values() for key in arguments_of(platform)}
    assert wanted - CHANGES.keys() - UNREAD.keys() == set()


def test_every_change_is_of_an_argument_that_a_stack_sets(platforms: dict[str, Platform]):
    wanted = {key for platform in platforms.values() for key in arguments_of(platform)}
    covered = {(type_, argument) for type_, argument in CHANGES.keys() | UNREAD.keys() if argument != "tags"}
    assert covered - wanted == set()


def test_arguments_without_a_change_have_a_reason():
    assert all(UNREAD.values())
    assert not CHANGES.keys() & UNREAD.keys()


def test_common_arguments_have_a_reason_and_a_change():
    assert all(COMMON.values())
    assert COMMON.keys() <= CHANGES.keys()


def test_every_extension_has_resource_types():
    # The Tagging API and Service Quotas serve all types, EventBridge no argument of a rule, and IAM bootstrap.
    without = {extension.service for extension in EXTENSIONS if not extension.gaps}
    assert without == {"events", "iam", "resourcegroupstaggingapi", "servicequotas"}
