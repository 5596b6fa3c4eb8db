"""A deployed environment: its resources, found by tags, and read-only calls to AWS."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from stacks.names import Names
from stacks.parts import ports
from stacks.settings import Environment, SettingsError, load_environments

Response = dict[str, Any]

ENVIRONMENTS = Path(__file__).resolve().parents[2] / "environments"
MANAGED_BY = "cdktf"
"""Value of the tag `ManagedBy` on all resources of the stacks: `stacks/tier.py`."""
BOOTSTRAP_TAG = "bootstrap"
"""Value of the same tag on resources of `python -m operations bootstrap`."""
READ_PREFIXES = ("BatchGet", "Describe", "Get", "Head", "List")
"""Beginnings of the names of read-only actions."""

PRIVATE_PORTS = {ports.DATABASE, ports.CACHE, ports.FILES, ports.SERVICE}
"""Ports that are reachable only within the VPC."""


class NothingToTestError(Exception):
    """There is no environment to test, or it cannot be reached. The message is one line."""


class WriteRefusedError(Exception):
    """A test called an action that is not read-only. These tests run against production."""


class DeployedEnvironment:
    """A deployed environment in one Region: tags of its resources, and cached responses of AWS."""

    def __init__(self, settings: Environment, region: str | None = None) -> None:
        """Select the environment's Region, or another."""
        self.settings = settings
        self.region = region or settings.region
        self._clients: dict[str, Any] = {}
        self._responses: dict[str, Any] = {}

    @classmethod
    def of(cls, environment: str | None) -> Self:
        """The deployed environment with a name.

        Raises:
            NothingToTestError: the environment does not exist or is not deployed, or the credentials are missing or
                those of another account.
        """
        if not environment:
            raise NothingToTestError("ENV is not set: set the environment to test, as in ENV=prod")
        try:
            (settings,) = load_environments(ENVIRONMENTS, only=environment)
        except SettingsError as error:
            raise NothingToTestError(str(error)) from error
        deployed = cls(settings)
        try:
            deployed.check()
        except (BotoCoreError, ClientError) as error:
            raise NothingToTestError(f"{environment}: AWS cannot be reached: {error}") from error
        return deployed

    @property
    def names(self) -> Names:
        """The environment's computed names."""
        return self.settings.names

    @cached_property
    def by_region(self) -> dict[str, "DeployedEnvironment"]:
        """The environment in each of its Regions."""
        others = [region for region in self.names.regions if region != self.region]
        return {self.region: self, **{region: DeployedEnvironment(self.settings, region) for region in others}}

    def check(self) -> None:
        """Check the credentials' account, and that resources are deployed.

        Raises:
            NothingToTestError: it is another account, or nothing is deployed.
        """
        name, account = self.settings.name, self.settings.account
        caller = self.call("sts", "get_caller_identity")
        if caller["Account"] != account:
            raise NothingToTestError(
                f"{name}: the credentials are of account {caller['Account']} ({caller['Arn']}), expected {account}"
            )
        if not self.tags:
            location = os.environ.get("AWS_ENDPOINT_URL") or f"{self.settings.region} of account {account}"
            raise NothingToTestError(
                f"{name}: nothing is deployed: {location} has no resource with the tags {self.expected_tags}"
            )

    @property
    def expected_tags(self) -> dict[str, str]:
        """Tags that identify the environment's resources."""
        return {"Environment": self.settings.name, "ManagedBy": MANAGED_BY}

    @cached_property
    def tags(self) -> dict[str, dict[str, str]]:
        """Tags by ARN, of all resources of the environment that the Resource Groups Tagging API returns."""
        return self._tagged(self.expected_tags)

    @cached_property
    def bootstrapped(self) -> dict[str, dict[str, str]]:
        """Tags by ARN, of resources created by bootstrap: bucket and key of the states."""
        return self._tagged({**self.expected_tags, "ManagedBy": BOOTSTRAP_TAG})

    def _tagged(self, tags: dict[str, str]) -> dict[str, dict[str, str]]:
        filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
        tagged = self.list_all(
            "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", TagFilters=filters
        )
        return {resource["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in resource["Tags"]} for resource in tagged}

    def arns(self, service: str, type_: str, among: Iterable[str] | None = None) -> list[str]:
        """ARNs of one service and type, as written in ARNs: `rds`, `cluster`. The type is empty if ARNs have none.

        Args:
            among: ARNs to search, by default those of all tiers.
        """
        kind = re.compile(rf"arn:[\w-]+:{service}:[\w-]*:\d*:{type_}[:/]" if type_ else rf"arn:[\w-]+:{service}:[^/]*$")
        return sorted(arn for arn in (self.tags if among is None else among) if kind.match(arn))

    def ec2(self, type_: str, id: str) -> str:
        """ARN of an EC2 resource, by its ID."""
        return self.names.arn("ec2", f"{type_}/{id}")

    def list_own(self, service: str, operation: str, key: str, arn: str, **parameters: Any) -> list[Response]:
        """Entries of a list operation that belong to the environment by their tags.

        Args:
            key: key of the list in the response.
            arn: key of the ARN in an entry.
        """
        return [entry for entry in self.list_all(service, operation, key, **parameters) if entry[arn] in self.tags]

    def in_vpc(self, operation: str, key: str, **filters: str) -> list[Response]:
        """Entries of an EC2 list operation in the environment's VPC, tagged or not."""
        wanted = {"vpc-id": self.vpc["VpcId"], **{name.replace("_", "-"): value for name, value in filters.items()}}
        return self.list_all(
            "ec2", operation, key, Filters=[{"Name": name, "Values": [value]} for name, value in wanted.items()]
        )

    def list_all(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """All entries of a list operation, from all pages."""

        def send() -> list[Any]:
            client = self._client(service)
            if not client.can_paginate(operation):
                return getattr(client, operation)(**parameters).get(key, [])
            return [
                entry for page in client.get_paginator(operation).paginate(**parameters) for entry in page.get(key, [])
            ]

        return self._cached(send, service, operation, key, parameters)

    def call(self, service: str, operation: str, **parameters: Any) -> Response:
        """The response of an operation."""
        return self._cached(
            lambda: getattr(self._client(service), operation)(**parameters), service, operation, parameters
        )

    def error_code(self, service: str, operation: str, **parameters: Any) -> str:
        """The error code of an operation; empty if it succeeds."""
        try:
            self.call(service, operation, **parameters)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    def _cached(self, send: Any, *request: Any) -> Any:
        key = json.dumps(request, sort_keys=True)
        if key not in self._responses:
            self._responses[key] = send()
        return self._responses[key]

    def _client(self, service: str) -> Any:
        """A read-only client. Environment variables configure endpoint and credentials, as for the AWS CLI."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                cast(Any, service),
                region_name=self.region,
                config=Config(retries={"mode": "standard", "total_max_attempts": 6}),
            )
            self._clients[service].meta.events.register("before-call", refuse_writes)
        return self._clients[service]

    @cached_property
    def vpc(self) -> Response:
        vpcs = self.list_all(
            "ec2",
            "describe_vpcs",
            "Vpcs",
            Filters=[{"Name": f"tag:{key}", "Values": [value]} for key, value in self.expected_tags.items()],
        )
        return only_one("VPC", vpcs)


def refuse_writes(model: Any, **_: Any) -> None:
    """Handler that botocore calls before each request.

    Raises:
        WriteRefusedError: the action is not read-only.
    """
    if not model.name.startswith(READ_PREFIXES):
        raise WriteRefusedError(f"{model.service_model.service_name}:{model.name} is not a read action")


def refuse_private_connections(address: Any) -> None:
    """Check the address of a connection.

    Raises:
        PermissionError: the port is private.
    """
    if isinstance(address, tuple) and address[1] in PRIVATE_PORTS:
        raise PermissionError(f"{address[0]} is private: these tests run outside of the VPC")


def only_one(label: str, found: Sequence[Any]) -> Any:
    """The only element. The test fails if there are none or several."""
    if len(found) != 1:
        pytest.fail(f"{label}: found {len(found)}, expected 1: {found}", pytrace=False)
    return found[0]
