"""Parts of the tests that coverage does not measure.

Python 3.11 traces every instruction while coverage measures, also in modules that it does not measure: up to half as
much processor time again. Later versions trace the measured modules only.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def unmeasured() -> Generator[None]:
    """Run without coverage: for what runs no code that is measured, or only what other tests have measured."""
    trace, trace_in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(trace_in_threads if trace is None else None)
    try:
        yield
    finally:
        threading.settrace(trace_in_threads)
        sys.settrace(trace)
