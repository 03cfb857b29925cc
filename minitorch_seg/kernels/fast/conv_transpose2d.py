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
    flat, passes = _way(x.shape, tuple(output_size), (kernel[0], kernel[1]), stride, padding, dilation)
    if flat:
        source, result = source.reshape(1, 1, -1, c), result.reshape(1, 1, -1, o)
    taps, size = contiguous(weight).reshape(-1), kernel[0] * kernel[1]
    if algorithm == "depthwise":
        depthwise.correlate(source, taps, shift, result, passes, kernel[1])
        return y
    strides = part * size, size, c // groups * part * size
    direct.correlate(source, taps, strides, shift, result, passes, groups, kernel[1])
    return y


@lru_cache(maxsize=512)
def _way(
    shape: tuple[int, ...], size: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[bool, Passes]:
    """Whether all pixels are one long row (none sees another), and the passes."""
    flat = (*kernel, *stride, *padding) == (1, 1, 1, 1, 0, 0) and size == shape[2:]
    made = (1, shape[0] * size[0] * size[1]) if flat else size
    rows, columns = (
        tuple(transposed_passes(*axis)) for axis in zip(made, kernel, stride, padding, dilation, strict=True)
    )
    return flat, Passes(rows, columns)
