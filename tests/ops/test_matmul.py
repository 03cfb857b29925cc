"""matmul and linear: vectors, matrices, batches; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from tests.helpers import OURS, against_numpy, against_torch, differentiable, refuses, same_in_every_layout

SHAPES = [
    ((3, 4), (4, 2)),
    ((4,), (4,)),
    ((4,), (4, 2)),
    ((3, 4), (4,)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((4,), (2, 4, 5)),
    ((2, 3, 4), (4,)),
    ((0, 4), (4, 2)),
    ((3, 0), (0, 2)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize("a, b", SHAPES, ids=str)
def test_matmul(a, b):
    against_torch([a, b], lambda L, a, b: a @ b)
    against_torch([a, b], lambda L, a, b: L.matmul(a, b), dtypes=["float64"])
    against_numpy([a, b], lambda L, a, b: a @ b, np.matmul)


@pytest.mark.parametrize("x", [(5, 3), (3,), (2, 5, 3), (2, 4, 5, 3), (0, 3)], ids=str)
def test_linear(x):
    against_torch([x, (4, 3), (4,)], lambda L, x, w, b: L.linear(x, w, b))
    against_torch([x, (4, 3)], lambda L, x, w: L.linear(x, w))
    against_numpy([x, (4, 3), (4,)], lambda L, x, w, b: L.linear(x, w, b), lambda x, w, b: np.inner(x, w) + b)


def test_integers():
    against_torch([np.arange(6).reshape(2, 3), np.arange(3)], lambda L, a, b: a @ b, gradients=False)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("a, b", [((2, 3), (3, 2)), ((3,), (3, 2)), ((2, 1, 2, 2), (3, 2, 1))], ids=str)
def test_gradients(a, b, order):
    differentiable([a, b], lambda L, a, b: a @ b, order)
    if len(a) == 2:
        differentiable([a, (2, 3), (2,)], lambda L, x, w, c: L.linear(x, w, c), order)


def test_layouts():
    same_in_every_layout([(2, 3, 4), (4, 5)], lambda L, a, b: a @ b)
    same_in_every_layout([(2, 3, 4, 5), (2, 3, 5, 4)], lambda L, a, b: a @ b)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "matmul (2, 3) (2, 3) transpose", lambda L: L.zeros(2, 3) @ L.zeros(2, 3)),
        (ShapeError, "matmul (3,) (2, 2)", lambda L: L.zeros(3) @ L.zeros(2, 2)),
        (ShapeError, "matmul batch (2, 2, 2) (3, 2, 2)", lambda L: L.zeros(2, 2, 2) @ L.zeros(3, 2, 2)),
        (ShapeError, "matmul dimension", lambda L: L.matmul(L.zeros(()), L.zeros(2))),
        (DTypeError, "matmul float32 int64", lambda L: L.zeros(2, 2) @ L.tensor([[1, 2], [3, 4]])),
        (ShapeError, "linear (2, 3) (4, 2)", lambda L: L.linear(L.zeros(2, 3), L.zeros(4, 2))),
        (ShapeError, "linear bias (3,) (4,)", lambda L: L.linear(L.zeros(2, 3), L.zeros(4, 3), L.zeros(3))),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_refuses_mixed_layers():
    call = lambda L: L.linear(ms.zeros(2, 3), ms.zeros(4, 3, dtype="float64"))  # noqa: E731
    refuses(DTypeError, "linear float32, weight float64", call, torch_too=False)
    with pytest.raises(ShapeError, match="linear"):
        OURS.linear(ms.tensor(1.0), ms.zeros(4, 3))
