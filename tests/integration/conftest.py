"""Tests of a deployed environment, in AWS or in a rehearsal. They only read, and do not connect to private resources.

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
DEPLOYED = pytest.StashKey[DeployedEnvironment]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check once that there is an environment to test, and fail with one line otherwise."""
    if session.config.option.collectonly or not any(item.path.is_relative_to(HERE) for item in session.items):
        return
    try:
        session.config.stash[DEPLOYED] = DeployedEnvironment.of(os.environ.get("ENV"))
    except NothingToTestError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session")
def deployed(pytestconfig: pytest.Config) -> DeployedEnvironment:
    return pytestconfig.stash[DEPLOYED]


@pytest.fixture(scope="session")
def settings(deployed: DeployedEnvironment) -> Environment:
    """The environment's settings."""
    return deployed.settings


@pytest.fixture(scope="package", autouse=True)
def no_private_connections() -> Generator[None]:
    """Refuse connections to private ports while these tests run."""
    is_active = True

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if is_active and event == "socket.connect":
            refuse_private_connections(arguments[1])

    sys.addaudithook(refuse)
    yield
    is_active = False


@pytest.fixture(scope="session")
def keys(deployed: DeployedEnvironment) -> dict[str, str]:
    """ARN of the key for each purpose, by the end of its alias; a text that is no ARN if there is no such key."""
    purposes = {purpose.name: f"a key whose alias ends with -{purpose.name}" for purpose in fields(Keys)}
    for arn in deployed.arns("kms", "key"):
        for alias in deployed.list_all("kms", "list_aliases", "Aliases", KeyId=arn):
            purposes[alias["AliasName"].rpartition("-")[2]] = arn
    return purposes


@pytest.fixture(scope="session")
def second_keys(deployed: DeployedEnvironment) -> dict[str, str]:
    """ARN of each key in the second Region, by its alias without the environment's prefix; empty without the Region."""
    prefix = f"alias/{deployed.names.resource_name('')}"
    return {
        alias["AliasName"].removeprefix(prefix): arn
        for region, regional in deployed.by_region.items()
        if region != deployed.region
        for arn in regional.arns("kms", "key")
        for alias in regional.list_all("kms", "list_aliases", "Aliases", KeyId=arn)
    }


@pytest.fixture(scope="session")
def topic(deployed: DeployedEnvironment) -> str:
    """ARN of the alarm topic."""
    return only_one("alarm topic", deployed.arns("sns", ""))


@pytest.fixture(scope="session")
def subnets(deployed: DeployedEnvironment, settings: Environment) -> dict[SubnetKind, dict[str, str]]:
    """Zone of each subnet, by kind and subnet ID; the address plan determines the kind."""
    plan = AddressPlan.for_vpc(settings.network.cidr)
    kinds: dict[SubnetKind, IPv4Network] = {"app": plan.app, "data": plan.data, "public": plan.public}
    listed = deployed.in_vpc("describe_subnets", "Subnets")
    return {
        kind: {
            subnet["SubnetId"]: subnet["AvailabilityZone"]
            for subnet in listed
            if IPv4Network(subnet["CidrBlock"]).subnet_of(cidr)
        }
        for kind, cidr in kinds.items()
    }


@pytest.fixture(scope="session")
def groups(deployed: DeployedEnvironment) -> dict[str, str]:
    """Party of each security group by group ID, derived from the group's description."""
    parties = {purpose: party for party, purpose in PURPOSES.items()}
    return {
        group["GroupId"]: parties[group["Description"]]
        for group in deployed.in_vpc("describe_security_groups", "SecurityGroups")
        if group["Description"] in parties
    }


@pytest.fixture(scope="session")
def cluster(deployed: DeployedEnvironment) -> Response:
    """The Aurora cluster."""
    return only_one("Aurora cluster", deployed.list_own("rds", "describe_db_clusters", "DBClusters", "DBClusterArn"))


@pytest.fixture(scope="session")
def balancer(deployed: DeployedEnvironment) -> Response:
    """The load balancer."""
    balancers = deployed.list_own("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn")
    return only_one("load balancer", balancers)
