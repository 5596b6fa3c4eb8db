"""What the local AWS adds to Service Quotas."""

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
    aws.backend("servicequotas").granted.clear()


@pytest.mark.parametrize(
    ("service", "code"), [*(default[:2] for default in DEFAULTS), ("vpc", "L-F678F1CE")], ids=lambda name: name
)
def test_a_new_account_has_awss_defaults(quotas: Any, service: str, code: str):
    named = {"ServiceCode": service, "QuotaCode": code}
    quota = quotas.get_service_quota(**named)["Quota"]
    assert (quota["ServiceCode"], quota["QuotaCode"]) == (service, code)
    assert quota["Value"] == quotas.get_aws_default_service_quota(**named)["Quota"]["Value"] > 0


def test_what_was_granted_is_the_accounts_and_awss_stays(quotas: Any, aws: LocalAws):
    aws.backend("servicequotas").granted["ec2", "L-0263D0A3"] = 20.0
    assert quotas.get_service_quota(**ADDRESSES)["Quota"]["Value"] == 20
    assert quotas.get_aws_default_service_quota(**ADDRESSES)["Quota"]["Value"] == 5


def test_a_services_quotas_are_listed(quotas: Any):
    told = quotas.list_aws_default_service_quotas(ServiceCode="fargate")["Quotas"]
    assert {quota["QuotaCode"] for quota in told} == {"L-3032A538", "L-36FBB829"}
    assert quotas.list_aws_default_service_quotas(ServiceCode="vpc")["Quotas"]


@pytest.mark.parametrize("named", [{**ADDRESSES, "QuotaCode": "L-00000000"}, {**ADDRESSES, "ServiceCode": "moon"}])
@pytest.mark.parametrize("operation", ["get_service_quota", "get_aws_default_service_quota"])
def test_what_nobody_knows_is_not_found(quotas: Any, named: dict[str, str], operation: str):
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        getattr(quotas, operation)(**named)
