"""Settings files: what is accepted, and the message for what is not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.document.settings_reference import reference as settings_reference
from stacks import ROOT
from stacks.settings import Environment, SettingsError, collisions, load_environments
from stacks.settings.cache import CacheSettings
from stacks.settings.database import DatabaseSettings
from stacks.settings.files import merged
from stacks.settings.section import Section
from tests.conftest import (
    ENVIRONMENTS,
    REFERENCE,
    SHIPPED,
    THREE_ZONES,
    VARIANTS,
    changed_settings,
    load_settings,
    reference,
    to_toml,
)

ACCOUNT = "111122223333"
ISSUER = "token.actions.githubusercontent.com"


def refusals(folder: Path, name: str, change: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(name, folder / "environments", change)
    return str(refused.value).splitlines()


def test_the_projects_environments_are_read():
    assert [environment.name for environment in load_environments(ROOT / "environments")] == SHIPPED


def test_a_single_environment_can_be_read():
    (prod,) = load_environments(REFERENCE, only="prod")
    assert prod.production
    assert prod.region == "eu-west-3"


def test_production_is_the_default(tmp_path: Path):
    defaults = load_settings("prod", tmp_path)
    assert defaults.production
    assert defaults.deletion_protection
    assert defaults.log_retention_days >= 365
    assert defaults.network.nat_per_zone
    assert defaults.database.backup_days == 35


def test_three_zones_of_another_region_are_accepted(tmp_path: Path):
    assert len(load_settings("prod", tmp_path, THREE_ZONES).network.zones) == 3


@pytest.mark.parametrize("maintenance", ["sun:09:00-sun:10:00", "sun:23:00-mon:08:00", "wed:09:00-thu:08:00"])
def test_maintenance_may_be_at_any_time_outside_the_backup_window(tmp_path: Path, maintenance: str):
    assert load_settings("prod", tmp_path, {"windows": {"maintenance": maintenance}}).windows.maintenance == maintenance


def test_an_invalid_backup_window_causes_no_error_for_the_maintenance_window(tmp_path: Path):
    (line,) = refusals(tmp_path, "prod", {"windows": {"backup": "8", "maintenance": "sun:08:00-sun:09:00"}})
    assert "windows.backup" in line


def test_a_section_created_on_its_own_is_validated_as_production():
    with pytest.raises(ValueError, match="allowed in production: at least 1"):
        DatabaseSettings(name="shop", readers=0)
    assert CacheSettings().replicas_per_shard == 1


def test_settings_are_immutable():
    (prod,) = load_environments(REFERENCE, only="prod")
    with pytest.raises(ValueError, match="frozen"):
        prod.database.readers = 5


SUBSCRIPTION = {"protocol": "email", "endpoint": "a@b.example"}
EGRESS = {"cidr": "203.0.113.0/24", "port": 443, "reason": "interface of the payment provider"}

# Refusals by validators and rules about several keys; test_settings_rules.py has the rules of single keys.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("prod", {"name": "other"}, 'name = "other": no such key; the file\'s name is used'),
    (
        "prod",
        {"second_region": "eu-west-3"},
        'second_region = "eu-west-3": allowed: a Region other than eu-west-3, the first Region',
    ),
    ("prod", {"production": False}, "production = false: allowed: true, in a file whose name starts with prod"),
    (
        "dev",
        {"recovery": {"vault_lock": "compliance"}},
        'recovery.vault_lock = "compliance": allowed without deletion_protection: governance, because nobody could',
    ),
    ("prod", {"windows": {"backup": "08:00-08:59"}}, 'windows.backup = "08:00-08:59": allowed: an hour or more'),
    (
        "prod",
        {"windows": {"maintenance": "sun:10:00-sun:10:30"}},
        'windows.maintenance = "sun:10:00-sun:10:30": allowed: an hour or more',
    ),
    (
        "prod",
        {"windows": {"maintenance": "sun:08:30-sun:10:00"}},
        'windows.maintenance = "sun:08:30-sun:10:00": allowed: a window that does not overlap the daily backup, 08:00-',
    ),
    (
        "prod",
        {"windows": {"backup": "23:30-00:30", "maintenance": "sun:22:00-mon:00:00"}},
        'windows.maintenance = "sun:22:00-mon:00:00": allowed: a window that does not overlap the daily backup, 23:30-',
    ),
    (
        "prod",
        {"windows": {"maintenance": "mon:10:00-tue:12:00"}},
        'windows.maintenance = "mon:10:00-tue:12:00": allowed: a window that does not overlap the daily backup, 08:00-',
    ),
    (
        "prod",
        {"foundation": {"key_administrators": []}},
        "foundation.key_administrators = []: allowed: one or more roles, each once",
    ),
    (
        "prod",
        {"foundation": {"alarm_subscriptions": [{**SUBSCRIPTION, "endpoint": "nobody"}]}},
        'foundation.alarm_subscriptions.1 = {"protocol": "email", "endpoint": "nobody"}: allowed: an e-mail address',
    ),
    (
        "prod",
        {"foundation": {"alarm_subscriptions": [{**SUBSCRIPTION, "protocol": "https"}]}},
        "allowed: an https:// URL",
    ),
    (
        "prod",
        {"network": {"zones": ["eu-west-3a"]}},
        'network.zones = ["eu-west-3a"]: allowed: two or more zones, so that the platform survives the loss of one',
    ),
    (
        "prod",
        {"network": {"zones": ["eu-west-3a", "eu-west-3a"]}},
        'network.zones = ["eu-west-3a", "eu-west-3a"]: allowed: each zone once',
    ),
    (
        "prod",
        {"network": {"zones": ["eu-west-3a", "us-west-2b", "eu-west-3z", ""]}},
        "allowed: zones of eu-west-3, such as eu-west-3a; not us-west-2b, eu-west-3z, ",
    ),
    (
        "prod",
        {"network": {"cidr": "8.8.0.0/16"}},
        'network.cidr = "8.8.0.0/16": allowed: a range within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918)',
    ),
    ("prod", {"network": {"cidr": "10.0.0.0/19"}}, 'network.cidr = "10.0.0.0/19": allowed: /16 to /18'),
    ("prod", {"network": {"cidr": "10.0.0.0/15"}}, 'network.cidr = "10.0.0.0/15": allowed: /16 to /18'),
    ("prod", {"network": {"cidr": "10.0.0.1/16"}}, "allowed: an IPv4 CIDR with no host bits, such as 10.0.0.0/16"),
    (
        "prod",
        {"network": {"egress": [{**EGRESS, "cidr": "0.0.0.0/0"}]}},
        'network.egress.1.cidr = "0.0.0.0/0": allowed: a public range of /8 or smaller',
    ),
    (
        "prod",
        {"network": {"egress": [{**EGRESS, "cidr": "10.1.0.0/24"}]}},
        'network.egress.1.cidr = "10.1.0.0/24": allowed: a public range of /8 or smaller',
    ),
    (
        "prod",
        {"network": {"egress": [EGRESS, {**EGRESS, "cidr": "203.0.113.128/25"}]}},
        "allowed: disjoint ranges; 203.0.113.128/25 overlaps 203.0.113.0/24 on port 443",
    ),
    (
        "prod",
        {"cache": {"node_type": "cache.t4g.medium"}},
        'cache.node_type = "cache.t4g.medium": allowed in production: a type that is not burstable',
    ),
    (
        "staging",
        {"cache": {"maximum_shards": 4}},
        "cache.maximum_shards = 4: allowed: shards (2), because cache.t4g.medium does not support autoscaling",
    ),
    ("prod", {"cache": {"node_type": "cache.r7g.4xlarge"}}, "because cache.r7g.4xlarge does not support autoscaling"),
    (
        "prod",
        {"service": {"domain": "shop.other.example"}},
        'service.domain = "shop.other.example": allowed: acme.example or a name that ends with .acme.example',
    ),
    (
        "prod",
        {**THREE_ZONES, "service": {"minimum_tasks": 2}},
        "service.minimum_tasks = 2: allowed in production: 3 or more, one task per zone",
    ),
    (
        "prod",
        {"service": {"cpu": 1024, "memory": 1024}},
        "service.memory = 1024: allowed with 1024 units of CPU: 2048 to 8192 in steps of 1024",
    ),
    (
        "prod",
        {"service": {"large_bodies": ["/uploads/", "/uploads/"]}},
        'service.large_bodies = ["/uploads/", "/uploads/"]: allowed: each path once',
    ),
    (
        "prod",
        {**THREE_ZONES, "cache": {"replicas_per_shard": 1}},
        "cache.replicas_per_shard = 1: allowed in production with three zones: 2 or more",
    ),
    (
        "prod",
        {"cache": {"maximum_shards": 46}},
        "cache.replicas_per_shard = 1: allowed: 90 nodes at most in all 46 shards",
    ),
    (
        "prod",
        {"foundation": {"alarm_subscriptions": [SUBSCRIPTION, SUBSCRIPTION]}},
        "allowed: each subscription once",
    ),
    (
        "prod",
        {"foundation": {"alarm_subscriptions": [{**SUBSCRIPTION, "endpoint": "${aws_kms_key.x.arn}@b.example"}]}},
        "allowed: an e-mail address",
    ),
    ("prod", {"network": {"egress": [{**EGRESS, "cidr": "169.254.169.254/32"}]}}, "allowed: a public range"),
    ("prod", {"replaces": "prod"}, 'replaces = "prod": allowed: another environment: there is none'),
    (
        "prod",
        {"region": "us-west-9"},
        'region = "us-west-9": allowed: a Region that the installed botocore knows, such as us-west-1',
    ),
    (
        "prod",
        {"region": "us-gov-west-1", "network": {"zones": ["us-gov-west-1a", "us-gov-west-1b"]}},
        'region = "us-gov-west-1": allowed: the partition aws only; this is in aws-us-gov, where ARNs',
    ),
    (
        "prod",
        {"second_region": "cn-north-1"},
        'second_region = "cn-north-1": allowed: the partition aws only; this is in',
    ),
    *(
        (
            "prod",
            {"network": {"zones": ["eu-west-3a", zone]}},
            f"allowed: zones of eu-west-3, such as eu-west-3a; not {zone}",
        )
        for zone in ("eu-west-3-lax-1a", "eu-west-3-wl1-sfo-wlz-1", "eu-west-3g", "usw1-az1")
    ),
    *(
        (
            "prod",
            {"database": {"engine_version": version}},
            f'database.engine_version = "{version}": allowed: {first} and later, to {last}: Aurora has no other',
        )
        for version, first, last in (
            ("17.0", "17.4, 17.5, 17.6, 17.7", "17.29"),
            ("17.3", "17.4, 17.5, 17.6, 17.7", "17.29"),
            ("17.30", "17.4, 17.5, 17.6, 17.7", "17.29"),
            ("16.5", "16.1, 16.2, 16.3, 16.4, 16.6, 16.8, 16.9, 16.10, 16.11", "16.29"),
        )
    ),
    (
        "prod",
        {"rotation": {"schedule": "cron(0 9,1,12 * * ? *)"}},
        'rotation.schedule = "cron(0 9,1,12 * * ? *)": allowed: hours that are four or more apart',
    ),
    *(
        (
            "prod",
            {"rotation": {"days": days, "schedule": schedule}},
            f'rotation.schedule = "{schedule}": allowed: rotations that are {days} days apart at most (rotation.days); '
            f"{found}",
        )
        for days, schedule, found in (
            (90, "cron(0 3 31 2 ? *)", "this one never comes"),
            (30, "cron(0 3 1 * ? *)", "of this one, up to 31 days apart"),
            (30, "rate(31 days)", "of this one, up to 31 days apart"),
        )
    ),
    *(
        (
            "prod",
            {"rotation": {"adopted": role}},
            f'rotation.adopted = "{role}": allowed: an existing role; the rotation itself creates application, ',
        )
        for role in ("application", "application_a", "application_b")
    ),
]


@pytest.mark.parametrize(
    ("name", "change", "message"), REFUSED, ids=[message.partition(":")[0] for _, _, message in REFUSED]
)
def test_an_invalid_value_is_refused_in_one_line(tmp_path: Path, name: str, change: dict[str, Any], message: str):
    (line,) = refusals(tmp_path, name, change)
    assert line.startswith(f"environments/{name}.toml: ")
    assert message in line


ACCEPTED: list[tuple[str, Any]] = [
    *(("database.engine_version", version) for version in ("16.1", "16.11", "16.12", "17.4", "17.10", "17.29")),
    *(("database.name", name) for name in ("shop", "users", "admin_shop")),
    *(("rotation.owner", role) for role in ("shop", "nonesuch", "public_shop")),
    *(("access.repository", name) for name in ("ada_acme/platform", "ada-l_acme@1/platform@2", f"{'a' * 34}_acme/b")),
    *(
        ("rotation.schedule", schedule)
        for schedule in (
            # "Rotation schedules" in the Secrets Manager User Guide has these.
            *("rate(4 hours)", "rate(1 day)", "rate(10 days)", "cron(0 4/12 * * ? *)", "cron(0 8/8 * * ? *)"),
            *("cron(0 2/10 * * ? *)", "cron(0 8 1/7 * ? *)"),
            *("cron(0 1,13 1-15 JAN,FEB-DEC ? *)", "cron(0 */6 ? 1/1 MON-FRI *)", "cron(0 03 ? * L *)"),
        )
    ),
]


@pytest.mark.parametrize(("key", "value"), ACCEPTED)
def test_a_valid_value_is_read(tmp_path: Path, key: str, value: Any):
    section, _, name = key.partition(".")
    assert getattr(getattr(load_settings("prod", tmp_path, {section: {name: value}}), section), name) == value


@pytest.mark.parametrize("zone", ["example.xn--p1ai", "xn--bcher-kva.example", "shop.xn--vermgensberatung-pwb"])
def test_internationalized_domains_are_read(tmp_path: Path, zone: str):
    settings = load_settings("prod", tmp_path, {"service": {"hosted_zone": zone, "domain": f"shop.{zone}"}})
    assert settings.service.domain == f"shop.{zone}"


def test_a_byte_order_mark_is_read(tmp_path: Path):
    (tmp_path / "dev.toml").write_text(to_toml(reference("dev")), encoding="utf-8-sig")
    assert [environment.name for environment in load_environments(tmp_path)] == ["dev"]


@pytest.mark.parametrize("only", [None, "dev", "prod"])
def test_an_extension_in_capitals_is_refused(tmp_path: Path, only: str | None):
    (tmp_path / "dev.toml").write_text(to_toml(reference("dev")))
    (tmp_path / "prod.TOML").write_text(to_toml(reference("prod")))
    with pytest.raises(SettingsError, match=r"prod\.TOML: allowed: prod\.toml, with the extension in lowercase"):
        load_environments(tmp_path, only=only)


def test_all_errors_in_a_file_are_reported_at_once(tmp_path: Path):
    lines = refusals(
        tmp_path,
        "prod",
        {
            "account": "1",
            "network": {"zones": ["eu-west-3a"], "cidr": "10.0.0.0/28"},
            "database": {"minimum_capacity": 0.3, "readers": 0},
            "colour": "blue",
            "name": "other",
        },
    )
    assert [line.removeprefix("environments/prod.toml: ").partition(" ")[0] for line in lines] == [
        "name",
        "account",
        "network.cidr",
        "network.zones",
        "database.minimum_capacity",
        "database.readers",
        "colour",
    ]


def test_errors_in_all_files_are_reported(tmp_path: Path):
    for name in ENVIRONMENTS:
        (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings(name, {"owner": ""})))
    with pytest.raises(SettingsError) as refused:
        load_environments(tmp_path)
    assert len(str(refused.value).splitlines()) == len(ENVIRONMENTS)


def write_pair(folder: Path, dev: dict[str, Any], other: dict[str, Any]) -> None:
    """`dev`, and `dev-eu` in the same account, which share nothing; then changes of each. None removes a key."""
    (folder / "dev.toml").write_text(to_toml(changed_settings("dev", dev)))
    table = merged(changed_settings("dev", OTHER), other)
    table["access"] = {key: value for key, value in table["access"].items() if value is not None}
    (folder / "dev-eu.toml").write_text(to_toml(table))


def refused_pair(folder: Path) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_environments(folder)
    return str(refused.value).replace(f"{folder.name}/", "").splitlines()


DEV_ACCOUNT = "777788889999"
PROVIDER = f"arn:aws:iam::{DEV_ACCOUNT}:oidc-provider/{ISSUER}"
BOUNDARY = f"arn:aws:iam::{DEV_ACCOUNT}:policy/acme-dev-boundary"
ADMINISTRATORS = f"arn:aws:iam::{DEV_ACCOUNT}:role/acme-dev-key-administrators"
OTHER: dict[str, Any] = {
    "permissions_boundary": BOUNDARY.replace("-dev-", "-dev-eu-"),
    "foundation": {"key_administrators": [ADMINISTRATORS.replace("-dev-", "-dev-eu-")]},
    "network": {"cidr": "10.9.0.0/18"},
    "service": {"domain": "other.dev.acme.example"},
    "database": {"os_metrics_log": False},
    "access": {"oidc_provider": PROVIDER},
}

# What the second environment shares with the first, and the message after both files' names.
COLLISIONS: list[tuple[dict[str, Any], str]] = [
    (
        {"network": {"cidr": "10.2.0.0/17"}},
        'network.cidr = "10.2.0.0/18" and "10.2.0.0/17": allowed: ranges that do not',
    ),
    (
        {"service": {"domain": "shop.dev.acme.example"}},
        'service.domain = "shop.dev.acme.example": allowed: a domain for each, unless one has `replaces` with the',
    ),
    ({"permissions_boundary": BOUNDARY}, f'permissions_boundary = "{BOUNDARY}": allowed: a policy for each, unless'),
    (
        {"foundation": {"key_administrators": [ADMINISTRATORS.replace("dev", "all"), ADMINISTRATORS]}},
        f'foundation.key_administrators = ["{ADMINISTRATORS}"] and ["',
    ),
    (
        {"access": {"oidc_provider": None}},
        "access.oidc_provider is missing: allowed: missing in one, which creates the account's only provider",
    ),
    *(
        ({"audit": {service: True}}, f"audit.{service} = true: allowed: true in one of them, which manages it")
        for service in ("guardduty", "security_hub", "config", "inspector")
    ),
    (
        {"database": {"os_metrics_log": True}},
        "database.os_metrics_log = true: allowed: true in one of them, which manages it",
    ),
]
EVERYTHING_IS_MANAGED = {"audit": dict.fromkeys(("guardduty", "security_hub", "config", "inspector"), True)}


def test_environments_that_share_an_account_are_read(tmp_path: Path):
    write_pair(tmp_path, EVERYTHING_IS_MANAGED, {})
    assert [environment.name for environment in load_environments(tmp_path)] == ["dev", "dev-eu"]


@pytest.mark.parametrize(("shared", "message"), COLLISIONS, ids=[message.split()[0] for _, message in COLLISIONS])
def test_a_collision_is_refused_with_both_files_and_neither_is_blamed(
    tmp_path: Path, shared: dict[str, Any], message: str
):
    write_pair(tmp_path, EVERYTHING_IS_MANAGED, shared)
    (line,) = refused_pair(tmp_path)
    assert line.startswith(f"dev.toml and dev-eu.toml: {message}")
    assert line.endswith("; change the one that is not deployed yet")


def test_every_collision_is_tested():
    assert {message.split()[0] for _, message in COLLISIONS} | {"account", "company", "replaces"} == {
        rule.key for rule in collisions.COLLISIONS
    }


def test_company_and_environment_must_not_join_to_the_names_of_another(tmp_path: Path):
    for name, company, change in (("dev", "acme-shop", {}), ("shop-dev", "acme", OTHER)):
        (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings("dev", {**change, "company": company})))
    (line,) = refused_pair(tmp_path)
    assert line.startswith('dev.toml and shop-dev.toml: company = "acme-shop" and "acme": allowed: company and')


def write_shared(folder: Path, shared: str, own: str = "") -> list[str]:
    """Write a shared file, and `prod` with what the shared file may lack. Returns the problems."""
    table = changed_settings("prod", {})
    del table["company"], table["owner"]
    (folder / "shared.toml").write_text(shared)
    (folder / "prod.toml").write_text(own + to_toml(table))
    try:
        load_environments(folder)
    except SettingsError as error:
        return str(error).replace(f"{folder.name}/", "").splitlines()
    return []


SHARED = 'company = "initech"\nowner = "ops"\n'


def test_environments_share_settings_and_may_override_them(tmp_path: Path):
    assert write_shared(tmp_path, SHARED + "[database]\nreaders = 2\nmaximum_capacity = 8\n", 'owner = "sre"\n') == []
    (prod,) = load_environments(tmp_path)
    assert (prod.company, prod.owner) == ("initech", "sre")
    assert (prod.database.readers, prod.database.maximum_capacity) == (2, 64)


def test_what_bootstrap_creates_follows_from_company_and_environment(tmp_path: Path):
    assert write_shared(tmp_path, 'company = "in-i-tech"\nowner = "ops"\n') == []
    (prod,) = load_environments(tmp_path)
    assert prod.permissions_boundary == f"arn:aws:iam::{ACCOUNT}:policy/in-i-tech-prod-boundary"
    assert prod.foundation.key_administrators == (f"arn:aws:iam::{ACCOUNT}:role/in-i-tech-prod-key-administrators",)
    assert prod.database.name == "in_i_tech"


@pytest.mark.parametrize(
    ("shared", "own", "line"),
    [
        (SHARED + 'colour = "blue"', "", 'shared.toml: colour = "blue": no such key'),
        (SHARED + 'name = "x"', "", 'shared.toml: name = "x": no such key; the file\'s name is used'),
        (
            SHARED + "[network]\negress = [{ reason = 'payment provider' }]",
            "",
            "shared.toml: network.egress.1.cidr is missing",
        ),
        (SHARED.replace("ops", "o"), "", 'shared.toml: owner = "o": allowed: a team'),
        (SHARED, 'owner = "o"\n', 'prod.toml: owner = "o": allowed: a team'),
        (SHARED.replace("initech", "Initech"), "", 'shared.toml: company = "Initech": allowed: lowercase letters'),
        (SHARED.replace("initech", "postgres"), "", 'shared.toml: database.name = "postgres": allowed: '),
        ('owner = "ops"', "", "prod.toml: company is missing"),
        ("owner", "", "shared.toml: not TOML: "),
    ],
)
def test_a_problem_names_the_file_that_has_the_key(tmp_path: Path, shared: str, own: str, line: str):
    (found,) = write_shared(tmp_path, shared, own)
    assert found.startswith(line)


def test_a_problem_of_the_shared_file_is_reported_once(tmp_path: Path):
    (tmp_path / "staging.toml").write_text(to_toml(changed_settings("staging", {})))
    (line,) = write_shared(tmp_path, SHARED + "[colours]")
    assert line.startswith("shared.toml: colours = {}: no such key")


def test_the_company_may_be_as_long_as_awss_limits_leave(tmp_path: Path):
    longest = "i" * 20
    assert write_shared(tmp_path, SHARED.replace("initech", longest)) == []
    assert write_shared(tmp_path, SHARED.replace("initech", "i")) == []
    (line,) = write_shared(tmp_path, SHARED.replace("initech", f"{longest}i"))
    assert line == (
        f'shared.toml: company = "{longest}i": allowed: 20 characters at most beside prod, '
        f"because the name of a load balancer, {longest}i-prod-public, may have 32"
    )


def test_production_must_not_share_its_account(tmp_path: Path):
    for name in ("prod", "staging"):
        (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings(name, {})).replace("444455556666", ACCOUNT))
    assert (
        f'prod.toml and staging.toml: account = "{ACCOUNT}": allowed: an account for each, because only one of them is '
        "production (PCI DSS 6.5.3); change the one that is not deployed yet"
    ) in refused_pair(tmp_path)


def test_what_an_account_has_once_in_each_region_may_recur_in_another(tmp_path: Path):
    elsewhere = {"region": "us-west-2", "network": {"zones": ["us-west-2a", "us-west-2b"]}}
    write_pair(
        tmp_path, EVERYTHING_IS_MANAGED, {**elsewhere, **EVERYTHING_IS_MANAGED, "database": {"os_metrics_log": True}}
    )
    assert len(load_environments(tmp_path)) == 2


ORGANIZATIONS = {"permissions_boundary": f"arn:aws:iam::{DEV_ACCOUNT}:policy/organization"}
SHARED_BY_SUCCESSORS = {
    **ORGANIZATIONS,
    "foundation": {"key_administrators": [ADMINISTRATORS]},
    "service": {"domain": "shop.dev.acme.example"},
}


@pytest.mark.parametrize(("dev", "other"), [({"replaces": "dev-eu"}, {}), ({}, {"replaces": "dev"})])
def test_an_environment_may_share_domain_boundary_and_administrators_with_the_one_it_replaces(
    tmp_path: Path, dev: dict[str, Any], other: dict[str, Any]
):
    write_pair(tmp_path, {**ORGANIZATIONS, **dev}, {**SHARED_BY_SUCCESSORS, **other})
    assert len(load_environments(tmp_path)) == 2
    changed = {**SHARED_BY_SUCCESSORS, **other, "network": {"cidr": "10.2.0.0/18"}}
    write_pair(tmp_path, {**ORGANIZATIONS, **dev}, changed)
    (line,) = refused_pair(tmp_path)
    assert "network.cidr" in line


def test_a_successor_must_not_have_the_boundary_that_bootstrap_makes_for_the_other(tmp_path: Path):
    write_pair(tmp_path, {}, {"permissions_boundary": BOUNDARY, "replaces": "dev"})
    (line,) = refused_pair(tmp_path)
    assert f'permissions_boundary = "{BOUNDARY}": allowed: another policy than bootstrap\'s' in line


def test_two_environments_must_not_replace_each_other(tmp_path: Path):
    write_pair(tmp_path, {"replaces": "dev-eu"}, {"replaces": "dev"})
    (line,) = refused_pair(tmp_path)
    assert line.startswith('dev.toml and dev-eu.toml: replaces = "dev-eu" and "dev": allowed: missing in one of them')


@pytest.mark.parametrize("company", ["cn-shop-1", "us-gov-west-1"])
def test_a_company_may_look_like_a_region(tmp_path: Path, company: str):
    assert load_settings("prod", tmp_path, {"company": company}).company == company


def test_two_successors_must_not_share_with_each_other(tmp_path: Path):
    write_pair(tmp_path, {}, {**SHARED_BY_SUCCESSORS, "replaces": "dev"})
    third = {**SHARED_BY_SUCCESSORS, "replaces": "dev", "network": {"cidr": "10.11.0.0/18"}}
    (tmp_path / "dev-us.toml").write_text(to_toml(merged(changed_settings("dev", OTHER), third)))
    lines = refused_pair(tmp_path)
    assert len(lines) == len(SHARED_BY_SUCCESSORS)
    assert all(line.startswith("dev-eu.toml and dev-us.toml: ") for line in lines)


def test_a_collision_is_refused_although_one_environment_is_read(tmp_path: Path):
    write_pair(tmp_path, {}, {"network": {"cidr": "10.2.0.0/18"}})
    (tmp_path / "prod.toml").write_text(to_toml(reference("prod")))
    for name in ("dev", "dev-eu"):
        with pytest.raises(SettingsError, match=r"dev\.toml and \S+/dev-eu\.toml: network\.cidr"):
            load_environments(tmp_path, only=name)
    (prod,) = load_environments(tmp_path, only="prod")
    assert prod.name == "prod"


def test_another_environments_invalid_file_does_not_stop_the_reading_of_one(tmp_path: Path):
    write_pair(tmp_path, {}, {"owner": ""})
    (dev,) = load_environments(tmp_path, only="dev")
    assert dev.name == "dev"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = = 1", "dev.toml: not TOML: "),
        (b"a = " + b"1" * 5000, "dev.toml: not TOML: "),
        (b"a = " + b"[" * 5000, "dev.toml: not TOML: "),
        (b"name = 1979-05-27", "dev.toml: name = "),
        (b"\xff\xfe", "dev.toml: cannot be read: "),
    ],
    ids=["syntax", "huge number", "deep lists", "date", "not UTF-8"],
)
def test_a_file_that_is_not_toml_is_reported(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "dev.toml").write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        load_environments(tmp_path)
    assert message in str(refused.value)


def test_an_unknown_environment_is_reported_with_the_existing_ones(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"nope\.toml: no such environment; existing ones: none"):
        load_environments(tmp_path, only="nope")
    with pytest.raises(SettingsError, match=r"existing ones: dev, prod, staging"):
        load_environments(REFERENCE, only="production")


def test_an_empty_folder_is_reported(tmp_path: Path):
    with pytest.raises(SettingsError, match="no environments; create one"):
        load_environments(tmp_path)


@pytest.mark.parametrize("name", ["Prod", "a-very-long-name", "pre-prod-eu-1", "x", "two--hyphens", "ends-"])
def test_an_environments_name_must_fit_into_aws_names(tmp_path: Path, name: str):
    (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings("dev", {})))
    with pytest.raises(SettingsError, match="allowed: 2 to 12 lowercase letters, digits and single hyphens"):
        load_environments(tmp_path)


def test_other_environments_may_be_smaller_than_production(tmp_path: Path):
    small: dict[str, Any] = {
        "database": {"minimum_capacity": 0, "maximum_capacity": 1, "readers": 0, "maximum_readers": 0},
        "cache": {"replicas_per_shard": 0, "shards": 1},
        "service": {"minimum_tasks": 1, "image": ":1"},
    }
    assert isinstance(load_settings("dev", tmp_path, small), Environment)


SWITCHES = ("encrypt", "tls", "ssl", "waf", "kms", "public", "iam", "secret", "password", "security_group")


def test_no_security_control_can_be_turned_off():
    keys = re.findall(r"^\| `([^`]+)`", settings_reference(), flags=re.MULTILINE)
    assert "foundation.alarm_subscriptions[].endpoint" in keys
    assert not [key for key in keys for switch in SWITCHES if switch in key]


ELSEWHERE = {"company", "replaces"}
"""Settings that forks and pairs of environments vary: tests/changes/test_forks.py, tests/policy/test_isolation.py."""


def leaves(section: Section, path: str = "") -> Iterator[tuple[str, str]]:
    """Every setting of an environment with its value."""
    for name, value in section:
        if isinstance(value, Section):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", repr(value)


def test_every_setting_has_a_second_value_in_the_policy_suite(tmp_path: Path):
    tested = [*((name, {}) for name in ENVIRONMENTS), *VARIANTS.items(), ("prod", THREE_ZONES)]
    values = dict[str, set[str]]()
    for number, (name, change) in enumerate(tested):
        for setting, value in leaves(load_settings(name, tmp_path / str(number), change)):
            values.setdefault(setting, set()).add(value)
    assert {setting for setting, found in values.items() if len(found) < 2} == ELSEWHERE
