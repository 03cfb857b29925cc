"""Spreads chunks of work over a few threads.

A kernel is a serial function `kernel(first, last, ...)` that does the chunks first … last − 1 and lets go of
Python's lock.  How the work is cut into chunks depends on shapes alone, and sums over chunks are added in
chunk order afterwards: so one thread and seven threads give the same bits.  (Numba's own `prange` spins, dies
after a fork and takes twice as long to compile.)
"""

import contextlib
import functools
import itertools
import os
import queue
import sys
import threading
from collections.abc import Callable

import numpy as np

from minitorch_seg.locks import Lock, importing

MOST_THREADS = 64
SMALLEST_SHARE = 4  # no range is shorter than a thread's equal share divided by this, but the last


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
    job = _Job(kernel, _ranges(chunks, threads), args)
    job.finish(threads - 1)
    error, job.error = job.error, None
    try:
        if error is not None:
            raise error
    finally:
        del error  # it holds this frame: together they would keep the arrays for the garbage collector


@functools.lru_cache(maxsize=1024)
def _ranges(chunks: int, threads: int) -> tuple[tuple[int, int], ...]:
    """0 … chunks − 1 cut into ranges: half of an equal share of what is left, again and again.

    Long ranges first, because each costs a call; short ones last, so that all threads end together, also
    when one begins late or is held up (guided self-scheduling: Polychronopoulos and Kuck, 1987).

    >>> _ranges(16, 2)
    ((0, 4), (4, 7), (7, 9), (9, 11), (11, 13), (13, 15), (15, 16))
    """
    shortest = max(chunks // (threads * SMALLEST_SHARE), 1)
    ranges, first = [], 0
    while first < chunks:
        last = min(first + max((chunks - first) // (2 * threads), shortest), chunks)
        ranges.append((first, last))
        first = last
    return tuple(ranges)


class _Job:
    """A kernel's ranges, each taken by one thread, until all are done.

    Two things that no other thread and no signal can cut in half keep the account: a `for` statement over an
    `itertools.count` hands out the ranges, `append` notes those that are done.
    """

    def __init__(self, kernel: Callable[..., None], ranges: tuple[tuple[int, int], ...], args: tuple) -> None:
        self.kernel: Callable[..., None] | None = kernel
        self.ranges, self.args = ranges, args
        self.taken, self.done = itertools.count(), list[int]()
        self.error: BaseException | None = None
        self.finished: queue.SimpleQueue[None] = queue.SimpleQueue()

    def work(self) -> None:
        """Does ranges as long as there are any."""
        count, kernel, args = len(self.ranges), self.kernel, self.args
        for i in self.taken:
            if i >= count:
                return
            try:
                if self.error is None and kernel is not None:  # after an error nobody begins another range
                    kernel(*self.ranges[i], *args)
            except BaseException as error:
                self.error = error
            finally:
                self.done.append(i)
                if len(self.done) == count:
                    self.finished.put(None)
                    _counters[FINISHED] += 1

    def finish(self, helpers: int) -> None:
        """Asks for help, works, and waits until the last range is done: no thread may still write when the
        caller goes on, not even after Ctrl-C.
        """
        while True:
            try:
                if self.error is None:
                    _ask(helpers, self)
                self.work()
                self._wait()
                self.kernel, self.args = None, ()  # a thread that comes late must not keep the arrays
                return
            except BaseException as error:
                self.error = error

    def _wait(self) -> None:
        count = len(self.ranges)
        while len(self.done) < count:
            seen = _counters[FINISHED]
            if len(self.done) < count and not _changes(FINISHED, seen):
                self.finished.get()


def processors() -> int:
    """How many processors this process may use.

    >>> processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _default_count() -> int:
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return min(int(value), MOST_THREADS)
    return min(processors(), MOST_THREADS)


_count = _default_count()
_processors = processors()
_jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
_threads = 0
_threads_lock = Lock()
ASKED, FINISHED = 0, 1
_counters = np.zeros(2, np.int64)  # jobs asked for and jobs finished, for those who wait actively
_watch: Callable[[np.ndarray, int, int], bool] | None = None  # `waiting.changes`, once it can be of use


def _changes(place: int, seen: int) -> bool:
    """Whether that counter becomes another number than `seen` while one looks at it for a short time.

    Nobody looks where threads share a processor, or where only NumPy computes (the reference kernels).  The
    counters only save sleep: the queues alone decide, so a count lost between two Python
    threads does no harm.
    """
    return _watch is not None and _count <= _processors and _watch(_counters, place, seen)


def _ask(helpers: int, job: _Job) -> None:
    """Puts `job` before that many threads of the pool, and starts those that do not exist yet.

    Who comes late finds no range left and goes back to waiting.
    """
    if _threads < helpers:
        _start(helpers)
    for _ in range(helpers):
        _jobs.put(job)
    _counters[ASKED] += 1


def _start(helpers: int) -> None:
    global _threads, _watch
    if _watch is None and "numba" in sys.modules:
        with importing, contextlib.suppress(ImportError):  # a destructor called it while it is imported
            from minitorch_seg.kernels.waiting import changes

            _watch = changes
    with _threads_lock:
        while _threads < helpers:
            _threads += 1
            arguments = _jobs, _threads
            try:
                threading.Thread(target=_help, args=arguments, daemon=True, name="minitorch_seg").start()
            except RuntimeError:  # the system gives no more threads: those that there are do the work
                _threads -= 1
                return


def _help(jobs: queue.SimpleQueue, number: int) -> None:
    while True:
        seen = _counters[ASKED]
        try:
            job = jobs.get_nowait()
        except queue.Empty:
            if number < _count and _changes(ASKED, seen):  # the other helpers are not asked
                continue
            job = jobs.get()
        job.work()
        del job  # its arrays are not kept while this thread waits


def _forget_threads() -> None:
    """A forked child has none of its parent's threads."""
    global _jobs, _threads
    _jobs, _threads = queue.SimpleQueue(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
