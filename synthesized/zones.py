"""What stands when a zone is lost: each zone is taken away from the synthesized platform, and each tier is judged.

The catalogue has the rules, by resource type. What a zone takes along and no rule covers counts as lost, so that no
type is forgotten.
"""

from synthesized.catalogue.table import CATALOGUE, row_of
from synthesized.catalogue.zone_loss import Left, Verdict
from synthesized.platform import Platform

NO_ZONE = "in no zone"


def verdicts(platform: Platform) -> dict[str, dict[str, Verdict]]:
    """For each tier, and each zone that may be lost, whether the tier stands."""
    without = {zone: Left(platform, zone) for zone in platform.zones}
    return {tier: {zone: _of_tier(left, tier) for zone, left in without.items()} for tier in platform.stacks}


def _of_tier(left: Left, tier: str) -> Verdict:
    found = [
        row.zone_loss(left, resources)
        for type_, row in CATALOGUE.items()
        if row.zone_loss and (resources := [each for each in left.whole.of_type(type_) if each.tier == tier])
    ]
    found += [
        Verdict(stands=False, reason=f"nobody says what takes the place of {each.address}")
        for each in left.whole.resources
        if each.tier == tier and not row_of(each.type).is_judged_without_a_zone and left.takes(each)
    ]
    lost = [verdict for verdict in found if not verdict.stands]
    return Verdict(not lost, "; ".join(verdict.reason for verdict in lost or found) or NO_ZONE)
