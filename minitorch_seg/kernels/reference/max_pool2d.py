"""Max-pooling: y[n, c, Y, X] = max over the window of x, and where in the image the maximum was.

The window of output (Y, X) holds the pixels (Y·sy − py + ky·dy, X·sx − px + kx·dx) that lie inside the image.
Rules as in PyTorch: of equal values the first one in row-major order wins; a NaN wins over everything (of
several the last).
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map
from minitorch_seg.kernels.sizes import Pair


def max_pool2d(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) -> (y, indices), both (N, C, *output_size).

    An index is i·W + j of the winner, int64; −1 where the whole window lies outside the image (then y is
    −inf).
    """
    n, c, h, w = x.shape
    y = empty_map((n, c, *output_size), x.dtype)
    indices = empty_map(y.shape, np.int64)
    y[...] = -np.inf
    indices[...] = -1
    for ky, kx in np.ndindex(*kernel_size):
        i = np.arange(output_size[0])[:, None] * stride[0] - padding[0] + ky * dilation[0]
        j = np.arange(output_size[1])[None, :] * stride[1] - padding[1] + kx * dilation[1]
        inside = (i >= 0) & (i < h) & (j >= 0) & (j < w)
        if not inside.any():
            continue
        value = x[:, :, np.clip(i, 0, h - 1), np.clip(j, 0, w - 1)]
        wins = inside & ((value > y) | np.isnan(value) | (indices < 0))
        np.copyto(y, value, where=wins)
        np.copyto(indices, i * w + j, where=wins)
    return y, indices


def max_pool2d_gradient(
    grad: np.ndarray,
    indices: np.ndarray,
    input_size: Pair,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> np.ndarray:
    """dx[n, c, i, j] = Σ grad[n, c, Y, X] over the windows whose winner was (i, j).  The indices alone say
    where each gradient goes.
    """
    n, c = grad.shape[:2]
    h, w = input_size
    flat = np.zeros((n, c, h * w), grad.dtype)
    image, channel = np.ogrid[:n, :c, :1, :1][:2]
    sent = indices >= 0
    np.add.at(
        flat,
        (np.broadcast_to(image, grad.shape)[sent], np.broadcast_to(channel, grad.shape)[sent], indices[sent]),
        grad[sent],
    )
    dx = empty_map((n, c, h, w), grad.dtype)
    dx[...] = flat.reshape(dx.shape)
    return dx
