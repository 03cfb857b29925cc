"""Batch normalisation, followed by relu or not: statistics, normalisation and gradient, stretch by stretch.

`reference/batch_norm.py` has the formulas.  A map is read once for its statistics and once to be normalised;
the gradient reads map and cotangent twice, for its sums and for its result.  Nothing is kept from the forward
pass but the map itself and four numbers a channel: where relu cut is computed again.

The variance is found in one walk through memory: each chunk, small enough to stay in the cache, is walked
twice (its mean, then its squared deviations from that mean), and the chunks' results are combined without
loss (Chan, Golub and LeVeque, 1979): Σ(x − mean)² = Σ_chunks [M2_k + n_k·(mean_k − mean)²].
"""

import numpy as np

from minitorch_seg.kernels.fast.stretches import ROWS, cut, gather, lay_out
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous, empty_map_like, pixels
from minitorch_seg.kernels.parallel import parallel_for


def channel_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, biased variance) of each channel of x (N, C, H, W), both (C,).  NaN where there is no pixel."""
    flat, stretch, chunk, chunks = cut(x)
    if not flat.size:
        return np.full(x.shape[1], np.nan, x.dtype), np.full(x.shape[1], np.nan, x.dtype)
    means, squares = np.empty((2, chunks, x.shape[1]))
    parallel_for(_moments, chunks, flat, stretch, chunk, means, squares)
    mean, variance = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    _combine(means, squares, chunk, flat.size, mean, variance)
    return mean, variance


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
    flat, stretch, chunk, chunks = cut(x)
    line = _line(x.dtype, mean, inv_std, weight, bias)
    parallel_for(_normalize, chunks, flat, stretch, chunk, line, relu, y.transpose(0, 2, 3, 1).reshape(-1))
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
    flat, stretch, chunk, chunks = cut(x)
    given = pixels(grad).reshape(-1)
    line = _line(x.dtype, mean, inv_std, weight, bias)
    sums = np.empty((2, chunks, x.shape[1]))  # of g, and of g·(x − mean)
    parallel_for(_gradient_sums, chunks, flat, given, stretch, chunk, line, relu, sums[0], sums[1])
    terms, (dbias, dweight) = np.empty((2, 2, x.shape[1]), x.dtype)
    _finish(sums, line[1], contiguous(inv_std), 0 if constant else flat.size, dbias, dweight, terms)
    made = dx.transpose(0, 2, 3, 1).reshape(-1)
    parallel_for(_gradient, chunks, flat, given, stretch, chunk, line, relu, terms, made)
    return dx, dweight, dbias


def _line(
    dtype: np.dtype,
    mean: np.ndarray,
    inv_std: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
) -> np.ndarray:
    """y = (x − mean)·scale + shift: mean, scale and shift of each channel, (3, C)."""
    line = np.empty((3, len(mean)), dtype)
    line[0] = mean
    line[1] = inv_std if weight is None else inv_std * weight
    line[2] = 0 if bias is None else bias
    return line


@kernel
def _moments(first, last, x, stretch, chunk, means, squares):
    channels = means.shape[1]
    total, center = np.empty(stretch), np.empty(stretch, x.dtype)
    for k in range(first, last):
        begin, end = k * chunk, min((k + 1) * chunk, len(x))
        mean = means[k]
        total[:] = 0
        for start in range(begin, end, ROWS * stretch):
            if start + ROWS * stretch <= end:
                rows = x[start : start + ROWS * stretch].reshape(ROWS, stretch)
                for i in range(stretch):
                    added = x.dtype.type(0)
                    for r in range(ROWS):
                        added += rows[r, i]
                    total[i] += added
            else:
                for at in range(start, end, stretch):
                    row = x[at : min(at + stretch, end)]
                    for i in range(len(row)):
                        total[i] += row[i]
        gather(total, mean)
        for c in range(channels):
            mean[c] /= (end - begin) // channels
            for i in range(c, stretch, channels):
                center[i] = mean[c]
        total[:] = 0
        for start in range(begin, end, ROWS * stretch):
            if start + ROWS * stretch <= end:
                rows = x[start : start + ROWS * stretch].reshape(ROWS, stretch)
                for i in range(stretch):
                    added = x.dtype.type(0)
                    for r in range(ROWS):
                        added += (rows[r, i] - center[i]) ** 2
                    total[i] += added
            else:
                for at in range(start, end, stretch):
                    row = x[at : min(at + stretch, end)]
                    for i in range(len(row)):
                        total[i] += (row[i] - center[i]) ** 2
        gather(total, squares[k])
        # The centre was rounded to x's dtype: Σ(x − m)² = Σ(x − c)² − n·(m − c)².
        for c in range(channels):
            squares[k, c] -= (end - begin) // channels * (mean[c] - center[c]) ** 2


@kernel
def _combine(means, squares, chunk, size, mean, variance):
    """The moments of all numbers from those of the chunks, as the head of this file has it."""
    channels = len(mean)
    for c in range(channels):
        total, square = 0.0, 0.0
        for k in range(len(means)):
            total += min(chunk, size - k * chunk) / size * means[k, c]
        for k in range(len(means)):
            share = min(chunk, size - k * chunk) / size
            square += squares[k, c] * channels / size + share * (means[k, c] - total) ** 2
        mean[c], variance[c] = total, square


@kernel
def _normalize(first, last, x, stretch, chunk, line, relu, y):
    places = lay_out(line, stretch)
    mean, scale, shift = places[0], places[1], places[2]
    zero = x.dtype.type(0)
    for k in range(last - 1, first - 1, -1):  # backwards: the last chunks are still in the cache
        for start in range(k * chunk, min((k + 1) * chunk, len(x)), stretch):
            seen, made = x[start : start + stretch], y[start : start + stretch]
            for i in range(len(seen)):
                value = (seen[i] - mean[i]) * scale[i] + shift[i]
                made[i] = zero if (value <= zero) & relu else value  # NaN <= 0 is false


@kernel
def _gradient_sums(first, last, x, grad, stretch, chunk, line, relu, sums, products):
    places = lay_out(line, stretch)
    mean, scale, shift = places[0], places[1], places[2]
    total, product = np.empty(stretch), np.empty(stretch)
    zero, plain = x.dtype.type(0), not relu
    for k in range(first, last):
        begin, end = k * chunk, min((k + 1) * chunk, len(x))
        total[:] = 0
        product[:] = 0
        for start in range(begin, end, ROWS * stretch):
            if start + ROWS * stretch <= end:
                rows = x[start : start + ROWS * stretch].reshape(ROWS, stretch)
                given = grad[start : start + ROWS * stretch].reshape(ROWS, stretch)
                for i in range(stretch):
                    a, b = zero, zero
                    for r in range(ROWS):
                        d = rows[r, i] - mean[i]
                        g = given[r, i] if (d * scale[i] + shift[i] > zero) | plain else zero
                        a += g
                        b += g * d
                    total[i] += a
                    product[i] += b
            else:
                for at in range(start, end, stretch):
                    row, cotangent = x[at : min(at + stretch, end)], grad[at : min(at + stretch, end)]
                    for i in range(len(row)):
                        d = row[i] - mean[i]
                        g = cotangent[i] if (d * scale[i] + shift[i] > zero) | plain else zero
                        total[i] += g
                        product[i] += g * d
        gather(total, sums[k])
        gather(product, products[k])


@kernel
def _finish(sums, scale, inv_std, size, dbias, dweight, terms):
    """The gradients of bias and weight from the chunks' sums, in float64; and the two `terms` of

        dx = scale·g − scale·level − slope·(x − mean),   level = dbias/m,   slope = scale·inv_std·dweight/m

    for the m values of a channel, or 0 and 0 where `size`, the numbers of the map, is given as 0.
    """
    chunks, channels = sums.shape[1:]
    for c in range(channels):
        total, product = 0.0, 0.0
        for k in range(chunks):
            total += sums[0, k, c]
            product += sums[1, k, c]
        product *= inv_std[c]
        dbias[c], dweight[c] = total, product
        terms[0, c], terms[1, c] = 0, 0
        if size > 0:
            terms[0, c] = total * channels / size
            terms[1, c] = product * channels / size * scale[c] * inv_std[c]


@kernel
def _gradient(first, last, x, grad, stretch, chunk, line, relu, terms, dx):
    places, means = lay_out(line, stretch), lay_out(terms, stretch)
    mean, scale, shift = places[0], places[1], places[2]
    level, slope = means[0], means[1]
    zero, plain = x.dtype.type(0), not relu
    for k in range(last - 1, first - 1, -1):  # backwards, as in _normalize
        for start in range(k * chunk, min((k + 1) * chunk, len(x)), stretch):
            seen, given = x[start : start + stretch], grad[start : start + stretch]
            made = dx[start : start + stretch]
            for i in range(len(seen)):
                d = seen[i] - mean[i]
                g = given[i] if (d * scale[i] + shift[i] > zero) | plain else zero
                made[i] = scale[i] * (g - level[i]) - slope[i] * d
