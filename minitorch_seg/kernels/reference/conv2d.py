"""Convolution (cross-correlation) of feature maps, and its gradient with respect to the weight.

    y[n, o, Y, X] = bias[o] + Σ weight[o, c, ky, kx] · x[n, c, Y·sy − py + ky·dy, X·sx − px + kx·dx]

summed over c, ky, kx, with x = 0 outside the image (s: stride, p: padding, d: dilation).  Each tap (ky, kx)
sees a shifted, strided copy of the image, and mixes its channels by one matrix: a convolution is a sum of
kh·kw matrix products.  With groups, channels are cut into equal parts that do not see each other.  The
gradient with respect to x is `conv_transpose2d`.
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map
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
    n, o = x.shape[0], weight.shape[0]
    kernel = weight.shape[2:]
    ho, wo = window_counts(x.shape[2:], kernel, stride, padding, dilation)
    padded = pad_zeros(x, padding)
    total = np.zeros((n, groups, o // groups, ho * wo), x.dtype)
    for ky, kx in np.ndindex(kernel):
        matrix = weight[:, :, ky, kx].reshape(groups, o // groups, -1)
        total += matrix @ tap(padded, ky, kx, (ho, wo), stride, dilation, groups)
    y = empty_map((n, o, ho, wo), x.dtype)
    y[...] = total.reshape(y.shape)
    if bias is not None:
        y += bias.reshape(1, o, 1, 1)
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
    """The gradient with respect to the weight, of shape (O, C/groups, kh, kw):

    dW[o, c, ky, kx] = Σ_{n, Y, X} grad[n, o, Y, X] · x[n, c, Y·sy − py + ky·dy, X·sx − px + kx·dx]
    """
    n, o, ho, wo = grad.shape
    parts = grad.reshape(n, groups, o // groups, ho * wo)
    padded = pad_zeros(x, padding)
    dweight = np.zeros((o, x.shape[1] // groups, *kernel_size), x.dtype)
    for ky, kx in np.ndindex(*kernel_size):
        seen = tap(padded, ky, kx, (ho, wo), stride, dilation, groups)
        dweight[:, :, ky, kx] = (parts @ seen.swapaxes(2, 3)).sum(axis=0).reshape(o, -1)
    return dweight


def pad_zeros(x: np.ndarray, padding: Pair) -> np.ndarray:
    """The image with `padding` rows and columns of zeros on all four sides."""
    return np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))


def tap(
    padded: np.ndarray, ky: int, kx: int, size: Pair, stride: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """What the tap (ky, kx) sees from each of the `size` outputs: (N, groups, C/groups, Ho·Wo)."""
    n, c = padded.shape[:2]
    rows = ky * dilation[0] + stride[0] * np.arange(size[0])
    columns = kx * dilation[1] + stride[1] * np.arange(size[1])
    seen = padded[:, :, rows[:, None], columns]
    return seen.reshape(n, groups, c // groups, size[0] * size[1])
