"""Security Hub: configuration, standards, and tags."""

from collections.abc import Generator
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION, error_code

PCI = f"arn:aws:securityhub:{REGION}::standards/pci-dss/v/4.0.1"
HUB = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:hub/default"


@pytest.fixture(scope="module")
def securityhub(aws: LocalAws) -> Any:
    return aws.client("securityhub")


@pytest.fixture
def hub(securityhub: Any) -> Generator[None]:
    securityhub.enable_security_hub(EnableDefaultStandards=False, Tags={"a": "1"})
    yield
    securityhub.disable_security_hub()


def enabled(securityhub: Any) -> list[str]:
    return [each["StandardsArn"] for each in securityhub.get_enabled_standards()["StandardsSubscriptions"]]


def test_actions_require_an_enabled_hub(securityhub: Any) -> None:
    for action in (securityhub.get_enabled_standards, securityhub.describe_hub):
        assert error_code(action) == "InvalidAccessException"
    request = [{"StandardsArn": PCI}]
    assert (
        error_code(securityhub.batch_enable_standards, StandardsSubscriptionRequests=request)
        == "InvalidAccessException"
    )


@pytest.mark.usefixtures("hub")
def test_a_second_hub_is_refused(securityhub: Any) -> None:
    assert error_code(securityhub.enable_security_hub) == "ResourceConflictException"


@pytest.mark.usefixtures("hub")
def test_a_hub_can_be_configured(securityhub: Any) -> None:
    description = securityhub.describe_hub()
    assert (description["AutoEnableControls"], description["ControlFindingGenerator"]) == (True, "SECURITY_CONTROL")
    securityhub.update_security_hub_configuration(ControlFindingGenerator="STANDARD_CONTROL")
    securityhub.update_security_hub_configuration(AutoEnableControls=False)
    description = securityhub.describe_hub(HubArn=HUB)
    assert (description["AutoEnableControls"], description["ControlFindingGenerator"]) == (False, "STANDARD_CONTROL")
    assert error_code(securityhub.describe_hub, HubArn=HUB + "2") == "ResourceNotFoundException"


def test_a_hub_can_be_configured_when_it_is_enabled(securityhub: Any) -> None:
    securityhub.enable_security_hub(ControlFindingGenerator="STANDARD_CONTROL")
    assert securityhub.describe_hub()["ControlFindingGenerator"] == "STANDARD_CONTROL"
    assert [arn.partition("standards/")[2].partition("/")[0] for arn in enabled(securityhub)] == [
        "aws-foundational-security-best-practices"
    ]
    securityhub.disable_security_hub()


@pytest.mark.usefixtures("hub")
def test_standards_can_be_enabled_and_disabled(securityhub: Any) -> None:
    assert enabled(securityhub) == []
    request = [{"StandardsArn": PCI}]
    securityhub.batch_enable_standards(StandardsSubscriptionRequests=request)
    (subscription,) = securityhub.batch_enable_standards(StandardsSubscriptionRequests=request)[
        "StandardsSubscriptions"
    ]
    arn = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:subscription/pci-dss/v/4.0.1"
    assert (subscription["StandardsSubscriptionArn"], subscription["StandardsStatus"]) == (arn, "PENDING")
    assert enabled(securityhub) == [PCI]
    other = securityhub.get_enabled_standards(StandardsSubscriptionArns=["other"])
    assert other["StandardsSubscriptions"] == []
    disabled = securityhub.batch_disable_standards(StandardsSubscriptionArns=[arn])
    assert disabled["StandardsSubscriptions"][0]["StandardsStatus"] == "DELETING"
    assert enabled(securityhub) == []
    assert error_code(securityhub.batch_disable_standards, StandardsSubscriptionArns=[arn]) == "InvalidInputException"


@pytest.mark.usefixtures("hub")
def test_unknown_standards_are_refused(securityhub: Any) -> None:
    request = [{"StandardsArn": PCI.replace("4.0.1", "5")}]
    assert (
        error_code(securityhub.batch_enable_standards, StandardsSubscriptionRequests=request) == "InvalidInputException"
    )


@pytest.mark.usefixtures("hub")
def test_a_hub_can_be_tagged(securityhub: Any) -> None:
    securityhub.tag_resource(ResourceArn=HUB, Tags={"b": "2"})
    securityhub.untag_resource(ResourceArn=HUB, TagKeys=["a"])
    assert securityhub.list_tags_for_resource(ResourceArn=HUB)["Tags"] == {"b": "2"}
    assert error_code(securityhub.list_tags_for_resource, ResourceArn=HUB + "2") == "ResourceNotFoundException"
