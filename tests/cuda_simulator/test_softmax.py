"""Softmax, its logarithm and cross-entropy on the GPU, along every dimension, with unusual numbers and
targets."""

import numpy as np
import pytest

from minitorch_seg.kernels.cuda import softmax
from minitorch_seg.kernels.cuda.array import to_device
from minitorch_seg.kernels.cuda.cross_entropy import cross_entropy
from tests.cuda_simulator.agreement import agree, normal

SHAPES = [((2, 3), 1), ((2, 3), 0), ((5,), 0), ((2, 3, 4), 1), ((2, 3, 2, 3), 1), ((2, 3, 2, 3), 3)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape, dim", [*SHAPES, ((0, 3), 1), ((2, 3, 2, 3), -2)])
def test_softmax(shape, dim, dtype):
    rng = np.random.default_rng(1)
    x, grad = normal(rng, *shape, dtype=dtype), normal(rng, *shape, dtype=dtype)
    for name in ("softmax", "log_softmax"):
        y = agree("softmax", name, x, dim)
        agree("softmax", f"{name}_gradient", grad, y, dim)


def test_large_numbers_nan_and_lines_of_minus_infinity():
    x = np.array([[1e4, -1e4, 0], [np.nan, 1, 2], [-np.inf, 0, 1], [-np.inf] * 3, [np.inf, 0, 1]], "float32")
    agree("softmax", "softmax", x, 1)
    agree("softmax", "log_softmax", x, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 2, 3)])
@pytest.mark.parametrize("weighted", [True, False])
def test_cross_entropy(shape, weighted, dtype):
    rng = np.random.default_rng(2)
    x = normal(rng, *shape, dtype=dtype)
    target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    target.flat[0], target.flat[1], target.flat[2] = -100, shape[1], -1
    x[0, 0] = np.nan  # of an ignored pixel too
    weight = np.abs(normal(rng, shape[1], dtype=dtype)) if weighted else None
    grad = normal(rng, *target.shape, dtype=dtype)
    for name in ("cross_entropy", "nll_loss"):
        *_, kept = agree("cross_entropy", name, x, target, weight, -100)
        agree("cross_entropy", f"{name}_gradient", grad, kept, target, weight, -100)


def test_large_and_confident_logits_keep_their_digits():
    """−log softmax of class 0, against float64: also where it is a billionth of the logits."""
    x = np.array([[1e4, 1e4 + 0.5, 1e4 - 1], [1e6, 1e6 + 0.5, 0], [16, 0, -1], [0, 14, -2]], "float32")
    exact = x.astype("float64")
    shifted = exact - exact.max(1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    loss, *_ = cross_entropy(to_device(x), to_device(np.zeros(4, "int64")), None, -100)
    np.testing.assert_allclose(loss.to_host(), -log_softmax[:, 0], rtol=1e-6, atol=6e-8)
    found = softmax.log_softmax(to_device(x), 1).to_host()
    np.testing.assert_allclose(found, log_softmax, rtol=1e-6, atol=6e-8)


def test_a_class_as_ignore_index_and_an_empty_batch():
    rng = np.random.default_rng(3)
    target = np.array([0, 1, 2, 1])
    agree("cross_entropy", "cross_entropy", normal(rng, 4, 3), target, None, 1)
    agree("cross_entropy", "cross_entropy", normal(rng, 0, 3), target[:0], None, 1)
