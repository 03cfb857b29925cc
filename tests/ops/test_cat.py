"""cat, stack, split, chunk."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import layout
from tests.helpers import against_numpy, against_torch, differentiable, refuses, same_in_every_layout
from tests.kernels.helpers import lay_out

MAPS = [(2, 3, 4, 5), (2, 1, 4, 5), (2, 4, 4, 5)]


def test_torch():
    against_torch(MAPS, lambda L, *x: L.cat(x, 1))
    against_torch(MAPS[:1] * 3, lambda L, *x: L.cat(list(x), -2))
    against_torch([(2,), (0,), (3,)], lambda L, *x: L.cat(x))
    against_torch([(2, 3)], lambda L, x: L.cat([x, x, x * 2], 1))
    for dim in (0, 1, -1, 2):
        against_torch([(2, 3), (2, 3)], lambda L, *x, d=dim: L.stack(x, d))
    against_torch([(), ()], lambda L, *x: L.stack(x))
    against_torch([(7, 3)], lambda L, x: x.split(3))
    against_torch([(7, 3)], lambda L, x: x.split([2, 4, 1], 0))
    against_torch([(3, 7)], lambda L, x: x.chunk(3, 1))
    against_torch([(3, 4)], lambda L, x: x.chunk(6, -1))
    against_torch([(0, 4)], lambda L, x: x.split(2))


def test_numpy():
    against_numpy(MAPS, lambda L, *x: L.cat(x, 1), lambda *x: np.concatenate(x, 1))
    against_numpy([(2, 3)] * 3, lambda L, *x: L.stack(x, 1), lambda *x: np.stack(x, 1))
    against_numpy([(7, 3)], lambda L, x: x.split([2, 4, 1]), lambda x: np.split(x, [2, 6]))


def test_dtypes_are_promoted():
    against_torch([np.arange(3), (2,)], lambda L, a, b: L.cat([a, b]))


def test_maps_stay_channels_last():
    parts = [ms.Tensor(lay_out(np.ones(s), "channels-last"), True) for s in MAPS]
    y = ms.cat(parts, 1)
    assert layout.is_map(y.data)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(2, 1), (2, 3)], lambda L, a, b: L.cat([a, b, a], 1) ** 2, order)
    differentiable([(2, 2), (2, 2)], lambda L, a, b: L.stack([a, b], 1) ** 2, order)
    differentiable([(5, 2)], lambda L, x: [p * p for p in x.split(2)], order)


def test_layouts():
    same_in_every_layout(MAPS, lambda L, *x: L.cat(x, 1))


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ValueError, "cat", lambda L: L.cat([])),
        (ValueError, "stack", lambda L: L.stack([])),
        (ShapeError, "cat tensor 1 (2, 4) (2, 3)", lambda L: L.cat([L.zeros(2, 3), L.zeros(2, 4)])),
        (ShapeError, "cat tensor 1 (3,)", lambda L: L.cat([L.zeros(2, 3), L.zeros(3)])),
        (ShapeError, "stack 0-d", lambda L: L.cat([L.zeros(()), L.zeros(())])),
        (IndexError, "cat dim 2", lambda L: L.cat([L.zeros(2, 3)], 2)),
        (ShapeError, "stack (2,) (3,)", lambda L: L.stack([L.zeros(2), L.zeros(3)])),
        (ShapeError, "split 7 5", lambda L: L.zeros(5).split([3, 4])),
        (ShapeError, "split 0", lambda L: L.zeros(5).split(0)),
        (ShapeError, "chunk 0", lambda L: L.zeros(5).chunk(0)),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_chunks_lie_along_the_first_dimension_unless_told_otherwise():
    x = ms.tensor([[1, 2], [3, 4]])
    assert [p.tolist() for p in ms.chunk(x, 2)] == [[[1, 2]], [[3, 4]]]
    assert [p.tolist() for p in ms.chunk(x, 2, 1)] == [[[1], [3]], [[2], [4]]]
    assert [p.tolist() for p in ms.split(x, 1)] == [[[1, 2]], [[3, 4]]]
    assert ms.split(ms.zeros(0, 2), []) == ()
