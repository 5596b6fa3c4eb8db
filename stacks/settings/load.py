"""Reads environments from TOML files, and says of a wrong one everything that is wrong with it."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stacks.settings.environment import REGION, Environment
from stacks.settings.section import Frame

# pydantic's messages begin with what Python calls the value.
PYDANTIC_SUBJECT = re.compile(r"^(?:Input|String|Tuple|List) should")


class SettingsError(Exception):
    """One or more environments cannot be read: a line a problem, each with file, key, value and what is allowed."""


def load_environments(folder: Path, only: str | None = None) -> list[Environment]:
    """Read every environment of a folder, in the order of their names, or `only` one.

    Raises:
        SettingsError: with all that is wrong with all files.
    """
    files = sorted(folder.glob("*.toml"))
    if only is not None:
        known = ", ".join(file.stem for file in files) or "none"
        files = [file for file in files if file.stem == only]
        if not files:
            raise SettingsError(f"{folder.name}/{only}.toml: there is no such environment; there are: {known}")
    if not files:
        raise SettingsError(f"{folder.name}: there is no environment; write one, as {folder.name}/dev.toml")

    environments: list[Environment] = []
    problems: list[str] = []
    for file in files:
        try:
            environments.append(_read(file))
        except SettingsError as error:
            problems.append(str(error))
    problems += _overlaps(environments, folder)
    if problems:
        raise SettingsError("\n".join(problems))
    return environments


def _read(file: Path) -> Environment:
    where = f"{file.parent.name}/{file.name}"
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where}: not TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{where}: cannot be read: {error}") from error

    if "name" in written:
        name = json.dumps(written["name"])
        raise SettingsError(f"{where}: name = {name}: no such key; an environment is named by its file")

    region = written.get("region")
    frame = Frame(
        production=written.get("production") is not False,
        region=region if isinstance(region, str) and REGION.matches(region) else None,
    )
    try:
        return Environment.model_validate(_tuples({"name": file.stem, **written}), context=frame)
    except ValidationError as error:
        raise SettingsError("\n".join(f"{where}: {_problem(detail)}" for detail in error.errors())) from error


def _tuples(value: Any) -> Any:
    """TOML's arrays as tuples, which frozen settings are made of."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _problem(detail: ErrorDetails) -> str:
    location = detail["loc"]
    key = ".".join(f"{part + 1}" if isinstance(part, int) else part for part in location)
    if detail["type"] == "missing":
        return f"{key} is missing"
    value = json.dumps(detail["input"], default=str, ensure_ascii=False)
    if detail["type"] == "extra_forbidden":
        return f"{key} = {value}: no such key; allowed here: {', '.join(_keys(location[:-1]))}"
    message = detail["msg"].removeprefix("Value error, ").replace(" after validation", "")
    return f"{key} = {value}: {PYDANTIC_SUBJECT.sub('should', message)}"


def _keys(path: tuple[int | str, ...]) -> list[str]:
    """The keys that a section knows."""
    model: type[BaseModel] = Environment
    for part in path:
        if isinstance(part, str):
            model = next(models_in(model.model_fields[part].annotation))
    return sorted(model.model_fields.keys() - {"name"} if model is Environment else model.model_fields)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation is made of, as `tuple[EgressRule, ...]` is of EgressRule."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def _overlaps(environments: list[Environment], folder: Path) -> list[str]:
    """Environments' networks are disjoint, so that they can be connected to one another or to one hub."""
    return [
        f'{folder.name}/{environment.name}.toml: network.cidr = "{environment.network.cidr}": '
        f"allowed: a range apart from {other.network.cidr} of {folder.name}/{other.name}.toml"
        for position, environment in enumerate(environments)
        for other in environments[:position]
        if environment.network.cidr.overlaps(other.network.cidr)
    ]
