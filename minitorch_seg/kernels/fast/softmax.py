"""Softmax and its logarithm over float32 numbers in rows that are not too long, for instance the classes of
a pixel.

A block of rows is small enough to stay in the cache, where all but its result is kept.  The exponentials are
taken of the block as one long row of numbers (`exponential.py`), whatever the length of its rows.  What
belongs to a row (its largest number, its sum) is found and applied row by row.  There the compiler must know
how long a short row is, so that several rows become one vector: up to FEW, the length reaches a kernel as
that of a tuple, which is part of its type.

Where all numbers of a block lie between −TAME and TAME, no exponential is too large or too small for float32,
and for the softmax itself the largest number of a row need not be found and subtracted.  Its logarithm and
the cross-entropy do so always: otherwise a loss near 0 is the difference of two numbers far from 0, and may
fall below it.

Longer rows and float64 are left to the plain loops.
"""

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.cpu import softmax as plain
from minitorch_seg.kernels.cpu.softmax import from_rows, rows
from minitorch_seg.kernels.fast.exponential import exp_all, log_all
from minitorch_seg.kernels.jit import kernel, part
from minitorch_seg.kernels.parallel import parallel_for

BLOCK = 2048  # numbers: 8 KiB
LONGEST = 256  # numbers in a row
FEW = 8  # numbers in a row, up to which kernels are compiled for just that many
TAME = np.float32(8)
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


def cut(length: int) -> tuple[int, tuple[int, ...]]:
    """How many rows of that length make a block, and a tuple of the length where that is up to FEW."""
    return BLOCK // length, (0,) * length if length <= FEW else ()


def _by_blocks(block_kernel, dim: int, *arrays: np.ndarray) -> np.ndarray:
    shape, dim = arrays[0].shape, dim % arrays[0].ndim
    lists = [rows(a, dim).reshape(-1) for a in arrays]
    result = buffers.empty((lists[0].size // shape[dim], shape[dim]), np.float32)
    block, few = cut(shape[dim])
    parallel_for(block_kernel, -(-len(result) // block), *lists, result.reshape(-1), shape[dim], few, block)
    return from_rows(result, shape, dim)


@part
def below_largest(seen, made, length):
    """made = seen less the largest of its row.

    A row with a NaN need not be looked for: each of its numbers becomes one through its sum.
    """
    for r in range(len(seen) // length):
        top = seen[r * length]
        for c in range(length):
            top = seen[r * length + c] if seen[r * length + c] > top else top
        for c in range(length):
            made[r * length + c] = seen[r * length + c] - top


@part
def tamed(seen, made, length):
    """made = seen, and where one number is not tame, less the largest of its row."""
    wild = 0
    for i in range(len(seen)):
        wild += not abs(seen[i]) < TAME
        made[i] = seen[i]
    if wild > 0:
        below_largest(seen, made, length)


@part
def sum_rows(given, total, length):
    """total = Σ given in each row."""
    for r in range(len(given) // length):
        added = given.dtype.type(0)
        for c in range(length):
            added += given[r * length + c]
        total[r] = added


@part
def divide_rows(given, total, made, length):
    """made = given/total in each row."""
    for r in range(len(given) // length):
        scale = 1 / total[r]
        for c in range(length):
            made[r * length + c] = given[r * length + c] * scale


@kernel
def _softmax(first, last, x, y, length, few, block):
    length = len(few) if len(few) > 0 else length
    total, scratch = np.empty(block, x.dtype), np.empty((2, block * length), x.dtype)
    for k in range(first, last):
        begin, end = k * block * length, (k + 1) * block * length
        seen, made = x[begin:end], y[begin:end]
        low, power = scratch[0, : len(seen)], scratch[1, : len(seen)]
        tamed(seen, low, length)
        exp_all(low, power)
        sum_rows(power, total, length)
        divide_rows(power, total, made, length)


@kernel
def _log_softmax(first, last, x, y, length, few, block):
    length = len(few) if len(few) > 0 else length
    total, scratch = np.empty(block, x.dtype), np.empty((2, block * length), x.dtype)
    for k in range(first, last):
        begin, end = k * block * length, (k + 1) * block * length
        seen, made = x[begin:end], y[begin:end]
        low, power, n = scratch[0, : len(seen)], scratch[1, : len(seen)], len(seen) // length
        below_largest(seen, low, length)
        exp_all(low, power)
        sum_rows(power, total, length)
        log_all(total[:n])
        for r in range(n):
            for c in range(length):
                made[r * length + c] = low[r * length + c] - total[r]


@kernel
def _log_softmax_gradient(first, last, grad, y, dx, length, few, block):
    length = len(few) if len(few) > 0 else length
    scratch = np.empty(block * length, y.dtype)
    for k in range(first, last):
        begin, end = k * block * length, (k + 1) * block * length
        given, seen, made = grad[begin:end], y[begin:end], dx[begin:end]
        power = scratch[: len(seen)]
        exp_all(seen, power)
        for r in range(len(seen) // length):
            total = y.dtype.type(0)
            for c in range(length):
                total += given[r * length + c]
            for c in range(length):
                made[r * length + c] = given[r * length + c] - power[r * length + c] * total
