"""Tests of an environment as it runs, in AWS or in a rehearsal: they read, and connect to nothing that is private.

ENV=prod python -m pytest tests/integration --no-cov
"""

import os
import sys
from collections.abc import Generator
from dataclasses import fields
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from stacks.foundation.stack import Keys
from stacks.network.flows import PURPOSES
from stacks.network.subnets import AddressPlan, SubnetKind
from stacks.settings import Environment
from tests.integration.deployed import (
    DeployedEnvironment,
    NothingToTestError,
    Response,
    only_one,
    refuse_private_connections,
)

HERE = Path(__file__).parent
FOUND = pytest.StashKey[DeployedEnvironment]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look once whether there is anything to test: one line says why not, where each test would have failed."""
    if session.config.option.collectonly or not any(item.path.is_relative_to(HERE) for item in session.items):
        return
    try:
        session.config.stash[FOUND] = DeployedEnvironment.of(os.environ.get("ENV"))
    except NothingToTestError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session")
def found(pytestconfig: pytest.Config) -> DeployedEnvironment:
    """All that the environment has."""
    return pytestconfig.stash[FOUND]


@pytest.fixture(scope="session")
def settings(found: DeployedEnvironment) -> Environment:
    """What the environment's file says."""
    return found.settings


@pytest.fixture(scope="package", autouse=True)
def stay_outside() -> Generator[None]:
    """Refuse every connection to what is private, for as long as these tests run."""
    refusing = True

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if refusing and event == "socket.connect":
            refuse_private_connections(arguments[1])

    sys.addaudithook(refuse)
    yield
    refusing = False


@pytest.fixture(scope="session")
def keys(found: DeployedEnvironment) -> dict[str, str]:
    """ARN of the key of each purpose, which its alias ends with; words that no key has, where there is none."""
    purposes = {purpose.name: f"a key whose alias ends with -{purpose.name}" for purpose in fields(Keys)}
    for arn in found.arns("kms", "key"):
        for alias in found.list_all("kms", "list_aliases", "Aliases", KeyId=arn):
            purposes[alias["AliasName"].rpartition("-")[2]] = arn
    return purposes


@pytest.fixture(scope="session")
def second_keys(found: DeployedEnvironment) -> dict[str, str]:
    """ARN of each key in the second Region, by what its alias says behind the environment's name; none without one."""
    prefix = f"alias/{found.names.resource_name('')}"
    return {
        alias["AliasName"].removeprefix(prefix): arn
        for region, there in found.by_region.items()
        if region != found.region
        for arn in there.arns("kms", "key")
        for alias in there.list_all("kms", "list_aliases", "Aliases", KeyId=arn)
    }


@pytest.fixture(scope="session")
def topic(found: DeployedEnvironment) -> str:
    """ARN of the topic that alarms and events go to."""
    return only_one("alarm topic", found.arns("sns", ""))


@pytest.fixture(scope="session")
def subnets(found: DeployedEnvironment, settings: Environment) -> dict[SubnetKind, dict[str, str]]:
    """Zones by subnet, of each kind, which the address plan tells."""
    plan = AddressPlan.for_vpc(settings.network.cidr)
    kinds: dict[SubnetKind, IPv4Network] = {"app": plan.app, "data": plan.data, "public": plan.public}
    listed = found.in_vpc("describe_subnets", "Subnets")
    return {
        kind: {
            subnet["SubnetId"]: subnet["AvailabilityZone"]
            for subnet in listed
            if IPv4Network(subnet["CidrBlock"]).subnet_of(cidr)
        }
        for kind, cidr in kinds.items()
    }


@pytest.fixture(scope="session")
def groups(found: DeployedEnvironment) -> dict[str, str]:
    """The party that each security group is for, which its description tells, by the group's id."""
    parties = {purpose: party for party, purpose in PURPOSES.items()}
    return {
        group["GroupId"]: parties[group["Description"]]
        for group in found.in_vpc("describe_security_groups", "SecurityGroups")
        if group["Description"] in parties
    }


@pytest.fixture(scope="session")
def cluster(found: DeployedEnvironment) -> Response:
    """The Aurora cluster."""
    return only_one("Aurora cluster", found.list_own("rds", "describe_db_clusters", "DBClusters", "DBClusterArn"))
