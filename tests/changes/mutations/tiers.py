"""Changes for test_tiers.py: resources that say they are another's."""

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import named, tag, tagged
from tests.synthesized import SEARCHABLE


def is_another_tiers(tier: str) -> Mutation:
    """Whatever the tier made says that another one did."""

    def change(aws: LocalAws) -> None:
        for arn in tagged(aws, "", "", Tier=tier):
            tag(aws, arn, Tier="elsewhere")

    return change


def is_nobodys(aws: LocalAws) -> None:
    subnet = named(aws, "subnet", "data-a")
    aws.client("ec2").create_tags(Resources=[subnet], Tags=[{"Key": "Owner", "Value": "nobody@globecart.example"}])


MUTATIONS: dict[str, Mutation] = {
    **{f"test_tier_is_deployed[{tier}]": is_another_tiers(tier) for tier in SEARCHABLE},
    "test_resources_have_project_and_owner_tags": is_nobodys,
}
RELATED: Related = {
    f"test_tier_is_deployed[{tier}]": {
        f"test_observability.py::test_tier_has_alarms[{tier}]": "its alarms are another tier's with all the rest"
    }
    for tier in SEARCHABLE
    if tier != "foundation"
}
