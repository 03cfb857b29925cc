"""Activations against PyTorch and scipy.special: also where exponentials overflow; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError
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
    if name in ("sigmoid", "tanh"):
        assert getattr(OURS, name)(ms.tensor([1, 2])).dtype == np.float32
    elif name != "relu":
        refuses(DTypeError, f"{name} int64", lambda L: getattr(L, name)(L.tensor([1, 2])))
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


def test_small_negative_numbers_are_kept():
    """e^x − 1 by subtraction would round −1e-9 to 0 in float32."""
    x = np.array([-1e-5, -1e-9, -1e-30], np.float32)
    np.testing.assert_allclose(OURS.elu(ms.tensor(x)).data, np.expm1(x), rtol=1e-6)


def test_formulas():
    special = pytest.importorskip("scipy.special")
    x = np.linspace(-12, 12, 49)
    against_numpy([x], lambda L, x: L.gelu(x), lambda x: x * special.ndtr(x))
    against_numpy([x], lambda L, x: L.silu(x), lambda x: x * special.expit(x))
    against_numpy([x], lambda L, x: L.elu(x, 1.5), lambda x: np.where(x > 0, x, 1.5 * np.expm1(x)))
    against_numpy([x], lambda L, x: L.leaky_relu(x, 0.2), lambda x: np.maximum(x, 0.2 * x))
    against_numpy([x], lambda L, x: L.softplus(x, 2.0), lambda x: np.logaddexp(0, 2 * x) / 2)
    # the approximation stays within 5e-4 of the formula, and is not the formula
    gap = np.abs(OURS.gelu(ms.tensor(x), "tanh").data - OURS.gelu(ms.tensor(x)).data)
    assert 1e-4 < gap.max() < 5e-4


def test_softplus_beyond_the_threshold_is_a_straight_line():
    x = ms.tensor(np.array([1.4, 1.6]), requires_grad=True)
    y = OURS.softplus(x, 2.0, 3.0)
    (g,) = ms.grad(y.sum(), x)
    assert y.data[1] == 1.6 and g.data[1] == 1 and y.data[0] > 1.4 and g.data[0] < 1


@pytest.mark.parametrize("name", ["leaky_relu", "elu"])
def test_at_the_kink_the_left_slope_counts(name):
    against_torch([np.array([0.0, -0.0, 1.0])], lambda L, x: getattr(L, name)(x, 0.3))


def test_refuses_an_unknown_approximation():
    refuses(ValueError, "gelu 'erf' 'tanh'", lambda L: L.gelu(L.zeros(2), "erf"))
