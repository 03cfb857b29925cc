"""Softmax along one dimension, its logarithm, and their gradients on the GPU; `reference/softmax.py` has the
formulas.

A thread takes a whole line: the maximum, the sum of the exponentials, the results.  In a map the classes of a
pixel are neighbours in memory, so a warp reads 32 whole pixels, and what one pass has read the next finds in
the cache.  With many more classes than lines too few threads are at work; segmentation has few classes and
many pixels.

    forward about 25 operations (exp) for 8 bytes a number, gradient 4 for 12: 3 and 0.3 a byte, limited by
    memory on an H100 (arithmetic from 20 on) and on an RTX 4060 laptop (from 50 on)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

from minitorch_seg.kernels.cuda.array import CudaArray
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, device, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, real, result, row, run

i32, u32 = types.int32, types.uint32


def softmax(x: CudaArray, dim: int) -> CudaArray:
    """exp(x) / Σ exp(x) along `dim`; any shape."""
    return _along(x, dim, 0)


def log_softmax(x: CudaArray, dim: int) -> CudaArray:
    """x − log Σ exp(x) along `dim`, without overflow; any shape."""
    return _along(x, dim, 1)


def softmax_gradient(grad: CudaArray, y: CudaArray, dim: int) -> CudaArray:
    """dx = y·(g − Σ g·y), where y = softmax(x)."""
    return _gradient(grad, y, dim, 0)


def log_softmax_gradient(grad: CudaArray, y: CudaArray, dim: int) -> CudaArray:
    """dx = g − softmax(x)·Σ g, where y = log_softmax(x)."""
    return _gradient(grad, y, dim, 1)


def _along(x: CudaArray, dim: int, logarithm: int) -> CudaArray:
    y, values = result(x.shape, real("softmax", x))
    length, inner = line_of(x.shape, dim)
    lines = x.size // max(length, 1)
    run(forward(x.dtype.name), lines, row(x), values, lines, length, inner, logarithm)
    return y


def _gradient(grad: CudaArray, y: CudaArray, dim: int, logarithm: int) -> CudaArray:
    dx, values = result(y.shape, real("softmax_gradient", y))
    length, inner = line_of(y.shape, dim)
    lines = y.size // max(length, 1)
    run(backward(y.dtype.name), lines, row(grad), row(y), values, lines, length, inner, logarithm)
    return dx


def line_of(shape: tuple[int, ...], dim: int) -> tuple[int, int]:
    """(length of a line along `dim`, how far its numbers lie from each other in memory)."""
    order = (0, 2, 3, 1) if len(shape) == 4 else tuple(range(len(shape)))
    dim %= max(len(shape), 1)
    behind = order[order.index(dim) + 1 :] if shape else ()
    return (shape[dim] if shape else 1), math.prod(shape[d] for d in behind)


@device
def first_of(i, length, inner):
    """Where line i begins, whose numbers lie `inner` apart."""
    outer = i32(u32(i) // u32(inner))
    return outer * length * inner + i - outer * inner


@cache
def exponentials(dtype: str) -> Callable:
    """(largest, Σ exp(x − largest)) of a line, for kernels."""
    number = getattr(types, dtype)
    zero, lowest = number(0), number(float("-inf"))

    @device
    def largest_and_total(x, first, length, inner):
        largest = lowest
        for k in range(length):
            value = x[u32(first + k * inner)]
            if value > largest or value != value:  # NaN wins, and stays
                largest = value
        total = zero
        for k in range(length):
            total += math.exp(x[u32(first + k * inner)] - largest)
        return largest, total

    return largest_and_total


@cache
def forward(dtype: str) -> Kernel:
    largest_and_total = exponentials(dtype)

    def kernel(x, y, lines, length, inner, logarithm):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < lines:
            first = first_of(i, length, inner)
            largest, total = largest_and_total(x, first, length, inner)
            logarithm_of_total = math.log(total)
            for k in range(length):
                shifted = x[u32(first + k * inner)] - largest
                if logarithm != 0:
                    y[u32(first + k * inner)] = shifted - logarithm_of_total
                else:
                    y[u32(first + k * inner)] = math.exp(shifted) / total

    signature = (f"{dtype}[::1]",) * 2 + ("int32",) * 4
    return Kernel(f"softmax {dtype}", kernel, signature, THREADS, 2, SIMULATED)


@cache
def backward(dtype: str) -> Kernel:
    zero = getattr(types, dtype)(0)

    def kernel(grad, y, dx, lines, length, inner, logarithm):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < lines:
            first = first_of(i, length, inner)
            total = zero
            for k in range(length):
                g = grad[u32(first + k * inner)]
                if logarithm == 0:
                    g *= y[u32(first + k * inner)]
                total += g
            for k in range(length):
                g, value = grad[u32(first + k * inner)], y[u32(first + k * inner)]
                if logarithm != 0:
                    dx[u32(first + k * inner)] = g - math.exp(value) * total
                else:
                    dx[u32(first + k * inner)] = value * (g - total)

    signature = (f"{dtype}[::1]",) * 3 + ("int32",) * 4
    return Kernel(f"softmax_gradient {dtype}", kernel, signature, THREADS, 2, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield forward(dtype)
        yield backward(dtype)
