"""Transposed convolution, as a gather: every output sums what reaches it; `correlation.py` has the loops."""

import numpy as np

from minitorch_seg.kernels.cpu.correlation import correlate
from minitorch_seg.kernels.cpu.passes import transposed_passes
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
    y = empty_map((x.shape[0], part * groups, *output_size), x.dtype)
    source, result = pixels(x), y.transpose(0, 2, 3, 1)
    if (*kernel, *stride, *padding) == (1, 1, 1, 1, 0, 0) and output_size == x.shape[2:]:
        source, result = source.reshape(1, 1, -1, c), result.reshape(1, 1, -1, part * groups)
    rows, columns = (
        transposed_passes(*axis)
        for axis in zip(result.shape[1:3], kernel, stride, padding, dilation, strict=True)
    )
    parts = weight.reshape(groups, c // groups, part, *kernel).transpose(0, 2, 3, 4, 1)
    correlate(source, parts, None if bias is None else contiguous(bias), result, (rows, columns))
    return y
