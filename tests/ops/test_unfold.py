"""unfold and fold against PyTorch and NumPy's sliding windows; adjoints; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
)

OPTIONS = [
    {"kernel_size": 2},
    {"kernel_size": (2, 3), "stride": 2},
    {"kernel_size": 3, "padding": (1, 2), "stride": (1, 2)},
    {"kernel_size": (3, 2), "dilation": (2, 1), "padding": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_torch(options):
    against_torch([(2, 3, 6, 7)], lambda L, x: L.unfold(x, **options))
    against_torch([(3, 6, 7)], lambda L, x: L.unfold(x, **options))
    shape = OURS.unfold(ms.zeros(2, 3, 6, 7), **options).shape
    against_torch([shape], lambda L, x: L.fold(x, (6, 7), **options), maps=True)
    against_torch([shape[1:]], lambda L, x: L.fold(x, (6, 7), **options))
    against_torch([(0, *shape[1:])], lambda L, x: L.fold(x, (6, 7), **options), maps=True)
    against_torch([(0, 3, 6, 7)], lambda L, x: L.unfold(x, **options))


def test_numpy():
    def windows(x):
        seen = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (2, 3))  # N, C, Ho, Wo, kh, kw
        return seen.transpose(0, 1, 4, 5, 2, 3).reshape(2, 18, -1)

    against_numpy([(2, 3, 5, 6)], lambda L, x: L.unfold(x, (2, 3)), windows, tolerance=0)


def test_convolution_is_a_product_with_the_columns():
    x, w = draw([(2, 3, 5, 6), (4, 3, 3, 2)])
    columns = OURS.unfold(ms.Tensor(x), (3, 2), padding=(1, 0), stride=2).data
    expected = OURS.conv2d(ms.Tensor(x), ms.Tensor(w), None, 2, (1, 0)).data
    np.testing.assert_allclose((w.reshape(4, -1) @ columns).reshape(expected.shape), expected, atol=1e-12)


def test_fold_counts_the_windows_over_each_pixel():
    def count(x):
        y = np.zeros((2, 1, 4, 5))
        for Y, X in np.ndindex(3, 2):
            for i, j in np.ndindex(2, 3):
                y[:, 0, Y + i, 2 * X + j] += x[:, 3 * i + j, 2 * Y + X]
        return y

    against_numpy([(2, 6, 6)], lambda L, x: L.fold(x, (4, 5), (2, 3), stride=(1, 2)), count)
    ones = OURS.fold(OURS.unfold(ms.ones(1, 1, 3, 3), 2), 3, 2)
    assert ones.data[0, 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_fold_is_the_adjoint(options):
    (x,) = draw([(2, 3, 6, 7)])
    y = OURS.unfold(ms.Tensor(x), **options).data
    (u,) = draw([y.shape], seed=1)
    np.testing.assert_allclose(np.sum(y * u), np.sum(x * OURS.fold(ms.Tensor(u), (6, 7), **options).data))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(1, 2, 4, 3)], lambda L, x: L.unfold(x, 2, padding=1, stride=2), order)
    differentiable([(1, 4, 6)], lambda L, x: L.fold(x, (4, 3), 2), order)


def test_layouts():
    same_in_every_layout([(2, 3, 6, 7)], lambda L, x: L.unfold(x, 3, padding=1))
    same_in_every_layout([(2, 8, 6)], lambda L, x: L.fold(x, (3, 4), 2))


def test_refuses():
    refuses(ShapeError, "unfold extent 4", lambda L: L.unfold(L.zeros(1, 1, 3, 3), 4))
    refuses(ShapeError, "fold (1, 5, 4) 2·2", lambda L: L.fold(L.zeros(1, 5, 4), 3, 2))
    refuses(ShapeError, "fold (1, 4, 5) 4", lambda L: L.fold(L.zeros(1, 4, 5), 3, 2))
    refuses(ShapeError, "fold (4,)", lambda L: L.fold(L.zeros(4), 3, 2))
    refuses(ShapeError, "fold output_size 0", lambda L: L.fold(L.zeros(1, 4, 4), 0, 2))
    refuses(ShapeError, "fold extent 5", lambda L: L.fold(L.zeros(1, 4, 1), (3, 3), 2, 4))
    for name, value in (("kernel_size", 0), ("dilation", 0), ("padding", -1), ("stride", 0)):
        options = {"kernel_size": 2, name: value}
        refuses(ShapeError, f"unfold {name} {value}", lambda L, o=options: L.unfold(L.zeros(1, 1, 4, 4), **o))
    refuses(ShapeError, "unfold (4, 4) x[None, None]", lambda L: L.unfold(L.zeros(4, 4), 2))
    refuses(TypeError, "unfold kernel_size 1.5", lambda L: L.unfold(L.zeros(1, 1, 4, 4), 1.5))


def test_a_single_image_with_a_single_window_keeps_both_dimensions():
    assert ms.functional.unfold(ms.zeros(2, 2, 2), 2).shape == (8, 1)
    assert ms.functional.fold(ms.zeros(8, 1), 2, 2).shape == (2, 2, 2)
    assert ms.functional.fold(ms.zeros(1, 1), 1, 1).shape == (1, 1, 1)
