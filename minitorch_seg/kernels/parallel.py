"""Spreads chunks of work over a few threads.

A kernel is a serial function `kernel(first, last, ...)` that does the chunks first … last − 1 and lets go of
Python's lock.  How the work is cut into chunks depends on shapes alone, and sums over chunks are added in
chunk order afterwards: so one thread and seven threads give the same bits.  (Numba's own `prange` spins, dies
after a fork and takes twice as long to compile.)
"""

import itertools
import os
import queue
import threading
from collections.abc import Callable

MOST_THREADS = 64
RANGES_PER_THREAD = 4  # more ranges than threads: a thread that is held up leaves its share to the others


def set_num_threads(count: int) -> None:
    """How many threads the kernels use from now on, the calling thread included; from 1 to 64.

    Matrix products too: NumPy's own threads are not used by this package (`openblas.py`).

    >>> import minitorch_seg as ms
    >>> before = ms.get_num_threads()
    >>> ms.set_num_threads(2); ms.get_num_threads()
    2
    >>> ms.set_num_threads(before)
    """
    global _count
    if not 1 <= count <= MOST_THREADS:
        raise ValueError(f"the number of threads must lie between 1 and {MOST_THREADS}, found {count}.")
    _count = int(count)


def get_num_threads() -> int:
    """NUMBA_NUM_THREADS, else OMP_NUM_THREADS, else the processors this process may use; or what was set.

    >>> import minitorch_seg as ms
    >>> ms.get_num_threads() >= 1
    True
    """
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
    job = _Job(kernel, chunks, min(chunks, threads * RANGES_PER_THREAD), args)
    _ask(threads - 1, job)
    job.work()
    job.finished.acquire()  # no thread may still write when the caller goes on
    if job.error is not None:
        raise job.error


class _Job:
    """0 … chunks − 1 in `count` ranges of nearly equal length, each taken by one thread.

    `next` on an `itertools.count` cannot be interrupted by another thread: it hands out the ranges, and it
    tells who has done the last one.
    """

    def __init__(self, kernel: Callable[..., None], chunks: int, count: int, args: tuple) -> None:
        self.kernel, self.chunks, self.count, self.args = kernel, chunks, count, args
        self.taken, self.done = itertools.count(), itertools.count(1)
        self.error: BaseException | None = None
        self.finished = threading.Lock()
        self.finished.acquire()

    def work(self) -> None:
        while (i := next(self.taken)) < self.count:
            try:
                if self.error is None:  # after an error nobody begins another range
                    first, last = i * self.chunks // self.count, (i + 1) * self.chunks // self.count
                    self.kernel(first, last, *self.args)
            except BaseException as error:
                self.error = error
            finally:
                if next(self.done) == self.count:
                    self.finished.release()


def _default_count() -> int:
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return min(int(value), MOST_THREADS)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


_count = _default_count()
_jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
_threads = 0
_threads_lock = threading.Lock()


def _ask(helpers: int, job: _Job) -> None:
    """Puts `job` before that many threads of the pool, and starts those that do not exist yet.

    Who comes late finds no range left and goes back to waiting.  A queue written in C wakes a thread in half
    the time that an executor with its futures needs; a U-Net's step does so two hundred times.
    """
    global _threads
    if _threads < helpers:
        with _threads_lock:
            while _threads < helpers:
                threading.Thread(target=_help, args=(_jobs,), daemon=True, name="minitorch_seg").start()
                _threads += 1
    for _ in range(helpers):
        _jobs.put(job)


def _help(jobs: queue.SimpleQueue) -> None:
    while True:
        jobs.get().work()


def _forget_threads() -> None:
    """A forked child has none of its parent's threads, and perhaps a lock that nobody will open."""
    global _jobs, _threads, _threads_lock
    _jobs, _threads, _threads_lock = queue.SimpleQueue(), 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
