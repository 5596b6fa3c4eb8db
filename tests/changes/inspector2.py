"""Changes of what the local AWS adds to Inspector."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change


def _looks_at_less(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("inspector2").disable(accountIds=state["account_ids"], resourceTypes=["ECR"])


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_inspector2_enabler", "resource_types"): _looks_at_less,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_inspector2_enabler", "account_ids"): "identity: it is the enabler of these accounts",
}
