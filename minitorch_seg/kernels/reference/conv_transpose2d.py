"""Transposed convolution: the adjoint of `conv2d`, hence also the gradient of `conv2d` with respect to its
input.

    y[n, o, Y, X] = bias[o] + Σ weight[c, o, ky, kx] · x[n, c, i, j]     over all c, i, j, ky, kx with
                              Y = i·sy − py + ky·dy   and   X = j·sx − px + kx·dx

Each input pixel stamps the kernel, scaled by its value, onto the output; stamps that overlap add up.
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map
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
    n, c, h, w = x.shape
    _, part, kh, kw = weight.shape
    o = part * groups
    (sy, sx), (py, px), (dy, dx), (height, width) = stride, padding, dilation, output_size
    # The canvas holds every whole stamp, and the output, which lies at (py, px) on it.
    canvas_h = max((h - 1) * sy + (kh - 1) * dy + 1, py + height)
    canvas_w = max((w - 1) * sx + (kw - 1) * dx + 1, px + width)
    canvas = np.zeros((n, o, canvas_h, canvas_w), x.dtype)
    pixels = x.reshape(n, groups, c // groups, h * w)
    for ky, kx in np.ndindex(kh, kw):
        matrix = weight[:, :, ky, kx].reshape(groups, c // groups, part).swapaxes(1, 2)
        stamp = (matrix @ pixels).reshape(n, o, h, w)
        rows, columns = ky * dy + sy * np.arange(h), kx * dx + sx * np.arange(w)
        canvas[:, :, rows[:, None], columns] += stamp
    y = empty_map((n, o, height, width), x.dtype)
    y[...] = canvas[:, :, py : py + height, px : px + width]
    if bias is not None:
        y += bias.reshape(1, o, 1, 1)
    return y
