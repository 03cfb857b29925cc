"""avg_pool2d and adaptive_avg_pool2d against PyTorch and scipy.ndimage; gradients; refusals."""

import itertools
import math

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    close,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
)

CASES = {
    "halving": ((2, 3, 6, 8), (2,), {}),
    "overlap": ((2, 2, 7, 8), (3, 2, 1), {}),
    "pad not counted": ((2, 2, 7, 8), (3, 2, 1), {"count_include_pad": False}),
    "ceil": ((1, 2, 7, 6), (3, 2), {"ceil_mode": True}),
    "ceil and pad": ((1, 2, 6, 5), (2, 2, 1), {"ceil_mode": True}),
    "ceil, pad not counted": ((1, 2, 8, 8), (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}),
    "divisor": ((1, 2, 5, 5), (2,), {"divisor_override": 3}),
    "negative divisor": ((1, 2, 5, 5), (3, 2, 1, True, False, -2), {}),
    "ceil, windows mostly in the frame": ((1, 1, 5, 4), (4, 3, 2), {"ceil_mode": True}),
    "ceil, last window dropped": ((1, 1, 3, 4), (1, 3), {"ceil_mode": True}),
    "ceil, window beyond the image": ((1, 1, 2, 3), (3, 2), {"ceil_mode": True}),
    "global": ((2, 3, 4, 5), ((4, 5),), {}),
    "unlike pairs": ((1, 2, 9, 8), ((2, 3), (1, 2), (1, 0)), {}),
    "single image": ((3, 6, 4), (2,), {}),
    "empty batch": ((0, 3, 6, 4), (2,), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_torch(case):
    shape, args, options = CASES[case]
    against_torch([shape], lambda L, x: L.avg_pool2d(x, *args, **options), maps=len(shape) == 4)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize("divisor", [None, 5])
@pytest.mark.parametrize(
    "kernel, stride, padding", [(2, 1, 1), (3, 2, 1), ((4, 2), (3, 2), (2, 1)), (3, 4, 0)]
)
def test_every_combination(kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    args = kernel, stride, padding, ceil_mode, count_include_pad, divisor
    against_torch([(2, 2, 7, 6)], lambda L, x: L.avg_pool2d(x, *args), dtypes=("float64",), maps=True)


def window_starts(n, k, s, p, ceil_mode):
    """Where the windows begin: those that fit in, and with ceil_mode one more, if something is left over."""
    starts = list(range(-p, n + p - k + 1, s))
    if ceil_mode and starts[-1] + k < n + p and starts[-1] + s < n:
        starts.append(starts[-1] + s)
    return starts


def window_means(x, kernel, stride, padding, ceil_mode, count_include_pad):
    """The mean of a list of numbers, window by window; the list ends where image and frame end."""
    (n, c, h, w), (kh, kw), (sh, sw), (p, q) = x.shape, kernel, stride, padding
    rows, columns = window_starts(h, kh, sh, p, ceil_mode), window_starts(w, kw, sw, q, ceil_mode)
    y = np.zeros((n, c, len(rows), len(columns)))
    for (Y, i), (X, j) in itertools.product(enumerate(rows), enumerate(columns)):
        seen = []
        for a, b in itertools.product(range(i, min(i + kh, h + p)), range(j, min(j + kw, w + q))):
            inside = 0 <= a < h and 0 <= b < w
            if inside or count_include_pad:
                seen.append(x[:, :, a, b] if inside else np.zeros((n, c)))
        y[:, :, Y, X] = sum(seen) / len(seen)
    return y


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("count_include_pad", [False, True])
def test_loops(ceil_mode, count_include_pad):
    args = (3, 2), (2, 3), (1, 1), ceil_mode, count_include_pad
    against_numpy([(2, 3, 6, 5)], lambda L, x: L.avg_pool2d(x, *args), lambda x: window_means(x, *args))


@pytest.mark.parametrize("size", [(3, 2), (1, 4), (9, 11), (7, 5)], ids=str)
def test_adaptive_loops(size):
    def oracle(x):
        y = np.zeros((2, 3, *size))
        for Y, X in np.ndindex(*size):
            top, bottom = math.floor(Y * 7 / size[0]), math.ceil((Y + 1) * 7 / size[0])
            left, right = math.floor(X * 5 / size[1]), math.ceil((X + 1) * 5 / size[1])
            y[:, :, Y, X] = x[:, :, top:bottom, left:right].mean((2, 3))
        return y

    against_numpy([(2, 3, 7, 5)], lambda L, x: L.adaptive_avg_pool2d(x, size), oracle)


@pytest.mark.parametrize("size", [1, 2, (3, 2), (None, 3), (None, None), (7, 5), (9, 11)], ids=str)
def test_adaptive_torch(size):
    against_torch([(2, 3, 7, 5)], lambda L, x: L.adaptive_avg_pool2d(x, size), maps=True)
    against_torch([(3, 7, 5)], lambda L, x: L.adaptive_avg_pool2d(x, size))
    against_torch([(0, 3, 7, 5)], lambda L, x: L.adaptive_avg_pool2d(x, size))


def test_adaptive_to_nothing():
    """PyTorch has a value here, but refuses the gradient."""
    x = ms.ones(2, 3, 7, 5, requires_grad=True)
    y = OURS.adaptive_avg_pool2d(x, (0, 2))
    (g,) = ms.grad(y.sum(), x)
    assert y.shape == (2, 3, 0, 2) and not g.data.any()


def test_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    (x,) = draw([(2, 3, 7, 8)])
    expected = ndimage.uniform_filter(x, size=(1, 1, 3, 3), mode="constant")
    close(OURS.avg_pool2d(ms.tensor(x), 3, 1, 1).data, expected)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    for args in ((2,), (3, 2, 1), (2, 1, 1, True, False)):
        differentiable([(1, 2, 5, 4)], lambda L, x, a=args: L.avg_pool2d(x, *a), order)
    differentiable([(1, 2, 5, 4)], lambda L, x: L.adaptive_avg_pool2d(x, (3, 2)), order)


def test_layouts():
    same_in_every_layout([(2, 3, 7, 6)], lambda L, x: L.avg_pool2d(x, 3, 2, 1))
    same_in_every_layout([(2, 3, 7, 6)], lambda L, x: L.adaptive_avg_pool2d(x, (2, 4)))


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "avg_pool2d half padding (2, 2)", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 3, 1, 2)),
        (ShapeError, "avg_pool2d extent 6", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 6)),
        (ValueError, "divisor_override", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 2, divisor_override=0)),
        (
            TypeError,
            "divisor_override 1.5",
            lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 2, divisor_override=1.5),
        ),
        (ShapeError, "avg_pool2d stride 0", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 2, 0)),
        (ShapeError, "avg_pool2d padding -1", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 2, 1, -1)),
        (ShapeError, "avg_pool2d kernel_size 0", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 0)),
        (
            ShapeError,
            "adaptive_avg_pool2d pair (1, 2, 3)",
            lambda L: L.adaptive_avg_pool2d(L.zeros(1, 1, 2, 2), (1, 2, 3)),
        ),
        (ShapeError, "output_size -1", lambda L: L.adaptive_avg_pool2d(L.zeros(1, 1, 2, 2), -1)),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_refuses_what_is_no_image():
    refuses(
        ShapeError,
        "adaptive_avg_pool2d (2, 2)",
        lambda L: L.adaptive_avg_pool2d(L.zeros(2, 2), 1),
        torch_too=False,
    )


def test_refuses_an_image_without_pixels():
    call = lambda L: L.adaptive_avg_pool2d(L.zeros(1, 1, 0, 2), 1)  # noqa: E731  (PyTorch gives NaN)
    refuses(ShapeError, "adaptive_avg_pool2d pixels", call, torch_too=False)


@pytest.mark.parametrize("kernels", ["reference", "cpu"])
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize(
    "kernel, stride, padding", [(2**31 - 1, 1, 2**30 - 1), (2**31 - 2, 3, 2**30 - 1), (7, 2, 3)]
)
def test_windows_that_lie_mostly_in_the_frame(kernel, stride, padding, include, kernels):
    """Up to the largest numbers that are accepted: they neither overflow nor take time."""
    (a,) = draw([(1, 2, 5, 8)])
    axes = []
    for n in a.shape[2:]:
        begins = range(-padding, n + padding - kernel + 1, stride)
        axes.append([[min(b + kernel, n), max(b, 0), kernel if include else None] for b in begins])
    expected = np.array(
        [
            [
                [c[t:b, s:e].sum() / ((h or b - t) * (w or e - s)) for e, s, w in axes[1]]
                for b, t, h in axes[0]
            ]
            for c in a[0]
        ]
    )
    x = ms.tensor(a, requires_grad=True)
    with dispatch.use(kernels):
        y = ms.functional.avg_pool2d(x, kernel, stride, padding, count_include_pad=include)
        (y / expected).sum().backward()
    np.testing.assert_allclose(y.data[0], expected, rtol=1e-12)
    np.testing.assert_allclose((x.grad * x).sum().item(), expected.size)  # y is linear in x
