"""Changes behind Terraform's back, a table a service: what the next plan must show."""

from collections.abc import Callable
from typing import Any

from local_aws.server import LocalAws

Change = Callable[[LocalAws, dict[str, Any]], None]
"""Changes one argument of a resource, of which the state's attributes are given, in the local AWS."""

IDENTIFIES = "is its identifier: another is another resource"
"""Why a plan need not show that an argument was changed."""
