"""Resizing of feature maps and its gradient, one row at a time; `reference/interpolate.py` has the formulas.

The index tables of the rows and of the columns are made beforehand (`kernels/sizes.py`).  They never
decrease: the outputs that read input row i are neighbours, so each row of the gradient collects its own share
from a range of rows.
"""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import empty_map, pixels
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.sizes import Pair, linear_indices, nearest_indices

Scale = tuple[float, float] | None


def interpolate_nearest(x: np.ndarray, size: Pair, scale: Scale) -> np.ndarray:
    """y[n, c, Y, X] = x[n, c, row(Y), column(X)]."""
    y = empty_map((*x.shape[:2], *size), x.dtype)
    rows, columns = _nearest(x.shape[2:], size, scale)
    parallel_for(_copy, len(y) * size[0], pixels(x), rows, columns, y.transpose(0, 2, 3, 1))
    return y


def interpolate_nearest_gradient(grad: np.ndarray, input_size: Pair, scale: Scale) -> np.ndarray:
    """dx[n, c, i, j] = Σ grad[n, c, Y, X] over the outputs that read (i, j)."""
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    rows, columns = _nearest(input_size, grad.shape[2:], scale)
    ranges = _readers(rows, rows, input_size[0])
    parallel_for(_collect, len(dx) * input_size[0], pixels(grad), ranges, columns, dx.transpose(0, 2, 3, 1))
    return dx


def interpolate_bilinear(x: np.ndarray, size: Pair, align_corners: bool, scale: Scale) -> np.ndarray:
    """y = Σ over the four neighbours of (vertical weight)·(horizontal weight)·x."""
    y = empty_map((*x.shape[:2], *size), x.dtype)
    rows, columns = _linear(x.shape[2:], size, align_corners, scale, x.dtype)
    parallel_for(_blend, len(y) * size[0], pixels(x), *rows, *columns, y.transpose(0, 2, 3, 1))
    return y


def interpolate_bilinear_gradient(
    grad: np.ndarray, input_size: Pair, align_corners: bool, scale: Scale
) -> np.ndarray:
    """dx[i, j] = Σ weight·grad[Y, X] over the outputs that have (i, j) among their four neighbours."""
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    rows, columns = _linear(input_size, grad.shape[2:], align_corners, scale, grad.dtype)
    ranges = _readers(rows[0], rows[1], input_size[0])
    chunks = len(dx) * input_size[0]
    parallel_for(_collect_blend, chunks, pixels(grad), ranges, *rows, *columns, dx.transpose(0, 2, 3, 1))
    return dx


def _nearest(inputs: Pair, outputs: Pair, scale: Scale) -> list[np.ndarray]:
    return [nearest_indices(*axis) for axis in zip(inputs, outputs, scale or (None, None), strict=True)]


def _linear(inputs: Pair, outputs: Pair, align_corners: bool, scale: Scale, dtype: np.dtype) -> list:
    return [
        linear_indices(size, made, align_corners, given, dtype)
        for size, made, given in zip(inputs, outputs, scale or (None, None), strict=True)
    ]


def _readers(low: np.ndarray, high: np.ndarray, inputs: int) -> np.ndarray:
    """For each input row the first output row that reads it, and the one after the last."""
    i = np.arange(inputs)
    return np.stack([np.searchsorted(high, i, "left"), np.searchsorted(low, i, "right")], axis=1)


@kernel
def _copy(first, last, x, rows, columns, y):
    _, high, wide, channels = y.shape
    for chunk in range(first, last):
        image, row = chunk // high, chunk % high
        i = rows[row]
        for column in range(wide):
            j = columns[column]
            for c in range(channels):
                y[image, row, column, c] = x[image, i, j, c]


@kernel
def _collect(first, last, grad, ranges, columns, dx):
    _, height, width, channels = dx.shape
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        for j in range(width):
            for c in range(channels):
                dx[image, i, j, c] = 0
        for row in range(ranges[i, 0], ranges[i, 1]):
            for column in range(len(columns)):
                j = columns[column]
                for c in range(channels):
                    dx[image, i, j, c] += grad[image, row, column, c]


@kernel
def _blend(first, last, x, top, bottom, down, left, right, across, y):
    _, high, wide, channels = y.shape
    one = x.dtype.type(1)
    for chunk in range(first, last):
        image, row = chunk // high, chunk % high
        above, below, v = top[row], bottom[row], down[row]
        for column in range(wide):
            before, after, h = left[column], right[column], across[column]
            w00, w01, w10, w11 = (one - v) * (one - h), (one - v) * h, v * (one - h), v * h
            for c in range(channels):
                y[image, row, column, c] = (
                    w00 * x[image, above, before, c]
                    + w01 * x[image, above, after, c]
                    + w10 * x[image, below, before, c]
                    + w11 * x[image, below, after, c]
                )


@kernel
def _collect_blend(first, last, grad, ranges, top, bottom, down, left, right, across, dx):
    _, height, width, channels = dx.shape
    zero, one = grad.dtype.type(0), grad.dtype.type(1)
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        for j in range(width):
            for c in range(channels):
                dx[image, i, j, c] = 0
        for row in range(ranges[i, 0], ranges[i, 1]):
            v = (one - down[row] if top[row] == i else zero) + (down[row] if bottom[row] == i else zero)
            for column in range(len(across)):
                before, after = left[column], right[column]
                near, far = v * (one - across[column]), v * across[column]
                for c in range(channels):
                    dx[image, i, before, c] += near * grad[image, row, column, c]
                for c in range(channels):
                    dx[image, i, after, c] += far * grad[image, row, column, c]
