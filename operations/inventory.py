"""What an environment's tiers have in its account, by the tags of their resources."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from operations.account import Account
from operations.errors import call_or_none
from stacks.names import Names
from synthesized.catalogue.matches import Match, is_ignored, matches_of


def tagged_resources(
    client: Callable[[str, str], Any], names: Names, tier: str | None = None, kind: str | None = None
) -> Iterator[dict[str, Any]]:
    """ARN and tags of what the tiers of an environment have made, in its Regions, as the Tagging API has them.

    Args:
        client: of a service in a Region.
        names: the environment's.
        tier: of this one alone.
        kind: of this type alone, as the Tagging API calls it.
    """
    filters = [
        {"Key": "Environment", "Values": [names.environment]},
        {"Key": "ManagedBy", "Values": ["cdktf"]},
        {"Key": "Tier", **({"Values": [tier]} if tier else {})},
    ]
    for region in names.regions:
        pages = client("resourcegroupstaggingapi", region).get_paginator("get_resources")
        for page in pages.paginate(TagFilters=filters, ResourceTypeFilters=[kind] if kind else []):
            yield from page["ResourceTagMappingList"]


def is_expected_without_state(account: Account, arn: str) -> bool:
    """Whether it is right that no state has a tagged resource: the catalogue ignores it, or it was deleted."""
    return is_ignored(arn) or describe_matches(account, arn) is None


def describe_matches(account: Account, arn: str) -> dict[Match, set[str]] | None:
    """The types that an ARN may be of, each with the texts that tell one from another; None where it was deleted.

    AWS keeps some of what was deleted, or its tags, for a while.
    """
    matches = matches_of(arn)
    texts = {
        match: call_or_none(partial(match.tagged.describe, account, arn), *match.tagged.not_found_codes)
        for match in matches
    }
    there = {match: text for match, text in texts.items() if text is not None}
    return None if matches and not there else there
