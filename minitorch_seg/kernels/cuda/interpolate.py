"""Resizing on the GPU, nearest neighbour and bilinear, and their gradients; `kernels/sizes.py` has the rule.

Where each output row and column reads is computed on the host, once for each pair of sizes, and kept on the
device.  The gradients gather: outputs are in the order of what they read, so those that read pixel i are
neighbours, from `first[i]` to `end[i]`; their weights are the forward pass's.

    doubling: nearest 5 bytes an output, bilinear 7 operations for 5 bytes; the gradients 20 bytes an input:
    limited by memory on an H100 and on an RTX 4060 laptop (3 divisions and 6 table reads, from the cache, a
    thread)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import numpy as np

from minitorch_seg.kernels.cuda import driver
from minitorch_seg.kernels.cuda.array import CudaArray, to_device
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, number_at, real, result, row, run
from minitorch_seg.kernels.sizes import Pair, linear_indices, nearest_indices

u32 = types.uint32
Scale = tuple[float, float] | None


def interpolate_nearest(x: CudaArray, size: Pair, scale: Scale) -> CudaArray:
    """y[n, c, Y, X] = x[n, c, row(Y), column(X)]."""
    n, c, h, w = x.shape
    dtype = real("interpolate", x)
    y, values = result((n, c, *size), dtype)
    tables = _nearest(driver.backend, (h, w), size, scale)[:2]
    run(nearest(dtype), y.size, row(x), values, *tables, y.size, *size, c, h, w)
    return y


def interpolate_nearest_gradient(grad: CudaArray, input_size: Pair, scale: Scale) -> CudaArray:
    """dx[n, c, i, j] = Σ grad[n, c, Y, X] over the outputs that read (i, j)."""
    n, c, ho, wo = grad.shape
    dtype = real("interpolate", grad)
    dx, sums = result((n, c, *input_size), dtype)
    tables = _nearest(driver.backend, input_size, (ho, wo), scale)[2:]
    run(nearest_gradient(dtype), dx.size, row(grad), sums, *tables, dx.size, *input_size, c, ho, wo)
    return dx


def interpolate_bilinear(x: CudaArray, size: Pair, align_corners: bool, scale: Scale) -> CudaArray:
    """y = Σ over the four neighbours of (vertical weight)·(horizontal weight)·x."""
    n, c, h, w = x.shape
    dtype = real("interpolate", x)
    y, values = result((n, c, *size), dtype)
    tables = _linear(driver.backend, (h, w), size, align_corners, scale, dtype)[:4]
    run(bilinear(dtype), y.size, row(x), values, *tables, y.size, *size, c, h, w)
    return y


def interpolate_bilinear_gradient(
    grad: CudaArray, input_size: Pair, align_corners: bool, scale: Scale
) -> CudaArray:
    """dx[i, j] = Σ weight·grad[Y, X] over the outputs that have (i, j) among their four neighbours."""
    n, c, ho, wo = grad.shape
    dtype = real("interpolate", grad)
    dx, sums = result((n, c, *input_size), dtype)
    tables = _linear(driver.backend, input_size, (ho, wo), align_corners, scale, dtype)
    run(bilinear_gradient(dtype), dx.size, row(grad), sums, *tables, dx.size, *input_size, c, ho, wo)
    return dx


@lru_cache(maxsize=64)
def _nearest(backend: Any, inputs: Pair, outputs: Pair, scale: Scale) -> tuple[CudaArray, ...]:
    """Of rows and of columns: what each output reads; then of both: [first…, end…] of each input's
    readers."""
    read = [nearest_indices(n, m, s) for n, m, s in zip(inputs, outputs, scale or (None, None), strict=True)]
    ends = [_readers(table, np.arange(n), np.arange(n)) for table, n in zip(read, inputs, strict=True)]
    return tuple(to_device(table.astype("int32")) for table in (*read, *ends))


@lru_cache(maxsize=64)
def _linear(
    backend: Any, inputs: Pair, outputs: Pair, align_corners: bool, scale: Scale, dtype: str
) -> tuple[CudaArray, ...]:
    """Of rows and of columns: [low…, high…]; of both the fractions; of both [first…, end…] of the readers."""
    pairs, fractions, ends = [], [], []
    for n, m, s in zip(inputs, outputs, scale or (None, None), strict=True):
        low, high, fraction = linear_indices(n, m, align_corners, s, dtype)
        pairs.append(to_device(np.concatenate([low, high]).astype("int32")))
        fractions.append(to_device(fraction))
        ends.append(to_device(_readers(low, np.arange(n) - 1, np.arange(n)).astype("int32")))
    return *pairs, *fractions, *ends


def _readers(table: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """The outputs whose entry lies between least[i] and most[i]: [first…, end…]."""
    return np.concatenate([np.searchsorted(table, least, "left"), np.searchsorted(table, most, "right")])


@cache
def nearest(dtype: str) -> Kernel:
    def kernel(x, y, read_rows, read_columns, count, rows, columns, channels, height, width):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            image, u, v, channel = number_at(i, rows, columns, channels)
            iy, ix = read_rows[u32(u)], read_columns[u32(v)]
            y[u32(i)] = x[u32(((image * height + iy) * width + ix) * channels + channel)]

    signature = (f"{dtype}[::1]",) * 2 + ("int32[::1]",) * 2 + ("int32",) * 6
    return Kernel(f"interpolate_nearest {dtype}", kernel, signature, THREADS, 4, SIMULATED)


@cache
def nearest_gradient(dtype: str) -> Kernel:
    zero = getattr(types, dtype)(0)

    def kernel(grad, dx, ends_y, ends_x, count, height, width, channels, rows, columns):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            image, iy, ix, channel = number_at(i, height, width, channels)
            total = zero
            for u in range(ends_y[u32(iy)], ends_y[u32(height + iy)]):
                for v in range(ends_x[u32(ix)], ends_x[u32(width + ix)]):
                    total += grad[u32(((image * rows + u) * columns + v) * channels + channel)]
            dx[u32(i)] = total

    signature = (f"{dtype}[::1]",) * 2 + ("int32[::1]",) * 2 + ("int32",) * 6
    return Kernel(f"interpolate_nearest_gradient {dtype}", kernel, signature, THREADS, 4, SIMULATED)


@cache
def bilinear(dtype: str) -> Kernel:
    one = getattr(types, dtype)(1)

    def kernel(
        x, y, pairs_y, pairs_x, fractions_y, fractions_x, count, rows, columns, channels, height, width
    ):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            image, u, v, channel = number_at(i, rows, columns, channels)
            top = (image * height + pairs_y[u32(u)]) * width
            bottom = (image * height + pairs_y[u32(rows + u)]) * width
            left, right = pairs_x[u32(v)], pairs_x[u32(columns + v)]
            down, across = fractions_y[u32(u)], fractions_x[u32(v)]
            total = (one - down) * (one - across) * x[u32((top + left) * channels + channel)]
            total += (one - down) * across * x[u32((top + right) * channels + channel)]
            total += down * (one - across) * x[u32((bottom + left) * channels + channel)]
            total += down * across * x[u32((bottom + right) * channels + channel)]
            y[u32(i)] = total

    signature = (f"{dtype}[::1]",) * 2 + ("int32[::1]",) * 2 + (f"{dtype}[::1]",) * 2 + ("int32",) * 6
    return Kernel(f"interpolate_bilinear {dtype}", kernel, signature, THREADS, 4, SIMULATED)


@cache
def bilinear_gradient(dtype: str) -> Kernel:
    zero, one = getattr(types, dtype)(0), getattr(types, dtype)(1)

    def kernel(
        grad, dx, pairs_y, pairs_x, fractions_y, fractions_x, ends_y, ends_x,
        count, height, width, channels, rows, columns,
    ):  # fmt: skip
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            image, iy, ix, channel = number_at(i, height, width, channels)
            total = zero
            for u in range(ends_y[u32(iy)], ends_y[u32(height + iy)]):
                down = zero  # the weight of row iy in output row u; it may be both neighbours, at the edge
                if pairs_y[u32(u)] == iy:
                    down += one - fractions_y[u32(u)]
                if pairs_y[u32(rows + u)] == iy:
                    down += fractions_y[u32(u)]
                for v in range(ends_x[u32(ix)], ends_x[u32(width + ix)]):
                    across = zero
                    if pairs_x[u32(v)] == ix:
                        across += one - fractions_x[u32(v)]
                    if pairs_x[u32(columns + v)] == ix:
                        across += fractions_x[u32(v)]
                    at = ((image * rows + u) * columns + v) * channels + channel
                    total += down * across * grad[u32(at)]
            dx[u32(i)] = total

    signature = (
        (f"{dtype}[::1]",) * 2
        + ("int32[::1]",) * 2
        + (f"{dtype}[::1]",) * 2
        + ("int32[::1]",) * 2
        + ("int32",) * 6
    )
    return Kernel(f"interpolate_bilinear_gradient {dtype}", kernel, signature, THREADS, 2, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield from (make(dtype) for make in (nearest, nearest_gradient, bilinear, bilinear_gradient))
