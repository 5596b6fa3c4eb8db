"""The contract in `docs/application.md` matches the task definition."""

import re

from stacks import ROOT
from stacks.settings.service import ServiceSettings
from stacks.storage.stack import ACCESS_POINTS
from synthesized.platform import Platform
from tests.synthesized import container, only

PAGE = (ROOT / "docs" / "application.md").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, str]:
    """First two columns of the table under a heading, without the table's header."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip(" `") for cell in row.strip("| ").split(" | ")] for row in re.findall(r"^\|.*", section, re.M)]
    return {row[0]: row[1] for row in rows[2:]}


def number(cell: str) -> int:
    return int(cell.split("`")[0])


def test_the_page_lists_exactly_the_environment_variables(platforms: dict[str, Platform]):
    for platform in platforms.values():
        variables = [*container(platform)["environment"], *container(platform)["secrets"]]
        assert {entry["name"] for entry in variables} == table("Environment").keys()


def test_the_page_has_the_containers_port_and_health_path(prod: Platform):
    promised, definition = table("Requests"), container(prod)
    environment = {entry["name"]: entry["value"] for entry in definition["environment"]}
    (mapping,) = definition["portMappings"]
    assert promised["port of the container"] == str(mapping["containerPort"]) == environment["PORT"]
    health = only(prod, "aws_lb_target_group")["health_check"]
    assert promised["health path"] == health["path"] == environment["HEALTH_PATH"]


def test_the_page_has_the_timeouts_of_load_balancer_and_container(prod: Platform):
    promised = table("Requests")
    balancer, targets = only(prod, "aws_lb"), only(prod, "aws_lb_target_group")
    idle = number(promised["an idle connection is closed by the load balancer after"])
    assert idle == balancer["idle_timeout"]
    longest = number(promised["the longest request"])
    assert longest == int(targets["deregistration_delay"])
    stop = number(promised["SIGTERM to SIGKILL"])
    # Requests in progress are finished before the task is killed.
    assert longest < container(prod)["stopTimeout"] == stop <= 120
    assert f"within {targets['health_check']['timeout']} seconds while the task can take requests" in PAGE
    (kept,) = re.findall(r"open for longer than the load balancer does, (\d+) seconds", PAGE)
    assert int(kept) > idle


def test_the_page_has_the_containers_mounts(prod: Platform):
    mounted = {mount["containerPath"] for mount in container(prod)["mountPoints"]}
    assert mounted == table("Files").keys()
    environment = {entry["name"]: entry["value"] for entry in container(prod)["environment"]}
    assert {environment[f"{use.name.upper()}_PATH"] for use in ACCESS_POINTS} < mounted
    assert f"users of their own ({' and '.join(str(use.uid) for use in ACCESS_POINTS)})" in PAGE


def test_the_page_has_the_containers_health_check(prod: Platform):
    check = container(prod)["healthCheck"]
    assert check["command"] == ["CMD", "healthcheck"]
    promised = (
        f"within {check['timeout']} seconds. ECS runs it every {check['interval']} seconds, and replaces the task when "
        f"it has failed three times in a row. The first {check['startPeriod']} seconds do not count."
    )
    assert check["retries"] == 3
    assert " ".join(promised.split()) in " ".join(PAGE.split())


def test_the_page_has_the_containers_user(prod: Platform):
    assert f"user and group `{container(prod)['user']}`" in PAGE


def test_every_setting_on_the_page_exists():
    assert set(re.findall(r"`service\.(\w+)`", PAGE)) <= ServiceSettings.model_fields.keys()
