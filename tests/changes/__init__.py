"""Changes behind Terraform's back that the next plan must show, one table per service."""

from collections.abc import Callable
from typing import Any

from local_aws.server import LocalAws

Change = Callable[[LocalAws, dict[str, Any]], None]
"""Changes an argument of a resource in the local AWS; takes the resource's attributes in the state."""

IDENTIFIES = "identifier: another value is another resource"
"""Reason why an argument has no change."""
