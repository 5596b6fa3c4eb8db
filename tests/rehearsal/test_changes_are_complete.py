"""Who teaches the local AWS a type of resource says how each of its arguments is changed behind Terraform's back."""

from local_aws.extensions import EXTENSIONS
from synthesized.platform import Platform
from tests.changes.tables import CHANGES, COMMON, UNREAD, arguments_of


def test_every_argument_that_a_stack_sets_has_a_change(platforms: dict[str, Platform]):
    wanted = {key for platform in platforms.values() for key in arguments_of(platform)}
    assert wanted - CHANGES.keys() - UNREAD.keys() == set()


def test_no_change_is_of_an_argument_that_nobody_sets(platforms: dict[str, Platform]):
    wanted = {key for platform in platforms.values() for key in arguments_of(platform)}
    told = {(type_, argument) for type_, argument in CHANGES.keys() | UNREAD.keys() if argument != "tags"}
    assert told - wanted == set()


def test_what_is_never_read_has_a_reason():
    assert all(UNREAD.values())
    assert not CHANGES.keys() & UNREAD.keys()


def test_what_all_of_a_type_have_alike_has_a_reason_and_a_change():
    assert all(COMMON.values())
    assert COMMON.keys() <= CHANGES.keys()


def test_all_that_was_added_serves_a_type():
    # The Tagging API and Service Quotas answer for all types, EventBridge's rules for no argument; IAM for bootstrap.
    without = {extension.service for extension in EXTENSIONS if not extension.gaps}
    assert without == {"events", "iam", "resourcegroupstaggingapi", "servicequotas"}
