"""GlobeCart's platform, a stack a tier.

The AWS bindings are set up here, before any tier imports them, so that only what a tier uses is loaded.
"""

from pathlib import Path

from imports import load_bindings_lazily, require_packages

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder."""

require_packages()
load_bindings_lazily()
