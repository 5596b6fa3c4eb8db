"""Changes behind Terraform's back: for each argument that the stacks set, how somebody else would change it."""

from collections.abc import Callable
from typing import Any

from operations.rehearsal.local_aws.server import LocalAws

Change = Callable[[LocalAws, dict[str, Any]], None]
