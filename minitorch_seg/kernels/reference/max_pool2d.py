"""Max-pooling: y[n, c, Y, X] = max over the window of x, and which element of the window the maximum was.

The window of output (Y, X) holds the pixels (Y·sy − py + ky·dy, X·sx − px + kx·dx) that lie inside the image.
Rules as in PyTorch: of equal values the first one in row-major order wins; a NaN wins over everything (of
several the last).  A winner is written down as its tap ky·kw + kx, a small number: an eighth of the memory
that its place in the image would take.
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map
from minitorch_seg.kernels.sizes import Pair, tap_dtype


def max_pool2d(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) -> (y, taps), both (N, C, *output_size).

    A tap is ky·kw + kx of the winner; −1 where the whole window lies outside the image (then y is −inf).
    """
    n, c, h, w = x.shape
    y = empty_map((n, c, *output_size), x.dtype)
    taps = empty_map(y.shape, tap_dtype(kernel_size))
    y[...] = -np.inf
    taps[...] = -1
    for tap, (ky, kx) in enumerate(np.ndindex(*kernel_size)):
        i = np.arange(output_size[0])[:, None] * stride[0] - padding[0] + ky * dilation[0]
        j = np.arange(output_size[1])[None, :] * stride[1] - padding[1] + kx * dilation[1]
        inside = (i >= 0) & (i < h) & (j >= 0) & (j < w)
        if not inside.any():
            continue
        value = x[:, :, np.clip(i, 0, h - 1), np.clip(j, 0, w - 1)]
        wins = inside & ((value > y) | np.isnan(value) | (taps < 0))
        np.copyto(y, value, where=wins)
        np.copyto(taps, tap, where=wins)
    return y, taps


def max_pool2d_gradient(
    grad: np.ndarray,
    taps: np.ndarray,
    input_size: Pair,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> np.ndarray:
    """dx[n, c, i, j] = Σ grad[n, c, Y, X] over the windows whose winner was (i, j)."""
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    dx[...] = 0
    for tap, (ky, kx) in enumerate(np.ndindex(*kernel_size)):
        i = np.arange(grad.shape[2]) * stride[0] - padding[0] + ky * dilation[0]
        j = np.arange(grad.shape[3]) * stride[1] - padding[1] + kx * dilation[1]
        rows, columns = (i >= 0) & (i < input_size[0]), (j >= 0) & (j < input_size[1])
        sent = np.where(taps == tap, grad, np.zeros((), grad.dtype))[:, :, rows][:, :, :, columns]
        dx[:, :, i[rows][:, None], j[columns]] += sent  # one tap reaches every pixel once at most
    return dx
