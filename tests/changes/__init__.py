"""What can be changed behind Terraform's back: by service, a change for each argument that the stacks set."""

from collections.abc import Callable
from typing import Any

from operations.rehearsal.local_aws.server import LocalAws

Change = Callable[[LocalAws, dict[str, Any]], None]
"""Gets the local AWS and the resource's attributes from Terraform's state."""
