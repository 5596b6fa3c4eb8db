"""Every rule of a key in the settings is enforced: a value that breaks it is refused in one line.

Keys, rules and values are derived from the models. `test_settings.py` tests the rules about several keys or files.
"""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import astuple, dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf
from pydantic import BaseModel, BeforeValidator, create_model
from pydantic.fields import FieldInfo

from operations.document.settings_reference import FROM_FILE_NAME, is_list, plain_types, rules_of
from stacks.settings import Environment, SettingsError, files, load_environments
from stacks.settings.cache import CacheSettings
from stacks.settings.files import merged, models_in
from stacks.settings.section import Derived, InOwnAccount, InProduction, Matching, NotBelow, Unit
from tests.conftest import VARIANTS, changed_settings, to_toml

WRONG_TYPE: dict[type, tuple[Any, str]] = {
    bool: (1, "allowed: true or false"),
    float: ("1", "allowed: a number"),
    int: (True, "allowed: a whole number"),
    str: (1, "allowed: a string"),
    tuple: ("a", "allowed: a list"),
    BaseModel: (3, "allowed: a section"),
    IPv4Network: (10, "allowed: an IPv4 CIDR"),
}
BOUNDS = {
    Ge: ("greater than or equal to", -1),
    Gt: ("greater than", 0),
    Le: ("less than or equal to", 1),
    Lt: ("less than", 0),
}
"""Pydantic's words for a bound, and the steps from the bound to the next refused value."""
INTERPOLATION = "${var.x}"
"""No pattern may allow it, because Terraform would evaluate it."""
MISSING = None
"""Stands for a missing key: TOML has no null."""


@dataclass(frozen=True)
class Key:
    """A key of a settings file with its field in the model."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def kind(self) -> type:
        """Type, one of `WRONG_TYPE`."""
        plain = tuple if is_list(self.field) else next(plain_types(self.field.annotation))
        return BaseModel if issubclass(plain, BaseModel) else plain

    @property
    def values(self) -> tuple[Any, ...]:
        """All allowed values, if the type lists them."""
        return get_args(self.field.annotation) if get_origin(self.field.annotation) is Literal else ()

    @property
    def step(self) -> float:
        """Difference between two allowed numbers."""
        return next((bound(rule) for rule in rules_of(self.field) if isinstance(rule, MultipleOf)), 1)

    @property
    def least(self) -> float:
        """Lower bound."""
        return next((bound(rule) for rule in rules_of(self.field) if isinstance(rule, Ge)), 0)

    @property
    def sample(self) -> Any:
        """An allowed value."""
        return section_in(valid_file("prod"), self.path).get(self.path[-1])


@dataclass(frozen=True)
class Breach:
    """A file in which one key breaks one rule."""

    key: str
    value: Any
    allowed: str
    """Expected part of the message."""
    environment: str = "prod"
    other: tuple[str, Any] | None = None
    """Another key of the same section with its value."""
    part: str = ""
    """Part of the value that the message names: `.1` for the first entry of a list."""


def keys_of(model: type[BaseModel], *path: str) -> Iterator[Key]:
    """Every key that a file may have. The keys of a list's entries are those of its first entry."""
    for name, field in model.model_fields.items():
        if model is Environment and name in FROM_FILE_NAME:
            continue
        yield (key := Key((*path, name), field))
        for section in models_in(field.annotation):
            yield from keys_of(section, *key.path, *(["1"] if is_list(field) else []))


def valid_file(environment: str) -> dict[str, Any]:
    """A valid file with an entry in each list. Its vault lock is the default, which every environment allows."""
    table = changed_settings(environment, {**deepcopy(VARIANTS[environment]), "recovery": {}})
    iam = f"arn:aws:iam::{table['account']}"
    own = {"permissions_boundary": f"{iam}:policy/own", "foundation": {"key_administrators": [f"{iam}:role/own"]}}
    return merged(table, own)


def section_in(table: Any, path: tuple[str, ...]) -> dict[str, Any]:
    for step in path[:-1]:
        table = table[int(step) - 1] if step.isdigit() else table.setdefault(step, {})
    return table


def breaches_of(key: Key) -> Iterator[Breach]:
    name = ".".join(key.path)
    if key.values:
        yield Breach(name, "none" if isinstance(key.values[0], str) else -1, f"allowed: {key.values[0]!r}")
    else:
        yield Breach(name, *WRONG_TYPE[key.kind])
    for section in models_in(key.field.annotation):
        path = f"{name}.1" if is_list(key.field) else name
        here = ", ".join(sorted(section.model_fields))
        yield Breach(f"{path}.planted", value=True, allowed=f"no such key; allowed here: {here}")
    if key.field.is_required() and not _has_derived(key.field):
        yield Breach(name, MISSING, "is missing")
    for rule in rules_of(key.field):
        if not isinstance(rule, BeforeValidator | Derived | Unit):  # these refuse nothing themselves
            yield breach_of(key, name, rule)


def _has_derived(field: FieldInfo) -> bool:
    """Whether the key, or one of its section, has a default that follows from other keys."""
    below = [inner for section in models_in(field.annotation) for inner in section.model_fields.values()]
    return any(isinstance(rule, Derived) for each in (field, *below) for rule in rules_of(each))


def bound(rule: Any) -> Any:
    """The argument of a rule of annotated_types."""
    (value,) = astuple(rule)
    return value


def breach_of(key: Key, name: str, rule: Any) -> Breach:
    """The nearest value that the rule refuses."""
    match rule:
        case Ge() | Gt() | Le() | Lt():
            words, offset = BOUNDS[type(rule)]
            return Breach(name, bound(rule) + offset * key.step, f"allowed: {words} {bound(rule)}")
        case MultipleOf():
            return Breach(name, key.least + bound(rule) / 2, f"allowed: a multiple of {bound(rule)}")
        case MinLen():
            return Breach(name, key.sample[: bound(rule) - 1], f"allowed: at least {bound(rule)}")
        case MaxLen():
            return Breach(name, key.sample[:1] * (bound(rule) + 1), f"allowed: at most {bound(rule)}")
        case Matching(allowed=allowed) if is_list(key.field):
            return Breach(name, [INTERPOLATION], f"allowed: {allowed}", part=".1")
        case Matching(allowed=allowed):
            return Breach(name, INTERPOLATION, f"allowed: {allowed}")
        case InOwnAccount(subject=subject):
            account = valid_file("prod")["account"]
            allowed = f"allowed: {subject} of account {account}"
            if is_list(key.field):
                return Breach(name, [in_another_account(arn) for arn in key.sample], allowed, part=".1")
            return Breach(name, in_another_account(key.sample), allowed)
        case NotBelow(field=field):
            above = key.least + key.step
            allowed = f"allowed: {field} ({above:g}) or more"
            return Breach(name, key.least, allowed, environment="dev", other=(field, above))
        case InProduction(reason=reason):
            allowed = f"allowed in production: {rule.requirement}, because {reason}"
            return Breach(name, refused_in_production(key, rule), allowed)
        case _:
            raise AssertionError(f"{name}: no value that breaks {rule} is known")


def in_another_account(arn: str) -> str:
    """The same ARN in another account."""
    return re.sub(r"\d{12}", "999999999999", arn)


def refused_in_production(key: Key, rule: InProduction) -> Any:
    if rule.at_least is not None and key.values:
        return max(value for value in key.values if value < rule.at_least)
    if rule.at_least is not None:
        return [] if is_list(key.field) else rule.at_least - key.step
    if rule.prefix:
        return section_in(valid_file("dev"), key.path)[key.path[-1]]
    return MISSING if rule.required else not rule.exactly


def lines_for(breach: Breach, folder: Path) -> list[str]:
    """The messages for the file; none if it is accepted."""
    table = valid_file(breach.environment)
    *_, last = path = tuple(breach.key.split("."))
    section = section_in(table, path)
    section |= dict([breach.other] if breach.other else [])
    if breach.value is MISSING:
        del section[last]
    else:
        section[last] = breach.value
    file = folder / "environments" / f"{breach.environment}.toml"
    file.parent.mkdir(parents=True)
    file.write_text(to_toml(table), encoding="utf-8")
    try:
        load_environments(file.parent)
    except SettingsError as error:
        return str(error).splitlines()
    return []


def is_refused(breach: Breach, folder: Path) -> bool:
    """Whether the file is refused in one line with the file, the key and what is allowed."""
    lines = lines_for(breach, folder)
    start = f"environments/{breach.environment}.toml: {breach.key}{breach.part} "
    return len(lines) == 1 and lines[0].startswith(start) and breach.allowed in lines[0]


BREACHES = [breach for key in keys_of(Environment) for breach in breaches_of(key)]
PATTERNS = {breach.key: breach for breach in BREACHES if breach.value in (INTERPOLATION, [INTERPOLATION])}


@pytest.mark.parametrize("breach", BREACHES, ids=[f"{breach.key}: {breach.allowed}" for breach in BREACHES])
def test_a_value_that_breaks_a_rule_is_refused_in_one_line(tmp_path: Path, breach: Breach):
    assert is_refused(breach, tmp_path), lines_for(breach, tmp_path / "again")


# Nearly valid values, which a wrong pattern would allow.
NO_MATCHES: dict[str, Sequence[str]] = {
    "account": ["1111"],
    "company": ["Acme", "acme-", "a--b", "1a", "sg", "sg-shop", "internal", "sthree-x", "aws", "aws-service-role"],
    "region": ["us-wset-1", "us-west-9", "us-west-\u0661", "aws-global"],
    "owner": ["", "   "],
    "permissions_boundary": ["boundary"],
    "windows.backup": ["8-9"],
    "foundation.runbooks": ["docs/runbooks", "https://wiki.example/runbooks/", f"https://{'a' * 248}"],
    "network.egress.1.reason": ["because", "the provider's interface"],
    "database.engine_version": ["15.4", "17", "17.07", "17.4-limitless"],
    "database.name": ["Globe-Cart", "rdsadmin", "template1", "select", "user", "admin"],
    "cache.node_type": ["r7g"],
    "service.image": ["latest"],
    "service.hosted_zone": [
        "no zone",
        "example.xn--",
        "example.123",
        "\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
    ],
    "rotation.owner": ["none", "public", "information_schema", "platform_master", "pg_shop", "rds_superuser", "Shop"],
    "rotation.adopted": ["none", "platform_master", "rdsadmin"],
    "rotation.schedule": [
        *("daily", "rate(3 hours)", "rate(0 days)", "rate(30 minutes)", "rate(1000 days)", "rate(1.5 days)"),
        *("cron(0 3 * * *)", "cron(0 3 1 * ? * *)", "cron(30 3 1 * ? *)", "cron(* 3 1 * ? *)", "cron(0 * * * ? *)"),
        *("cron(0 24 1 * ? *)", "cron(0 3 32 * ? *)", "cron(0 3 0 * ? *)", "cron(0 3 1 13 ? *)", "cron(0 3 ? * 8 *)"),
        *(
            "cron(0 3 1 * ? 2027)",
            "cron(0 3 ? * ? *)",
            "cron(0 3 1 * MON *)",
            "cron(0 */3 * * ? *)",
            "cron(0 3 LW * ? *)",
        ),
        *("cron(0 3 1 JANUARY ? *)", "cron(0 3 ? * MON#6 *)", "cron(0 8-20 * * ? *)", "cron(0  3 1 * ? *)"),
    ],
    "service.large_bodies": ["uploads", "//", "/up/../loads/", "/up/./loads/", "/" + 200 * "x"],
    "access.repository": [
        *("", "acme", "acme/*", "acme/..", "-a/b", "a--b/c", "https://github.com/a/b", "a/b/c"),
        ("a" * 40) + "/b",
        "-".join("a" * 21) + "/b",
        *("a@1/b", "a/b@2", "a@/b@2", "a@1/b@*", "a@1/..@2", "_a/b", "a_/b", "a_b_c/d", "a_b-c/d"),
    ],
    "access.oidc_provider": ["arn:aws:iam::111122223333:oidc-provider/accounts.google.com"],
    "access.atlantis_role": ["*"],
}


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, texts in NO_MATCHES.items() for text in texts])
def test_a_pattern_refuses_nearly_valid_values(tmp_path: Path, key: str, text: str):
    of_pattern = PATTERNS[key]
    breach = replace(of_pattern, value=[text] if of_pattern.part else text)
    assert is_refused(breach, tmp_path), lines_for(breach, tmp_path / "again")


STRINGS = [key for key in keys_of(Environment) if str in plain_types(key.field.annotation) and not key.values]
"""Keys with a text, or a list of texts, of the user's."""
FOR_NO_KEY = {
    "https://ada:secret@wiki.example/runbooks": "allowed: a URL without user and password",
    "https://token@wiki.example": "allowed: a URL without user and password",
    "arn:aws-us-gov:iam::111122223333:role/x": "this is in aws-us-gov, where",
    "arn:aws-cn:iam::111122223333:policy/x": "this is in aws-cn, where",
}


@pytest.mark.parametrize("text", FOR_NO_KEY)
@pytest.mark.parametrize("key", STRINGS, ids=lambda key: ".".join(key.path))
def test_no_key_accepts_credentials_or_another_partition(tmp_path: Path, key: Key, text: str):
    name = ".".join(key.path)
    breach = Breach(name, [text] if is_list(key.field) else text, FOR_NO_KEY[text])
    (line,) = lines_for(breach, tmp_path)
    assert line.startswith(f"environments/prod.toml: {name} = ")
    assert breach.allowed in line
    assert "secret" not in line
    assert "token" not in line.partition(": allowed: ")[0]


class CacheSettingsWithoutRules(CacheSettings):
    """The settings of the cache without the rules of one key."""

    shards: int = 2


def test_a_rule_that_is_not_enforced_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        files,
        "Environment",
        create_model(
            "Environment", __base__=Environment, cache=(CacheSettingsWithoutRules, CacheSettingsWithoutRules())
        ),
    )
    breaches = [breach for breach in BREACHES if breach.key == "cache.shards"]
    accepted = [breach for number, breach in enumerate(breaches) if not is_refused(breach, tmp_path / str(number))]
    assert [breach.allowed.partition(", because")[0] for breach in accepted] == [
        "allowed: greater than or equal to 1",
        "allowed: less than or equal to 90",
        "allowed in production: at least 2",
    ]
