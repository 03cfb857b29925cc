"""Max-pooling and its gradient on the GPU; `reference/max_pool2d.py` has the rules for ties and NaN.

Forward, a thread for each output looks at its window.  Backward gathers: a thread for each input pixel asks
the windows that hold it whether it was their winner, so that nothing is added atomically and sums have one
order. Neighbouring threads have neighbouring channels.

    2×2, stride 2: forward 4 operations (comparisons) for 16 + 5 bytes an output, backward 1 for 5.25 bytes an
    input (1 + 1/4 reads and a write): 0.2 a byte, limited by memory on an H100 (from 20 on it would be
    arithmetic) and on an RTX 4060 laptop (from 50 on); its divisions (60 to 150 instructions a thread) fit
    the time that the memory takes
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from minitorch_seg.kernels.cuda.array import CudaArray
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, number_at, real, result, row, run
from minitorch_seg.kernels.sizes import Pair, tap_dtype

i32, u32 = types.int32, types.uint32
TAPS = ("int8", "int32")


def max_pool2d(
    x: CudaArray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
) -> tuple[CudaArray, CudaArray]:
    """x (N, C, H, W) -> (y, taps), both (N, C, *output_size)."""
    n, c, h, w = x.shape
    dtype, tap = real("max_pool2d", x), tap_dtype(kernel_size).name
    y, values = result((n, c, *output_size), dtype)
    taps, winners = result(y.shape, tap)
    sizes = *output_size, c, h, w, *kernel_size, *stride, *padding, *dilation
    run(forward(dtype, tap), y.size, row(x), values, winners, y.size, *sizes)
    return y, taps


def max_pool2d_gradient(
    grad: CudaArray, taps: CudaArray, input_size: Pair, kernel_size: Pair, stride: Pair, padding: Pair,
    dilation: Pair,
) -> CudaArray:  # fmt: skip
    """dx[n, c, i, j] = Σ grad[n, c, Y, X] over the windows whose winner was (i, j)."""
    n, c, ho, wo = grad.shape
    dtype = real("max_pool2d_gradient", grad)
    dx, sums = result((n, c, *input_size), dtype)
    sizes = *input_size, c, ho, wo, *kernel_size, *stride, *padding, *dilation
    run(backward(dtype, taps.dtype.name), dx.size, row(grad), row(taps), sums, dx.size, *sizes)
    return dx


@cache
def forward(dtype: str, tap: str) -> Kernel:
    lowest = getattr(types, dtype)(float("-inf"))

    def kernel(
        x, y, taps, count, rows, columns, channels, height, width, kernel_y, kernel_x, step_y, step_x,
        pad_y, pad_x, move_y, move_x,
    ):  # fmt: skip
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            image, u, v, channel = number_at(i, rows, columns, channels)
            first_y, first_x = u * step_y - pad_y, v * step_x - pad_x
            best, winner = lowest, -1
            for ky in range(kernel_y):
                iy = first_y + ky * move_y
                if iy >= 0 and iy < height:
                    for kx in range(kernel_x):
                        ix = first_x + kx * move_x
                        if ix >= 0 and ix < width:
                            value = x[u32(((image * height + iy) * width + ix) * channels + channel)]
                            if value > best or value != value or winner < 0:  # only NaN differs from itself
                                best, winner = value, ky * kernel_x + kx
            y[u32(i)] = best
            taps[u32(i)] = winner

    signature = (f"{dtype}[::1]",) * 2 + (f"{tap}[::1]",) + ("int32",) * 14
    return Kernel(f"max_pool2d {dtype} {tap}", kernel, signature, THREADS, 4, SIMULATED)


@cache
def backward(dtype: str, tap: str) -> Kernel:
    zero = getattr(types, dtype)(0)

    def kernel(
        grad, taps, dx, count, height, width, channels, rows, columns, kernel_y, kernel_x, step_y, step_x,
        pad_y, pad_x, move_y, move_x,
    ):  # fmt: skip
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            image, iy, ix, channel = number_at(i, height, width, channels)
            last_y, last_x = iy + pad_y, ix + pad_x  # u·step_y, v·step_x of the window whose tap 0 is here
            total = zero
            for ky in range(kernel_y):
                above = last_y - ky * move_y
                if above >= 0:
                    u = i32(u32(above) // u32(step_y))
                    if u * step_y == above and u < rows:
                        for kx in range(kernel_x):
                            left = last_x - kx * move_x
                            if left >= 0:
                                v = i32(u32(left) // u32(step_x))
                                if v * step_x == left and v < columns:
                                    at = ((image * rows + u) * columns + v) * channels + channel
                                    if taps[u32(at)] == ky * kernel_x + kx:
                                        total += grad[u32(at)]
            dx[u32(i)] = total

    signature = (f"{dtype}[::1]", f"{tap}[::1]", f"{dtype}[::1]") + ("int32",) * 14
    return Kernel(f"max_pool2d_gradient {dtype} {tap}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        for tap in TAPS:
            yield forward(dtype, tap)
            yield backward(dtype, tap)
