"""Building blocks that two or more tiers share."""
