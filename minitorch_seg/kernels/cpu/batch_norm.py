"""Batch normalisation: statistics, normalisation and gradient; `reference/batch_norm.py` has the formulas.

The loops run over stretches of a whole number of pixels, as in `channel_sum.py`.  The variance is found in
one walk through memory: each chunk, small enough to stay in the cache, is walked twice (its mean, then its
squared deviations from that mean), and the chunks' results are combined without loss (Chan, Golub and
LeVeque, 1979): Σ(x − mean)² = Σ_chunks [M2_k + n_k·(mean_k − mean)²].
"""

import numpy as np

from minitorch_seg.kernels.cpu.channel_sum import cut, per_channel, repeat
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import empty_map_like, pixels
from minitorch_seg.kernels.parallel import parallel_for


def channel_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, biased variance) of each channel of x (N, C, H, W), both (C,).  NaN where there is no pixel."""
    channels = x.shape[1]
    flat = pixels(x).reshape(-1)
    if flat.size == 0:
        return np.full(channels, np.nan, x.dtype), np.full(channels, np.nan, x.dtype)
    stretch, chunk, chunks = cut(flat.size, channels)
    sums, squares = np.zeros((chunks, stretch)), np.zeros((chunks, stretch))
    parallel_for(_moments, chunks, flat, chunk, channels, sums, squares)
    starts = np.arange(chunks) * chunk
    counts = (np.minimum(starts + chunk, flat.size) - starts)[:, None] // channels
    chunk_sums = sums.reshape(chunks, -1, channels).sum(axis=1)
    mean = chunk_sums.sum(axis=0) / (flat.size // channels)
    between = (counts * (chunk_sums / counts - mean) ** 2).sum(axis=0)
    variance = (per_channel(squares, channels) + between) / (flat.size // channels)
    return mean.astype(x.dtype), variance.astype(x.dtype)


def normalize(
    x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None
) -> np.ndarray:
    """y = (x − mean)·inv_std·weight + bias.  Without weight 1, without bias 0."""
    y = empty_map_like(x)
    flat = pixels(x).reshape(-1)
    stretch, chunk, chunks = cut(flat.size, x.shape[1])
    scale = inv_std if weight is None else inv_std * weight
    shift = np.zeros_like(mean) if bias is None else bias
    values = [repeat(v, stretch, x.dtype) for v in (mean, scale, shift)]
    parallel_for(_normalize, chunks, flat, chunk, *values, y.transpose(0, 2, 3, 1).reshape(-1))
    return y


def batch_norm_gradient(
    grad: np.ndarray, x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dx, dweight, dbias), where mean and inv_std were computed from x itself."""
    channels = x.shape[1]
    dx = empty_map_like(x)
    flat, given = pixels(x).reshape(-1), pixels(grad).reshape(-1)
    stretch, chunk, chunks = cut(flat.size, channels)
    sums, products = np.zeros((chunks, stretch)), np.zeros((chunks, stretch))
    center = repeat(mean, stretch, x.dtype)
    parallel_for(_gradient_sums, chunks, flat, given, chunk, center, sums, products)
    dbias, dweight = per_channel(sums, channels), per_channel(products, channels) * inv_std
    m = max(flat.size // max(channels, 1), 1)
    # dx = scale·(g − dbias/m) − slope·(x − mean)
    scale = inv_std if weight is None else inv_std * weight
    values = [repeat(v, stretch, x.dtype) for v in (scale, dbias / m, scale * inv_std * (dweight / m))]
    parallel_for(_gradient, chunks, flat, given, chunk, center, *values, dx.transpose(0, 2, 3, 1).reshape(-1))
    return dx, dweight.astype(x.dtype), dbias.astype(x.dtype)


@kernel
def _moments(first, last, x, chunk, channels, sums, squares):
    stretch = sums.shape[1]
    center = np.empty(stretch, x.dtype)
    for k in range(first, last):
        begin, end = k * chunk, min((k + 1) * chunk, len(x))
        total, square = sums[k], squares[k]
        for start in range(begin, end, stretch):
            part = x[start : start + stretch]
            for i in range(len(part)):
                total[i] += part[i]
        for c in range(channels):
            mean = 0.0
            for i in range(c, stretch, channels):
                mean += total[i]
            for i in range(c, stretch, channels):
                center[i] = mean / ((end - begin) // channels)
        for start in range(begin, end, stretch):
            part = x[start : start + stretch]
            for i in range(len(part)):
                square[i] += (part[i] - center[i]) ** 2
        # The centre was rounded to x's dtype: Σ(x − m)² = Σ(x − c)² − n·(m − c)².
        for i in range(channels):
            mean = 0.0
            for j in range(i, stretch, channels):
                mean += total[j]
            mean /= (end - begin) // channels
            square[i] -= (end - begin) // channels * (mean - center[i]) ** 2


@kernel
def _normalize(first, last, x, chunk, mean, scale, shift, y):
    stretch = len(mean)
    for start in range(first * chunk, min(last * chunk, len(x)), stretch):
        seen, made = x[start : start + stretch], y[start : start + stretch]
        for i in range(len(seen)):
            made[i] = (seen[i] - mean[i]) * scale[i] + shift[i]


@kernel
def _gradient_sums(first, last, x, grad, chunk, mean, sums, products):
    stretch = len(mean)
    for k in range(first, last):
        total, product = sums[k], products[k]
        for start in range(k * chunk, min((k + 1) * chunk, len(x)), stretch):
            seen, given = x[start : start + stretch], grad[start : start + stretch]
            for i in range(len(seen)):
                total[i] += given[i]
                product[i] += given[i] * (seen[i] - mean[i])


@kernel
def _gradient(first, last, x, grad, chunk, mean, scale, level, slope, dx):
    stretch = len(mean)
    for start in range(first * chunk, min(last * chunk, len(x)), stretch):
        seen, given, made = (
            x[start : start + stretch],
            grad[start : start + stretch],
            dx[start : start + stretch],
        )
        for i in range(len(seen)):
            made[i] = scale[i] * (given[i] - level[i]) - slope[i] * (seen[i] - mean[i])
