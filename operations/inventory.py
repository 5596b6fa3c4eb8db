"""The resources of an environment in its account, found by their tags."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from operations.account import Account
from operations.errors import call_or_none
from stacks.names import GLOBAL_REGION, Names
from synthesized.catalogue.matches import Match, is_ignored, matches_of

_RULE = "events:rule"


def tagged_resources(
    client: Callable[[str, str], Any], names: Names, tier: str | None = None, kind: str | None = None
) -> Iterator[dict[str, Any]]:
    """ARN and tags of an environment's resources in its Regions, and of its rules in us-east-1, from the Tagging API.

    Args:
        client: returns a client for a service and a Region.
        names: the environment's names.
        tier: only resources of this tier.
        kind: only resources of this type, named as in the Tagging API.
    """
    filters = [
        {"Key": "Environment", "Values": [names.environment]},
        {"Key": "ManagedBy", "Values": ["cdktf"]},
        {"Key": "Tier", **({"Values": [tier]} if tier else {})},
    ]
    kinds = {region: [kind] if kind else [] for region in names.regions}
    if GLOBAL_REGION not in kinds and kind in {None, _RULE}:
        # There, the API also lists resources of IAM, which the orphans' lookups find by name.
        kinds[GLOBAL_REGION] = [_RULE]
    for region, types in kinds.items():
        pages = client("resourcegroupstaggingapi", region).get_paginator("get_resources")
        for page in pages.paginate(TagFilters=filters, ResourceTypeFilters=types):
            yield from page["ResourceTagMappingList"]


def is_expected_without_state(account: Account, arn: str) -> bool:
    """Whether a tagged resource belongs in no state: the catalogue ignores it, or it is deleted."""
    return is_ignored(arn) or describe_matches(account, arn) is None


def describe_matches(account: Account, arn: str) -> dict[Match, set[str]] | None:
    """The resource types that an ARN can have, each with the texts that identify the resource. None if it is deleted.

    AWS lists some deleted resources, or their tags, for a while.
    """
    matches = matches_of(arn)
    texts = {
        match: call_or_none(partial(match.tagged.describe, account, arn), *match.tagged.not_found_codes)
        for match in matches
    }
    existing = {match: text for match, text in texts.items() if text is not None}
    return None if matches and not existing else existing
