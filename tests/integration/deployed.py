"""What an environment has in AWS: found by its tags, and asked for with actions that read."""

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
"""What every tier tags all that it makes with: `stacks/tier.py`."""
BOOTSTRAP_TAG = "bootstrap"
"""The same of `python -m operations bootstrap`."""
READ_PREFIXES = ("BatchGet", "Describe", "Get", "Head", "List")
"""How the names of all actions begin that are asked here. None of them changes anything."""

PRIVATE_PORTS = {ports.DATABASE, ports.CACHE, ports.FILES, ports.SERVICE}
"""Ports that nobody outside the VPC has any business with."""


class NothingToTestError(Exception):
    """There is no environment to look at, or no way to it. One line says why."""


class WriteRefusedError(Exception):
    """A test wanted to ask AWS for something that it must not: these tests run against production."""


class DeployedEnvironment:
    """An environment's resources by ARN, with their tags; and the answers of AWS, each asked for once."""

    def __init__(self, settings: Environment, region: str | None = None) -> None:
        """What is in the environment's Region, or in another."""
        self.settings = settings
        self.region = region or settings.region
        self._clients: dict[str, Any] = {}
        self._answers: dict[str, Any] = {}

    @classmethod
    def of(cls, environment: str | None) -> Self:
        """What the environment of that name has.

        Raises:
            NothingToTestError: there is no such environment, no credentials, another account, or nothing deployed.
        """
        if not environment:
            raise NothingToTestError("ENV is not set: say which environment to test, as ENV=prod")
        try:
            (settings,) = load_environments(ENVIRONMENTS, only=environment)
        except SettingsError as error:
            raise NothingToTestError(str(error)) from error
        found = cls(settings)
        try:
            found.check()
        except (BotoCoreError, ClientError) as error:
            raise NothingToTestError(f"{environment}: AWS cannot be asked: {error}") from error
        return found

    @property
    def names(self) -> Names:
        """The environment's computed names."""
        return Names.from_settings(self.settings)

    @cached_property
    def by_region(self) -> dict[str, "DeployedEnvironment"]:
        """What the environment has in each of its Regions."""
        others = [region for region in self.names.regions if region != self.region]
        return {self.region: self, **{region: DeployedEnvironment(self.settings, region) for region in others}}

    def check(self) -> None:
        """Whether the credentials are of the account, and anything is deployed there.

        Raises:
            NothingToTestError: they are not, or nothing is.
        """
        name, account = self.settings.name, self.settings.account
        caller = self.call("sts", "get_caller_identity")
        if caller["Account"] != account:
            raise NothingToTestError(
                f"{name}: the credentials are of account {caller['Account']} ({caller['Arn']}), expected {account}"
            )
        if not self.tags:
            where = os.environ.get("AWS_ENDPOINT_URL") or f"{self.settings.region} of account {account}"
            raise NothingToTestError(
                f"{name}: nothing is deployed: {where} has no resource with the tags {self.expected_tags}"
            )

    @property
    def expected_tags(self) -> dict[str, str]:
        """The tags that tell the environment's resources from all others."""
        return {"Environment": self.settings.name, "ManagedBy": MANAGED_BY}

    @cached_property
    def tags(self) -> dict[str, dict[str, str]]:
        """The tags of every resource of the environment that the Resource Groups Tagging API knows, by ARN."""
        return self._tagged(self.expected_tags)

    @cached_property
    def bootstrapped(self) -> dict[str, dict[str, str]]:
        """As `tags`, of what was made before the first tier: bucket and key of the states."""
        return self._tagged({**self.expected_tags, "ManagedBy": BOOTSTRAP_TAG})

    def _tagged(self, tags: dict[str, str]) -> dict[str, dict[str, str]]:
        filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
        tagged = self.list_all(
            "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", TagFilters=filters
        )
        return {resource["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in resource["Tags"]} for resource in tagged}

    def arns(self, service: str, type_: str, among: Iterable[str] | None = None) -> list[str]:
        """ARNs of one kind, both as ARNs write them: `rds`, `cluster`. The type is empty where ARNs have none.

        Args:
            among: all that the tiers made, by default.
        """
        kind = re.compile(rf"arn:[\w-]+:{service}:[\w-]*:\d*:{type_}[:/]" if type_ else rf"arn:[\w-]+:{service}:[^/]*$")
        return sorted(arn for arn in (self.tags if among is None else among) if kind.match(arn))

    def ec2(self, type_: str, id: str) -> str:
        """The ARN of what EC2 names by an id alone."""
        return self.names.arn("ec2", f"{type_}/{id}")

    def list_own(self, service: str, operation: str, key: str, arn: str, **parameters: Any) -> list[Response]:
        """Of all that an operation lists, what is the environment's: what bears its tags.

        Args:
            key: the list within an answer.
            arn: the ARN within an entry.
        """
        return [entry for entry in self.list_all(service, operation, key, **parameters) if entry[arn] in self.tags]

    def in_vpc(self, operation: str, key: str, **filters: str) -> list[Response]:
        """What EC2 lists of the environment's VPC, whether it bears tags or not."""
        wanted = {"vpc-id": self.vpc["VpcId"], **{name.replace("_", "-"): value for name, value in filters.items()}}
        return self.list_all(
            "ec2", operation, key, Filters=[{"Name": name, "Values": [value]} for name, value in wanted.items()]
        )

    def list_all(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """All that an operation lists, over all pages."""

        def ask() -> list[Any]:
            client = self._client(service)
            if not client.can_paginate(operation):
                return getattr(client, operation)(**parameters).get(key, [])
            return [
                entry for page in client.get_paginator(operation).paginate(**parameters) for entry in page.get(key, [])
            ]

        return self._once(ask, service, operation, key, parameters)

    def call(self, service: str, operation: str, **parameters: Any) -> Response:
        """One answer."""
        return self._once(
            lambda: getattr(self._client(service), operation)(**parameters), service, operation, parameters
        )

    def error_code(self, service: str, operation: str, **parameters: Any) -> str:
        """The code of the error that AWS answers with; empty where it answers."""
        try:
            self.call(service, operation, **parameters)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    def _once(self, ask: Any, *question: Any) -> Any:
        asked = json.dumps(question, sort_keys=True)
        if asked not in self._answers:
            self._answers[asked] = ask()
        return self._answers[asked]

    def _client(self, service: str) -> Any:
        """Where it is and who asks, the process's environment says, as for `aws`: AWS_ENDPOINT_URL, credentials."""
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
        """The VPC."""
        vpcs = self.list_all(
            "ec2",
            "describe_vpcs",
            "Vpcs",
            Filters=[{"Name": f"tag:{key}", "Values": [value]} for key, value in self.expected_tags.items()],
        )
        return only_one("VPC", vpcs)


def refuse_writes(model: Any, **_: Any) -> None:
    """botocore asks this before every call.

    Raises:
        WriteRefusedError: the call could change something.
    """
    if not model.name.startswith(READ_PREFIXES):
        raise WriteRefusedError(f"{model.service_model.service_name}:{model.name} is no reading action")


def refuse_private_connections(address: Any) -> None:
    """Python asks this before every connection.

    Raises:
        PermissionError: it would lead to what is private.
    """
    if isinstance(address, tuple) and address[1] in PRIVATE_PORTS:
        raise PermissionError(f"{address[0]} is private: these tests look at the environment from outside")


def only_one(what: str, found: Sequence[Any]) -> Any:
    """The only one of what was found; a test fails where there is none, or several."""
    if len(found) != 1:
        pytest.fail(f"{what}: found {len(found)}, expected 1: {found}", pytrace=False)
    return found[0]
