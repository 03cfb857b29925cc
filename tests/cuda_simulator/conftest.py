"""Tests of the CUDA kernels in Numba's simulator: a process of its own,

    NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda_simulator

since Numba decides at its import whether there is a simulator.  Elsewhere these tests are skipped.

Four things of the simulator are mended for them.  Its shared arrays are made without a lock, so that two
threads of a block can each get an array of their own; and they live on from block to block: here they are
made under a lock, and full of NaN when a block begins.  While a device function runs, `cuda` means the
simulated block in its module; one thread that leaves it took that away from the others: here it stays until
the kernel ends.  Device memory is full of NaN when it is handed out, so that a number which no kernel wrote
is seen.  And threads change places often, which makes a barrier several times faster.
"""

import contextlib
import os
import sys
import threading

import numpy as np
import pytest

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


def pytest_collection_modifyitems(items):
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


def mended_simulator(patch):
    """Shared memory that is made once for a block, and poisoned at its beginning; quick barriers."""
    import numba.cuda
    from numba.cuda.simulator import kernel, kernelapi

    lock = threading.Lock()

    def shared(self, shape, dtype, alignment=None):
        caller = sys._getframe(1)
        place = caller.f_code.co_filename, caller.f_lineno  # one shared array a source line
        with lock:
            if place not in self._allocations:
                if isinstance(dtype, kernelapi.types.Type):
                    dtype = kernelapi.numpy_support.as_dtype(dtype)
                self._allocations[place] = np.empty(shape, dtype)
                poison(self._allocations[place])
            return self._allocations[place]

    run_block, run_thread = kernel.BlockManager.run, kernel.BlockThread.run

    def block(self, *arguments):
        for array in kernel._get_kernel_context()._shared._allocations.values():
            poison(array)
        return run_block(self, *arguments)

    def thread(self):
        with np.errstate(all="ignore"):  # 1/0 is infinity on a GPU, and no warning
            run_thread(self)

    exchanged, depth = {}, 0

    @contextlib.contextmanager
    def swapped(function, fake):
        nonlocal depth
        names = function.__globals__
        with lock:
            depth += 1
            if id(names) not in exchanged:
                own = {name: value for name, value in names.items() if value is numba.cuda}
                exchanged[id(names)] = names, own
                names.update(dict.fromkeys(own, fake))
        try:
            yield
        finally:
            with lock:
                depth -= 1
                if not depth:
                    for others, own in exchanged.values():
                        others.update(own)
                    exchanged.clear()

    patch.setattr(kernel, "swapped_cuda_module", swapped)
    patch.setattr(kernelapi.FakeCUDAShared, "array", shared)
    patch.setattr(kernel.BlockManager, "run", block)
    patch.setattr(kernel.BlockThread, "run", thread)


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
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    with pytest.MonkeyPatch.context() as patch:
        mended_simulator(patch)
        poisoned_memory(patch)
        yield
    sys.setswitchinterval(before)
