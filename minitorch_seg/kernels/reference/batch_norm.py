"""Batch normalisation of feature maps (Ioffe and Szegedy, 2015): the statistics, the normalisation and the
gradient through both.

    y = weight·x̂ + bias,    x̂ = (x − mean)·inv_std,    inv_std = 1/√(var + ε)

with the mean and the variance of each channel over N, H, W.  With `relu`, y becomes max(y, 0), and no
gradient passes where y is not positive.
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map_like
from minitorch_seg.kernels.reference.channel_sum import channel_sum, channels_first


def channel_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, biased variance) of each channel of x (N, C, H, W), both (C,).  NaN where there is no pixel."""
    values = channels_first(x)
    count = values.shape[1]
    if count == 0:
        return np.full(x.shape[1], np.nan, x.dtype), np.full(x.shape[1], np.nan, x.dtype)
    mean = values.sum(axis=1) / x.dtype.type(count)
    deviation = values - mean[:, None]
    return mean, (deviation * deviation).sum(axis=1) / x.dtype.type(count)


def normalize(
    x: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    relu: bool = False,
) -> np.ndarray:
    """y = (x − mean)·inv_std·weight + bias, with relu max(y, 0).  Without weight 1, without bias 0."""
    y = empty_map_like(x)
    np.subtract(x, _per_channel(mean), out=y)
    y *= _per_channel(inv_std)
    if weight is not None:
        y *= _per_channel(weight)
    if bias is not None:
        y += _per_channel(bias)
    return np.maximum(y, 0, out=y) if relu else y


def batch_norm_gradient(
    grad: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None = None,
    relu: bool = False,
    constant: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dx, dweight, dbias), where mean and inv_std were computed from x itself, and the gradient flows
    through them too (unless they are `constant`: then dx = weight·inv_std·g).

        dbias = Σ g,    dweight = Σ g·x̂,    dx = weight·inv_std·(g − dbias/m − x̂·dweight/m)          m = N·H·W
    """
    normalized = normalize(x, mean, inv_std, None, None)
    if relu:
        grad = np.where(normalize(x, mean, inv_std, weight, bias) > 0, grad, np.zeros((), grad.dtype))
    dbias = channel_sum(grad)
    dweight = channel_sum(grad * normalized)
    m = x.dtype.type(max(x.size // max(x.shape[1], 1), 1))
    scale = inv_std if weight is None else inv_std * weight
    dx = empty_map_like(x)
    if constant:
        dx[...] = _per_channel(scale) * grad
        return dx, dweight, dbias
    dx[...] = _per_channel(scale) * (grad - _per_channel(dbias / m) - normalized * _per_channel(dweight / m))
    return dx, dweight, dbias


def _per_channel(values: np.ndarray) -> np.ndarray:
    return values.reshape(1, -1, 1, 1)
