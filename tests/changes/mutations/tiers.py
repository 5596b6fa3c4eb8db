"""Mutations for test_tiers.py: tags of resources."""

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import named, tag, tagged
from tests.synthesized import SEARCHABLE


def change_tier_tag(tier: str) -> Mutation:
    """Change the tag Tier of a tier's resources."""

    def change(aws: LocalAws) -> None:
        for arn in tagged(aws, "", "", Tier=tier):
            tag(aws, arn, Tier="elsewhere")

    return change


def change_owner_tag(aws: LocalAws) -> None:
    subnet = named(aws, "subnet", "data-a")
    aws.client("ec2").create_tags(Resources=[subnet], Tags=[{"Key": "Owner", "Value": "nobody@acme.example"}])


MUTATIONS: dict[str, Mutation] = {
    **{f"test_tier_is_deployed[{tier}]": change_tier_tag(tier) for tier in SEARCHABLE},
    "test_resources_have_project_and_owner_tags": change_owner_tag,
}
RELATED: Related = {
    f"test_tier_is_deployed[{tier}]": {
        f"test_observability.py::test_tier_has_alarms[{tier}]": "its alarms have another tier's tag, too"
    }
    for tier in SEARCHABLE
    if tier != "foundation"
}
