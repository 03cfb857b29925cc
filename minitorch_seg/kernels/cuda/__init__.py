"""Kernels for NVIDIA GPUs, and the array that lies on one.

`driver.py` is the door to numba.cuda, `memory.py` hands out device memory, `array.py` is the array;
`elementwise.py`, `reduce.py`, `index.py` and `functions.py` answer NumPy's functions for it, and each other
file computes an operator, as the file of the same name in `reference/` does.  `kernels/devices.py` imports
them when the first array is moved.

For those who know NumPy alone.  A kernel is a function that very many *threads* run, each for numbers of its
own: instead of y = np.maximum(x, 0), thread i computes y[i] = max(x[i], 0).

    block            up to 1,024 threads that can wait for each other (`syncthreads`, a barrier) and exchange
                     numbers; blocks know nothing of each other and run in any order; all are the grid
    warp             32 threads of a block that execute the same instruction at the same time: where an `if`
                     divides them, both ways are walked; where they read neighbouring numbers, it is one read
    multiprocessor   a GPU has dozens or more; each runs several blocks at once
    occupancy        how many at once: their registers and their shared memory must all fit; while one warp
                     waits for memory, another computes
    shared memory    a few dozen KiB beside the arithmetic, for numbers that a block reads many times
    FFMA, LDS        two instructions: a·b + c in float32, and a read of shared memory.  A fast product makes
                     at least four of the former for one of the latter (tests/kernels/cuda counts them)

Read relu.py first (a thread a number), then channel_sum.py (threads that share a sum), tile.py (shared
memory) and correlation.py (a convolution from such tiles).
"""

from typing import Any

import numpy as np

INSTALL = 'pip install "minitorch_seg[cuda]"'


def problem() -> str:
    """Why device "cuda" cannot be used, with the way out; or nothing."""
    try:
        from minitorch_seg.kernels.cuda import driver
    except ImportError as error:
        return f"Numba cannot be used ({error}): {INSTALL}"
    return driver.problem()


def describe() -> list[str]:
    """What `minitorch-seg doctor` says about the device."""
    from minitorch_seg.kernels.cuda import driver

    return driver.describe()


def move(array: np.ndarray) -> Any:
    """The device's copy of a NumPy array."""
    from minitorch_seg.kernels.cuda.array import to_device
    from minitorch_seg.kernels.cuda.elementwise import typed

    typed(array.dtype)  # what it cannot hold is refused here, where it can still be converted
    return to_device(array)
