"""Batch normalisation on the GPU: statistics, normalisation, gradient; `reference/batch_norm.py` has the
formulas.

The variance is that of differences to a mean, never a difference of large squares: a block adds a stretch of
pixels, then once more the squares of their differences to the stretch's own mean (from the cache), and the
stretches are put together as Chan, Golub and LeVeque (1983) do,

    Σ (x − mean)² = Σ_s (M_s + n_s·(mean_s − mean)²)        M_s: of stretch s, n_s pixels, mean_s

All sums run in one order that depends on the shapes alone (`channel_sum.py` has the order).

    statistics: 4 operations for 4 bytes; normalisation 4 for 8; gradient 8 for 8 (sums) and 9 for 12 bytes a
    number: at most 1 a byte, limited by memory on an H100 (from 20 on) and on an RTX 4060 laptop (from 50 on)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from minitorch_seg.kernels.cuda.array import CudaArray, empty, to_device
from minitorch_seg.kernels.cuda.channel_sum import THREADS as SUM_THREADS
from minitorch_seg.kernels.cuda.channel_sum import add_lines, cut, standing, sum_rows
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, device, launch, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, given, real, result, row, run

i32, u32 = types.int32, types.uint32


def channel_moments(x: CudaArray) -> tuple[CudaArray, CudaArray]:
    """(mean, biased variance) of each channel of x (N, C, H, W), both (C,).  NaN where there is no pixel."""
    dtype, channels = real("channel_moments", x), x.shape[1]
    if x.size == 0:
        return to_device(np.full(channels, np.nan, dtype)), to_device(np.full(channels, np.nan, dtype))
    pixels = x.size // channels
    width, stretches, length = cut(pixels, channels)
    blocks = -(-channels // width)
    parts, moments = empty(stretches * 2 * channels, dtype), empty((2, channels), dtype)
    launch(stretch_moments(dtype), blocks * stretches, row(x), parts, pixels, channels, width, length)
    launch(
        moments_of_all(dtype), blocks, parts, moments.reshape(-1), stretches, pixels, channels, width, length
    )
    return moments[0], moments[1]


def normalize(
    x: CudaArray,
    mean: CudaArray,
    inv_std: CudaArray,
    weight: CudaArray | None,
    bias: CudaArray | None,
    relu: bool = False,
) -> CudaArray:
    """y = (x − mean)·inv_std·weight + bias, with relu max(y, 0).  Without weight 1, without bias 0."""
    y, values = result(x.shape, real("batch_norm", x))
    scale, shift = given(weight, mean), given(bias, mean)
    arrays = row(x), row(mean), row(inv_std), scale[0], shift[0], values
    run(normalized(x.dtype.name), x.size, *arrays, x.size, x.shape[1], scale[1], shift[1], int(relu))
    return y


def batch_norm_gradient(
    grad: CudaArray,
    x: CudaArray,
    mean: CudaArray,
    inv_std: CudaArray,
    weight: CudaArray | None,
    bias: CudaArray | None = None,
    relu: bool = False,
    constant: bool = False,
) -> tuple[CudaArray, CudaArray, CudaArray]:
    """(dx, dweight, dbias), where mean and inv_std were computed from x itself, and the gradient flows
    through them too (unless they are `constant`: then dx = weight·inv_std·g).
    """
    dtype, channels = real("batch_norm_gradient", x), x.shape[1]
    pixels = x.size // max(channels, 1)
    width, stretches, length = cut(pixels, channels)
    scale, shift = given(weight, mean), given(bias, mean)
    arrays: Any = row(grad), row(x), row(mean), row(inv_std), scale[0], shift[0]
    options = scale[1], shift[1], int(relu)
    parts = empty((stretches, 2 * channels), dtype)
    blocks = -(-channels // width) * stretches
    launch(
        gradient_sums(dtype), blocks, *arrays, parts.reshape(-1), pixels, channels, width, length, *options
    )
    sums = sum_rows(parts)
    dx, values = result(x.shape, dtype)
    share = np.dtype(dtype).type(0 if constant or not pixels else 1 / pixels)
    run(input_gradient(dtype), x.size, *arrays, sums, values, share, x.size, channels, *options)
    return dx, sums[channels:], sums[:channels]


@cache
def stretch_moments(dtype: str) -> Kernel:
    """Of each stretch and channel: the sum, and the sum of the squared differences to the stretch's mean."""
    number = getattr(types, dtype)
    zero = number(0)

    def kernel(x, parts, pixels, channels, width, length):
        sums = cuda.shared.array(SUM_THREADS, number)
        thread = cuda.threadIdx.x
        stretch, line, lines, channel = standing(channels, width)
        first, last = stretch * length, min((stretch + 1) * length, pixels)
        total, mean = zero, zero
        for turn in range(2):  # the sum, then the squares: the same for all threads
            added = zero
            if channel < channels:
                for p in range(first + line, last, lines):
                    value = x[u32(p * channels + channel)] - mean
                    if turn == 1:
                        value *= value
                    added += value
            sums[thread] = added
            add_lines(sums, line, lines, width)
            if turn == 0:
                total = sums[thread - line * width]
                mean = total / number(last - first)
            else:
                added = sums[thread - line * width]
            cuda.syncthreads()  # all have read it: the next turn may write
            if turn == 1 and line == 0 and channel < channels:
                parts[u32(stretch * 2 * channels + channel)] = total
                parts[u32((stretch * 2 + 1) * channels + channel)] = added

    signature = (f"{dtype}[::1]",) * 2 + ("int32",) * 4
    return Kernel(f"batch_norm_stretches {dtype}", kernel, signature, (SUM_THREADS,), 4, (64,))


@cache
def moments_of_all(dtype: str) -> Kernel:
    """Mean and variance from the stretches'; one block for `width` channels."""
    number = getattr(types, dtype)
    zero = number(0)

    def kernel(parts, moments, stretches, pixels, channels, width, length):
        sums = cuda.shared.array(SUM_THREADS, number)
        thread = cuda.threadIdx.x
        _, line, lines, channel = standing(channels, width)
        mean = zero
        for turn in range(2):  # the mean, then the variance: the same for all threads
            added = zero
            if channel < channels:
                for s in range(line, stretches, lines):
                    total = parts[u32(s * 2 * channels + channel)]
                    if turn == 1:
                        count = number(min(length, pixels - s * length))
                        away = total / count - mean
                        total = parts[u32((s * 2 + 1) * channels + channel)] + count * away * away
                    added += total
            sums[thread] = added
            add_lines(sums, line, lines, width)
            moment = sums[thread - line * width] / number(pixels)
            if turn == 0:
                mean = moment
            if line == 0 and channel < channels:
                moments[u32(turn * channels + channel)] = moment
            cuda.syncthreads()  # all have read it: the next turn may write

    signature = (f"{dtype}[::1]",) * 2 + ("int32",) * 5
    return Kernel(f"batch_norm_moments {dtype}", kernel, signature, (SUM_THREADS,), 4, (64,))


@cache
def scale_and_shift(dtype: str) -> Callable:
    """(weight, bias) of a channel for kernels; without weight 1, without bias 0."""
    zero, one = getattr(types, dtype)(0), getattr(types, dtype)(1)

    @device
    def affine(weight, bias, channel, has_weight, has_bias):
        scale, shift = one, zero
        if has_weight != 0:
            scale = weight[u32(channel)]
        if has_bias != 0:
            shift = bias[u32(channel)]
        return scale, shift

    return affine


@cache
def normalized(dtype: str) -> Kernel:
    zero, affine = getattr(types, dtype)(0), scale_and_shift(dtype)

    def kernel(x, mean, inv_std, weight, bias, y, count, channels, has_weight, has_bias, relu):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            c = i32(u32(i) % u32(channels))
            scale, shift = affine(weight, bias, c, has_weight, has_bias)
            value = (x[u32(i)] - mean[u32(c)]) * inv_std[u32(c)] * scale + shift
            if relu != 0 and value <= zero:  # NaN <= 0 is false: NaN stays
                value = zero
            y[u32(i)] = value

    signature = (f"{dtype}[::1]",) * 6 + ("int32",) * 5
    return Kernel(f"batch_norm_normalize {dtype}", kernel, signature, THREADS, 4, SIMULATED)


@cache
def gradient_sums(dtype: str) -> Kernel:
    """Of each stretch and channel: Σ g and Σ g·x̂, where g = grad, with relu only where y > 0."""
    number = getattr(types, dtype)
    zero, affine = number(0), scale_and_shift(dtype)

    def kernel(
        grad, x, mean, inv_std, weight, bias, parts, pixels, channels, width, length, has_weight, has_bias,
        relu,
    ):  # fmt: skip
        sums = cuda.shared.array(SUM_THREADS, number)
        products = cuda.shared.array(SUM_THREADS, number)
        thread = cuda.threadIdx.x
        stretch, line, lines, channel = standing(channels, width)
        total, product = zero, zero
        if channel < channels:
            c = u32(channel)
            middle, spread = mean[c], inv_std[c]
            scale, shift = affine(weight, bias, c, has_weight, has_bias)
            for p in range(stretch * length + line, min((stretch + 1) * length, pixels), lines):
                g = grad[u32(p * channels + channel)]
                x_hat = (x[u32(p * channels + channel)] - middle) * spread
                if relu != 0 and not x_hat * scale + shift > zero:
                    g = zero
                total += g
                product += g * x_hat
        sums[thread] = total
        products[thread] = product
        add_lines(sums, line, lines, width)
        add_lines(products, line, lines, width)
        if line == 0 and channel < channels:
            parts[u32(stretch * 2 * channels + channel)] = sums[thread]
            parts[u32((stretch * 2 + 1) * channels + channel)] = products[thread]

    signature = (f"{dtype}[::1]",) * 7 + ("int32",) * 7
    return Kernel(f"batch_norm_gradient_sums {dtype}", kernel, signature, (SUM_THREADS,), 4, (64,))


@cache
def input_gradient(dtype: str) -> Kernel:
    """dx = weight·inv_std·(g − dbias·share − x̂·dweight·share), share = 1/m or 0 (constant statistics)."""
    zero, affine = getattr(types, dtype)(0), scale_and_shift(dtype)

    def kernel(
        grad, x, mean, inv_std, weight, bias, sums, dx, share, count, channels, has_weight, has_bias, relu
    ):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            c = i32(u32(i) % u32(channels))
            scale, shift = affine(weight, bias, c, has_weight, has_bias)
            g = grad[u32(i)]
            x_hat = (x[u32(i)] - mean[u32(c)]) * inv_std[u32(c)]
            if relu != 0 and not x_hat * scale + shift > zero:
                g = zero
            if share != zero:  # 0·∞ would be NaN
                g = g - sums[u32(c)] * share - x_hat * (sums[u32(channels + c)] * share)
            dx[u32(i)] = scale * inv_std[u32(c)] * g

    signature = (f"{dtype}[::1]",) * 8 + (dtype,) + ("int32",) * 5
    return Kernel(f"batch_norm_gradient {dtype}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield from (make(dtype) for make in (stretch_moments, moments_of_all, normalized, gradient_sums))
        yield input_gradient(dtype)
