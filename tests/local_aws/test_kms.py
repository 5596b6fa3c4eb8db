"""KMS: rotation periods."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_aws.server import LocalAws


@pytest.fixture(scope="module")
def kms(aws: LocalAws) -> Any:
    return aws.client("kms")


@pytest.fixture
def key(kms: Any) -> dict[str, str]:
    return kms.create_key()["KeyMetadata"]


def test_a_rotation_period_can_be_set(kms: Any, key: dict[str, str]) -> None:
    kms.enable_key_rotation(KeyId=key["Arn"], RotationPeriodInDays=180)
    status = kms.get_key_rotation_status(KeyId=key["KeyId"])
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)
    assert status["KeyId"] == key["KeyId"]
    upcoming = status["NextRotationDate"] - datetime.now(tz=UTC)
    assert timedelta(days=179) < upcoming <= timedelta(days=180)


def test_the_default_rotation_period_is_a_year(kms: Any, key: dict[str, str]) -> None:
    kms.enable_key_rotation(KeyId=key["KeyId"])
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["RotationPeriodInDays"] == 365


def test_a_key_without_rotation_has_no_period(kms: Any, key: dict[str, str]) -> None:
    kms.enable_key_rotation(KeyId=key["KeyId"])
    kms.disable_key_rotation(KeyId=key["KeyId"])
    status = kms.get_key_rotation_status(KeyId=key["KeyId"])
    assert status["KeyRotationEnabled"] is False
    assert "RotationPeriodInDays" not in status


def test_an_alias_has_the_id_of_its_key(kms: Any, key: dict[str, str]) -> None:
    kms.create_alias(AliasName="alias/shop", TargetKeyId=key["Arn"])
    targets = {alias["AliasName"]: alias.get("TargetKeyId") for alias in kms.list_aliases()["Aliases"]}
    assert targets["alias/shop"] == key["KeyId"]
