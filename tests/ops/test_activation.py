"""Activations against PyTorch and scipy.special: also where exponentials overflow; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import OURS, against_numpy, against_torch, differentiable, refuses, same_in_every_layout

NAMES = ["relu", "sigmoid", "tanh", "softplus", "logsigmoid", "leaky_relu", "elu", "silu", "gelu"]
LARGE = np.array([-1000.0, -88.0, -20.0, -1e-20, 0.0, 1e-20, 20.0, 88.0, 1000.0])


@pytest.mark.parametrize("name", NAMES)
def test_torch(name):
    against_torch([(2, 3, 4, 5)], lambda L, x: getattr(L, name)(x))
    against_torch([()], lambda L, x: getattr(L, name)(x))
    against_torch([(0, 3)], lambda L, x: getattr(L, name)(x))


@pytest.mark.parametrize(
    "name, options",
    [
        ("softplus", {"beta": 2.0, "threshold": 3.0}),
        ("leaky_relu", {"negative_slope": 0.3}),
        ("elu", {"alpha": 0.5}),
        ("gelu", {"approximate": "tanh"}),
    ],
)
def test_options(name, options):
    against_torch([(2, 3, 4, 5)], lambda L, x: getattr(L, name)(x, **options))
    differentiable([(2, 4)], lambda L, x: getattr(L, name)(x, **options), 2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
def test_large_numbers(name):
    against_torch([LARGE], lambda L, x: getattr(L, name)(x))
    infinite = np.array(
        [-np.inf if name not in ("gelu", "silu") else 0.0, np.nan, np.inf if name != "gelu" else 0.0]
    )
    against_torch([infinite], lambda L, x: getattr(L, name)(x), gradients=False)


def test_scipy():
    special = pytest.importorskip("scipy.special")
    against_numpy([LARGE], lambda L, x: L.sigmoid(x), special.expit)
    against_numpy([LARGE], lambda L, x: L.logsigmoid(x), special.log_expit)
    against_numpy([LARGE], lambda L, x: L.softplus(x), lambda x: np.logaddexp(0, x))
    against_numpy([LARGE], lambda L, x: L.tanh(x), np.tanh)
    against_numpy([LARGE], lambda L, x: L.relu(x), lambda x: np.where(x > 0, x, 0))


def test_small_probabilities_are_not_zero():
    """The relative error counts: the logarithm of a sigmoid that was rounded to 0 is −∞."""
    x = np.array([-20.0, -40.0, -80.0], np.float32)
    np.testing.assert_allclose(OURS.sigmoid(ms.tensor(x)).data, np.exp(x), rtol=1e-5)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_gradients(name, order):
    differentiable([(2, 4)], lambda L, x: getattr(L, name)(x), order)


def test_relu_has_gradient_zero_at_zero():
    x = ms.tensor([0.0, -0.0, 1.0], requires_grad=True)
    OURS.relu(x).sum().backward()
    assert x.grad.data.tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", NAMES)
def test_layouts_and_dtypes(name):
    same_in_every_layout([(2, 3, 4, 5)], lambda L, x: getattr(L, name)(x))
    if name != "relu":
        assert getattr(OURS, name)(ms.tensor([1, 2])).dtype == np.float32
    assert OURS.relu(ms.tensor([-1, 2])).data.tolist() == [0, 2]


def test_maps_stay_channels_last():
    from minitorch_seg.kernels import layout

    x = ms.Tensor(layout.empty_map((2, 3, 4, 5), "float32"), True)
    x.data[...] = 1
    u = layout.empty_map(x.shape, "float32")
    u[...] = 1
    for name in NAMES:
        y = getattr(OURS, name)(x)
        (g,) = ms.grad(y, x, u)
        assert layout.is_map(y.data) and layout.is_map(g.data), name


def test_refuses():
    refuses(TypeError, "relu bool", lambda L: L.relu(L.tensor([True])))
