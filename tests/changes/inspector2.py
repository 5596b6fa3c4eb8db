"""Out-of-band changes to Inspector resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _disable_ecr(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("inspector2").disable(accountIds=state["account_ids"], resourceTypes=["ECR"])


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_inspector2_enabler", "resource_types"): _disable_ecr,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_inspector2_enabler", "account_ids"): IDENTIFIES,
}
