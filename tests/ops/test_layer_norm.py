"""layer_norm, group_norm, instance_norm against PyTorch and the formula; gradients; refusals."""

import numpy as np
import pytest

from minitorch_seg.errors import ShapeError
from tests.helpers import against_numpy, against_torch, differentiable, refuses, same_in_every_layout

SHAPE = (2, 6, 3, 4)


def test_torch():
    for dims in ((4,), (3, 4), (6, 3, 4)):
        against_torch([SHAPE, dims, dims], lambda L, x, w, b, d=dims: L.layer_norm(x, d, w, b, 0.01))
        against_torch([SHAPE], lambda L, x, d=dims: L.layer_norm(x, d))
    for groups in (1, 2, 3, 6):
        against_torch([SHAPE, (6,), (6,)], lambda L, x, w, b, g=groups: L.group_norm(x, g, w, b))
        against_torch([(3, 6)] if groups < 6 else [(3, 6, 5)], lambda L, x, g=groups: L.group_norm(x, g))
    against_torch([SHAPE, (6,), (6,)], lambda L, x, w, b: L.instance_norm(x, weight=w, bias=b))
    against_torch([(2, 3, 5)], lambda L, x: L.instance_norm(x))


def test_numpy():
    def oracle(x):
        parts = x.reshape(2, 2, -1)
        mean, var = parts.mean(2, keepdims=True), parts.var(2, keepdims=True)
        return ((parts - mean) / np.sqrt(var + 1e-5)).reshape(SHAPE)

    against_numpy([SHAPE], lambda L, x: L.group_norm(x, 2), oracle)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(2, 3), (3,), (3,)], lambda L, x, w, b: L.layer_norm(x, 3, w, b), order)
    differentiable([(1, 4, 2, 1), (4,), (4,)], lambda L, x, w, b: L.group_norm(x, 2, w, b), order)
    differentiable([(1, 2, 2, 2)], lambda L, x: L.instance_norm(x), order)


def test_layouts():
    same_in_every_layout([SHAPE], lambda L, x: L.layer_norm(x, (3, 4)))
    same_in_every_layout([SHAPE], lambda L, x: L.group_norm(x, 3))


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "layer_norm (2, 3) (4,)", lambda L: L.layer_norm(L.zeros(2, 3), (4,))),
        (ShapeError, "layer_norm weight (2,) (3,)", lambda L: L.layer_norm(L.zeros(2, 3), (3,), L.zeros(2))),
        (ShapeError, "group_norm 4 6", lambda L: L.group_norm(L.zeros(2, 6, 2), 4)),
        (ShapeError, "group_norm weight (2,) (6,)", lambda L: L.group_norm(L.zeros(2, 6, 2), 2, L.zeros(2))),
        (ValueError, "instance_norm", lambda L: L.instance_norm(L.zeros(2, 3, 1, 1))),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)
