"""layer_norm, group_norm, instance_norm against PyTorch and the formula; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.kernels import layout
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    close,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
)

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


@pytest.mark.parametrize("own", [True, False])
def test_running_statistics_torch(own):
    def call(L, x, w, b):
        mean, var = L.tensor(np.full(6, 0.5)).to(x.dtype), L.tensor(np.full(6, 2.0)).to(x.dtype)
        return (L.instance_norm(x, mean, var, w, b, own, 0.3, 0.01), mean, var)

    against_torch([SHAPE, (6,), (6,)], call)


def test_empty_batches():
    against_torch([(0, 6, 3)], lambda L, x: L.layer_norm(x, (6, 3)))
    against_torch([(0, 6, 3)], lambda L, x: L.group_norm(x, 2))
    against_torch([(0, 6, 3)], lambda L, x: L.instance_norm(x))
    mean, var = ms.zeros(6), ms.ones(6)
    ms.functional.instance_norm(ms.zeros(0, 6, 3), mean, var)
    assert not mean.data.any() and (var.data == 1).all()  # PyTorch makes them NaN


def test_one_value_a_group_is_refused_only_where_it_is_the_only_one():
    against_torch([(2, 3)], lambda L, x: L.group_norm(x, 3), dtypes=["float64"])
    refuses(ShapeError, "group_norm one value (1, 3)", lambda L: L.group_norm(L.zeros(1, 3), 3))


def test_groups_lie_between_instance_and_layer_norm():
    (x,) = draw([SHAPE])
    t = ms.tensor(x)
    close(OURS.group_norm(t, 6).data, OURS.instance_norm(t).data)
    close(OURS.group_norm(t, 1).data, OURS.layer_norm(t, SHAPE[1:]).data)


def test_maps_stay_channels_last():
    x = layout.empty_map(SHAPE, "float32")
    x[...] = draw([SHAPE], "float32")[0]
    for call in (lambda t: OURS.group_norm(t, 2), OURS.instance_norm, lambda t: OURS.layer_norm(t, (3, 4))):
        t = ms.Tensor(x, True)
        y = call(t)
        (g,) = ms.grad(y, t, layout.as_map(draw([SHAPE], "float32", 1)[0]))
        assert layout.is_map(y.data) and layout.is_map(g.data)


def test_large_numbers_close_together():
    """The mean is subtracted first: Σx² − (Σx)²/n would be rounding error alone."""
    x = 1e6 + np.array([[0.0, 1, 2, 3]])
    expected = (x - x.mean()) / np.sqrt(1.25 + 1e-5)
    np.testing.assert_allclose(OURS.layer_norm(ms.tensor(x), 4).data, expected, rtol=1e-9)


def test_refuses_running_statistics_of_a_wrong_shape():
    for own in (True, False):
        refuses(
            ShapeError,
            "instance_norm running_mean (2,) (3,)",
            lambda L, o=own: L.instance_norm(L.zeros(2, 3, 4), L.zeros(2), L.ones(2), use_input_stats=o),
        )
    refuses(
        ValueError,
        "instance_norm running_mean running_var",
        lambda L: L.instance_norm(L.zeros(2, 3, 4), use_input_stats=False),
    )
    refuses(ShapeError, "instance_norm (2, 3)", lambda L: L.instance_norm(L.zeros(2, 3)))
    refuses(ShapeError, "group_norm (3,)", lambda L: L.group_norm(L.zeros(3), 1))
    refuses(ShapeError, "group_norm num_groups=0", lambda L: L.group_norm(L.zeros(2, 3, 4), 0))
    refuses(
        DTypeError,
        "layer_norm int64",
        lambda L: L.layer_norm(L.zeros(2, 3, dtype=L.int64), 3),
        torch_too=False,
    )


def test_momentum_and_eps_of_instance_norm_are_pytorchs_defaults():
    x = np.random.default_rng(2).standard_normal((2, 3, 5)) * 0.01
    mean, var = ms.tensor(np.zeros(3)), ms.tensor(np.ones(3))
    y = ms.functional.instance_norm(ms.tensor(x), mean, var)
    np.testing.assert_allclose(mean.data, 0.1 * x.mean((0, 2)), rtol=1e-12)
    np.testing.assert_allclose(var.data, 0.9 + 0.1 * x.var(2, ddof=1).mean(0), rtol=1e-12)
    expected = (x - x.mean(2, keepdims=True)) / np.sqrt(x.var(2, keepdims=True) + 1e-5)
    np.testing.assert_allclose(y.data, expected, rtol=1e-10)
    assert mean.version == var.version == 1


def test_one_number_a_group_has_no_variance():
    for groups, shape in ((2, (1, 2)), (2, (1, 2, 1, 1))):
        with pytest.raises(ValueError, match="group_norm"):
            ms.functional.group_norm(ms.zeros(*shape), groups)
    for groups, shape in ((1, (1, 2)), (2, (2, 2)), (2, (1, 2, 2))):
        ms.functional.group_norm(ms.zeros(*shape), groups)
