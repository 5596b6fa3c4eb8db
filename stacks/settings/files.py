"""Read and validate the settings files of environments, reporting all problems at once."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stacks.settings.collisions import find_collisions
from stacks.settings.environment import ACCOUNT, REGION, Environment
from stacks.settings.network import ZONE_LETTERS
from stacks.settings.partitions import other_partition
from stacks.settings.section import CREDENTIALS, FileContext, Matching

# Messages for pydantic's error types, in terms of TOML.
TOML_TYPES = {
    "bool_type": "allowed: true or false",
    "float_type": "allowed: a number",
    "int_type": "allowed: a whole number",
    "model_type": "allowed: a section",
    "string_type": "allowed: a string",
    "tuple_type": "allowed: a list",
}
# Start of pydantic's messages, as in "Input should be a multiple of 0.5".
INPUT_SHOULD = re.compile(r"^(?:Input should be|\w+ should have)")


class SettingsError(Exception):
    """One or more settings files are invalid: one line per problem, with file, key, value and what is allowed."""


def load_environments(folder: Path, only: str | None = None) -> list[Environment]:
    """Read all environments of a folder, sorted by name, or only one.

    Reading one refuses what it shares with the others, but not what is wrong in the others themselves.

    Raises:
        SettingsError: lists all problems of all files.
    """
    files = {file.stem: file for file in sorted(folder.glob("*.toml"), key=lambda file: file.stem)}
    problems = [
        f"{folder.name}/{file.name}: allowed: {file.stem}.toml, with the extension in lowercase"
        for file in sorted(folder.glob("*.[tT][oO][mM][lL]"))
        if file.suffix != ".toml"
    ]
    if only is not None and only not in files:
        known = ", ".join(files) or "none"
        problems.insert(0, f"{folder.name}/{only}.toml: no such environment; existing ones: {known}")
    elif not files:
        problems.append(f"{folder.name}: no environments; create one, such as {folder.name}/dev.toml")

    environments: list[Environment] = []
    for name, file in files.items():
        try:
            environments.append(_read(file, [*files]))
        except SettingsError as error:
            if only in {None, name}:
                problems.append(str(error))
    problems += find_collisions(environments, only, lambda name: f"{folder.name}/{name}.toml")
    if problems:
        raise SettingsError("\n".join(problems))
    return [environment for environment in environments if only in {None, environment.name}]


def _read(file: Path, names: list[str]) -> Environment:
    """Read a file. `names` are those of all environments."""
    where = f"{file.parent.name}/{file.name}"
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors on Windows write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{where}: cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: not TOML: {error}") from error

    problems: list[str] = []
    if "name" in written:
        problems.append(f"{where}: name = {_format_value(written.pop('name'))}: no such key; the file's name is used")
    frame = FileContext(
        production=written.get("production", True) is True,
        region=_valid_or_none(written.get("region"), REGION),
        account=_valid_or_none(written.get("account"), ACCOUNT),
        zones=_count_zones(written.get("network"), written.get("region")),
        protected=written.get("deletion_protection", True) is True,
        others=tuple(name for name in names if name != file.stem),
    )
    try:
        environment = Environment.model_validate(_with_tuples({"name": file.stem, **written}), context=frame)
    except ValidationError as error:
        details = error.errors()
        if other_partition(str(written.get("region"))):  # then all ARNs and zones are wrong for this one reason
            details = [detail for detail in details if detail["loc"] == ("region",)]
        problems += [f"{where}: {_format_problem(detail)}" for detail in details]
    else:
        if not problems:
            return environment
    raise SettingsError("\n".join(problems))


def _valid_or_none(value: Any, rule: Matching) -> str | None:
    return value if isinstance(value, str) and rule.matches(value) else None


def _count_zones(network: Any, region: Any) -> int:
    """Number of valid zones; invalid ones are reported separately."""
    zones = network.get("zones") if isinstance(network, dict) else None
    known = {f"{region}{letter}" for letter in ZONE_LETTERS}
    return len([zone for zone in zones if isinstance(zone, str) and zone in known]) if isinstance(zones, list) else 0


def _format_value(value: Any) -> str:
    """A value as in TOML, without passwords, because logs keep the message."""
    return CREDENTIALS.sub("***@", json.dumps(value, default=str, ensure_ascii=False))


def _with_tuples(value: Any) -> Any:
    """The value with tuples in place of lists, because settings are immutable."""
    if isinstance(value, dict):
        return {key: _with_tuples(entry) for key, entry in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _format_problem(detail: ErrorDetails) -> str:
    location = detail["loc"]
    key = ".".join(f"{part + 1}" if isinstance(part, int) else part for part in location)
    if detail["type"] == "missing":
        return f"{key} is missing"
    value = _format_value(detail["input"])
    if detail["type"] == "extra_forbidden":
        return f"{key} = {value}: no such key; allowed here: {', '.join(_known_keys(location[:-1]))}"
    message = INPUT_SHOULD.sub("allowed:", detail["msg"].removeprefix("Value error, ").replace(" after validation", ""))
    if detail["input"] is None:  # TOML has no null: the key is missing and its default not allowed in production
        return f"{key} is missing: {message}"
    return f"{key} = {value}: {TOML_TYPES.get(detail['type'], message)}"


def _known_keys(path: tuple[int | str, ...]) -> list[str]:
    """Keys of the section at this path."""
    model: type[BaseModel] = Environment
    for part in path:
        if isinstance(part, str):
            model = next(models_in(model.model_fields[part].annotation))
    return sorted(model.model_fields.keys() - {"name"} if model is Environment else model.model_fields)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models that an annotation contains, such as EgressRule in `tuple[EgressRule, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)
