"""exp, log, log1p, sqrt against PyTorch and NumPy, at the edges of their domains; gradients."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import OURS, against_numpy, against_torch, differentiable, same_in_every_layout

NAMES = ["exp", "log", "log1p", "sqrt"]
POSITIVE = np.array([[0.1, 1.0, 2.5], [1e-3, 7.0, 30.0]])


@pytest.mark.parametrize("name", NAMES)
def test_torch(name):
    against_torch([POSITIVE], lambda L, x: getattr(L, name)(x))
    against_torch([POSITIVE.reshape(1, 2, 3, 1)], lambda L, x: getattr(x, name)())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
def test_edges(name):
    edges = np.array([0.0, -1.0, -2.0, 1000.0, np.inf, -np.inf, np.nan, 1e-30])
    against_torch([edges], lambda L, x: getattr(L, name)(x))


@pytest.mark.parametrize("name", NAMES)
def test_numpy(name):
    against_numpy([POSITIVE], lambda L, x: getattr(L, name)(x), getattr(np, name))


def test_log1p_is_exact_for_tiny_numbers():
    assert OURS.log1p(ms.tensor([1e-12])).item() == np.float32(1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_gradients(name, order):
    differentiable([POSITIVE[:, :2]], lambda L, x: getattr(L, name)(x), order)


@pytest.mark.parametrize("name", NAMES)
def test_layouts_and_integers(name):
    same_in_every_layout([(2, 3, 4, 5)], lambda L, x: getattr(L, name)(x * x + 1))
    assert getattr(OURS, name)(ms.tensor([1, 2])).dtype == np.float32
