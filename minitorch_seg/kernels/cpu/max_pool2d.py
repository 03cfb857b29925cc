"""Max-pooling and its gradient, one row at a time; `reference/max_pool2d.py` has the formula and the rules
for ties and NaN.
"""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import empty_map, pixels
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.sizes import Pair, tap_dtype


def max_pool2d(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) -> (y, taps), both (N, C, *output_size); taps ky·kw + kx, or −1."""
    y = empty_map((*x.shape[:2], *output_size), x.dtype)
    taps = empty_map(y.shape, tap_dtype(kernel_size))
    rows = y.shape[0] * output_size[0]
    window = _window(kernel_size, stride, padding, dilation)
    parallel_for(_forward, rows, pixels(x), y.transpose(0, 2, 3, 1), taps.transpose(0, 2, 3, 1), window)
    return y, taps


def max_pool2d_gradient(
    grad: np.ndarray,
    taps: np.ndarray,
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
    parallel_for(_backward, rows, pixels(grad), pixels(taps), dx.transpose(0, 2, 3, 1), window)
    return dx


def _window(kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> tuple[int, ...]:
    return (*map(int, kernel), *map(int, stride), *map(int, padding), *map(int, dilation))


@kernel
def _forward(first, last, x, y, taps, window):
    kh, kw, sy, sx, py, px, dy, dx = window
    _, height, width, channels = x.shape
    _, rows, columns, _ = y.shape
    for chunk in range(first, last):
        image, row = chunk // rows, chunk % rows
        for column in range(columns):
            best, winner = y[image, row, column], taps[image, row, column]
            empty = True
            for ky in range(kh):
                i = row * sy - py + ky * dy
                if not 0 <= i < height:
                    continue
                for kx in range(kw):
                    j = column * sx - px + kx * dx
                    if not 0 <= j < width:
                        continue
                    seen, tap = x[image, i, j], ky * kw + kx
                    if empty:
                        for c in range(channels):
                            best[c] = seen[c]
                            winner[c] = tap
                        empty = False
                    else:
                        for c in range(channels):
                            value, old = seen[c], best[c]
                            wins = (value > old) | (value != value)
                            best[c] = value if wins else old
                            winner[c] = tap if wins else winner[c]
            if empty:
                for c in range(channels):
                    best[c] = -np.inf
                    winner[c] = -1


@kernel
def _backward(first, last, grad, taps, dx, window):
    kh, kw, sy, sx, py, px, dy, dilation_x = window
    _, rows, columns, channels = grad.shape
    _, height, width, _ = dx.shape
    zero = grad.dtype.type(0)
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        dx[image, i] = 0
        for ky in range(kh):
            top = i + py - ky * dy
            row = top // sy
            if top % sy != 0 or not 0 <= row < rows:
                continue
            for column in range(columns):
                given, winner = grad[image, row, column], taps[image, row, column]
                for kx in range(kw):
                    j = column * sx - px + kx * dilation_x
                    if not 0 <= j < width:
                        continue
                    sent, tap = dx[image, i, j], taps.dtype.type(ky * kw + kx)  # numbers of one width
                    for c in range(channels):
                        sent[c] += given[c] if winner[c] == tap else zero
