"""Finds the user's own tiers. Without any, it does not import cdktf, for which commands would wait."""

import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

from stacks import ROOT
from stacks.settings import SettingsError

if TYPE_CHECKING:
    from stacks.own_tier import OwnTier

FOLDER = Path(__file__).with_name("own")
NAME = re.compile(r"[a-z][a-z0-9]{1,15}")


@cache
def own_tiers() -> "Sequence[type[OwnTier]]":
    """The classes of all own tiers, sorted by name.

    Raises:
        SettingsError: a folder has no valid tier; one line for each.
    """
    tiers: list[type[OwnTier]] = []
    problems: list[str] = []
    for folder in sorted({file.parent for file in FOLDER.glob("*/*.py")}):
        try:
            tiers.append(_read(folder.name))
        except ValueError as error:
            problems.append(f"stacks/own/{folder.name}: {error}")
    if problems:
        raise SettingsError("\n".join(problems))
    return tiers


def own_tiers_of(environment: str) -> "Sequence[type[OwnTier]]":
    """The own tiers that an environment has.

    Raises:
        SettingsError: as `own_tiers`.
    """
    return [tier for tier in own_tiers() if not tier.environments or environment in tier.environments]


def _read(name: str) -> "type[OwnTier]":
    """The class of the tier in a folder.

    Raises:
        ValueError: the name is not allowed or not that of the class, or `stack.py` is missing or cannot be imported.
    """
    from stacks.own_tier import OwnTier

    if not NAME.fullmatch(name):
        raise ValueError("allowed: a folder name of 2 to 16 lowercase letters and digits, starting with a letter")
    if (ROOT / "stacks" / name).is_dir():
        raise ValueError("allowed: a folder name that no tier of the project has")
    if not (FOLDER / name / "stack.py").is_file():
        raise ValueError("has no stack.py")
    try:
        module = import_module(f"stacks.own.{name}.stack")
    except SyntaxError as error:
        raise ValueError(f"{Path(error.filename or '').name}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise ValueError(f"{_place(error, FOLDER / name)}: {type(error).__name__}: {error}") from error
    classes = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    tiers = [each for each in classes if issubclass(each, OwnTier)]
    if len(tiers) != 1:
        raise ValueError(f"stack.py has {len(tiers)} classes that derive from OwnTier; allowed: one")
    if (tier := getattr(tiers[0], "tier", None)) != name:
        raise ValueError(f"stack.py: tier = {tier!r}; allowed: {name!r}, the name of the folder")
    return tiers[0]


def _place(error: Exception, folder: Path) -> str:
    """The last line of a tier's own code on an error's way."""
    lines = [each for each in extract_tb(error.__traceback__) if Path(each.filename).is_relative_to(folder)]
    return f"{Path(lines[-1].filename).name}, line {lines[-1].lineno}" if lines else "stack.py"
