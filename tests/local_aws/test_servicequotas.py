"""Service Quotas: default quotas and applied quota values."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.services.servicequotas import DEFAULTS

ADDRESSES = {"ServiceCode": "ec2", "QuotaCode": "L-0263D0A3"}


@pytest.fixture(scope="module")
def quotas(aws: LocalAws) -> Iterator[Any]:
    yield aws.client("service-quotas")
    aws.backend("servicequotas").applied_values.clear()


@pytest.mark.parametrize(
    ("service", "code"), [*(default[:2] for default in DEFAULTS), ("vpc", "L-F678F1CE")], ids=lambda name: name
)
def test_a_new_account_has_the_default_quotas(quotas: Any, service: str, code: str):
    identifiers = {"ServiceCode": service, "QuotaCode": code}
    quota = quotas.get_service_quota(**identifiers)["Quota"]
    assert (quota["ServiceCode"], quota["QuotaCode"]) == (service, code)
    assert quota["Value"] == quotas.get_aws_default_service_quota(**identifiers)["Quota"]["Value"] > 0


def test_an_applied_value_does_not_change_the_default(quotas: Any, aws: LocalAws):
    aws.backend("servicequotas").applied_values["ec2", "L-0263D0A3"] = 20.0
    assert quotas.get_service_quota(**ADDRESSES)["Quota"]["Value"] == 20
    assert quotas.get_aws_default_service_quota(**ADDRESSES)["Quota"]["Value"] == 5


def test_default_quotas_of_a_service_are_listed(quotas: Any):
    listed = quotas.list_aws_default_service_quotas(ServiceCode="fargate")["Quotas"]
    assert {quota["QuotaCode"] for quota in listed} == {"L-3032A538", "L-36FBB829"}
    assert quotas.list_aws_default_service_quotas(ServiceCode="vpc")["Quotas"]


@pytest.mark.parametrize(
    "identifiers", [{**ADDRESSES, "QuotaCode": "L-00000000"}, {**ADDRESSES, "ServiceCode": "moon"}]
)
@pytest.mark.parametrize("operation", ["get_service_quota", "get_aws_default_service_quota"])
def test_unknown_quotas_are_not_found(quotas: Any, identifiers: dict[str, str], operation: str):
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        getattr(quotas, operation)(**identifiers)
