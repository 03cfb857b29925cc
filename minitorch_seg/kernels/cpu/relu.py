"""The rectifier and its gradient, flat chunk by flat chunk; `reference/relu.py` has the formulas."""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous, empty_map_like, pixels
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.reference import relu as reference

CHUNK = 32768


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0) of an array with any number of dimensions; maps are channels-last."""
    if not _is_compiled(x):
        return reference.relu(x)
    y, flat = empty_row_of(x)
    parallel_for(_forward, -(-x.size // CHUNK), as_row(x), flat)
    return y


def relu_gradient(grad: np.ndarray, y: np.ndarray) -> np.ndarray:
    """grad where y > 0, else 0, from the result y of `relu`."""
    if not _is_compiled(grad):
        return reference.relu_gradient(grad, y)
    dx, flat = empty_row_of(grad)
    parallel_for(_backward, -(-grad.size // CHUNK), as_row(grad), as_row(y), flat)
    return dx


def _is_compiled(x: np.ndarray) -> bool:
    """Integers and float16 are left to NumPy."""
    return x.dtype.str[1:] in ("f4", "f8")


def as_row(x: np.ndarray) -> np.ndarray:
    """The numbers of an array in one row; those of a map in the order of memory."""
    return (pixels(x) if x.ndim == 4 else contiguous(x)).reshape(-1)


def empty_row_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An array for the result and the same memory as one row."""
    dtype = x.dtype.newbyteorder("=")
    if x.ndim == 4:
        y = empty_map_like(x, dtype)
        return y, y.transpose(0, 2, 3, 1).reshape(-1)
    y = np.empty(x.shape, dtype)
    return y, y.reshape(-1)


@kernel
def _forward(first, last, x, y):
    start, stop = first * CHUNK, min(last * CHUNK, len(x))
    seen, made = x[start:stop], y[start:stop]
    for i in range(len(seen)):
        made[i] = 0 if seen[i] <= 0 else seen[i]  # NaN <= 0 is false


@kernel
def _backward(first, last, grad, y, dx):
    start, stop = first * CHUNK, min(last * CHUNK, len(grad))
    given, seen, made = grad[start:stop], y[start:stop], dx[start:stop]
    for i in range(len(given)):
        made[i] = given[i] if seen[i] > 0 else 0
