"""batch_norm and batch_norm_relu against PyTorch and the formula: both modes, running statistics; gradients;
refusals.
"""

import itertools

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.ops.batch_norm import BatchNorm
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    close,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
    theirs,
    twin_agrees,
)

SHAPES = [(2, 3, 4, 5), (1, 2, 3, 3), (5, 4, 1, 1), (6, 3), (4, 3, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_training_torch(shape):
    c = (shape[1],)
    against_torch(
        [shape, c, c], lambda L, x, w, b: L.batch_norm(x, None, None, w, b, True), maps=len(shape) == 4
    )
    against_torch([shape], lambda L, x: L.batch_norm(x, None, None, training=True, eps=0.1))
    against_torch([shape, c], lambda L, x, w: L.batch_norm(x, None, None, w, None, True), dtypes=["float64"])
    against_torch([shape, c], lambda L, x, b: L.batch_norm(x, None, None, None, b, True), dtypes=["float64"])


@pytest.mark.parametrize("shape", SHAPES)
def test_evaluation_torch(shape):
    c = (shape[1],)
    mean, var = draw([c, c], seed=4)

    def call(L, x, w, b):
        statistics = [L.tensor(np.asarray(s, str(x.dtype).split(".")[-1])) for s in (mean, var**2 + 0.5)]
        return L.batch_norm(x, *statistics, w, b, False)

    against_torch([shape, c, c], call)


def test_far_from_zero():
    """The variance of numbers around 1000: the difference of two large sums would lose it."""
    x = 1000 + draw([(4, 2, 5, 5)])[0]
    against_torch([x], lambda L, x: L.batch_norm(x, None, None, training=True), dtypes=["float64"])
    y = OURS.batch_norm(ms.tensor(x.astype(np.float32)), None, None, training=True).data
    np.testing.assert_allclose(y.var(axis=(0, 2, 3)), 1, atol=1e-3)


def test_numpy():
    def oracle(x, w, b):
        m, v = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
        return (x - m) / np.sqrt(v + 1e-5) * w[:, None, None] + b[:, None, None]

    call = lambda L, x, w, b: L.batch_norm(x, None, None, w, b, True)  # noqa: E731
    against_numpy([(3, 2, 4, 5), (2,), (2,)], call, oracle)


@pytest.mark.parametrize("momentum", [0.1, 1.0, 0.0])
def test_running_statistics(momentum):
    library, torch = theirs(), theirs().modules[1]
    ours, expected = ([np.zeros(3), np.ones(3)] for _ in range(2))
    ours = [ms.tensor(a) for a in ours]
    expected = [torch.tensor(a) for a in expected]
    for seed in range(3):
        (x,) = draw([(2, 3, 4, 5)], seed=seed)
        version = ours[0].version
        OURS.batch_norm(ms.tensor(x), *ours, training=True, momentum=momentum)
        library.batch_norm(torch.tensor(x), *expected, training=True, momentum=momentum)
        assert ours[0].version > version
    for o, e in zip(ours, expected, strict=True):
        close(o.data, e.numpy())
    OURS.batch_norm(ms.tensor(x), *ours, training=False)
    for o, e in zip(ours, expected, strict=True):
        close(o.data, e.numpy(), "evaluation changed a running statistic")


def test_empty_batch():
    mean = ms.zeros(3)
    y = OURS.batch_norm(ms.zeros(0, 3, 2, 2, requires_grad=True), mean, ms.ones(3), training=True)
    y.sum().backward()
    assert y.shape == (0, 3, 2, 2) and mean.data.tolist() == [0, 0, 0]


def test_twin():
    x, w, b = draw([(2, 3, 2, 3), (3,), (3,)])
    statistics = np.array([0.5, -1.0, 0.0]), np.array([2.0, 0.5, 1.0])
    for relu, given in itertools.product((False, True), (None, statistics)):
        twin_agrees(BatchNorm, x, w, b, 1e-3, relu, given)
        twin_agrees(BatchNorm, x, None, None, 1e-3, relu, given)
        twin_agrees(BatchNorm, x, None, b, 1e-3, relu, given)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_relu_is_relu_of_batch_norm(shape, training):
    x, w, b, mean, var, u = draw([shape, *[(shape[1],)] * 4, shape])

    def run(call):
        statistics = [ms.tensor(s) for s in (mean, var**2 + 0.5)]
        inputs = [ms.Tensor(a, True) for a in (x, w, b)]
        y = call(inputs[0], *statistics, *inputs[1:], training)
        return [y.data, *(g.data for g in ms.grad(y, inputs, u)), *(s.data for s in statistics)]

    composed = run(lambda *a: OURS.relu(OURS.batch_norm(*a)))
    for fused, expected in zip(run(OURS.batch_norm_relu), composed, strict=True):
        close(fused, expected)


def test_batch_norm_relu_keeps_one_map():
    """Forward saves the input and what belongs to a channel, and no other map."""
    x, w, b = (ms.Tensor(a, True) for a in draw([(2, 3, 4, 5), (3,), (3,)]))
    y = OURS.batch_norm_relu(x, None, None, w, b, True)
    saved = [t for t in y.grad_fn.saved_tensors if t.ndim == 4]
    assert [t.data is x.data for t in saved] == [True]


def test_the_gradient_in_evaluation_does_not_see_later_statistics():
    x = ms.Tensor(draw([(2, 3, 4, 5)])[0], True)
    mean, var = ms.tensor(np.zeros(3)), ms.tensor(np.ones(3))
    y = OURS.batch_norm_relu(x + 3.0, mean, var, eps=0.0)
    mean.data[...], var.data[...] = 9, 4
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, (x.data > -3).astype(float))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    specs = [(2, 2, 2, 3), (2,), (2,)]
    differentiable(specs, lambda L, x, w, b: L.batch_norm(x, None, None, w, b, True), order)
    mean, var = ms.tensor(np.array([0.5, -1.0])), ms.tensor(np.array([2.0, 0.5]))
    differentiable(specs, lambda L, x, w, b: L.batch_norm(x, mean, var, w, b, False), order)
    differentiable(specs, lambda L, x, w, b: L.batch_norm_relu(x, None, None, w, b, True), order)


def test_layouts():
    specs = [(2, 3, 4, 5), (3,), (3,)]
    same_in_every_layout(specs, lambda L, x, w, b: L.batch_norm(x, None, None, w, b, True))


def test_input_gradient_is_orthogonal_to_constants():
    """Adding a constant to a channel changes nothing, so the gradient of each channel adds up to zero."""
    x, u = draw([(2, 3, 4, 5), (2, 3, 4, 5)])
    t = ms.Tensor(x, True)
    (g,) = ms.grad(OURS.batch_norm(t, None, None, training=True), t, u)
    np.testing.assert_allclose(g.data.sum((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose((g.data * x).sum((0, 2, 3)), 0, atol=1e-3)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (
            ShapeError,
            "batch_norm one value (1, 3, 1, 1)",
            lambda L: L.batch_norm(L.ones(1, 3, 1, 1), None, None, training=True),
        ),
        (
            ShapeError,
            "batch_norm weight (2,) (3,)",
            lambda L: L.batch_norm(L.ones(2, 3, 2, 2), None, None, L.ones(2), training=True),
        ),
        (
            ShapeError,
            "running_mean (2,) (3,)",
            lambda L: L.batch_norm(L.ones(2, 3, 2, 2), L.ones(2), L.ones(3)),
        ),
        (ValueError, "running_mean running_var", lambda L: L.batch_norm(L.ones(2, 3, 2, 2), None, None)),
        (
            ValueError,
            "eps -1",
            lambda L: L.batch_norm(L.ones(2, 3, 2, 2), None, None, training=True, eps=-1.0),
        ),
        (ShapeError, "batch_norm (3,)", lambda L: L.batch_norm(L.ones(3), None, None, training=True)),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_refuses_mixed_dtypes():
    call = lambda L: L.batch_norm(L.ones(2, 3), None, None, L.ones(3, dtype=L.float64), training=True)  # noqa: E731
    refuses(DTypeError, "batch_norm input float32, weight float64", call, torch_too=False)


def test_one_running_statistic_without_the_other():
    x, one = ms.zeros(2, 3), ms.ones(3)
    for mean, var in ((one, None), (None, one), (None, None)):
        with pytest.raises(ValueError, match="batch_norm"):
            ms.functional.batch_norm(x, mean, var)


@pytest.mark.parametrize("argument", ["running_mean", "running_var", "weight", "bias"])
def test_a_vector_of_another_length_is_named(argument):
    vectors = {"running_mean": ms.zeros(3), "running_var": ms.ones(3), argument: ms.zeros(2)}
    with pytest.raises(ValueError, match=rf"batch_norm: {argument} has shape \(2,\), expected \(3,\)"):
        ms.functional.batch_norm(ms.zeros(2, 3), **vectors)
