"""What a settings file may say, and what it is told when it says something else."""

import re
from pathlib import Path
from typing import Any

import pytest

from operations.document.settings_reference import reference as settings_reference
from stacks import ROOT
from stacks.settings import Environment, SettingsError, load_environments
from stacks.settings.cache import CacheSettings
from stacks.settings.database import DatabaseSettings
from tests.conftest import ENVIRONMENTS, REFERENCE, SHIPPED, THREE_ZONES, changed_settings, load_settings, to_toml

ACCOUNT = "111122223333"
ISSUER = "token.actions.githubusercontent.com"


def refusals(folder: Path, name: str, change: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(name, folder / "environments", change)
    return str(refused.value).splitlines()


def test_the_projects_environments_are_read():
    assert [environment.name for environment in load_environments(ROOT / "environments")] == SHIPPED


def test_one_environment_can_be_read_by_itself():
    (prod,) = load_environments(REFERENCE, only="prod")
    assert prod.production
    assert prod.region == "us-west-1"


def test_production_is_the_default(tmp_path: Path):
    bare = load_settings("prod", tmp_path)
    assert bare.production
    assert bare.deletion_protection
    assert bare.log_retention_days >= 365
    assert bare.network.nat_per_zone
    assert bare.database.backup_days == 35


def test_three_zones_of_another_region_are_accepted(tmp_path: Path):
    assert len(load_settings("prod", tmp_path, THREE_ZONES).network.zones) == 3


@pytest.mark.parametrize("maintenance", ["sun:09:00-sun:10:00", "sun:23:00-mon:08:00", "wed:09:00-thu:08:00"])
def test_maintenance_may_be_whenever_no_backup_is_taken(tmp_path: Path, maintenance: str):
    assert load_settings("prod", tmp_path, {"windows": {"maintenance": maintenance}}).windows.maintenance == maintenance


def test_a_wrong_backup_window_leaves_maintenance_to_itself(tmp_path: Path):
    (line,) = refusals(tmp_path, "prod", {"windows": {"backup": "8", "maintenance": "sun:08:00-sun:09:00"}})
    assert "windows.backup" in line


def test_sections_by_themselves_are_held_to_productions_rules():
    with pytest.raises(ValueError, match="allowed in production: at least 1"):
        DatabaseSettings(readers=0)
    assert CacheSettings().replicas_per_shard == 1


def test_settings_do_not_change():
    (prod,) = load_environments(REFERENCE, only="prod")
    with pytest.raises(ValueError, match="frozen"):
        prod.database.readers = 5


SUBSCRIPTION = {"protocol": "email", "endpoint": "a@b.example"}
EGRESS = {"cidr": "203.0.113.0/24", "port": 443, "reason": "interface of the payment provider"}

# What no rule of one key says; test_settings_rules.py has the rest.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("prod", {"name": "other"}, 'name = "other": no such key; an environment is named by its file'),
    (
        "prod",
        {"second_region": "us-west-1"},
        'second_region = "us-west-1": allowed: a Region other than us-west-1, which is the first',
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
        'windows.maintenance = "sun:08:30-sun:10:00": allowed: a window apart from the daily backup, 08:00-09:00',
    ),
    (
        "prod",
        {"windows": {"backup": "23:30-00:30", "maintenance": "sun:22:00-mon:00:00"}},
        'windows.maintenance = "sun:22:00-mon:00:00": allowed: a window apart from the daily backup, 23:30-00:30',
    ),
    (
        "prod",
        {"windows": {"maintenance": "mon:10:00-tue:12:00"}},
        'windows.maintenance = "mon:10:00-tue:12:00": allowed: a window apart from the daily backup, 08:00-09:00',
    ),
    (
        "prod",
        {"foundation": {"key_administrators": []}},
        "foundation.key_administrators = []: allowed: one role or more, each once",
    ),
    (
        "prod",
        {"foundation": {"alarm_subscriptions": [{**SUBSCRIPTION, "endpoint": "nobody"}]}},
        'foundation.alarm_subscriptions.1 = {"protocol": "email", "endpoint": "nobody"}: allowed: an e-mail address',
    ),
    (
        "prod",
        {"foundation": {"alarm_subscriptions": [{**SUBSCRIPTION, "protocol": "https"}]}},
        "allowed: an https:// address",
    ),
    (
        "prod",
        {"network": {"zones": ["us-west-1a"]}},
        'network.zones = ["us-west-1a"]: allowed: two zones or more, so that the platform outlives the loss of one',
    ),
    (
        "prod",
        {"network": {"zones": ["us-west-1a", "us-west-1a"]}},
        'network.zones = ["us-west-1a", "us-west-1a"]: allowed: each zone once',
    ),
    (
        "prod",
        {"network": {"zones": ["us-west-1a", "us-west-2b", "us-west-1z", ""]}},
        "allowed: zones of us-west-1, such as us-west-1a; not us-west-2b, us-west-1z, ",
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
        'cache.node_type = "cache.t4g.medium": allowed in production: a type that does not burst',
    ),
    (
        "staging",
        {"cache": {"maximum_shards": 4}},
        "cache.maximum_shards = 4: allowed: shards (2), because cache.t4g.medium cannot be scaled by load",
    ),
    ("prod", {"cache": {"node_type": "cache.r7g.4xlarge"}}, "because cache.r7g.4xlarge cannot be scaled by load"),
    (
        "prod",
        {"service": {"domain": "shop.other.example"}},
        'service.domain = "shop.other.example": allowed: globecart.example or a name that ends with .globecart.example',
    ),
    (
        "prod",
        {**THREE_ZONES, "service": {"minimum_tasks": 2}},
        "service.minimum_tasks = 2: allowed in production: a task for each of the 3 zones, or more",
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
        "cache.replicas_per_shard = 1: allowed: at most 90 nodes in all 46 shards",
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
]


@pytest.mark.parametrize(("name", "change", "told"), REFUSED, ids=[told.partition(":")[0] for _, _, told in REFUSED])
def test_a_wrong_value_is_refused_in_one_line(tmp_path: Path, name: str, change: dict[str, Any], told: str):
    (line,) = refusals(tmp_path, name, change)
    assert line.startswith(f"environments/{name}.toml: ")
    assert told in line


def test_all_errors_are_told_at_once(tmp_path: Path):
    lines = refusals(
        tmp_path,
        "prod",
        {
            "account": "1",
            "network": {"zones": ["us-west-1a"], "cidr": "10.0.0.0/28"},
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


def test_errors_of_all_files_are_told(tmp_path: Path):
    for name in ENVIRONMENTS:
        (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings(name, {"owner": ""})))
    with pytest.raises(SettingsError) as refused:
        load_environments(tmp_path)
    assert len(str(refused.value).splitlines()) == len(ENVIRONMENTS)


def test_environments_networks_are_disjoint(tmp_path: Path):
    for name in ("dev", "staging"):
        (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings(name, {"network": {"cidr": "10.7.0.0/16"}})))
    with pytest.raises(
        SettingsError, match=r'staging\.toml: network\.cidr = "10\.7\.0\.0/16": .*apart from 10\.7\.0\.0/16'
    ):
        load_environments(tmp_path)


def test_production_shares_no_account(tmp_path: Path):
    for name in ("prod", "staging"):
        (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings(name, {})).replace("444455556666", ACCOUNT))
    with pytest.raises(SettingsError, match=r'staging\.toml: account = "111122223333": allowed: another than that of'):
        load_environments(tmp_path)


def test_an_account_has_one_of_each_service_of_the_audit_in_a_region(tmp_path: Path):
    def write(name: str, change: dict[str, Any]) -> None:
        (tmp_path / f"{name}.toml").write_text(
            to_toml(changed_settings(name, change)).replace("777788889999", "444455556666")
        )

    provider = {"access": {"oidc_provider": f"arn:aws:iam::444455556666:oidc-provider/{ISSUER}"}}
    write("staging", {})
    write("dev", {**provider, "audit": {"guardduty": True, "config": True}})
    with pytest.raises(SettingsError) as refused:
        load_environments(tmp_path)
    assert str(refused.value).splitlines() == [
        f"environments/staging.toml: audit.{service} = true: allowed: false, since environments/dev.toml has the "
        "account's own".replace("environments", tmp_path.name)
        for service in ("guardduty", "config")
    ]
    write("staging", {"audit": {"guardduty": False, "config": False}})
    assert len(load_environments(tmp_path)) == 2
    write("staging", {"region": "us-west-2", "network": {"zones": ["us-west-2a", "us-west-2b"]}})
    assert len(load_environments(tmp_path)) == 2


def test_an_account_has_one_provider_of_identities(tmp_path: Path):
    def write(name: str, change: dict[str, Any]) -> None:
        change = {**change, "audit": dict.fromkeys(("guardduty", "security_hub", "config", "inspector"), False)}
        (tmp_path / f"{name}.toml").write_text(
            to_toml(changed_settings(name, change)).replace("777788889999", "444455556666")
        )

    write("dev", {})
    write("staging", {})
    with pytest.raises(SettingsError) as refused:
        load_environments(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path.name}/staging.toml: access.oidc_provider is missing: the ARN of the one that "
        f"{tmp_path.name}/dev.toml makes, because an account has one"
    )
    write("staging", {"access": {"oidc_provider": f"arn:aws:iam::444455556666:oidc-provider/{ISSUER}"}})
    assert len(load_environments(tmp_path)) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = = 1", "dev.toml: not TOML: "),
        (b"a = " + b"1" * 5000, "dev.toml: not TOML: "),
        (b"a = " + b"[" * 5000, "dev.toml: not TOML: "),
        (b"name = 1979-05-27", "dev.toml: name = "),
        (b"\xff\xfe", "dev.toml: cannot be read: "),
    ],
    ids=["syntax", "huge number", "deep lists", "a date", "no text"],
)
def test_a_file_that_is_no_toml_is_told(tmp_path: Path, content: bytes, told: str):
    (tmp_path / "dev.toml").write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        load_environments(tmp_path)
    assert told in str(refused.value)


def test_an_unknown_environment_is_told_with_those_there_are(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"nope\.toml: there is no such environment; there are: none"):
        load_environments(tmp_path, only="nope")
    with pytest.raises(SettingsError, match=r"there are: dev, prod, staging"):
        load_environments(REFERENCE, only="production")


def test_an_empty_folder_is_told(tmp_path: Path):
    with pytest.raises(SettingsError, match="there is no environment; write one"):
        load_environments(tmp_path)


@pytest.mark.parametrize("name", ["Prod", "a-very-long-name", "x", "two--hyphens", "ends-"])
def test_an_environments_name_fits_awss_names(tmp_path: Path, name: str):
    (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings("dev", {})))
    with pytest.raises(SettingsError, match="allowed: 2 to 12 small letters, digits and single hyphens"):
        load_environments(tmp_path)


def test_outside_production_less_is_allowed(tmp_path: Path):
    small: dict[str, Any] = {
        "database": {"minimum_capacity": 0, "maximum_capacity": 1, "readers": 0, "maximum_readers": 0},
        "cache": {"replicas_per_shard": 0, "shards": 1},
        "service": {"minimum_tasks": 1, "image": ":1"},
    }
    assert isinstance(load_settings("dev", tmp_path, small), Environment)


SWITCHES = ("encrypt", "tls", "ssl", "waf", "kms", "public", "iam", "secret", "password", "security_group")


def test_nothing_that_protects_has_a_switch():
    keys = re.findall(r"^\| `([^`]+)`", settings_reference(), flags=re.MULTILINE)
    assert "foundation.alarm_subscriptions[].endpoint" in keys
    assert not [key for key in keys for switch in SWITCHES if switch in key]
