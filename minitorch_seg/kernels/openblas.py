"""NumPy's matrix products run on OpenBLAS, which has threads of its own.

They wait for their next product by spinning, for some 30 ms, and take the processors from our threads and
from other programs: on a machine with work to do, a product of 1 ms in one thread took 20 ms in two.  So our
products run inside `one_thread()`, and a large one is cut into parts for our own pool
(`fast/matmul.py`).  A user's own NumPy keeps its threads.

NumPy says nowhere how many threads its products take, so the function is looked up in the library that comes
in NumPy's wheel.  Where NumPy was built with another library (Accelerate on macOS, MKL in conda), nothing is
changed.
"""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_seg.locks import Lock

_lock = Lock()
_inside = 0  # how often `one_thread` was entered and not yet left, by all threads together
_own = threading.local()  # .depth: how often by this thread
_before = 0  # OpenBLAS's number of threads before it was entered


@contextmanager
def one_thread() -> Iterator[None]:
    """Matrix products in the body of a `with` statement take no threads of OpenBLAS."""
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def threads() -> int | None:
    """How many threads OpenBLAS would use now; None where NumPy uses another library.

    >>> with one_thread():
    ...     threads() in (1, None)
    True
    """
    functions = _functions()
    return functions[0]() if functions else None


def _count(step: int) -> None:
    """One more who is inside, or one less: the first sets one thread, the last restores what there was."""
    global _inside, _before
    with _lock:
        _own.depth = getattr(_own, "depth", 0) + step
        _inside += step
        functions = _functions()
        if functions and step == 1 and _inside == 1:
            _before = functions[0]()
            functions[1](1)
        elif functions and _inside == 0:
            functions[1](_before)


@cache
def _functions() -> tuple[Any, Any] | None:
    """(get, set) of the number of threads."""
    package = Path(np.__file__).parent
    for file in [*package.parent.glob("numpy.libs/*openblas*"), *package.glob(".dylibs/*openblas*")]:
        library = ctypes.CDLL(str(file))  # NumPy has loaded it: this is the same one
        for name in ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads"):
            if hasattr(library, name.format("set")):
                return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None


def _after_fork() -> None:
    """A forked child has none of its parent's other threads: only what its own thread entered counts."""
    global _inside
    others = _inside - getattr(_own, "depth", 0)
    _inside -= others
    functions = _functions()
    if functions and others and not _inside:
        functions[1](_before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
