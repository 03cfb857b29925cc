"""Convolution and the gradient of its weight; `correlation.py` has the loops, `reference/conv2d.py` the
formula.

Written as plain loops the formula is this, here for one image, stride 1 and no padding:

    >>> def plain_loops(x, weight):                                 # x (C, H, W), weight (O, C, kh, kw)
    ...     (c, h, w), (o, _, kh, kw) = x.shape, weight.shape
    ...     y = np.zeros((o, h - kh + 1, w - kw + 1), x.dtype)
    ...     for k, i, j in np.ndindex(y.shape):                     # each output ...
    ...         for channel in range(c):
    ...             for di in range(kh):
    ...                 for dj in range(kw):                        # ... sums what its window sees
    ...                     y[k, i, j] += x[channel, i + di, j + dj] * weight[k, channel, di, dj]
    ...     return y
    >>> x, weight = np.arange(50.0).reshape(2, 5, 5), np.arange(54.0).reshape(3, 2, 3, 3)
    >>> y = conv2d(x[None], weight, None, (1, 1), (0, 0), (1, 1), 1)
    >>> bool((y[0] == plain_loops(x, weight)).all())
    True

Four steps make it fast, each in a file that can be read alone: the same sums over long rows
(`correlation.py`: planes and blocks); many sums kept in registers at once (`fast/tile_ir.py`, used by
`fast/direct.py`); fewer multiplications (`fast/transforms.py`, used by `fast/winograd.py`); threads
(`parallel.py`).
"""

import numpy as np

from minitorch_seg.kernels.cpu.correlation import correlate, weight_gradient
from minitorch_seg.kernels.cpu.passes import convolution_passes
from minitorch_seg.kernels.layout import contiguous, empty_map, pixels
from minitorch_seg.kernels.sizes import Pair, window_counts


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """x (N, C, H, W), weight (O, C/groups, kh, kw), bias (O,) or None -> y (N, O, Ho, Wo)."""
    o, part, kh, kw = weight.shape
    size = window_counts(x.shape[2:], (kh, kw), stride, padding, dilation)
    y = empty_map((x.shape[0], o, *size), x.dtype)
    source, result = pixels(x), y.transpose(0, 2, 3, 1)
    if (kh, kw, *stride, *padding) == (
        1,
        1,
        1,
        1,
        0,
        0,
    ):  # no pixel sees another: all of them are one long row
        source, result = source.reshape(1, 1, -1, x.shape[1]), result.reshape(1, 1, -1, o)
    passes = _passes(result.shape[1:3], (kh, kw), stride, padding, dilation)
    parts = weight.reshape(groups, o // groups, part, kh, kw).transpose(0, 1, 3, 4, 2)
    correlate(source, parts, None if bias is None else contiguous(bias), result, passes)
    return y


def conv2d_weight_gradient(
    x: np.ndarray,
    grad: np.ndarray,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """The gradient with respect to the weight, of shape (O, C/groups, kh, kw).

    A NaN or an infinity in x may also reach taps that see only its neighbours in the same row.
    """
    o, c = grad.shape[1], x.shape[1]
    source, given = pixels(x), pixels(grad)
    if (*kernel_size, *stride, *padding) == (1, 1, 1, 1, 0, 0):
        source, given = source.reshape(1, 1, -1, c), given.reshape(1, 1, -1, o)
    passes = _passes(given.shape[1:3], kernel_size, stride, padding, dilation)
    dweight = weight_gradient(source, given, groups, kernel_size, passes)
    return np.ascontiguousarray(dweight.transpose(0, 1, 4, 2, 3)).reshape(o, c // groups, *kernel_size)


def _passes(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair):
    rows, columns = (
        convolution_passes(*axis) for axis in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return rows, columns
