"""Max-pooling: the loops over channels are written so that they become vector instructions.

The usual case is that of 2×2 windows side by side: each number is read once and written once.  Windows that
do not overlap send every pixel at most one gradient, so the gradient is written where it belongs and nothing
has to be set to zero before.

For every other window the gradient is the plain one (`cpu/max_pool2d.py`).  Forward numbers that are compared
or chosen together are equally wide: beside float32 numbers the winners are counted in int32, not in the bytes
in which they are kept.
"""

import numpy as np

from minitorch_seg.kernels.cpu import max_pool2d as plain
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import empty_map, pixels
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.sizes import Pair, tap_dtype

HALVING = ((2, 2), (2, 2), (0, 0), (1, 1))


def max_pool2d(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) -> (y, taps), both (N, C, *output_size); taps ky·kw + kx, or −1."""
    window = kernel_size, stride, padding, dilation
    y = empty_map((*x.shape[:2], *output_size), x.dtype)
    taps = empty_map(y.shape, tap_dtype(kernel_size))
    made, winners = y.transpose(0, 2, 3, 1), taps.transpose(0, 2, 3, 1)
    chunks = y.shape[0] * y.shape[2]
    if _halves(window, x.shape[2:], output_size):
        parallel_for(_forward_halving, chunks, pixels(x), made, winners)
    else:
        numbers = tuple(int(v) for pair in window for v in pair)
        parallel_for(_forward, chunks, pixels(x), made, winners, numbers)
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
    """dx (N, C, *input_size): the gradients of the windows that each pixel has won."""
    window = kernel_size, stride, padding, dilation
    if not _halves(window, input_size, grad.shape[2:]):
        return plain.max_pool2d_gradient(grad, taps, input_size, *window)
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    arguments = pixels(grad), pixels(taps), dx.transpose(0, 2, 3, 1)
    parallel_for(_backward_halving, grad.shape[0] * grad.shape[2], *arguments)
    return dx


def _halves(window: tuple, size: tuple[int, ...], output_size: tuple[int, ...]) -> bool:
    """Do 2×2 windows side by side lie within the image, and cover it but for an odd last row or column?"""
    return window == HALVING and tuple(output_size) == (size[0] // 2, size[1] // 2) and min(output_size) > 0


@kernel
def _forward_halving(first, last, x, y, taps):
    _, rows, columns, channels = y.shape
    for chunk in range(first, last):
        image, row = chunk // rows, chunk % rows
        for j in range(columns):
            here, right = x[image, 2 * row, 2 * j], x[image, 2 * row, 2 * j + 1]
            below, across = x[image, 2 * row + 1, 2 * j], x[image, 2 * row + 1, 2 * j + 1]
            best, winner = y[image, row, j], taps[image, row, j]
            for c in range(channels):
                largest, tap = here[c], 0
                wins = (right[c] > largest) | (right[c] != right[c])
                largest, tap = right[c] if wins else largest, 1 if wins else tap
                wins = (below[c] > largest) | (below[c] != below[c])
                largest, tap = below[c] if wins else largest, 2 if wins else tap
                wins = (across[c] > largest) | (across[c] != across[c])
                best[c], winner[c] = across[c] if wins else largest, 3 if wins else tap


@kernel
def _backward_halving(first, last, grad, taps, dx):
    _, rows, columns, channels = grad.shape
    _, height, width, _ = dx.shape
    for chunk in range(first, last):
        image, row = chunk // rows, chunk % rows
        for ky in range(2):
            for j in range(columns):
                given, winner = grad[image, row, j], taps[image, row, j]
                for kx in range(2):
                    sent = dx[image, 2 * row + ky, 2 * j + kx]
                    for c in range(channels):
                        sent[c] = given[c] if winner[c] == 2 * ky + kx else 0
            if width % 2:
                dx[image, 2 * row + ky, width - 1] = 0
        if height % 2 and row == rows - 1:
            dx[image, height - 1] = 0


@kernel
def _forward(first, last, x, y, taps, window):
    kh, kw, sy, sx, py, px, dy, dx = window
    _, height, width, channels = x.shape
    _, rows, columns, _ = y.shape
    winner = np.empty(channels, np.int32)
    for chunk in range(first, last):
        image, row = chunk // rows, chunk % rows
        for column in range(columns):
            best, kept = y[image, row, column], taps[image, row, column]
            for c in range(channels):
                best[c] = -np.inf
                winner[c] = -1
            for ky in range(kh):
                i = row * sy - py + ky * dy
                if not 0 <= i < height:
                    continue
                j = column * sx - px
                if kw == 3 and j >= 0 and j + 2 * dx < width:  # three taps at once
                    left, middle, right = x[image, i, j], x[image, i, j + dx], x[image, i, j + 2 * dx]
                    tap = np.int32(3 * ky)
                    for c in range(channels):
                        largest, place = left[c], np.int32(0)
                        wins = (middle[c] > largest) | (middle[c] != middle[c])
                        largest, place = middle[c] if wins else largest, np.int32(1) if wins else place
                        wins = (right[c] > largest) | (right[c] != right[c])
                        largest, place = right[c] if wins else largest, np.int32(2) if wins else place
                        wins = (largest > best[c]) | (largest != largest) | (winner[c] < 0)
                        best[c] = largest if wins else best[c]
                        winner[c] = tap + place if wins else winner[c]
                    continue
                for kx in range(kw):
                    j = column * sx - px + kx * dx
                    if not 0 <= j < width:
                        continue
                    seen, tap = x[image, i, j], np.int32(ky * kw + kx)
                    for c in range(channels):
                        value, old = seen[c], best[c]
                        wins = (value > old) | (value != value) | (winner[c] < 0)
                        best[c] = value if wins else old
                        winner[c] = tap if wins else winner[c]
            for c in range(channels):
                kept[c] = winner[c]
