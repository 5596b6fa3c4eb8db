"""The platform, one stack per tier.

Sets up lazy loading of the AWS bindings before any tier imports them.
"""

from pathlib import Path

from imports import load_bindings_lazily, require_packages

ROOT = Path(__file__).resolve().parent.parent
"""Root folder of the repository."""

require_packages()
load_bindings_lazily()
