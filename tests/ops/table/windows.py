"""The table's convolutions, pooling and resampling; the oracles cut every window out, or lay every number's
stamp onto the result."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import minitorch_seg as ms
from tests.ops.table.draw import Case, Draw, operator
from tests.ops.test_avg_pool2d import window_means

signal = pytest.importorskip("scipy.signal")
F = ms.functional
Pair = tuple[int, int]


def window(r: Draw, padding: bool = True) -> tuple[Pair, Pair, Pair, Pair, Pair]:
    """Kernel, stride, padding, dilation, and an image's size that holds at least one window."""
    kernel, stride, dilation = r.pair(1, 3), r.pair(1, 3), r.pair(1, 2)
    frame = (r.int(0, kernel[0] // 2), r.int(0, kernel[1] // 2)) if padding else (0, 0)
    size = tuple(
        max(d * (k - 1) + 1 - 2 * p, 1) + r.int(0, 3) for k, p, d in zip(kernel, frame, dilation, strict=True)
    )
    return kernel, stride, frame, dilation, (size[0], size[1])


def windows_of(
    x: np.ndarray, kernel: Pair, stride: Pair, frame: Pair, dilation: Pair, fill: float
) -> np.ndarray:
    """(N, C, Ho, Wo, kh, kw): what each window sees."""
    framed = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in frame)), constant_values=fill)
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    views = np.lib.stride_tricks.sliding_window_view(framed, extent, (2, 3))
    return views[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


@operator("conv2d")
def conv2d(r: Draw) -> Case:
    kernel, stride, frame, dilation, size = window(r)
    groups, per_group, filters = r.one(1, 1, 2, 3), r.int(1, 2), r.int(1, 2)
    padding: Any = r.one(frame, frame, "valid", "same")
    if padding == "valid":
        frame, size = (0, 0), tuple(n + 2 * p for n, p in zip(size, frame, strict=True))
    if padding == "same":
        stride = (1, 1)
    x = r.normal(r.batch(), groups * per_group, *size)
    w, b = r.normal(groups * filters, per_group, *kernel), r.normal(groups * filters)

    def oracle(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        if padding == "same":
            total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
            x = np.pad(x, ((0, 0), (0, 0), *((t // 2, t - t // 2) for t in total)))
        seen = windows_of(x, kernel, stride, (0, 0) if padding == "same" else frame, dilation, 0.0)
        parts = [
            np.einsum(
                "ncYXij,ocij->noYX", seen[:, g * per_group :][:, :per_group], w[g * filters :][:filters]
            )
            for g in range(groups)
        ]
        return np.concatenate(parts, 1) + b[:, None, None]

    single = len(x) == 1 and r.flag()
    x = x[0] if single else x
    return Case(
        [x, w, b],
        lambda x, w, b: F.conv2d(x, w, b, stride, padding, dilation, groups),
        lambda x, w, b: oracle(x[None], w, b)[0] if single else oracle(x, w, b),
    )


@operator("conv_transpose2d")
def conv_transpose2d(r: Draw) -> Case:
    groups, kernel, stride, dilation = r.one(1, 1, 2), r.pair(1, 3), r.pair(1, 3), r.pair(1, 2)
    size = r.pair(1, 4)
    extra = tuple(r.int(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
    whole = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(size, stride, dilation, kernel, strict=True)]
    frame = tuple(r.int(0, min(1, (n + e - 1) // 2)) for n, e in zip(whole, extra, strict=True))
    x = r.normal(r.batch(), groups * r.int(1, 2), *size)
    w = r.normal(x.shape[1], r.int(1, 2), *kernel)
    b = r.normal(w.shape[1] * groups)

    def oracle(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        per_group, filters = x.shape[1] // groups, w.shape[1]
        y = np.zeros((len(x), len(b), whole[0] + extra[0], whole[1] + extra[1]))
        for c, u, v, o, i, j in np.ndindex(x.shape[1], *size, filters, *kernel):
            place = stride[0] * u + dilation[0] * i, stride[1] * v + dilation[1] * j
            y[:, c // per_group * filters + o, *place] += x[:, c, u, v] * w[c, o, i, j]
        p, q = frame
        return (y + b[:, None, None])[:, :, p : y.shape[2] - p, q : y.shape[3] - q]

    return Case([x, w, b], lambda *t: F.conv_transpose2d(*t, stride, frame, extra, groups, dilation), oracle)


@operator("convolve2d", "documented_convolution")
def true_convolution(r: Draw, name: str) -> Case:
    x, h = r.normal(*r.pair(3, 6)), r.normal(*r.pair(1, 3))
    if name == "convolve2d":
        mode = r.one("full", "same", "valid")
        return Case([x, h], lambda x, h: F.convolve2d(x, h, mode), lambda x, h: signal.convolve2d(x, h, mode))

    def oracle(x: np.ndarray, w: np.ndarray, h: np.ndarray) -> np.ndarray:
        y = np.zeros((x.shape[0] + h.shape[0] - 1, x.shape[1] + h.shape[1] - 1))
        for i, j, a, b in np.ndindex(*x.shape, *h.shape):
            y[i + a, j + b] += x[i, j] * w[i, j] * h[a, b]
        return y

    return Case([x, r.normal(*x.shape), h], F.documented_convolution, oracle)


@operator("unfold", "fold")
def columns(r: Draw, name: str) -> Case:
    kernel, stride, frame, dilation, size = window(r)
    x = r.normal(r.batch(), r.int(1, 2), *size)

    def unfolded(x: np.ndarray) -> np.ndarray:
        seen = windows_of(x, kernel, stride, frame, dilation, 0.0).transpose(0, 1, 4, 5, 2, 3)
        return seen.reshape(len(x), math.prod(seen.shape[1:4]), math.prod(seen.shape[4:]))

    if name == "unfold":
        return Case([x], lambda x: F.unfold(x, kernel, dilation, frame, stride), unfolded)
    columns = unfolded(x)

    def oracle(y: np.ndarray) -> np.ndarray:
        """Where each entry was read from: unfold an image of place numbers, and add up by them."""
        numbered = 1.0 + np.arange(math.prod(x.shape[1:]))
        places = unfolded(numbered.reshape(1, *x.shape[1:]))[0].astype(int).ravel()
        sums = [np.bincount(places, image.ravel(), len(numbered) + 1)[1:] for image in y]
        return np.reshape(sums, x.shape)

    return Case(
        [r.normal(*columns.shape)], lambda y: F.fold(y, size, kernel, dilation, frame, stride), oracle
    )


@operator("max_pool2d")
def max_pool2d(r: Draw) -> Case:
    kernel, stride, frame, dilation, size = window(r)
    x = r.normal(r.batch(), r.int(1, 3), *size)
    x = r.rounded(*x.shape) if r.int(0, 3) == 0 else x

    def oracle(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = windows_of(x, kernel, stride, frame, dilation, -np.inf)
        place = np.arange(1.0, size[0] * size[1] + 1).reshape(1, 1, *size)
        read = np.broadcast_to(windows_of(place, kernel, stride, frame, dilation, 0.0), seen.shape) - 1
        flat = seen.reshape(*seen.shape[:4], kernel[0] * kernel[1])
        first = np.argmax(flat, -1)[..., None]
        return flat.max(-1), np.take_along_axis(read.reshape(flat.shape), first, -1)[..., 0].astype(int)

    return Case([x], lambda x: F.max_pool2d(x, kernel, stride, frame, dilation, return_indices=True), oracle)


@operator("max_unpool2d")
def max_unpool2d(r: Draw) -> Case:
    kernel, size = r.pair(1, 3), r.pair(1, 3)
    n, c = r.batch(), r.int(1, 3)
    height, width = kernel[0] * size[0], kernel[1] * size[1]
    offsets = (
        np.asarray(r.rng.integers(0, kernel[0], (n, c, *size))),
        r.rng.integers(0, kernel[1], (n, c, *size)),
    )
    rows = np.arange(size[0])[:, None] * kernel[0] + offsets[0]
    places = rows * width + np.arange(size[1]) * kernel[1] + offsets[1]

    def oracle(x: np.ndarray, places: np.ndarray) -> np.ndarray:
        y = np.zeros((n, c, height, width))
        for p in np.ndindex(x.shape):
            y[p[0], p[1], places[p] // width, places[p] % width] = x[p]
        return y

    return Case([r.normal(n, c, *size), places], lambda x, i: F.max_unpool2d(x, i, kernel), oracle)


@operator("avg_pool2d")
def avg_pool2d(r: Draw) -> Case:
    kernel, stride, frame, _, size = window(r)
    x = r.normal(r.batch(), r.int(1, 3), *(n + k for n, k in zip(size, kernel, strict=True)))
    args = kernel, stride, frame, r.flag(), r.flag()
    return Case([x], lambda x: F.avg_pool2d(x, *args), lambda x: window_means(x, *args))


@operator("adaptive_avg_pool2d")
def adaptive_avg_pool2d(r: Draw) -> Case:
    x, size = r.normal(r.batch(), r.int(1, 3), *r.pair(1, 6)), r.pair(1, 6)

    def oracle(x: np.ndarray) -> np.ndarray:
        (n, c, h, w), (a, b) = x.shape, size
        y = np.zeros((n, c, *size))
        for i, j in np.ndindex(*size):
            rows = [k for k in range(h) if i * h < (k + 1) * a and k * a < (i + 1) * h]
            columns = [k for k in range(w) if j * w < (k + 1) * b and k * b < (j + 1) * w]
            y[:, :, i, j] = sum(x[:, :, p, q] for p, q in itertools.product(rows, columns))
            y[:, :, i, j] /= len(rows) * len(columns)
        return y

    return Case([x], lambda x: F.adaptive_avg_pool2d(x, size), oracle)


@operator("interpolate")
def interpolate(r: Draw) -> Case:
    x, size = r.normal(r.batch(), r.int(1, 3), *r.pair(1, 5)), r.pair(1, 7)
    mode = r.one("nearest", "bilinear")
    corners = r.flag() if mode == "bilinear" else None

    def weights(n: int, m: int) -> np.ndarray:
        """(m, n): how much of each input row an output row takes."""
        matrix = np.zeros((m, n))
        for i in range(m):
            if mode == "nearest":
                matrix[i, i * n // m] = 1
                continue
            at = (i * (n - 1) / (m - 1) if m > 1 else 0.0) if corners else (i + 0.5) * n / m - 0.5
            at = min(max(at, 0.0), n - 1.0)
            for k in range(n):
                matrix[i, k] = max(0.0, 1 - abs(at - k))  # a hat around each pixel
        return matrix

    def oracle(x: np.ndarray) -> np.ndarray:
        return np.einsum("ncij,Yi,Xj->ncYX", x, weights(x.shape[2], size[0]), weights(x.shape[3], size[1]))

    return Case([x], lambda x: F.interpolate(x, size, mode=mode, align_corners=corners), oracle)
