"""softmax and log_softmax against PyTorch and scipy.special; twins; gradients; extreme numbers."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError
from minitorch_seg.ops.softmax import LogSoftmax, Softmax
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
    twin_agrees,
)

CASES = [
    ((2, 3, 4, 5), 1),
    ((2, 3, 4, 5), -1),
    ((2, 3, 4, 5), 0),
    ((2, 3, 4, 5), 2),
    ((4, 5), 1),
    ((4, 5), 0),
    ((6,), 0),
    ((2, 3, 4), 1),
    ((), 0),
    ((0, 3, 2, 2), 1),
    ((2, 0), 1),
    ((2, 1, 3, 3), 1),
]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape, dim", CASES)
def test_torch(shape, dim, name):
    against_torch([shape], lambda L, x: getattr(L, name)(x, dim))
    against_torch([shape], lambda L, x: getattr(x, name)(dim), dtypes=["float64"])


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape, dim", [c for c in CASES if 0 not in c[0] and c[0]])
def test_scipy(shape, dim, name):
    special = pytest.importorskip("scipy.special")
    against_numpy(
        [shape], lambda L, x: getattr(L, name)(x, dim), lambda x: getattr(special, name)(x, axis=dim)
    )


EXTREME = np.array(
    [
        [1000.0, 0, -1000],
        [-np.inf, 0, 1],
        [-1e30, -1e30, -1e30],
        [np.nan, 0, 1],
        [-np.inf] * 3,
        [np.inf, 0, 1],
    ]
)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_extreme_numbers(name):
    against_torch([EXTREME[:3]], lambda L, x: getattr(L, name)(x, 1), gradients=False)
    against_torch([EXTREME[3:]], lambda L, x: getattr(L, name)(x, 1), gradients=False)
    maps = np.ascontiguousarray(EXTREME[:3].T.reshape(1, 3, 3, 1))
    against_torch([maps], lambda L, x: getattr(L, name)(x, 1), gradients=False)


def test_refuses_integers():
    for name in ("softmax", "log_softmax"):
        refuses(DTypeError, f"{name} int64", lambda L, n=name: getattr(L, n)(L.tensor([1, 2]), 0))


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 3, 4), (2, 3, 4, 5)])
def test_without_a_dim_pytorch_s_choice_is_taken_with_a_warning(shape):
    with pytest.warns(UserWarning):
        against_torch([shape], lambda L, x: L.softmax(x))
    with pytest.warns(UserWarning, match="log_softmax: dim"):
        OURS.log_softmax(ms.zeros(*shape))


@pytest.mark.parametrize("shape, dim", [((2, 3, 2, 2), 1), ((3, 4), 0)])
def test_twins(shape, dim):
    (x,) = draw([shape])
    twin_agrees(Softmax, x, dim)
    twin_agrees(LogSoftmax, x, dim)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_gradients(name, order):
    differentiable([(1, 3, 2, 2)], lambda L, x: getattr(L, name)(x, 1), order)
    differentiable([(2, 4)], lambda L, x: getattr(L, name)(x, 0), order)


@pytest.mark.parametrize("dim", [1, 3])
def test_layouts(dim):
    same_in_every_layout([(2, 3, 4, 5)], lambda L, x: L.softmax(x, dim))
    same_in_every_layout([(2, 3, 4, 5)], lambda L, x: L.log_softmax(x, dim))


def test_refuses():
    refuses(IndexError, "softmax dim 2 2 dimensions", lambda L: L.softmax(L.zeros(2, 3), 2))
    refuses(IndexError, "log_softmax dim -3", lambda L: L.log_softmax(L.zeros(2, 3), -3))
    half = lambda L: L.softmax(L.zeros(2, 3, dtype="float16"), 1)  # noqa: E731
    refuses(DTypeError, "softmax input float16 float32", half, torch_too=False)
