"""max_pool2d against PyTorch and scipy.ndimage: values, indices, ties, overlaps, NaN; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.kernels import dispatch
from tests.helpers import OURS, against_torch, differentiable, draw, refuses, same_in_every_layout

CASES = {
    "halving": ((2, 3, 6, 8), (2,), {}),
    "remainder": ((1, 2, 7, 5), (2,), {}),
    "overlap": ((2, 2, 7, 8), (3,), {"stride": 2, "padding": 1}),
    "dilation of an image": ((1, 2, 5, 6), (3, 1, 1), {}),
    "unlike pairs": ((1, 2, 9, 8), ((2, 3),), {"stride": (1, 2), "padding": (1, 0), "dilation": (2, 1)}),
    "stride beyond the kernel": ((1, 2, 9, 9), (2,), {"stride": 4}),
    "ceil": ((1, 2, 7, 6), (3,), {"stride": 2, "ceil_mode": True}),
    "ceil in the padding": ((1, 1, 5, 5), (2,), {"stride": 2, "padding": 1, "ceil_mode": True}),
    "ceil, last window dropped": ((1, 1, 3, 4), (1,), {"stride": 3, "ceil_mode": True}),
    "ceil, window beyond the image": ((1, 1, 2, 3), (3,), {"stride": 2, "ceil_mode": True}),
    "single image": ((3, 6, 4), (2,), {}),
    "empty batch": ((0, 3, 6, 4), (2,), {}),
    "identity": ((1, 2, 3, 4), (1,), {}),
    "global": ((2, 3, 4, 5), ((4, 5),), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_torch(case):
    shape, args, options = CASES[case]
    against_torch([shape], lambda L, x: L.max_pool2d(x, *args, **options), maps=len(shape) == 4)
    against_torch(
        [shape], lambda L, x: L.max_pool2d(x, *args, return_indices=True, **options), gradients=False
    )


TIES = np.array([[[[1.0, 1, 1, 0, 0], [1, 1, 1, 0, 2], [1, 1, 1, 2, 2], [0, 0, 2, 2, 2]]]])


@pytest.mark.parametrize("args", [(2,), (2, 1), (3, 1, 1), (3, 2, 1)])
def test_ties_go_to_the_first(args):
    against_torch([TIES], lambda L, x: L.max_pool2d(x, *args))
    _, indices = OURS.max_pool2d(ms.tensor(TIES), 3, 1, return_indices=True)
    assert indices.data[0, 0, 0, 0] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinities(bad):
    x = draw([(1, 2, 6, 6)])[0]
    x[0, 0, 1:3, 2], x[0, 1] = bad, -np.inf
    against_torch([x], lambda L, x: L.max_pool2d(x, 3, 2, 1))
    against_torch([x], lambda L, x: L.max_pool2d(x, 2, return_indices=True)[0])


@pytest.mark.parametrize("size", [1, 3, 5])
def test_scipy(size):
    """Without a stride it is a grey dilation, bit for bit."""
    ndimage = pytest.importorskip("scipy.ndimage")
    for dtype in ("float64", "float32"):
        (x,) = draw([(2, 3, 7, 8)], dtype)
        y = OURS.max_pool2d(ms.tensor(x), size, 1, size // 2).data
        expected = ndimage.maximum_filter(x, size=(1, 1, size, size), mode="constant", cval=-np.inf)
        np.testing.assert_array_equal(y, expected)
        half = OURS.max_pool2d(ms.tensor(x), size, 2, size // 2).data
        np.testing.assert_array_equal(half, expected[:, :, ::2, ::2])


def test_overlapping_winner_receives_every_gradient():
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 2, 2] = 1
    t = ms.Tensor(x, True)
    y = OURS.max_pool2d(t, 3, 1)
    u = np.arange(1.0, 10.0).reshape(y.shape)
    (g,) = ms.grad(y, t, u)
    assert g.data[0, 0, 2, 2] == u.sum() and np.count_nonzero(g.data) == 1


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("args", [(2,), (3, 1, 1), (2, 1, 0, 2), (3, 2, 1, 1, True)])
def test_gradients(args, order):
    differentiable([(1, 2, 5, 4)], lambda L, x: L.max_pool2d(x, *args), order)


def test_layouts():
    same_in_every_layout([(2, 3, 7, 6)], lambda L, x: L.max_pool2d(x, 3, 2, 1))


def call(shape, *args, dtype="float32", **options):
    return lambda L: L.max_pool2d(L.zeros(shape, dtype=getattr(L, dtype)), *args, **options)


@pytest.mark.parametrize(
    "error, words, run",
    [
        (ShapeError, "max_pool2d input (5,)", call((5,), 2)),
        (ShapeError, "max_pool2d padding (2, 2) half (3, 3)", call((1, 1, 5, 5), 3, 1, 2)),
        (ShapeError, "max_pool2d height 2 extent 3", call((1, 1, 2, 5), 3)),
        (ShapeError, "max_pool2d width extent 5", call((1, 1, 5, 4), 3, 1, 0, 2)),
        (ShapeError, "max_pool2d kernel_size 0", call((1, 1, 5, 5), 0)),
        (ShapeError, "max_pool2d stride 0", call((1, 1, 5, 5), 2, 0)),
        (ShapeError, "max_pool2d padding -1", call((1, 1, 5, 5), 2, 2, -1)),
        (TypeError, "max_pool2d kernel_size 2.5", call((1, 1, 5, 5), 2.5)),
    ],
)
def test_refuses(error, words, run):
    refuses(error, words, run)


def test_refuses_integers():
    refuses(DTypeError, "max_pool2d input int64", call((1, 1, 4, 4), 2, dtype="int64"), torch_too=False)


HALF = 2**30


def starts(n, kernel, stride, padding, dilation, ceil_mode):
    """Where windows begin along one axis, and what of each lies inside the image, by Python's integers."""
    room = n + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-room // stride) if ceil_mode else room // stride) + 1
    begins = [i * stride - padding for i in range(count)]
    return [[i for i in range(n) if i >= b and (i - b) % dilation == 0 and (i - b) // dilation < kernel]
            for b in begins if not ceil_mode or b < n]  # fmt: skip


@pytest.mark.parametrize(
    "kernel, stride, padding, dilation, ceil_mode",
    [
        (2 * HALF - 1, 1, HALF - 1, 1, False),
        (2 * HALF - 1, 2, HALF - 1, 1, True),
        (2 * HALF - 1, 2 * HALF - 1, HALF - 1, 1, False),
        (2 * HALF - 2, 3, HALF - 1, 1, False),
        (HALF, HALF - 1, HALF // 2, 1, False),
        (2, 2 * HALF - 1, 1, 1, True),
        (1, 2, 0, 2 * HALF - 1, False),
        (3, 1, 1, 2, False),
        (5, 2, 2, 2, True),
    ],
)
@pytest.mark.parametrize("kernels", ["reference", "cpu"])
def test_windows_that_lie_mostly_in_the_frame(kernel, stride, padding, dilation, ceil_mode, kernels):
    """Up to the largest numbers that are accepted: they neither overflow nor take time."""
    options = kernel, stride, padding, dilation
    (a,) = draw([(1, 2, 5, 7)])
    rows, columns = (starts(n, *options, ceil_mode) for n in a.shape[2:])
    expected = [[[max(c[i, j] for i in r for j in s) for s in columns] for r in rows] for c in a[0]]
    x = ms.tensor(a, requires_grad=True)
    with dispatch.use(kernels):
        y, places = ms.functional.max_pool2d(x, *options, ceil_mode=ceil_mode, return_indices=True)
        y.sum().backward()
    np.testing.assert_array_equal(y.data[0], expected)
    flat = a.reshape(2, -1)
    np.testing.assert_array_equal(
        np.take_along_axis(flat, places.data.reshape(2, -1), 1).reshape(y.shape), y.data
    )
    counts = [np.bincount(p, minlength=35) for p in places.data.reshape(2, -1)]
    np.testing.assert_array_equal(x.grad.data.reshape(2, -1), counts)


def test_a_window_of_more_than_32_bits_is_refused():
    """Two windows far apart keep a kernel large: only with ceil_mode."""
    with pytest.raises(ms.ShapeError, match=r"^max_pool2d: a window of \(1073741828, 1073741830\) pixels"):
        ms.functional.max_pool2d(ms.zeros(1, 1, 5, 7), 2 * HALF - 1, HALF - 1, HALF - 1, ceil_mode=True)
