"""Tests of the CUDA kernels in Numba's simulator: a process of its own,

    NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda_simulator

since Numba decides at its import whether there is a simulator.  Elsewhere these tests are skipped.

The simulator runs the threads of a block as threads of Python, all at once.  Its shared arrays are made
without a lock, so that two threads can each get an array of their own; they live on from block to block;
while a device function runs, `cuda` means the simulated block in its module, which one thread that leaves
takes away from the others; and a barrier takes milliseconds.  Here one thread runs at a time, up to the next
barrier or its end; the threads take turns in one order, after a barrier in the other one, so that what is
read before it was written, or overwritten before it was read, is wrong every time.  A barrier that not all
threads reach is an error.  Shared memory is full of NaN when a block begins, and device memory when it is
handed out, so that a number which nobody wrote is seen.
"""

import contextlib
import os
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: "cuda_simulator/test_catalogue" in item.nodeid)  # counts what others launched
    if not SIMULATED:
        reason = "needs a process of its own: NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda_simulator"
        for item in items:
            if "cuda_simulator" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=reason))


def poison(array):
    """Numbers that nobody would take for results."""
    if array.dtype.kind == "f":
        array.fill(np.nan)
    elif array.dtype.kind in "iu":
        array.fill(np.iinfo(array.dtype).max)
    else:
        array.fill(True)


def has_barrier(function, seen=None):
    """Does a kernel, or a function that it calls, name a barrier?"""
    seen = set() if seen is None else seen
    function = getattr(function, "fn", function)
    code = getattr(function, "__code__", None)
    if code is None or code in seen:
        return False
    seen.add(code)
    if any(name.startswith("syncthreads") for name in code.co_names):
        return True
    inner = [cell.cell_contents for cell in function.__closure__ or ()]
    inner += [function.__globals__.get(name) for name in code.co_names]
    return any(has_barrier(f, seen) for f in inner if callable(f) and not isinstance(f, type))


class Turns:
    """Runs the threads of a block, one at a time."""

    def __init__(self, threads):
        self.threads, self.back = threads, threading.Semaphore(0)

    def body(self, thread):
        thread.turn.acquire()
        with np.errstate(all="ignore"):  # 1/0 is infinity on a GPU, and no warning
            thread.run()
        thread.finished = True
        self.back.release()

    def wait(self, thread):
        """At a barrier: somebody else's turn."""
        self.back.release()
        thread.turn.acquire()
        if thread.abort:
            raise RuntimeError("another thread of the block failed")

    def run(self, now):
        for thread in self.threads:
            thread.turn, thread.turns, thread.finished = threading.Semaphore(0), self, False
            threading.Thread(target=self.body, args=(thread,), daemon=True).start()
        waiting = list(self.threads)
        while waiting:
            for thread in waiting:
                now[0] = thread
                thread.turn.release()
                self.back.acquire()
            left = [thread for thread in waiting if not thread.finished]
            failed = next((thread for thread in waiting if thread.exception), None)
            if failed or 0 < len(left) < len(waiting):
                for thread in left:
                    thread.abort = True
                    thread.turn.release()
                    self.back.acquire()
                if failed:
                    raise failed.exception[0].with_traceback(failed.exception[1])
                raise AssertionError(
                    f"{len(left)} of {len(waiting)} threads wait at a barrier, the others ended"
                )
            waiting = left[::-1]


def mended_simulator(patch):
    """One thread at a time, and shared memory that is poisoned when a block begins."""
    import numba.cuda
    from numba.cuda.simulator import kernel, kernelapi

    now = [None]  # the thread that has its turn
    patch.setattr(kernelapi, "threading", SimpleNamespace(current_thread=lambda: now[0]))

    def shared(self, shape, dtype, alignment=None):
        caller = sys._getframe(1)
        place = caller.f_code.co_filename, caller.f_lineno  # one shared array a source line
        if place not in self._allocations:
            if isinstance(dtype, kernelapi.types.Type):
                dtype = kernelapi.numpy_support.as_dtype(dtype)
            self._allocations[place] = np.empty(shape, dtype)
            poison(self._allocations[place])
        return self._allocations[place]

    def block(self, place, *arguments):
        for array in kernel._get_kernel_context()._shared._allocations.values():
            poison(array)
        threads = [
            kernel.BlockThread(lambda: self._f(*arguments), self, place, point, self._debug)
            for point in np.ndindex(*self._block_dim)
        ]
        if has_barrier(self._f):
            Turns(threads).run(now)
            return
        with np.errstate(all="ignore"):
            for now[0] in threads:
                now[0].run()
                if now[0].exception:
                    raise now[0].exception[0].with_traceback(now[0].exception[1])

    exchanged, depth = {}, 0

    @contextlib.contextmanager
    def swapped(function, fake):
        nonlocal depth
        names = function.__globals__
        depth += 1
        if id(names) not in exchanged:
            own = {name: value for name, value in names.items() if value is numba.cuda}
            exchanged[id(names)] = names, own
            names.update(dict.fromkeys(own, fake))
        try:
            yield
        finally:
            depth -= 1
            if not depth:
                for others, own in exchanged.values():
                    others.update(own)
                exchanged.clear()

    patch.setattr(kernel, "swapped_cuda_module", swapped)
    patch.setattr(kernelapi.FakeCUDAShared, "array", shared)
    patch.setattr(kernel.BlockManager, "run", block)
    patch.setattr(kernel.BlockThread, "syncthreads", lambda thread: thread.turns.wait(thread))


def poisoned_memory(patch):
    """Device memory that is new, and full of NaN, each time."""
    from minitorch_seg.kernels.cuda import driver

    allocate = driver.Numba.empty

    def empty(self, count, dtype):
        memory = allocate(self, count, dtype)
        poison(memory._ary)
        return memory

    patch.setattr(driver.Numba, "empty", empty)
    patch.setattr(driver.Numba, "pooled", False, raising=False)


@pytest.fixture(autouse=True, scope="session")
def simulator():
    if not SIMULATED:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        mended_simulator(patch)
        poisoned_memory(patch)
        yield
