"""Random shapes, strides, paddings and indices (hypothesis), against NumPy written as loops or as slices."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import OURS

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st

small, seeds = st.integers(1, 3), st.integers(0, 2**16)
light = settings(max_examples=40, deadline=None, derandomize=True)


def normal(seed, *size):
    return np.random.default_rng(seed).standard_normal(size)


@st.composite
def windows(draw):
    """Kernel, stride, padding, dilation of both directions, and an image that holds at least one window."""
    kernel, stride, dilation = ((draw(small), draw(small)) for _ in range(3))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(
        max(d * (k - 1) + 1 - 2 * p, 1) + draw(st.integers(0, 4))
        for k, p, d in zip(kernel, padding, dilation, strict=True)
    )
    return size, kernel, stride, padding, dilation


def patches(x, kernel, stride, padding, dilation, fill):
    """(N, C, Ho, Wo, kh, kw): what each window sees."""
    framed = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)), constant_values=fill)
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    views = np.lib.stride_tricks.sliding_window_view(framed, extent, (2, 3))
    return views[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


@light
@given(windows(), small, small, st.integers(1, 2), st.integers(0, 2), seeds)
def test_conv2d_and_its_adjoint(window, channels, filters, groups, images, seed):
    size, kernel, stride, padding, dilation = window
    x = normal(seed, images, channels * groups, *size)
    w, b = normal(seed + 1, filters * groups, channels, *kernel), normal(seed + 2, filters * groups)
    t = ms.Tensor(x, True)
    y = OURS.conv2d(t, ms.Tensor(w), ms.Tensor(b), stride, padding, dilation, groups)
    seen = patches(x, kernel, stride, padding, dilation, 0.0)
    parts = [
        np.einsum(
            "ncYXij,ocij->noYX",
            seen[:, k * channels : (k + 1) * channels],
            w[k * filters : (k + 1) * filters],
        )
        for k in range(groups)
    ]
    np.testing.assert_allclose(y.data, np.concatenate(parts, 1) + b[:, None, None], atol=1e-10)
    u = normal(seed + 3, *y.shape)
    (g,) = ms.grad(y, t, u)
    moved = OURS.conv2d(ms.Tensor(x + g.data), ms.Tensor(w), ms.Tensor(b), stride, padding, dilation, groups)
    np.testing.assert_allclose(np.sum(u * (moved.data - y.data)), np.sum(g.data**2), rtol=1e-8, atol=1e-9)
    short = tuple(
        n - ((m - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, m, s, p, d, k in zip(size, y.shape[2:], stride, padding, dilation, kernel, strict=True)
    )
    if all(m < max(s, d) for m, s, d in zip(short, stride, dilation, strict=True)):
        back = OURS.conv_transpose2d(
            ms.Tensor(u), ms.Tensor(w), None, stride, padding, short, groups, dilation
        )
        np.testing.assert_allclose(back.data, g.data, atol=1e-10)


@light
@given(windows(), small, seeds, st.booleans())
def test_max_pool2d(window, channels, seed, tied):
    size, kernel, stride, padding, dilation = window
    x = normal(seed, 2, channels, *size)
    x = np.round(x) if tied else x
    t = ms.Tensor(x, True)
    y, indices = OURS.max_pool2d(t, kernel, stride, padding, dilation, return_indices=True)
    seen = patches(x, kernel, stride, padding, dilation, -np.inf)
    np.testing.assert_array_equal(y.data, seen.max((4, 5)))
    flat = np.take_along_axis(x.reshape(2, channels, -1), indices.data.reshape(2, channels, -1), 2)
    np.testing.assert_array_equal(flat.reshape(y.shape), y.data)
    u = normal(seed + 1, *y.shape)
    (g,) = ms.grad(y, t, u)
    np.testing.assert_allclose(g.data.sum((2, 3)), u.sum((2, 3)), atol=1e-10)
    assert not g.data[
        ~np.isin(np.arange(size[0] * size[1]).reshape(size), indices.data) * np.ones_like(x, bool)
    ].any()


@light
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_pad(shape, data):
    axes = data.draw(st.integers(0, len(shape)))
    widths = [data.draw(st.integers(-1 if n > 2 else 0, 3)) for n in shape[::-1][:axes] for _ in range(2)]
    x = normal(0, *shape)
    pairs = [(0, 0)] * (len(shape) - axes) + list(zip(widths[::2], widths[1::2], strict=True))[::-1]
    expected = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in pairs], constant_values=2.0)
    expected = expected[tuple(slice(max(-a, 0), -max(-b, 0) or None) for a, b in pairs)]
    t = ms.Tensor(x, True)
    y = OURS.pad(t, widths, value=2.0)
    np.testing.assert_array_equal(y.data, expected)
    (g,) = ms.grad(y, t, np.ones(y.shape))
    inside = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(shape, pairs, strict=True))]
    assert g.data.sum() == inside.size


@light
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9), st.booleans(), seeds)
def test_interpolate(h, w, height, width, corners, seed):
    x = normal(seed, 1, 2, h, w)
    bilinear = {"mode": "bilinear", "align_corners": corners}
    y = OURS.interpolate(ms.tensor(x), (height, width), **bilinear).data
    assert y.min() >= x.min() - 1e-12 and y.max() <= x.max() + 1e-12
    plane = (
        3 * np.arange(w)[None, :] + 5 * np.arange(h)[:, None] + np.zeros((1, 1, h, w))
    )  # planes stay planes
    rows, columns = (
        i * ((n - 1) / (m - 1) if m > 1 else 0.0) if corners else np.clip((i + 0.5) * n / m - 0.5, 0, n - 1)
        for n, m, i in ((h, height, np.arange(height)), (w, width, np.arange(width)))
    )
    found = OURS.interpolate(ms.tensor(plane), (height, width), **bilinear).data[0, 0]
    np.testing.assert_allclose(found, 5 * rows[:, None] + 3 * columns, atol=1e-9)
    t = ms.Tensor(x, True)
    for options in (bilinear, {"mode": "nearest"}):
        u = normal(seed + 1, 1, 2, height, width)
        y = OURS.interpolate(t, (height, width), **options)
        (g,) = ms.grad(y, t, u)
        np.testing.assert_allclose(np.sum(u * y.data), np.sum(g.data * x), atol=1e-9)  # <u, A x> = <Aᵀ u, x>


@light
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), st.booleans(), seeds)
def test_reductions(shape, data, keepdim, seed):
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    x = np.round(normal(seed, *shape), 1)
    for name in ("sum", "mean", "amax", "amin"):
        t = ms.Tensor(x, True)
        y = getattr(t, name)(axes, keepdim=keepdim)
        expected = getattr(x, name.removeprefix("a") if name[0] == "a" else name)(axes, keepdims=keepdim)
        np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-12)
        u = normal(seed + 1, *y.shape)
        (g,) = ms.grad(y, t, u)
        whole = x.size // u.size if name == "sum" else 1
        np.testing.assert_allclose(g.data.sum(), whole * u.sum(), atol=1e-9)


@light
@given(st.data(), seeds)
def test_indexing(data, seed):
    shape = (3, 4, 5)
    x = normal(seed, *shape)
    parts = []
    for n in shape[: data.draw(st.integers(0, 3))]:
        places = st.integers(-n, n - 1)
        steps = st.slices(n).filter(lambda s: (s.step or 1) > 0)
        parts.append(data.draw(st.one_of(places, steps, st.lists(places, min_size=2, max_size=2))))
    index = tuple(parts)
    t = ms.Tensor(x, True)
    y = t[index]
    np.testing.assert_array_equal(y.data, x[index])
    u = normal(seed + 1, *y.shape)
    (g,) = ms.grad(y, t, u)
    taken = np.arange(60).reshape(shape)[index]
    expected = np.bincount(np.ravel(taken), np.ravel(u), minlength=60).reshape(shape)
    np.testing.assert_allclose(g.data, expected, atol=1e-12)
