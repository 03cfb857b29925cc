"""Average pooling: the sum over each window, divided by a number for each place; and its adjoint.

y[n, c, Y, X] = Σ_{i,j} x[n, c, s·Y + i − p, s·X + j − p] / m[Y, X],      zero outside the image
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map
from minitorch_seg.kernels.sizes import Pair


def avg_pool2d(
    x: np.ndarray, divisor: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    """x (N, C, H, W), divisor m (Ho, Wo) -> y (N, C, Ho, Wo)."""
    n, c, h, w = x.shape
    y = empty_map((n, c, *divisor.shape), x.dtype)
    y[...] = 0
    for i, j in np.ndindex(*kernel_size):
        out, source = _inside((h, w), divisor.shape, (i, j), stride, padding)
        y[out] += x[source]
    y /= divisor
    return y


def avg_pool2d_gradient(
    grad: np.ndarray, input_size: Pair, divisor: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    """dx[i] = Σ grad[Y] / m[Y] over the windows that hold i."""
    n, c = grad.shape[:2]
    dx = empty_map((n, c, *input_size), grad.dtype)
    dx[...] = 0
    shares = grad / divisor
    for i, j in np.ndindex(*kernel_size):
        out, source = _inside(input_size, divisor.shape, (i, j), stride, padding)
        dx[source] += shares[out]
    return dx


def _inside(
    size: Pair, outputs: tuple[int, ...], offset: Pair, stride: Pair, padding: Pair
) -> tuple[tuple, tuple]:
    """The outputs whose window has its element (i, j) inside the image, and where that element lies."""
    out: list[slice] = [slice(None), slice(None)]
    source: list[slice] = [slice(None), slice(None)]
    for n, m, k, s, p in zip(size, outputs, offset, stride, padding, strict=True):
        first = max(-((k - p) // s), 0)  # smallest Y with s·Y + k − p ≥ 0
        last = min((n - 1 + p - k) // s, m - 1)  # largest Y with s·Y + k − p ≤ n − 1
        count = max(last - first + 1, 0)
        start = s * first + k - p
        out.append(slice(first, first + count))
        source.append(slice(start, start + s * count, s) if count else slice(0, 0))
    return tuple(out), tuple(source)
