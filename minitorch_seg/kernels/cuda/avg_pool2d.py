"""Average pooling and its gradient on the GPU; `reference/avg_pool2d.py` has the formula.

A thread for each number of the result; the gradient gathers from the windows that hold a pixel.

    2×2, stride 2: 5 operations for 20 bytes an output, 2 for 5 bytes an input of the gradient: 0.25 and 0.4 a
    byte, limited by memory on an H100 (from 20 on it would be arithmetic) and on an RTX 4060 laptop (from 50
    on); the divisors and the windows' overlap come from the cache
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from minitorch_seg.kernels.cuda.array import CudaArray, to_device
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, number_at, real, result, row, run
from minitorch_seg.kernels.sizes import Pair

i32, u32 = types.int32, types.uint32


def avg_pool2d(x: CudaArray, divisor: Any, kernel_size: Pair, stride: Pair, padding: Pair) -> CudaArray:
    """x (N, C, H, W), divisor m (Ho, Wo) -> y (N, C, Ho, Wo)."""
    n, c, h, w = x.shape
    dtype = real("avg_pool2d", x)
    y, values = result((n, c, *divisor.shape), dtype)
    sizes = *divisor.shape, c, h, w, *kernel_size, *stride, *padding
    run(forward(dtype), y.size, row(x), _on_device(divisor, dtype), values, y.size, *sizes)
    return y


def avg_pool2d_gradient(
    grad: CudaArray, input_size: Pair, divisor: Any, kernel_size: Pair, stride: Pair, padding: Pair
) -> CudaArray:
    """dx[i] = Σ grad[Y] / m[Y] over the windows that hold i."""
    n, c = grad.shape[:2]
    dtype = real("avg_pool2d_gradient", grad)
    dx, sums = result((n, c, *input_size), dtype)
    sizes = *input_size, c, *divisor.shape, *kernel_size, *stride, *padding
    run(backward(dtype), dx.size, row(grad), _on_device(divisor, dtype), sums, dx.size, *sizes)
    return dx


def _on_device(divisor: Any, dtype: str) -> CudaArray:
    """The operator computes the divisor from sizes alone, so it may come from the host."""
    if isinstance(divisor, np.ndarray):
        divisor = to_device(np.ascontiguousarray(divisor, dtype))
    return row(divisor.astype(dtype, copy=False))


@cache
def forward(dtype: str) -> Kernel:
    zero = getattr(types, dtype)(0)

    def kernel(
        x, divisor, y, count, rows, columns, channels, height, width, kernel_y, kernel_x, step_y, step_x,
        pad_y, pad_x,
    ):  # fmt: skip
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            image, u, v, channel = number_at(i, rows, columns, channels)
            total = zero
            for iy in range(max(u * step_y - pad_y, 0), min(u * step_y - pad_y + kernel_y, height)):
                for ix in range(max(v * step_x - pad_x, 0), min(v * step_x - pad_x + kernel_x, width)):
                    total += x[u32(((image * height + iy) * width + ix) * channels + channel)]
            y[u32(i)] = total / divisor[u32(u * columns + v)]

    signature = (f"{dtype}[::1]",) * 3 + ("int32",) * 12
    return Kernel(f"avg_pool2d {dtype}", kernel, signature, THREADS, 2, SIMULATED)


@cache
def backward(dtype: str) -> Kernel:
    zero = getattr(types, dtype)(0)

    def kernel(
        grad, divisor, dx, count, height, width, channels, rows, columns, kernel_y, kernel_x, step_y, step_x,
        pad_y, pad_x,
    ):  # fmt: skip
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            image, y, x, channel = number_at(i, height, width, channels)
            # Window u holds row y where u·step ≤ y + pad < u·step + kernel.
            last_y, last_x = y + pad_y, x + pad_x
            first_u = i32(u32(max(last_y - kernel_y + step_y, 0)) // u32(step_y))
            first_v = i32(u32(max(last_x - kernel_x + step_x, 0)) // u32(step_x))
            end_u = min(i32(u32(last_y) // u32(step_y)) + 1, rows)
            end_v = min(i32(u32(last_x) // u32(step_x)) + 1, columns)
            total = zero
            for u in range(first_u, end_u):
                for v in range(first_v, end_v):
                    share = grad[u32(((image * rows + u) * columns + v) * channels + channel)]
                    total += share / divisor[u32(u * columns + v)]
            dx[u32(i)] = total

    signature = (f"{dtype}[::1]",) * 3 + ("int32",) * 12
    return Kernel(f"avg_pool2d_gradient {dtype}", kernel, signature, THREADS, 2, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield forward(dtype)
        yield backward(dtype)
