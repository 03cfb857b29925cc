"""Spreads chunks of work over a few threads.

A kernel is a serial function `kernel(first, last, ...)` that does the chunks first … last − 1 and lets go of
Python's lock.  How the work is cut into chunks depends on shapes alone, and sums over chunks are added in
chunk order afterwards: so one thread and seven threads give the same bits.  (Numba's own `prange` spins, dies
after a fork and takes twice as long to compile.)
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MOST_THREADS = 64
RANGES_PER_THREAD = 4  # more ranges than threads: a thread that is held up leaves its share to the others


def set_num_threads(count: int) -> None:
    """How many threads the kernels use from now on, the calling thread included; from 1 to 64."""
    global _count
    if not 1 <= count <= MOST_THREADS:
        raise ValueError(f"the number of threads must lie between 1 and {MOST_THREADS}, found {count}.")
    _count = int(count)


def get_num_threads() -> int:
    """NUMBA_NUM_THREADS, else OMP_NUM_THREADS, else the processors this process may use; or what was set."""
    return _count


def parallel_for(kernel: Callable[..., None], chunks: int, *args) -> None:
    """Calls kernel(first, last, *args) for ranges that together cover 0 … chunks − 1, on the threads of one
    pool.

    The caller works too and takes back what no thread has begun, so a call from inside a kernel's thread
    cannot wait for itself.

    >>> import numpy as np
    >>> squares = np.zeros(10, int)
    >>> def kernel(first, last, out):
    ...     for i in range(first, last):
    ...         out[i] = i * i
    >>> parallel_for(kernel, 10, squares)
    >>> squares.tolist()
    [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
    """
    threads = min(_count, chunks)
    if threads <= 1:
        if chunks > 0:
            kernel(0, chunks, *args)
        return
    parts = min(chunks, threads * RANGES_PER_THREAD)
    ranges = _Ranges(chunks, parts)

    def work() -> None:
        while (part := ranges.take()) is not None:
            kernel(*part, *args)

    helpers = [_start(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        ranges.close()  # after an error nobody begins another range
        running = [helper for helper in helpers if not helper.cancel()]
        for helper in running:
            helper.exception()  # waits: no thread may still write when the caller goes on
    for helper in running:
        helper.result()


class _Ranges:
    """0 … chunks − 1 in `parts` ranges of nearly equal length, each taken once."""

    def __init__(self, chunks: int, parts: int) -> None:
        self.chunks, self.parts, self.next = chunks, parts, 0
        self.lock = threading.Lock()

    def take(self) -> tuple[int, int] | None:
        with self.lock:
            if self.next >= self.parts:
                return None
            i, self.next = self.next, self.next + 1
        return i * self.chunks // self.parts, (i + 1) * self.chunks // self.parts

    def close(self) -> None:
        with self.lock:
            self.next = self.parts


def _default_count() -> int:
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return min(int(value), MOST_THREADS)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


_count = _default_count()
_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def _start(work: Callable[[], None]):
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="minitorch_seg")
        return _pool.submit(work)


def _forget_pool() -> None:
    """A forked child has none of its parent's threads, and perhaps a lock that nobody will open."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
