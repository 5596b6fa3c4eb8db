<<<<<<< HEAD
"""Changes behind Terraform's back, a table a service: what the next plan must show."""
=======
"""What can be changed behind Terraform's back: by service, a change for each argument that the stacks set."""
>>>>>>> compute

from collections.abc import Callable
from typing import Any

from operations.rehearsal.local_aws.server import LocalAws

Change = Callable[[LocalAws, dict[str, Any]], None]
<<<<<<< HEAD
"""Changes one argument of a resource, of which the state's attributes are given, in the local AWS."""
=======
"""Gets the local AWS and the resource's attributes from Terraform's state."""
>>>>>>> compute
