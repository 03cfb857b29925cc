"""max_unpool2d against PyTorch; what pooling found goes back to its place; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import against_torch, differentiable, draw, refuses


@pytest.mark.parametrize(
    "shape, args, size",
    [
        ((2, 3, 6, 4), (2,), None),
        ((2, 3, 7, 5), (2,), (7, 5)),
        ((3, 6, 4), (2,), None),
        ((1, 2, 8, 8), (2, 3), (8, 8)),
    ],
)
def test_torch(shape, args, size):
    def call(L, x):
        y, indices = L.max_pool2d(x, *args, return_indices=True)
        return L.max_unpool2d(y * 2, indices, *args, output_size=size)

    against_torch([shape], call, maps=len(shape) == 4)


def test_numpy():
    (x,) = draw([(2, 3, 6, 8)])
    y, indices = ms.functional.max_pool2d(ms.tensor(x), 2, return_indices=True)
    back = ms.functional.max_unpool2d(y, indices, 2).data
    winners = x == np.repeat(np.repeat(y.data, 2, 2), 2, 3)
    np.testing.assert_array_equal(back, np.where(winners, x, 0))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    indices = ms.tensor(np.array([[[[0, 3], [8, 15]]]]))
    differentiable([(1, 1, 2, 2)], lambda L, x: L.max_unpool2d(x, indices, 2), order)


def test_refuses():
    def call(size, index, **options):
        return lambda L: L.max_unpool2d(L.zeros(size), L.tensor(np.array(index)), 2, **options)

    refuses(ValueError, "max_unpool2d (1, 1, 2, 1)", call((1, 1, 2, 1), [[[[0]]]]))
    refuses(IndexError, "max_unpool2d outside", call((1, 1, 1, 1), [[[[9]]]]), torch_too=False)
    refuses(ShapeError, "max_unpool2d (9, 9)", call((1, 1, 1, 1), [[[[0]]]], output_size=(9, 9)))
