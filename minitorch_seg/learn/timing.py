"""How long something takes, for the sections "Cost" of the lessons."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["milliseconds"]


def milliseconds(function: Callable[[], object], times: int = 5) -> float:
    """The shortest of several calls; what else the machine has to do only makes a call longer.

    One call goes before, in which kernels are compiled.

    >>> milliseconds(lambda: None) < 1
    True
    """

    def once() -> float:
        start = time.perf_counter()
        function()
        return 1000 * (time.perf_counter() - start)

    once()
    return min(once() for _ in range(times))
