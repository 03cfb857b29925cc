"""Softmax, its logarithm and their gradients, row by row; `reference/softmax.py` has the formulas.

The dimension in question is brought to the end, where the channels of a map lie already; the rest is one long
list of rows.
"""

import math

import numpy as np

from minitorch_seg.kernels.jit import kernel, part
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


@part
def below_largest(x, y):
    """y = x − max x for one row, NaN where it holds one; returns Σ exp(y)."""
    top, total = x[0], x.dtype.type(0)
    for c in range(1, len(x)):
        top = x[c] if x[c] > top or x[c] != x[c] else top
    for c in range(len(x)):
        y[c] = x[c] - top
    for c in range(len(x)):
        total += math.exp(y[c])
    return total


@kernel
def _softmax(first, last, x, y, step):
    for r in range(first * step, min(last * step, len(x))):
        total = below_largest(x[r], y[r])
        for c in range(x.shape[1]):
            y[r, c] = math.exp(y[r, c]) / total


@kernel
def _softmax_gradient(first, last, grad, y, dx, step):
    for r in range(first * step, min(last * step, len(y))):
        total = y.dtype.type(0)
        for c in range(y.shape[1]):
            total += grad[r, c] * y[r, c]
        for c in range(y.shape[1]):
            dx[r, c] = y[r, c] * (grad[r, c] - total)


@kernel
def _log_softmax(first, last, x, y, step):
    for r in range(first * step, min(last * step, len(x))):
        total = below_largest(x[r], y[r])
        for c in range(x.shape[1]):
            y[r, c] -= math.log(total)


@kernel
def _log_softmax_gradient(first, last, grad, y, dx, step):
    for r in range(first * step, min(last * step, len(y))):
        total = y.dtype.type(0)
        for c in range(y.shape[1]):
            total += grad[r, c]
        for c in range(y.shape[1]):
            dx[r, c] = grad[r, c] - math.exp(y[r, c]) * total
