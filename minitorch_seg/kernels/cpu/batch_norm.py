"""Batch normalisation: statistics, normalisation and gradient; `reference/batch_norm.py` has the formulas.

The variance is found chunk by chunk: each is walked twice (its mean, then its squared deviations from that
mean), and the chunks' results are combined without loss (Chan, Golub and LeVeque, 1979): Σ(x − mean)² =
Σ_chunks [M2_k + n_k·(mean_k − mean)²].
"""

import numpy as np

from minitorch_seg.kernels.cpu.channel_sum import cut
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import empty_map_like, read_only
from minitorch_seg.kernels.parallel import parallel_for


def channel_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, biased variance) of each channel of x (N, C, H, W), both (C,).  NaN where there is no pixel."""
    listed, step, chunks = cut(x)
    means, squares = np.zeros((2, chunks, x.shape[1]))
    parallel_for(_moments, chunks, listed, step, means, squares)
    counts = np.diff(np.minimum(np.arange(chunks + 1) * step, len(listed)))[:, None]
    with np.errstate(invalid="ignore"):  # 0/0 = NaN
        mean = (counts * means).sum(axis=0) / len(listed)
        variance = (squares + counts * (means - mean) ** 2).sum(axis=0) / len(listed)
    return mean.astype(x.dtype), variance.astype(x.dtype)


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
    listed, step, chunks = cut(x)
    made = y.transpose(0, 2, 3, 1).reshape(listed.shape)
    parallel_for(_normalize, chunks, listed, step, *_line(mean, inv_std, weight, bias), relu, made)
    return y


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
    """(dx, dweight, dbias), where mean and inv_std were computed from x itself, or are `constant`."""
    dx = empty_map_like(x)
    listed, step, chunks = cut(x)
    given, made = cut(grad)[0], dx.transpose(0, 2, 3, 1).reshape(listed.shape)
    line = _line(mean, inv_std, weight, bias)
    sums, products = np.zeros((2, chunks, x.shape[1]))
    parallel_for(_gradient_sums, chunks, listed, given, step, *line, relu, sums, products)
    dbias, dweight = sums.sum(axis=0), products.sum(axis=0) * inv_std
    means = (np.stack([dbias, dweight * inv_std]) / max(len(listed), 1)).astype(x.dtype)
    means *= not constant
    parallel_for(_gradient, chunks, listed, given, step, *line, relu, *means, made)
    return dx, dweight.astype(x.dtype), dbias.astype(x.dtype)


def _line(
    mean: np.ndarray, inv_std: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None
) -> list[np.ndarray]:
    """y = (x − mean)·scale + shift: mean, scale, shift."""
    scale = inv_std if weight is None else inv_std * weight
    return [read_only(v) for v in (mean, scale, np.zeros_like(mean) if bias is None else bias)]


@kernel
def _moments(first, last, x, step, means, squares):
    for k in range(first, last):
        part, mean, square = x[k * step : (k + 1) * step], means[k], squares[k]
        for p in range(len(part)):
            for c in range(x.shape[1]):
                mean[c] += part[p, c] / len(part)
        for p in range(len(part)):
            for c in range(x.shape[1]):
                square[c] += (part[p, c] - mean[c]) ** 2


@kernel
def _normalize(first, last, x, step, mean, scale, shift, relu, y):
    for p in range(first * step, min(last * step, len(x))):
        for c in range(x.shape[1]):
            value = (x[p, c] - mean[c]) * scale[c] + shift[c]
            y[p, c] = 0 if relu and value <= 0 else value  # NaN <= 0 is false


@kernel
def _gradient_sums(first, last, x, grad, step, mean, scale, shift, relu, sums, products):
    for k in range(first, last):
        for p in range(k * step, min((k + 1) * step, len(x))):
            for c in range(x.shape[1]):
                deviation = x[p, c] - mean[c]
                kept = not relu or deviation * scale[c] + shift[c] > 0
                g = grad[p, c] if kept else x.dtype.type(0)
                sums[k, c] += g
                products[k, c] += g * deviation  # also where g is 0: a NaN in x must stay visible


@kernel
def _gradient(first, last, x, grad, step, mean, scale, shift, relu, mean_grad, slope, dx):
    """dx = scale·(g − mean of g − (x − mean)·slope), with g = 0 where relu has cut."""
    for p in range(first * step, min(last * step, len(x))):
        for c in range(x.shape[1]):
            deviation = x[p, c] - mean[c]
            kept = not relu or deviation * scale[c] + shift[c] > 0
            g = grad[p, c] if kept else x.dtype.type(0)
            dx[p, c] = scale[c] * (g - mean_grad[c] - deviation * slope[c])
