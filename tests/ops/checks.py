"""One quick check an operator, by the helpers and oracles of its own tests; no planted mistake may pass."""

from __future__ import annotations

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import against_numpy, differentiable, gradients_agree

special = pytest.importorskip("scipy.special")
ndimage = pytest.importorskip("scipy.ndimage")
signal = pytest.importorskip("scipy.signal")

CONV = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
TARGET = np.array([[[0, 2, 1], [1, -100, 2]]])
WEIGHT = np.array([0.5, 2.0, 1.25])
TIES = np.array([[[[1.0, 1, 0], [1, 1, 2], [0, 2, 2]]]])


def conv_values() -> None:
    from tests.ops.test_conv2d import scipy_conv2d

    for x, w, options in (((2, 2, 5, 6), (4, 2, 2, 2), CONV), ((1, 4, 5, 5), (4, 2, 3, 3), {"groups": 2})):
        against_numpy(
            [x, w, (4,)],
            lambda L, x, w, b, o=options: L.conv2d(x, w, b, **o),
            lambda x, w, b, o=options: scipy_conv2d(x, w, b, **o),
        )


def conv_gradients() -> None:
    differentiable([(2, 2, 5, 6), (2, 2, 2, 2), (2,)], lambda L, x, w, b: L.conv2d(x, w, b, **CONV))


def transposed_values() -> None:
    from tests.ops.test_conv_transpose2d import scipy_conv_transpose2d

    options = {"stride": (2, 1), "padding": 1}
    against_numpy(
        [(1, 2, 3, 4), (2, 2, 3, 3), (2,)],
        lambda L, x, w, b: L.conv_transpose2d(x, w, b, **options),
        lambda x, w, b: scipy_conv_transpose2d(x, w, b, **options),
    )


def pool_values() -> None:
    def oracle(x: np.ndarray) -> np.ndarray:
        return ndimage.maximum_filter(x, size=(1, 1, 3, 3), mode="constant", cval=-np.inf)

    against_numpy([-1 - np.arange(20.0).reshape(1, 1, 4, 5)], lambda L, x: L.max_pool2d(x, 3, 1, 1), oracle)


def pool_gradients() -> None:
    differentiable([(1, 2, 5, 4)], lambda L, x: L.max_pool2d(x, 3, 1, 1))


def pool_ties() -> None:
    against_numpy(
        [TIES],
        lambda L, x: L.max_pool2d(x, 2, 1, return_indices=True)[1],
        lambda x: np.array([[[[0, 5], [7, 5]]]]),
    )


def bilinear_values() -> None:
    def oracle(x: np.ndarray, corners: bool) -> np.ndarray:
        axes = []
        for n, m in zip(x.shape[2:], (7, 3), strict=True):
            i = np.arange(m)
            axes.append(i * (n - 1) / (m - 1) if corners else np.clip((i + 0.5) * n / m - 0.5, 0, n - 1))
        at = np.array(np.meshgrid(*axes, indexing="ij"))
        return ndimage.map_coordinates(x[0, 0], at, order=1, mode="nearest")[None, None]

    for corners in (False, True):
        against_numpy(
            [(1, 1, 4, 5)],
            lambda L, x, c=corners: L.interpolate(x, (7, 3), mode="bilinear", align_corners=c),
            lambda x, c=corners: oracle(x, c),
        )


def bilinear_gradients() -> None:
    differentiable([(1, 1, 4, 3)], lambda L, x: L.interpolate(x, (7, 2), mode="bilinear"))


def nearest_values() -> None:
    against_numpy(
        [(1, 1, 4, 5)],
        lambda L, x: L.interpolate(x, (7, 3)),
        lambda x: x[:, :, np.arange(7) * 4 // 7][:, :, :, np.arange(3) * 5 // 3],
    )


def nearest_gradients() -> None:
    differentiable([(1, 1, 2, 3)], lambda L, x: L.interpolate(x, (4, 7)))


def batch_norm_oracle(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    m, v = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return (x - m) / np.sqrt(v + 1e-5) * w[:, None, None] + b[:, None, None]


NORM = [(2, 2, 2, 3), (2,), (2,)]


def norm_values() -> None:
    against_numpy(NORM, lambda L, x, w, b: L.batch_norm(x, None, None, w, b, True), batch_norm_oracle)


def norm_gradients() -> None:
    differentiable([(2, 2, 2, 2), (2,), (2,)], lambda L, x, w, b: L.batch_norm(x, None, None, w, b, True))


def fixed_norm_gradients() -> None:
    mean, var = ms.tensor(np.array([0.5, -1.0])), ms.tensor(np.array([2.0, 0.5]))
    differentiable(NORM, lambda L, x, w, b: L.batch_norm(x, mean, var, w, b, False))


def rectified_norm_values() -> None:
    against_numpy(
        NORM,
        lambda L, x, w, b: L.batch_norm_relu(x, None, None, w, b, True),
        lambda x, w, b: np.maximum(batch_norm_oracle(x, w, b), 0),
    )


def rectified_norm_gradients() -> None:
    differentiable(NORM, lambda L, x, w, b: L.batch_norm_relu(x, None, None, w, b, True))


def softmax_values() -> None:
    x = np.array([[1000.0, 0.0, -1000.0], [1.0, 2.0, 3.0]])
    against_numpy([x], lambda L, x: L.softmax(x, 1), lambda x: special.softmax(x, axis=1))
    against_numpy([x], lambda L, x: L.log_softmax(x, 1), lambda x: special.log_softmax(x, axis=1))


def softmax_gradients() -> None:
    differentiable([(2, 3)], lambda L, x: L.softmax(x, 1))
    differentiable([(2, 3)], lambda L, x: L.log_softmax(x, 1))


def likelihood_oracle(log_p: np.ndarray) -> float:
    n, h, w = np.nonzero(TARGET != -100)
    classes = TARGET[n, h, w]
    return -np.sum(WEIGHT[classes] * log_p[n, classes, h, w]) / WEIGHT[classes].sum()


def likelihood_values() -> None:
    against_numpy(
        [(1, 3, 2, 3)],
        lambda L, x: L.nll_loss(x, ms.tensor(TARGET), ms.tensor(WEIGHT.astype(x.dtype))),
        likelihood_oracle,
    )


def entropy_values() -> None:
    against_numpy(
        [(1, 3, 2, 3)],
        lambda L, x: L.cross_entropy(x, ms.tensor(TARGET), ms.tensor(WEIGHT.astype(x.dtype))),
        lambda x: likelihood_oracle(special.log_softmax(x, axis=1)),
    )


def entropy_gradients() -> None:
    differentiable([(1, 3, 2, 3)], lambda L, x: L.cross_entropy(x, ms.tensor(TARGET), ms.tensor(WEIGHT)))


def rnn_values() -> None:
    from tests.ops.test_rnn import SPECS, loop

    against_numpy(SPECS, lambda L, *a: L.rnn(*a), lambda *a: loop(*a, np.tanh))


def rnn_gradients() -> None:
    differentiable([(3, 2, 2), (2, 2), (2, 2), (2, 2), (2,)], lambda L, *a: L.rnn(*a))


def index_gradients() -> None:
    differentiable([(3, 4)], lambda L, x: x[[0, 2, 0]])
    differentiable([(3, 4)], lambda L, x: L.gather(x, 1, ms.tensor(np.array([[0, 0], [3, 3], [1, 2]]))))
    differentiable([(1, 2, 3, 4)], lambda L, x: L.pad(x, (2, 1, 1, 1), "replicate"))


def frame_values() -> None:
    frame = ((0, 0), (0, 0), (1, 2), (2, 1))
    against_numpy([(1, 2, 4, 5)], lambda L, x: L.pad(x, (2, 1, 1, 2)), lambda x: np.pad(x, frame))
    against_numpy(
        [(1, 2, 4, 5)], lambda L, x: L.pad(x, (2, 1, 1, 2), "reflect"), lambda x: np.pad(x, frame, "reflect")
    )


def frame_gradients() -> None:
    differentiable([(3, 4)], lambda L, x: L.pad(x, (2, 0, 1, 3)))


def arithmetic_gradients() -> None:
    differentiable([(2, 3), (1, 3)], lambda L, a, b: a * b + a / (b * b + 1) - b)
    differentiable([(2, 3), (1, 3)], lambda L, a, b: (9 * a) % b)
    differentiable([(2, 3)], lambda L, a: (a * a + 1) ** 2.5 + abs(a))
    differentiable([(2, 3), (2, 3)], lambda L, a, b: L.where(ms.tensor([True, False, True]), a, b))
    differentiable([(2, 3), (3,)], lambda L, a, b: L.maximum(a, b) + a.clamp(-0.3, 0.4))


def division_values() -> None:
    """Python's own // and %."""
    for a, b in ([7.0, -7.0, 7.0, -7.0], [3.0, 3.0, -3.0, -3.0]), ([7, -7, 7, -7], [3, 3, -3, -3]):
        arrays = [np.array(a), np.array(b)]
        pairs = [divmod(n, m) for n, m in zip(a, b, strict=True)]
        against_numpy(
            arrays, lambda L, a, b: divmod(a, b), lambda *_, p=pairs: tuple(map(list, zip(*p, strict=True)))
        )


def activation_gradients() -> None:
    def call(L, x):
        return L.sigmoid(x), L.tanh(x), L.softplus(x), L.relu(x), x.exp()

    differentiable([(2, 3)], call)
    gradients_agree([(2, 3)], call)


def reduction_gradients() -> None:
    differentiable([(2, 3, 2)], lambda L, x: (x.sum(1), x.mean((0, 2)), x.var(dim=1), x.amax(1), x.cumsum(1)))


def tie_gradients() -> None:
    x = np.array([[3.0, 3.0, 1.0]])
    t = ms.tensor(x, requires_grad=True)
    (shared,) = ms.grad(t.amax(1), t, np.ones(1))
    (first,) = ms.grad(t.max(1).values, t, np.ones(1))
    np.testing.assert_array_equal(shared.data, [[0.5, 0.5, 0]])
    np.testing.assert_array_equal(first.data, [[1, 0, 0]])


def matrix_gradients() -> None:
    differentiable([(3, 3), (3, 3)], lambda L, a, b: a @ b)


def shape_gradients() -> None:
    differentiable([(2, 2), (2, 2)], lambda L, a, b: L.cat([a, b], 1))
    differentiable([(2, 2, 2)], lambda L, x: (x.permute(2, 0, 1), x.flip(1), x.roll(1, 0), x.reshape(4, 2)))
    differentiable([(3, 4)], lambda L, x: x.roll(1, 1))


def binary_gradients() -> None:
    p, t = np.array([0.2, 0.7, 0.5]), ms.tensor(np.array([1.0, 0.0, 0.25]))
    differentiable([p], lambda L, p: L.binary_cross_entropy(p, t))


def dropout_scale() -> None:
    y = ms.functional.dropout(ms.ones(2000), 0.5, generator=ms.Generator(0))
    np.testing.assert_allclose(y.data.mean(), 1.0, atol=0.1)


CHECKS = {
    name: function
    for name, function in list(globals().items())
    if name.endswith(("values", "gradients", "ties", "scale"))
}
