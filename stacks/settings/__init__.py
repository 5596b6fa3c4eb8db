"""Typed settings of an environment, read from `environments/*.toml`."""

from stacks.settings.environment import Environment
from stacks.settings.files import SettingsError, load_environments

__all__ = ["Environment", "SettingsError", "load_environments"]
