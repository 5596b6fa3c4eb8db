"""Tiers of your own: a folder each, `stacks/own/<tier>/`, with a `stack.py` (docs/own-tiers.md)."""
