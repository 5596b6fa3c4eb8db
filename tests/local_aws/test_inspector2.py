"""Inspector: account status, and validation of resource types."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT


@pytest.fixture(scope="module")
def inspector(aws: LocalAws) -> Any:
    return aws.client("inspector2")


def statuses(inspector: Any, *accounts: str) -> dict[str, str]:
    (account,) = inspector.batch_get_account_status(accountIds=list(accounts))["accounts"]
    return {kind: state["status"] for kind, state in account["resourceState"].items()}


def test_the_status_of_resource_types_is_described_even_if_never_enabled(inspector: Any) -> None:
    assert set(statuses(inspector).values()) == {"DISABLED"}
    inspector.enable(resourceTypes=["ECR", "LAMBDA"])
    enabled = {kind for kind, status in statuses(inspector, ACCOUNT).items() if status == "ENABLED"}
    assert enabled == {"ecr", "lambda"}
    inspector.disable(accountIds=[ACCOUNT], resourceTypes=["ECR"])
    assert statuses(inspector)["ecr"] == "DISABLED"
    inspector.disable()
    assert set(statuses(inspector).values()) == {"DISABLED"}


def test_code_scanning_requires_standard_scanning(inspector: Any) -> None:
    with pytest.raises(ClientError, match="requires LAMBDA"):
        inspector.enable(resourceTypes=["LAMBDA_CODE"])
    inspector.enable(resourceTypes=["LAMBDA", "LAMBDA_CODE"])
    assert statuses(inspector)["lambdaCode"] == "ENABLED"
    inspector.disable()
