"""Pooling on the GPU: ties, NaN, windows outside the image, overlap, dilation, both sizes of taps."""

import numpy as np
import pytest

from minitorch_seg.kernels.sizes import window_counts
from tests.cuda_simulator.agreement import agree, normal

# x, kernel, stride, padding, dilation
WINDOWS = {
    "halving": ((2, 3, 4, 5), (2, 2), (2, 2), (0, 0), (1, 1)),
    "overlap": ((1, 2, 5, 6), (3, 3), (2, 1), (1, 1), (1, 1)),
    "dilation": ((1, 2, 6, 5), (2, 3), (1, 2), (1, 1), (3, 1)),
    "gaps": ((1, 1, 7, 7), (2, 1), (3, 4), (0, 0), (1, 1)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", WINDOWS)
def test_max_pool2d(name, dtype):
    shape, *window = WINDOWS[name]
    rng = np.random.default_rng(1)
    x = normal(rng, *shape, dtype=dtype)
    x[0, 0, :2, :2], x[0, 0, 2, 2], x[0, -1, 3, 3] = 7, np.nan, np.inf
    size = window_counts(shape[2:], *window)
    _, taps = agree("max_pool2d", "max_pool2d", x, *window, size)
    grad = normal(rng, *taps.shape, dtype=dtype)
    agree("max_pool2d", "max_pool2d_gradient", grad, taps, shape[2:], *window)


def test_windows_outside_and_large_ones():
    rng = np.random.default_rng(2)
    outside = (2, 2), (2, 2), (0, 0), (1, 1)
    y, taps = agree("max_pool2d", "max_pool2d", normal(rng, 1, 1, 3, 3), *outside, (3, 2))
    assert (y[0, 0, 2] == -np.inf).all() and (taps[0, 0, 2] == -1).all()
    large = (12, 12), (1, 1), (6, 6), (1, 1)
    for dtype in ("float32", "float64"):
        x, grad = normal(rng, 1, 1, 4, 3, dtype=dtype), normal(rng, 1, 1, 5, 4, dtype=dtype)
        _, taps = agree("max_pool2d", "max_pool2d", x, *large, (5, 4))
        assert taps.dtype == np.int32
        agree("max_pool2d", "max_pool2d_gradient", grad, taps, (4, 3), *large)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["halving", "overlap", "gaps"])
def test_avg_pool2d(name, dtype):
    shape, kernel, stride, padding, _ = WINDOWS[name]
    rng = np.random.default_rng(3)
    size = window_counts(shape[2:], kernel, stride, padding, (1, 1))
    divisor = rng.integers(1, 9, size)
    x = normal(rng, *shape, dtype=dtype)
    x[0, 0, 1, 1] = np.nan
    agree("avg_pool2d", "avg_pool2d", x, divisor, kernel, stride, padding)
    grad = normal(rng, *shape[:2], *size, dtype=dtype)
    agree("avg_pool2d", "avg_pool2d_gradient", grad, shape[2:], divisor, kernel, stride, padding)


def test_empty_batches():
    rng = np.random.default_rng(4)
    window = (2, 2), (2, 2), (0, 0), (1, 1)
    _, taps = agree("max_pool2d", "max_pool2d", normal(rng, 0, 2, 4, 4), *window, (2, 2))
    agree("max_pool2d", "max_pool2d_gradient", normal(rng, 0, 2, 2, 2), taps, (4, 4), *window)
    agree("avg_pool2d", "avg_pool2d", normal(rng, 0, 2, 4, 4), np.full((2, 2), 4), *window[:3])
