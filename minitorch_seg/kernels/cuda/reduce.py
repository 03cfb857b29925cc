"""Reductions: sum, max, min, any, all, argmax, argmin, mean, var and the running sum, over any axes.

An array is read as (A, R, B): R is what is reduced, A and B what is kept, before and after it in memory.  A
thread takes CHUNK numbers of R that lie S apart, neighbouring threads neighbouring numbers, and leaves
(A, S, B) partial results; these are reduced again until S = 1.  So the order of a sum depends on the shape
alone, and a sum of a million float32 numbers has chains of no more than 4 · 64 additions.

    sum, max, any …: 1 operation for 4 bytes, 0.25 a byte, and 1/64 of that again for the partial results;
    running sum 2 for 12 bytes

The limit is the memory on an H100 (3.35 TB/s: 8·10¹¹ numbers/s) and on an RTX 4060 laptop (0.256 TB/s:
6·10¹⁰). argmax and argmin walk a whole line in one thread: a hundred thousand lines or more keep an H100
busy (the pixels of an image), a single long line does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from minitorch_seg.kernels.cuda.array import CudaArray, contiguous, empty
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, device, launch, spread, types
from minitorch_seg.kernels.cuda.elementwise import (
    RESIDENT,
    SIMULATED,
    THREADS,
    copy_into,
    fill,
    numba_type,
)
from minitorch_seg.kernels.cuda.formulas import COMPUTED, formulas

CHUNK = 64
#: The formula that joins two numbers.
JOINS = {"sum": "add", "max": "maximum", "min": "minimum", "any": "logical_or", "all": "logical_and"}


@device
def parted(i, parts, inner):
    """(a, s, b) of number i of an array (A, parts, inner)."""
    line = types.uint32(types.uint32(i) // types.uint32(inner))
    a = types.uint32(line // types.uint32(parts))
    s = types.uint32(line - a * types.uint32(parts))
    return a, s, types.uint32(types.uint32(i) - line * types.uint32(inner))


@cache
def joining(name: str, dtype: str) -> Kernel:
    """y[a, s, b] = x[a, s, b] ∘ x[a, s + S, b] ∘ x[a, s + 2 S, b] …"""
    join = formulas(dtype)[JOINS[name]]

    def kernel(count, parts, inner, length, x, first, outer_step, step, inner_step, y):
        i = cuda.grid(1)
        while i < count:
            a, s, b = parted(i, parts, inner)
            place = first + a * outer_step + b * inner_step
            joined = x[place + s * step]
            for r in range(s + parts, length, parts):
                joined = join(joined, x[place + r * step])
            y[i] = joined
            i += cuda.gridsize(1)

    row = f"{numba_type(dtype)}[::1]"
    signature = ("int32",) * 4 + (row,) + ("int32",) * 4 + (row,)
    return Kernel(f"{name} {dtype}", kernel, signature, THREADS, RESIDENT, SIMULATED)


@cache
def finding(name: str, dtype: str) -> Kernel:
    """y[a, b] = the r of the first largest (smallest) x[a, r, b]; NaN counts as larger (smaller) than all."""
    better = formulas(dtype)["greater" if name == "argmax" else "less"]

    def kernel(count, parts, inner, length, x, first, outer_step, step, inner_step, y):
        i = cuda.grid(1)
        while i < count:
            a, _, b = parted(i, parts, inner)  # parts is 1
            place = first + a * outer_step + b * inner_step
            best, found = x[place], 0
            for r in range(1, length):
                new = x[place + r * step]
                if better(new, best) or (new != new and best == best):
                    best, found = new, r
            y[i] = found
            i += cuda.gridsize(1)

    signature = ("int32",) * 4 + (f"{numba_type(dtype)}[::1]",) + ("int32",) * 4 + ("int64[::1]",)
    return Kernel(f"{name} {dtype}", kernel, signature, THREADS, RESIDENT, SIMULATED)


@cache
def running(dtype: str) -> Kernel:
    """y[a, r, b] = start[a, s, b] + x[a, s L, b] + … + x[a, r, b] for the s-th chunk of L, which has r."""

    def kernel(count, parts, inner, length, chunk, x, start, y):
        i = cuda.grid(1)
        while i < count:
            a, s, b = parted(i, parts, inner)
            total = start[i]
            for r in range(s * chunk, min((s + 1) * chunk, length)):
                place = (a * length + r) * inner + b
                total = total + x[place]
                y[place] = total
            i += cuda.gridsize(1)

    row = f"{numba_type(dtype)}[::1]"
    signature = ("int32",) * 5 + (row,) * 3
    return Kernel(f"cumsum {dtype}", kernel, signature, THREADS, RESIDENT, SIMULATED)


@cache
def chunk_sums(dtype: str) -> Kernel:
    """y[a, s, b] = the sum of the chunks of x[a, :, b] before the s-th."""
    zero = getattr(types, dtype)(0)

    def kernel(count, parts, inner, length, chunk, x, y):
        i = cuda.grid(1)
        while i < count:
            a, s, b = parted(i, parts, inner)
            total = zero
            if s > 0:
                for r in range((s - 1) * chunk, s * chunk):
                    total = total + x[(a * length + r) * inner + b]
            y[i] = total
            i += cuda.gridsize(1)

    row = f"{numba_type(dtype)}[::1]"
    signature = ("int32",) * 5 + (row,) * 2
    return Kernel(f"chunk sums {dtype}", kernel, signature, THREADS, RESIDENT, SIMULATED)


def variants() -> Iterator[Kernel]:
    """Every kernel that this file can launch."""
    for dtype in COMPUTED:
        if dtype == "bool":
            yield joining("any", dtype)
            yield joining("all", dtype)
        else:
            yield from (joining(name, dtype) for name in ("sum", "max", "min"))
            yield from (finding(name, dtype) for name in ("argmax", "argmin"))
            yield running(dtype)
            yield chunk_sums(dtype)


# -- arrays -------------------------------------------------------------------------------------------------
def reduced_axes(x: CudaArray, axis: Any) -> tuple[int, ...]:
    """`axis` as NumPy takes it (None, an int, several) as a tuple of axes from 0 on."""
    if axis is None:
        return tuple(range(x.ndim))
    return normalize_axis_tuple(axis, x.ndim)


def _merged(x: CudaArray, axes: list[int]) -> list[tuple[int, int]]:
    """(size, stride) of the axes, those that follow one another in memory as one; the fastest last."""
    found: list[tuple[int, int]] = []
    for d in axes:
        size, stride = x.shape[d], x.strides[d]
        if size == 1:
            continue
        if found and found[-1][1] == size * stride:
            found[-1] = (found[-1][0] * size, stride)
        else:
            found.append((size, stride))
    return found


def _rearranged(x: CudaArray, axes: tuple[int, ...]) -> tuple[CudaArray, list[int], tuple[int, ...]]:
    """`x` in (A, R, B) order: a view or copy of it, its kept axes from slow to fast, and
    (A, stride, R, stride, B, stride)."""
    by_stride = sorted(range(x.ndim), key=lambda d: (-abs(x.strides[d]), d))
    kept, gone = [d for d in by_stride if d not in axes], [d for d in by_stride if d in axes]
    outer, inner = _merged(x, kept), _merged(x, gone)
    if len(outer) > 2 or len(inner) > 1:
        dense = empty([x.shape[d] for d in (*kept, *gone)], x.dtype)
        copy_into(dense, x.transpose(*kept, *gone))
        length = prod(x.shape[d] for d in gone)
        return dense, kept, (dense.size // length, length, length, 1, 1, 0)
    length, step = inner[0] if inner else (1, 0)
    if len(outer) == 2:
        (a, a_step), (b, b_step) = outer
    elif outer and abs(outer[0][1]) < abs(step):
        (a, a_step), (b, b_step) = (1, 0), outer[0]
    else:
        (a, a_step), (b, b_step) = outer[0] if outer else (1, 0), (1, 0)
    return x, kept, (a, a_step, length, step, b, b_step)


def _shaped(y: CudaArray, x: CudaArray, kept: list[int], axes: tuple[int, ...], keepdims: bool) -> CudaArray:
    """The row of results `y` in the shape of `x` without (or with 1 for) the reduced axes."""
    shaped = y.reshape(tuple(x.shape[d] for d in kept)).transpose(*np.argsort(kept).tolist()) if kept else y
    if not kept:
        shaped = y.reshape(())
    if not keepdims:
        return shaped
    strides = iter(shaped.strides)
    shape = tuple(1 if d in axes else n for d, n in enumerate(x.shape))
    return shaped.alias(shape, tuple(0 if d in axes else next(strides) for d in range(x.ndim)))


def reduce(name: str, x: CudaArray, axis: Any = None, keepdims: bool = False) -> CudaArray:
    """`x`, of a computed dtype, with `axis` joined by sum, max, min, any or all."""
    axes = reduced_axes(x, axis)
    if x.size == 0:
        return _empty_result(name, x, axes, keepdims)
    source, kept, (a, a_step, length, step, b, b_step) = _rearranged(x, axes)
    kernel = joining(name, x.dtype.name)
    while True:
        parts = -(-length // CHUNK)
        y = empty(a * parts * b, x.dtype)
        arguments = (*source.memory(), a_step, step, b_step, y)
        launch(kernel, spread(kernel, y.size), y.size, parts, b, length, *arguments)
        if parts == 1:
            return _shaped(y, x, kept, axes, keepdims)
        source, length, a_step, step, b_step = y, parts, parts * b, b, 1


def _empty_result(name: str, x: CudaArray, axes: tuple[int, ...], keepdims: bool) -> CudaArray:
    shape = [1 if d in axes else n for d, n in enumerate(x.shape) if keepdims or d not in axes]
    result = empty(shape, x.dtype)
    if name in ("max", "min") and result.size:
        raise ValueError(f"zero-size array to reduction operation {name} which has no identity")
    fill(result, name == "all")
    return result


def find(name: str, x: CudaArray, axis: Any = None, keepdims: bool = False) -> CudaArray:
    """argmax or argmin of `x` along one axis, or of all its numbers in C order."""
    if axis is None:
        found = find(name, x.reshape((x.size,)), 0)
        return found.reshape((1,) * x.ndim) if keepdims else found
    axes = reduced_axes(x, axis)
    if x.shape[axes[0]] == 0:
        raise ValueError(f"attempt to get {name} of an empty sequence")
    source, kept, (a, a_step, length, step, b, b_step) = _rearranged(x, axes)
    kernel = finding(name, x.dtype.name)
    y = empty(a * b, np.int64)
    arguments = (*source.memory(), a_step, step, b_step, y)
    launch(kernel, spread(kernel, y.size), y.size, 1, b, length, *arguments)
    return _shaped(y, x, kept, axes, keepdims)


def cumsum(x: CudaArray, axis: int) -> CudaArray:
    """The running sum along `axis`: of each chunk in a thread, after the sum of the chunks before it."""
    x = contiguous(x)
    y = empty(x.shape, x.dtype)
    outer, length, inner = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
    row = x.reshape((x.size,))
    parts = max(-(-length // CHUNK), 1)
    start = empty(outer * parts * inner, x.dtype)
    sizes = (start.size, parts, inner, length, CHUNK)
    if x.size == 0:
        return y
    before = chunk_sums(x.dtype.name)
    launch(before, spread(before, start.size), *sizes, row, start)
    if parts > 1:
        start = cumsum(start.reshape((outer, parts, inner)), 1).reshape((start.size,))
    kernel = running(x.dtype.name)
    launch(kernel, spread(kernel, start.size), *sizes, row, start, y.reshape((y.size,)))
    return y
