"""How long something takes, for the sections "Cost" of the lessons."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["milliseconds"]


def milliseconds(function: Callable[[], object]) -> float:
    """The shortest of at least five calls, and of a fifth of a second.

    What else the machine has to do only makes a call longer, so the shortest says most.  One call goes
    before, in which kernels are compiled.

    >>> milliseconds(lambda: None) < 1
    True
    """
    function()
    calls: list[float] = []
    begun = time.perf_counter()
    while len(calls) < 5 or time.perf_counter() - begun < 0.2:
        start = time.perf_counter()
        function()
        calls.append(1000 * (time.perf_counter() - start))
    return min(calls)
