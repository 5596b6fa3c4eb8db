"""`python -m imports`: wait until jsii has indexed the AWS bindings.

The index is what lets the kernel start in a fraction of a second. A background worker of the kernel writes it, and dies
with a process that ends before it is done; so this one loads the bindings and stays.
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
"""Seconds. It takes about ten on two cores."""


def indexes(cache: Path) -> Iterator[Path]:
    """The indexes of the AWS bindings in jsii's package cache."""
    return cache.glob(f"@cdktf/provider-aws/*/*/{INDEX}")


def main(patience: float = INDEX_TIMEOUT) -> None:
    """Load the bindings and wait for their index; without it, synthesis works but takes seconds longer."""
    load_bindings_lazily()
    import_module(f"{BINDINGS}.provider")
    cache = Path(os.environ["JSII_RUNTIME_PACKAGE_CACHE_ROOT"])
    deadline = time.monotonic() + patience
    while not any(indexes(cache)):
        if time.monotonic() > deadline:
            print(f"{cache}: jsii wrote no index of its types in {patience:g} s; synthesis will be slower", file=sys.stderr)
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
