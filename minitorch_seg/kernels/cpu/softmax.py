"""Softmax, its logarithm and their gradients, row by row; `reference/softmax.py` has the formulas.

The dimension in question is brought to the end, where the channels of a map lie already; the rest is one long
list of rows.
"""

import math
from collections.abc import Iterator

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import as_map, contiguous, pixels
from minitorch_seg.kernels.parallel import parallel_for

CHUNK = 16384  # numbers in a chunk, about


def softmax(x: np.ndarray, dim: int) -> np.ndarray:
    """exp(x) / Σ exp(x) along `dim`; any shape."""
    return _by_rows(_softmax, dim, x)


def softmax_gradient(grad: np.ndarray, y: np.ndarray, dim: int) -> np.ndarray:
    """dx = y·(g − Σ g·y), where y = softmax(x)."""
    return _by_rows(_softmax_gradient, dim, grad, y)


def log_softmax(x: np.ndarray, dim: int) -> np.ndarray:
    """x − log Σ exp(x) along `dim`; any shape."""
    return _by_rows(_log_softmax, dim, x)


def log_softmax_gradient(grad: np.ndarray, y: np.ndarray, dim: int) -> np.ndarray:
    """dx = g − softmax(x)·Σ g, where y = log_softmax(x)."""
    return _by_rows(_log_softmax_gradient, dim, grad, y)


def rows(x: np.ndarray, dim: int) -> np.ndarray:
    """The slices of x along `dim` as the rows of a matrix; a view where `dim` lies innermost in memory."""
    moved = pixels(x) if x.ndim == 4 and dim in (1, -3) else contiguous(np.moveaxis(x, dim, -1))
    return moved.reshape(math.prod(moved.shape[:-1]), moved.shape[-1])


def from_rows(matrix: np.ndarray, shape: tuple[int, ...], dim: int) -> np.ndarray:
    """Undoes `rows`, for an array of `shape`; channels-last where it is a map."""
    moved = (*shape[:dim], *shape[dim:][1:], shape[dim])
    restored = np.moveaxis(matrix.reshape(moved), -1, dim)
    return as_map(restored) if len(shape) == 4 else np.ascontiguousarray(restored)


def rows_per_chunk(length: int) -> int:
    """How many rows of this length make a chunk."""
    return max(CHUNK // max(length, 1), 1)


def _by_rows(row_kernel, dim: int, *arrays: np.ndarray) -> np.ndarray:
    shape, dim = arrays[0].shape, dim % arrays[0].ndim
    matrices = [rows(a, dim) for a in arrays]
    result = np.empty(matrices[0].shape, arrays[0].dtype)
    step = rows_per_chunk(result.shape[1])
    if result.size:
        parallel_for(row_kernel, -(-len(result) // step), *matrices, result, step)
    return from_rows(result, shape, dim)


def parts(first: int, last: int, step: int) -> Iterator[slice]:
    """The rows of the chunks first … last − 1, chunk by chunk (never joined: chunks, and so all bits, depend
    on shapes alone).
    """
    for k in range(first, last):
        yield slice(k * step, (k + 1) * step)


def _softmax(first, last, x, y, step):
    for part in parts(first, last, step):
        _below_largest(x[part], y[part])
        np.exp(y[part], out=y[part])
        _divide_by_sum(y[part])


def _log_softmax(first, last, x, y, step):
    for part in parts(first, last, step):
        log_softmax_rows(x[part], y[part])


def log_softmax_rows(x, y):
    """y = x − log Σ exp(x) for each row.  Where the maximum is infinite the row becomes NaN, as in PyTorch.
    """
    _below_largest(x, y)
    totals = np.zeros(len(y), y.dtype)
    _add_rows(np.exp(y), totals)
    _subtract(y, np.log(totals))


def _log_softmax_gradient(first, last, grad, y, dx, step):
    for part in parts(first, last, step):
        np.exp(y[part], out=dx[part])
        _spread(grad[part], dx[part])


@kernel
def _softmax_gradient(first, last, grad, y, dx, step):
    for r in range(first * step, min(last * step, len(y))):
        total = y.dtype.type(0)
        for c in range(y.shape[1]):
            total += grad[r, c] * y[r, c]
        for c in range(y.shape[1]):
            dx[r, c] = y[r, c] * (grad[r, c] - total)


@kernel
def _below_largest(x, y):
    """y = x − the maximum of its row, which is NaN where the row holds one."""
    for r in range(len(x)):
        top = x[r, 0]
        for c in range(1, x.shape[1]):
            value = x[r, c]
            top = value if value > top or value != value else top
        for c in range(x.shape[1]):
            y[r, c] = x[r, c] - top


@kernel
def _divide_by_sum(y):
    for r in range(len(y)):
        total = y.dtype.type(0)
        for c in range(y.shape[1]):
            total += y[r, c]
        for c in range(y.shape[1]):
            y[r, c] /= total


@kernel
def _add_rows(x, totals):
    for r in range(len(x)):
        for c in range(x.shape[1]):
            totals[r] += x[r, c]


@kernel
def _subtract(y, amounts):
    for r in range(len(y)):
        for c in range(y.shape[1]):
            y[r, c] -= amounts[r]


@kernel
def _spread(grad, probability):
    """probability becomes g − probability·Σ g."""
    for r in range(len(grad)):
        total = grad.dtype.type(0)
        for c in range(grad.shape[1]):
            total += grad[r, c]
        for c in range(grad.shape[1]):
            probability[r, c] = grad[r, c] - probability[r, c] * total
