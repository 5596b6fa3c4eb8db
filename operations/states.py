"""Terraform's states: which resources each knows, with their attributes."""

import json
from collections.abc import Mapping
from typing import Any

from operations.account import Account
from operations.errors import RefusedError
from synthesized.platform import Body

TerraformState = dict[str, Body]
"""Attributes by address."""


def read_state(account: Account, backend: Mapping[str, str]) -> TerraformState:
    """The state in a backend; empty where nothing is deployed yet.

    Raises:
        RefusedError: the object is no state.
        ClientError: AWS refuses to read it.
    """
    try:
        answer = account.client("s3").get_object(Bucket=backend["bucket"], Key=backend["key"])
    except account.client("s3").exceptions.NoSuchKey:
        return {}
    try:
        return attributes_in(answer["Body"].read())
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"s3://{backend['bucket']}/{backend['key']}: no state of Terraform's ({error!r})") from error


def attributes_in(state: str | bytes) -> TerraformState:
    """Attributes of the managed resources in a state's JSON.

    Raises:
        ValueError, KeyError, TypeError: it is no state.
    """
    return {address: instance["attributes"] for address, instance in _instances(state).items()}


def tainted_in(state: str | bytes) -> list[str]:
    """Addresses of the resources that Terraform replaces because their creation was not completed.

    Raises:
        ValueError, KeyError, TypeError: it is no state.
    """
    return [address for address, instance in _instances(state).items() if instance.get("status") == "tainted"]


def _instances(state: str | bytes) -> dict[str, Any]:
    return {
        # A resource under replacement is there beside its successor until it is destroyed.
        ".".join([resource["type"], resource["name"], *filter(None, [instance.get("deposed")])]): instance
        for resource in json.loads(state)["resources"]
        if resource["mode"] == "managed"
        for instance in resource["instances"]
    }
