"""What stands when a zone is lost: each zone is taken away from the synthesized platform, and each tier is judged.

The catalogue has the rules, by resource type. What a zone takes along and no rule covers counts as lost, so that no
type is forgotten.
"""

from synthesized.catalogue.table import CATALOGUE, row_of
from synthesized.catalogue.zone_loss import ZoneLossResult, ZoneOutage
from synthesized.platform import Platform

NO_ZONE = "in no zone"


def zone_loss_by_tier(platform: Platform) -> dict[str, dict[str, ZoneLossResult]]:
    """For each tier, and each zone that may be lost, whether the tier stands."""
    without = {zone: ZoneOutage(platform, zone) for zone in platform.zones}
    return {tier: {zone: _of_tier(left, tier) for zone, left in without.items()} for tier in platform.stacks}


def _of_tier(left: ZoneOutage, tier: str) -> ZoneLossResult:
    found = [
        row.zone_loss(left, resources)
        for type_, row in CATALOGUE.items()
        if row.zone_loss and (resources := [each for each in left.original.of_type(type_) if each.tier == tier])
    ]
    found += [
        ZoneLossResult(survives=False, reason=f"nobody says what takes the place of {each.address}")
        for each in left.original.resources
        if each.tier == tier and not row_of(each.type).has_zone_loss_rule and left.affects(each)
    ]
    lost = [verdict for verdict in found if not verdict.survives]
    return ZoneLossResult(not lost, "; ".join(verdict.reason for verdict in lost or found) or NO_ZONE)
