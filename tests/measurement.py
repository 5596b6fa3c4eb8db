"""Parts of the tests that coverage does not measure.

Python 3.11 traces every instruction while coverage measures, also in modules that it does not measure: up to half as
much processor time again. Later versions trace the measured modules only.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def unmeasured(function: Callable[P, T]) -> Callable[P, T]:
    """The function without coverage, because it runs no code that is measured, or only what other tests measure."""

    @wraps(function)
    def run(*arguments: P.args, **options: P.kwargs) -> T:
        trace = sys.gettrace()
        sys.settrace(None)
        try:
            return function(*arguments, **options)
        finally:
            # Coverage has seen the call, and must see the return.
            frame: Any = sys._getframe()  # pyright: ignore[reportPrivateUsage] - it is documented
            frame.f_trace = trace
            sys.settrace(trace)

    return run
