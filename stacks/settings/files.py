"""Read and validate the settings files of environments, reporting all problems at once.

`shared.toml` holds what the environments of a folder have in common; each environment's file may override it.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stacks.names import Names
from stacks.settings.collisions import find_collisions
from stacks.settings.environment import ACCOUNT, COMPANY, REGION, Environment
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

SHARED = "shared"
"""Name of the file with settings of all environments; no environment can have it."""
DATABASE_NAME = ("database", "name")


class SettingsError(Exception):
    """One or more settings files are invalid: one line per problem, with file, key, value and what is allowed."""


def load_environments(folder: Path, only: str | None = None) -> list[Environment]:
    """Read all environments of a folder, sorted by name, or only one.

    Reading one refuses what it shares with the others, but not what is wrong in the others themselves.

    Raises:
        SettingsError: lists all problems of all files.
    """
    files = {file.stem: file for file in environment_files(folder)}
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

    shared_file = folder / f"{SHARED}.toml"
    shared = _parse(shared_file) if shared_file.is_file() else {}
    environments: list[Environment] = []
    for name, file in files.items():
        try:
            environments.append(_read(file, shared, [*files]))
        except SettingsError as error:
            if only in {None, name}:
                problems.append(str(error))
    problems += find_collisions(environments, only, lambda name: f"{folder.name}/{name}.toml")
    if problems:
        # A mistake in `shared.toml` is one of each environment.
        raise SettingsError("\n".join(dict.fromkeys("\n".join(problems).splitlines())))
    return [environment for environment in environments if only in {None, environment.name}]


def environment_files(folder: Path) -> list[Path]:
    """The environments' files of a folder, sorted by name."""
    return sorted((file for file in folder.glob("*.toml") if file.stem != SHARED), key=lambda file: file.stem)


def merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables; of values in both, `own`'s. Sections are merged, lists are not."""
    result = dict(common)
    for key, value in own.items():
        there = result.get(key)
        result[key] = merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return result


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors on Windows write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{_where(file)}: cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{_where(file)}: not TOML: {error}") from error


def _where(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _read(file: Path, shared: dict[str, Any], names: list[str]) -> Environment:
    """Read a file. `names` are those of all environments."""
    own = _parse(file)

    def place(*path: int | str) -> str:
        """The file that has a key: the environment's own, unless only the shared one has it."""
        return _where(file.with_stem(SHARED) if _has(shared, path) and not _has(own, path) else file)

    written = merged(shared, own)
    problems: list[str] = []
    if "name" in written:
        value = _format_value(written.pop("name"))
        problems.append(f"{place('name')}: name = {value}: no such key; the file's name is used")
    frame = FileContext(
        production=written.get("production", True) is True,
        region=_valid_or_none(written.get("region"), REGION),
        account=_valid_or_none(written.get("account"), ACCOUNT),
        zones=_count_zones(written.get("network"), written.get("region")),
        protected=written.get("deletion_protection", True) is True,
        others=tuple(name for name in names if name != file.stem),
    )
    try:
        environment = Environment.model_validate(_with_tuples(_with_derived(file.stem, written)), context=frame)
    except ValidationError as error:
        details = error.errors()
        if other_partition(str(written.get("region"))):  # then all ARNs and zones are wrong for this one reason
            details = [detail for detail in details if detail["loc"] == ("region",)]
        for detail in details:
            key, problem = detail["loc"], _format_problem(detail)
            if key == DATABASE_NAME and not _has(written, key):
                key, problem = ("company",), f"{problem}; or write database.name, which otherwise follows from company"
            problems.append(f"{place(*key)}: {problem}")
    else:
        if not problems:
            return environment
    raise SettingsError("\n".join(problems))


def _has(table: Any, path: tuple[int | str, ...]) -> bool:
    """Whether a table has a key, or the list that it is an entry of."""
    for part in path:
        if not isinstance(table, dict):
            break
        if part not in table:
            return False
        table = table[part]
    return True


def _with_derived(name: str, written: dict[str, Any]) -> dict[str, Any]:
    """Keys of a file, and defaults that follow from other keys."""
    # An invalid company or account is reported separately: any value will do here.
    company = _valid_or_none(written.get("company"), COMPANY) or "company"
    names = Names(company, name, _valid_or_none(written.get("account"), ACCOUNT) or "0" * 12, region="")
    derived = {
        "name": name,
        "permissions_boundary": names.boundary_arn,
        "foundation": {"key_administrators": [names.key_administrators_arn]},
        "database": {"name": company.replace("-", "_")},
    }
    return merged(derived, written)


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
