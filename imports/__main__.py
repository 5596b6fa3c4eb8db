"""`python -m imports`: load the AWS bindings, and wait until jsii has written its index of them.

With the index, the kernel starts in a fraction of a second. A background worker of the kernel writes it, and is killed
if the process exits before.
"""

import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from imports import BINDINGS, load_bindings_lazily

INDEX = ".jsii.runtime-index.v*"
INDEX_TIMEOUT = 120
"""Maximum seconds to wait. Indexing takes about ten on two cores."""


def indexes(cache: Path) -> Iterator[Path]:
    """Index files of the AWS bindings in jsii's package cache."""
    return cache.glob(f"@cdktf/provider-aws/*/*/{INDEX}")


def main(timeout: float = INDEX_TIMEOUT) -> None:
    """Load the bindings and wait for their index. Without it, synthesis takes seconds longer."""
    load_bindings_lazily()
    import_module(f"{BINDINGS}.provider")
    cache = Path(os.environ["JSII_RUNTIME_PACKAGE_CACHE_ROOT"])
    deadline = time.monotonic() + timeout
    while not any(indexes(cache)):
        if time.monotonic() > deadline:
            print(f"{cache}: jsii wrote no index within {timeout:g} s; synthesis will be slower", file=sys.stderr)
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
