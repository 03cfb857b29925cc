"""mse_loss and reconstruction_loss."""

import numpy as np
import pytest

from minitorch_seg.errors import DTypeError, ShapeError
from tests.helpers import against_numpy, against_torch, differentiable, refuses


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_torch(reduction):
    for shape in ((2, 3, 4, 5), (), (0, 3)):
        against_torch([shape, shape], lambda L, x, t: L.mse_loss(x, t, reduction=reduction))


def test_numpy():
    against_numpy([(2, 3), (2, 3)], lambda L, x, t: L.mse_loss(x, t), lambda x, t: np.mean((x - t) ** 2))
    against_numpy(
        [(2, 3, 4, 4)] * 2,
        lambda L, x, t: L.reconstruction_loss(x, t),
        lambda x, t: np.linalg.norm(x - t) ** 2,
    )


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(2, 3), (2, 3)], lambda L, x, t: L.mse_loss(x, t), order)
    differentiable([(2, 3), (2, 3)], lambda L, x, t: L.reconstruction_loss(x, t), order)


def test_refuses():
    refuses(
        ShapeError, "mse_loss (2, 3) (3,)", lambda L: L.mse_loss(L.zeros(2, 3), L.zeros(3)), torch_too=False
    )
    refuses(ValueError, "mse_loss 'max'", lambda L: L.mse_loss(L.zeros(2), L.zeros(2), reduction="max"))
    mixed = lambda L: L.mse_loss(L.zeros(2), L.tensor([1, 2]))  # noqa: E731
    refuses(DTypeError, "mse_loss target int64", mixed, torch_too=False)
