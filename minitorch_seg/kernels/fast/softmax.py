"""Softmax and its logarithm over few float32 numbers a row, for instance the classes of a pixel.

A row of three classes is too short for vector instructions.  So a block of rows is turned into columns first,
a long stretch of memory for each class; then every loop runs along the stretches, and the exponentials are
those of `exponential.py`.  Longer rows and float64 are left to the plain loops.
"""

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.cpu import softmax as plain
from minitorch_seg.kernels.cpu.softmax import from_rows, rows
from minitorch_seg.kernels.fast.exponential import exp_all, log_all
from minitorch_seg.kernels.jit import kernel, part
from minitorch_seg.kernels.parallel import parallel_for

BLOCK = 4096  # numbers: 16 KiB
LONGEST = 256  # numbers in a row
softmax_gradient = plain.softmax_gradient


def softmax(x: np.ndarray, dim: int) -> np.ndarray:
    """exp(x) / Σ exp(x) along `dim`; any shape."""
    return _by_blocks(_softmax, dim, x) if fits(x, dim) else plain.softmax(x, dim)


def log_softmax(x: np.ndarray, dim: int) -> np.ndarray:
    """x − log Σ exp(x) along `dim`; any shape."""
    return _by_blocks(_log_softmax, dim, x) if fits(x, dim) else plain.log_softmax(x, dim)


def log_softmax_gradient(grad: np.ndarray, y: np.ndarray, dim: int) -> np.ndarray:
    """dx = g − softmax(x)·Σ g, where y = log_softmax(x)."""
    if not fits(y, dim) or grad.dtype != y.dtype:
        return plain.log_softmax_gradient(grad, y, dim)
    return _by_blocks(_log_softmax_gradient, dim, grad, y)


def fits(x: np.ndarray, dim: int) -> bool:
    """Are there numbers, float32, in rows that are short enough?"""
    return x.dtype == np.float32 and x.dtype.isnative and x.size > 0 and x.shape[dim] <= LONGEST


def _by_blocks(block_kernel, dim: int, *arrays: np.ndarray) -> np.ndarray:
    shape, dim = arrays[0].shape, dim % arrays[0].ndim
    matrices = [rows(a, dim) for a in arrays]
    result = buffers.empty(matrices[0].shape, np.float32)
    block = BLOCK // result.shape[1]
    parallel_for(block_kernel, -(-len(result) // block), *matrices, result, block)
    return from_rows(result, shape, dim)


@part
def below_largest(x, columns, top):
    """columns = x turned, less the maximum of each row, which is NaN where the row holds one."""
    for c in range(x.shape[1]):
        for r in range(len(x)):
            columns[c, r] = x[r, c]
    for r in range(len(x)):
        top[r] = columns[0, r]
    for c in range(1, x.shape[1]):
        for r in range(len(x)):
            value = columns[c, r]
            top[r] = value if (value > top[r]) | (value != value) else top[r]
    for c in range(x.shape[1]):
        for r in range(len(x)):
            columns[c, r] -= top[r]


@kernel
def _softmax(first, last, x, y, block):
    classes = x.shape[1]
    columns, total, bits = (
        np.empty((classes, block), x.dtype),
        np.empty(block, x.dtype),
        np.empty(block, np.int32),
    )
    for k in range(first, last):
        given, made = x[k * block : (k + 1) * block], y[k * block : (k + 1) * block]
        n = len(given)
        below_largest(given, columns, total)
        total[:n] = 0
        for c in range(classes):
            exp_all(columns[c, :n], bits)
            for r in range(n):
                total[r] += columns[c, r]
        for c in range(classes):
            for r in range(n):
                made[r, c] = columns[c, r] / total[r]


@kernel
def _log_softmax(first, last, x, y, block):
    classes = x.shape[1]
    columns, total, bits = (
        np.empty((classes, block), x.dtype),
        np.empty(block, x.dtype),
        np.empty(block, np.int32),
    )
    power = np.empty(block, x.dtype)
    for k in range(first, last):
        given, made = x[k * block : (k + 1) * block], y[k * block : (k + 1) * block]
        n = len(given)
        below_largest(given, columns, total)
        total[:n] = 0
        for c in range(classes):
            for r in range(n):
                power[r] = columns[c, r]
            exp_all(power[:n], bits)
            for r in range(n):
                total[r] += power[r]
        log_all(total[:n])
        for c in range(classes):
            for r in range(n):
                made[r, c] = columns[c, r] - total[r]


@kernel
def _log_softmax_gradient(first, last, grad, y, dx, block):
    classes = y.shape[1]
    columns, total, bits = (
        np.empty((classes, block), y.dtype),
        np.empty(block, y.dtype),
        np.empty(block, np.int32),
    )
    for k in range(first, last):
        given, seen = grad[k * block : (k + 1) * block], y[k * block : (k + 1) * block]
        made = dx[k * block : (k + 1) * block]
        n = len(given)
        total[:n] = 0
        for c in range(classes):
            for r in range(n):
                columns[c, r] = seen[r, c]
                total[r] += given[r, c]
            exp_all(columns[c, :n], bits)
        for c in range(classes):
            for r in range(n):
                made[r, c] = given[r, c] - columns[c, r] * total[r]
