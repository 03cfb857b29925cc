"""Kernels for NVIDIA GPUs, and the array that lies on one.

`driver.py` is the door to numba.cuda, `memory.py` hands out device memory, `array.py` is the array;
`elementwise.py`, `reduce.py`, `index.py` and `functions.py` answer NumPy's functions for it, and each other
file computes an operator, as the file of the same name in `reference/` does.  `kernels/devices.py` imports
them when the first array is moved.
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
