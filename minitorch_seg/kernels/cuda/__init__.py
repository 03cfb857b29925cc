"""Kernels for NVIDIA GPUs, and the array that lies on one.

`driver.py` is the door to numba.cuda, `memory.py` hands out device memory, `array.py` is the array;
`elementwise.py`, `reduce.py`, `index.py` and `functions.py` answer NumPy's functions for it, and each other
file computes an operator, as the file of the same name in `reference/` does.  Nothing here is imported before
the first array is moved.

    move(array, "cuda")      the device's copy of a NumPy array
    move(array, "cpu")       and back
    problem()                why there is no GPU to use, or nothing
"""

from typing import Any

import numpy as np

from minitorch_seg.errors import UserError

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
    why = problem()
    if why:
        return [f"not available: {why}"]
    from minitorch_seg.kernels.cuda import driver

    return driver.describe()


def move(array: Any, device: str) -> Any:
    """`array` on `device`: itself where it lies there already, else a copy."""
    if device == "cpu":
        return array if isinstance(array, np.ndarray) else array.to_host()
    if not isinstance(array, np.ndarray):
        return array
    why = problem()
    if why:
        raise UserError(f"device 'cuda' cannot be used: {why}")
    from minitorch_seg.kernels.cuda.array import to_device

    return to_device(array)
