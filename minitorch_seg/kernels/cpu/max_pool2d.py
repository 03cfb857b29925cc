"""Max-pooling and its gradient, one row at a time; `reference/max_pool2d.py` has the formula and the rules
for ties and NaN.
"""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import empty_map, pixels
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.sizes import Pair


def max_pool2d(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) -> (y, indices), both (N, C, *output_size); indices int64, i·W + j, or −1."""
    y = empty_map((*x.shape[:2], *output_size), x.dtype)
    indices = empty_map(y.shape, np.int64)
    rows = y.shape[0] * output_size[0]
    window = _window(kernel_size, stride, padding, dilation)
    parallel_for(_forward, rows, pixels(x), y.transpose(0, 2, 3, 1), indices.transpose(0, 2, 3, 1), window)
    return y, indices


def max_pool2d_gradient(
    grad: np.ndarray,
    indices: np.ndarray,
    input_size: Pair,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> np.ndarray:
    """dx (N, C, *input_size): each row of dx collects what the windows that cover it send there."""
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    rows = dx.shape[0] * input_size[0]
    window = _window(kernel_size, stride, padding, dilation)
    parallel_for(_backward, rows, pixels(grad), pixels(indices), dx.transpose(0, 2, 3, 1), window)
    return dx


def _window(kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> tuple[int, ...]:
    return (*map(int, kernel), *map(int, stride), *map(int, padding), *map(int, dilation))


@kernel
def _forward(first, last, x, y, indices, window):
    kh, kw, sy, sx, py, px, dy, dx = window
    _, height, width, channels = x.shape
    _, rows, columns, _ = y.shape
    for chunk in range(first, last):
        image, row = chunk // rows, chunk % rows
        for column in range(columns):
            best, place = y[image, row, column], indices[image, row, column]
            empty = True
            for ky in range(kh):
                i = row * sy - py + ky * dy
                if not 0 <= i < height:
                    continue
                for kx in range(kw):
                    j = column * sx - px + kx * dx
                    if not 0 <= j < width:
                        continue
                    seen, here = x[image, i, j], i * width + j
                    if empty:
                        for c in range(channels):
                            best[c] = seen[c]
                            place[c] = here
                        empty = False
                    else:
                        for c in range(channels):
                            value, old = seen[c], best[c]
                            wins = (value > old) | (value != value)
                            best[c] = value if wins else old
                            place[c] = here if wins else place[c]
            if empty:
                for c in range(channels):
                    best[c] = -np.inf
                    place[c] = -1


@kernel
def _backward(first, last, grad, indices, dx, window):
    kh, kw, sy, sx, py, px, dy, dilation_x = window
    _, rows, columns, channels = grad.shape
    _, height, width, _ = dx.shape
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        for j in range(width):
            for c in range(channels):
                dx[image, i, j, c] = 0
        for ky in range(kh):
            top = i + py - ky * dy
            row = top // sy
            if top % sy != 0 or not 0 <= row < rows:
                continue
            for column in range(columns):
                given, place = grad[image, row, column], indices[image, row, column]
                for kx in range(kw):
                    j = column * sx - px + kx * dilation_x
                    if not 0 <= j < width:
                        continue
                    sent, here = dx[image, i, j], i * width + j
                    for c in range(channels):
                        sent[c] += given[c] if place[c] == here else 0
