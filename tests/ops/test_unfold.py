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
    against_torch([shape], lambda L, x: L.fold(x, (6, 7), **options))
    against_torch([shape[1:]], lambda L, x: L.fold(x, (6, 7), **options))


def test_numpy():
    def windows(x):
        seen = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (2, 3))  # N, C, Ho, Wo, kh, kw
        return seen.transpose(0, 1, 4, 5, 2, 3).reshape(2, 18, -1)

    against_numpy([(2, 3, 5, 6)], lambda L, x: L.unfold(x, (2, 3)), windows, tolerance=0)


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


def test_refuses():
    refuses(ShapeError, "unfold extent 4", lambda L: L.unfold(L.zeros(1, 1, 3, 3), 4))
    refuses(ShapeError, "fold (1, 5, 4) 2·2", lambda L: L.fold(L.zeros(1, 5, 4), 3, 2))
    refuses(ShapeError, "fold (1, 4, 5) 4", lambda L: L.fold(L.zeros(1, 4, 5), 3, 2))
    refuses(ShapeError, "fold (4,)", lambda L: L.fold(L.zeros(4), 3, 2))
