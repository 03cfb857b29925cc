"""Average pooling and its adjoint, one row at a time; `reference/avg_pool2d.py` has the formulas."""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous, empty_map, pixels
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.sizes import Pair


def avg_pool2d(
    x: np.ndarray, divisor: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    """x (N, C, H, W), divisor m (Ho, Wo) -> y (N, C, Ho, Wo)."""
    y = empty_map((*x.shape[:2], *divisor.shape), x.dtype)
    window = (*map(int, kernel_size), *map(int, stride), *map(int, padding))
    rows = y.shape[0] * y.shape[2]
    parallel_for(_forward, rows, pixels(x), contiguous(divisor), y.transpose(0, 2, 3, 1), window)
    return y


def avg_pool2d_gradient(
    grad: np.ndarray, input_size: Pair, divisor: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    """dx (N, C, *input_size): each row of dx collects the shares of the windows that cover it."""
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    window = (*map(int, kernel_size), *map(int, stride), *map(int, padding))
    rows = dx.shape[0] * dx.shape[2]
    parallel_for(_backward, rows, pixels(grad), contiguous(divisor), dx.transpose(0, 2, 3, 1), window)
    return dx


@kernel
def _forward(first, last, x, divisor, y, window):
    kh, kw, sy, sx, py, px = window
    _, height, width, channels = x.shape
    _, rows, columns, _ = y.shape
    for chunk in range(first, last):
        image, row = chunk // rows, chunk % rows
        top, bottom = max(row * sy - py, 0), min(row * sy - py + kh, height)
        for column in range(columns):
            left, right = max(column * sx - px, 0), min(column * sx - px + kw, width)
            total = y[image, row, column]
            for c in range(channels):
                total[c] = 0
            for i in range(top, bottom):
                for j in range(left, right):
                    seen = x[image, i, j]
                    for c in range(channels):
                        total[c] += seen[c]
            for c in range(channels):
                total[c] /= divisor[row, column]


@kernel
def _backward(first, last, grad, divisor, dx, window):
    kh, kw, sy, sx, py, px = window
    _, rows, columns, channels = grad.shape
    _, height, width, _ = dx.shape
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        for j in range(width):
            for c in range(channels):
                dx[image, i, j, c] = 0
        # The windows that hold row i: row·sy <= i + py < row·sy + kh.
        for row in range(max(-((kh - 1 - i - py) // sy), 0), min((i + py) // sy + 1, rows)):
            for column in range(columns):
                given, m = grad[image, row, column], divisor[row, column]
                for j in range(max(column * sx - px, 0), min(column * sx - px + kw, width)):
                    sent = dx[image, i, j]
                    for c in range(channels):
                        sent[c] += given[c] / m
