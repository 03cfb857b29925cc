"""Transposed convolution on the GPU, hence also a convolution's gradient with respect to its input.

`reference/conv_transpose2d.py` stamps; here each output pixel gathers, from the input pixels i whose stamp
reaches it: Y = i·s − p + k·d, so i = (Y + p − k·d) / s for those taps k for which that is a whole number.
Which these are depends on Y mod s alone.  So the output is cut into s·s phases, and each is a plain
correlation with its own taps (`correlation.py`): no multiplication by the zeros between the pixels, no
atomics.  For stride 1 it is one correlation with the kernel turned round.

Operations and bytes as a convolution's of the same sizes.  A 2×2 up-convolution has four phases of one tap:
2·C·O operations for 4·(C/4 + O) bytes a pixel; from 64 to 32 channels 21 a byte: an H100 is at its balance
(20), an RTX 4060 laptop waits for memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

from minitorch_seg.kernels.cuda.array import CudaArray, empty_map, pixels
from minitorch_seg.kernels.cuda.correlation import Axis, Weight, correlate
from minitorch_seg.kernels.cuda.flat import given, real, row
from minitorch_seg.kernels.sizes import Pair


def conv_transpose2d(
    x: CudaArray, weight: CudaArray, bias: CudaArray | None, output_size: Pair, stride: Pair, padding: Pair,
    dilation: Pair, groups: int,
) -> CudaArray:  # fmt: skip
    """x (N, C, h, w), weight (C, O/groups, kh, kw), bias (O,) or None -> y (N, O, *output_size)."""
    dtype = real("conv_transpose2d", x)
    c, part, kh, kw = weight.shape
    y = empty_map((x.shape[0], part * groups, *output_size), dtype)
    turned = row(weight.reshape(c, part, kh * kw))
    packed = Weight(turned, kw, c // groups * part * kh * kw, kh * kw, part * kh * kw)
    offset, has_bias = given(bias, turned)
    for rows in phases(output_size[0], kh, stride[0], padding[0], dilation[0]):
        for columns in phases(output_size[1], kw, stride[1], padding[1], dilation[1]):
            correlate(pixels(x), packed, offset, has_bias, pixels(y), rows, columns, groups)
    return y


def phases(count: int, kernel: int, stride: int, padding: int, dilation: int) -> Iterator[Axis]:
    """The phases of one axis with `count` outputs: output f + i·stride meets input pixel i + shift, where
    shift = (f + padding − k·dilation) / stride for those taps k for which that is a whole number.

    With k also k + stride/gcd(stride, dilation) is such a tap, and its shift is dilation/gcd less.

    >>> [(axis.outputs, axis.taps, axis.tap0, axis.first) for axis in phases(5, 3, 2, 1, 1)]
    [(3, 1, 1, 0), (2, 2, 0, 1)]
    """
    common = gcd(stride, dilation)
    tap_step = stride // common
    for f in range(min(stride, count)):
        whole = (k for k in range(min(tap_step, kernel)) if (f + padding - k * dilation) % stride == 0)
        tap0 = next(whole, kernel)
        taps = -(-(kernel - tap0) // tap_step)
        shift = (f + padding - tap0 * dilation) // stride
        outputs = -(-(count - f) // stride)
        yield Axis(outputs, 1, shift, -(dilation // common), taps, tap0, tap_step, stride, f)
