"""Terraform states: their resources and attributes."""

import json
from collections.abc import Mapping
from typing import Any

from operations.account import Account
from operations.errors import RefusedError
from synthesized.platform import Body

TerraformState = dict[str, Body]
"""Attributes by resource address."""


def read_state(account: Account, backend: Mapping[str, str]) -> TerraformState:
    """Read the state from a backend; empty if nothing is deployed.

    Raises:
        RefusedError: the object is not a state.
        ClientError: AWS refused the request.
    """
    try:
        response = account.client("s3").get_object(Bucket=backend["bucket"], Key=backend["key"])
    except account.client("s3").exceptions.NoSuchKey:
        return {}
    try:
        return attributes_in(response["Body"].read())
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"s3://{backend['bucket']}/{backend['key']}: not a Terraform state ({error!r})") from error


def attributes_in(state: str | bytes) -> TerraformState:
    """Attributes of the managed resources in a state.

    Raises:
        ValueError, KeyError, TypeError: it is not a state.
    """
    return {address: instance["attributes"] for address, instance in _instances(state).items()}


def tainted_in(state: str | bytes) -> list[str]:
    """Addresses of tainted resources, which Terraform replaces because their creation did not complete.

    Raises:
        ValueError, KeyError, TypeError: it is not a state.
    """
    return [address for address, instance in _instances(state).items() if instance.get("status") == "tainted"]


def _instances(state: str | bytes) -> dict[str, Any]:
    return {
        # A deposed object stays in the state next to its replacement until it is destroyed.
        ".".join([resource["type"], resource["name"], *filter(None, [instance.get("deposed")])]): instance
        for resource in json.loads(state)["resources"]
        if resource["mode"] == "managed"
        for instance in resource["instances"]
    }
