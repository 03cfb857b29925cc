"""Transposed convolution, and so the gradient of a convolution with respect to its input."""

from functools import lru_cache

import numpy as np

from minitorch_seg.kernels import dispatch
from minitorch_seg.kernels.cpu import conv_transpose2d as plain
from minitorch_seg.kernels.cpu.passes import transposed_passes
from minitorch_seg.kernels.fast import depthwise, direct, winograd
from minitorch_seg.kernels.fast.blocks import Passes
from minitorch_seg.kernels.fast.conv2d import choose
from minitorch_seg.kernels.layout import contiguous, empty_map, pixels
from minitorch_seg.kernels.sizes import Pair


def conv_transpose2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    output_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """x (N, C, h, w), weight (C, O/groups, kh, kw), bias (O,) or None -> y (N, O, *output_size)."""
    c, part, *kernel = weight.shape
    o = part * groups
    algorithm = dispatch.taken(*choose(c, o, (kernel[0], kernel[1]), stride, dilation, groups))
    if algorithm == "plain" or 0 in (x.size, weight.size, *output_size):
        return plain.conv_transpose2d(x, weight, bias, output_size, stride, padding, dilation, groups)
    y = empty_map((x.shape[0], o, *output_size), x.dtype)
    source, result = pixels(x), y.transpose(0, 2, 3, 1)
    shift = None if bias is None else contiguous(bias)
    if algorithm == "winograd":  # at stride 1 it is the convolution with the kernel turned by 180°
        taps, size, most = contiguous(weight).reshape(-1), kernel[0] ** 2, kernel[0] - 1
        turned, around = (size - 1, -kernel[0], -1, size * o, size), (most - padding[0], most - padding[1])
        winograd.correlate(source, taps, turned, shift, result, kernel[0], around)
        return y
    if (*kernel, *stride, *padding) == (1, 1, 1, 1, 0, 0) and tuple(output_size) == x.shape[2:]:
        source, result = source.reshape(1, 1, -1, c), result.reshape(1, 1, -1, o)
    passes = _passes(result.shape[1:3], (kernel[0], kernel[1]), stride, padding, dilation)
    if algorithm == "depthwise":
        depthwise.correlate(source, weight.reshape(o, *kernel).transpose(1, 2, 0), shift, result, passes)
        return y
    parts = weight.reshape(groups, c // groups, part, *kernel).transpose(0, 3, 4, 1, 2)
    direct.correlate(source, parts, shift, result, passes)
    return y


@lru_cache(maxsize=512)
def _passes(size: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Passes:
    rows, columns = (
        tuple(transposed_passes(*axis)) for axis in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return rows, columns
