"""max_unpool2d against PyTorch; what pooling found goes back to its place; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from tests.helpers import against_torch, differentiable, draw, refuses, same_in_every_layout


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


@pytest.mark.parametrize(
    "shape, args",
    [
        ((0, 2, 4, 4), (2,)),
        ((1, 2, 6, 7), ((2, 3), (2, 3))),
        ((2, 1, 6, 6), (2, 2, 1)),
        ((1, 1, 9, 9), (3, 2)),
    ],
)
def test_more_torch(shape, args):
    """Empty batch, pairs, padding, windows that overlap (a maximum of several windows comes back once)."""

    def call(L, x):
        y, indices = L.max_pool2d(x, *args, return_indices=True)
        return L.max_unpool2d(y, indices, *args, output_size=shape)

    gradients = args != (3, 2)  # where windows share a maximum PyTorch gives each of them the gradient, too
    against_torch([shape], call, maps=True, gradients=gradients)


def test_pool_after_unpool_is_the_identity():
    (x,) = draw([(2, 3, 6, 8)])
    y, indices = ms.functional.max_pool2d(ms.tensor(np.abs(x)), 2, return_indices=True)
    back = ms.functional.max_pool2d(ms.functional.max_unpool2d(y, indices, 2), 2)
    np.testing.assert_array_equal(back.data, y.data)


def test_layouts():
    indices = np.array([[[[0, 3], [8, 15]], [[5, 2], [9, 10]]]])
    same_in_every_layout([(1, 2, 2, 2), indices], lambda L, x, i: L.max_unpool2d(x, i, 2))


def test_refuses_more():
    def call(index, dtype="int64", **options):
        return lambda L: L.max_unpool2d(
            L.zeros(1, 1, 1, 1), L.tensor([[[[index]]]], dtype=getattr(L, dtype)), 2, **options
        )

    refuses(DTypeError, "max_unpool2d int32 int64", call(0, "int32"))
    refuses(DTypeError, "max_unpool2d float32 int64", call(0, "float32"))
    refuses(IndexError, "max_unpool2d outside", call(-1), torch_too=False)
    refuses(ShapeError, "max_unpool2d output_size (2,)", call(0, output_size=(2,)))
    refuses(ShapeError, "max_unpool2d output_size", call(0, output_size=(1, 1, 1, 2, 2)))
    refuses(ShapeError, "max_unpool2d (4, 2)", call(0, output_size=(4, 2)))


def test_places_beyond_the_output():
    x = ms.ones(1, 1, 1, 2)
    for wrong in (-1, 8):  # the default output is 2 × 4: places 0 … 7
        with pytest.raises(
            IndexError, match=r"max_unpool2d: an index is outside 0 … 7, the places of output size \(2, 4\)"
        ):
            ms.functional.max_unpool2d(x, ms.tensor([[[[0, wrong]]]]), 2)
    y = ms.functional.max_unpool2d(x, ms.tensor([[[[0, 7]]]]), 2)
    assert y.tolist() == [[[[1, 0, 0, 0], [0, 0, 0, 1]]]]
