"""Availability of each tier after the loss of each Availability Zone, by the synthesized stacks.

The catalogue has a rule per resource type. A resource in the zone that no rule covers counts as lost, so that no type
is forgotten.
"""

from synthesized.catalogue.table import CATALOGUE, row_of
from synthesized.catalogue.zone_loss import ZoneLossResult, ZoneOutage
from synthesized.platform import Platform

NO_ZONE = "in no zone"


def zone_loss_by_tier(platform: Platform) -> dict[str, dict[str, ZoneLossResult]]:
    """Whether each tier survives the loss of each zone."""
    outages = {zone: ZoneOutage(platform, zone) for zone in platform.zones}
    return {tier: {zone: _tier_result(outage, tier) for zone, outage in outages.items()} for tier in platform.stacks}


def _tier_result(outage: ZoneOutage, tier: str) -> ZoneLossResult:
    found = [
        row.zone_loss(outage, resources)
        for type_, row in CATALOGUE.items()
        if row.zone_loss and (resources := [each for each in outage.original.of_type(type_) if each.tier == tier])
    ]
    found += [
        ZoneLossResult(survives=False, reason=f"no zone-loss rule covers {each.address}")
        for each in outage.original.resources
        if each.tier == tier and not row_of(each.type).has_zone_loss_rule and outage.affects(each)
    ]
    lost = [result for result in found if not result.survives]
    return ZoneLossResult(not lost, "; ".join(result.reason for result in lost or found) or NO_ZONE)
