"""Settings of your own tiers. This file is yours: a field for each tier that has any (docs/own-tiers.md)."""

from stacks.settings.section import Section


class OwnSettings(Section):
    """Settings of your own tiers."""
