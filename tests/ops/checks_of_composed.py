"""As checks.py, for the operators that are composed of others, and for windows as columns."""

from __future__ import annotations

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import against_numpy, differentiable, gradients_agree
from tests.ops.test_avg_pool2d import window_means
from tests.ops.test_gru import GRU, LSTM, gru_loop, lstm_loop
from tests.ops.test_lovasz_softmax import extension

special = pytest.importorskip("scipy.special")

TARGET = np.array([[[0, 2, 1, 0], [1, -100, 2, 2]]])
KEPT = TARGET != -100
WEIGHT = np.array([0.5, 2.0, 1.25, 3.0])
LOGITS = (1, 4, 2, 4)  # the last class is absent


def mean_pool_values() -> None:
    for ceil_mode, include in ((True, True), (False, True), (True, False)):
        args = (4, 2), (2, 3), (1, 1), ceil_mode, include
        against_numpy(
            [(1, 2, 7, 5)],
            lambda L, x, a=args: L.avg_pool2d(x, *a),
            lambda x, a=args: window_means(x, *a),
        )


def ceil_values() -> None:
    """The last window may hang over the edge, and must begin within the image or its left padding."""
    for side, kernel, stride, padding in ((3, 1, 3, 0), (6, 3, 2, 0), (5, 4, 3, 2), (4, 2, 4, 1)):
        args = (kernel, kernel), (stride, stride), (padding, padding), True, True
        against_numpy(
            [(1, 1, side, side)],
            lambda L, x, a=args: L.avg_pool2d(x, *a),
            lambda x, a=args: window_means(x, *a),
        )


def mean_pool_gradients() -> None:
    differentiable([(1, 2, 5, 4)], lambda L, x: L.avg_pool2d(x, 3, 2, 1, count_include_pad=False))


def adaptive_values() -> None:
    def oracle(x: np.ndarray) -> np.ndarray:
        rows, columns = ((0, 3), (2, 5), (4, 7)), ((0, 3), (2, 5))
        means = [[x[:, :, a:b, c:d].mean((2, 3)) for c, d in columns] for a, b in rows]
        return np.moveaxis(np.array(means), (0, 1), (2, 3))

    against_numpy([(2, 3, 7, 5)], lambda L, x: L.adaptive_avg_pool2d(x, (3, 2)), oracle)


def column_values() -> None:
    def windows(x: np.ndarray) -> np.ndarray:
        seen = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (2, 3))[:, :, ::2]
        return seen.transpose(0, 1, 4, 5, 2, 3).reshape(2, 18, -1)

    def add_up(x: np.ndarray) -> np.ndarray:
        framed = np.zeros((2, 1, 4, 7))
        for Y, X, i, j in np.ndindex(3, 3, 2, 3):
            framed[:, 0, Y + i, 2 * X + j] += x[:, 3 * i + j, 3 * Y + X]
        return framed[..., 1:-1]

    against_numpy([(2, 3, 5, 6)], lambda L, x: L.unfold(x, (2, 3), stride=(2, 1)), windows)
    against_numpy([(2, 6, 9)], lambda L, x: L.fold(x, (4, 5), (2, 3), 1, (0, 1), (1, 2)), add_up)


def column_gradients() -> None:
    differentiable([(1, 2, 4, 3)], lambda L, x: L.unfold(x, 2, padding=1, stride=(1, 2)))


def shuffle_values() -> None:
    def oracle(x: np.ndarray) -> np.ndarray:
        y = np.zeros((2, 1, 6, 8))
        for i, j in np.ndindex(2, 2):
            y[:, 0, i::2, j::2] = x[:, 2 * i + j]
        return y

    against_numpy([(2, 4, 3, 4)], lambda L, x: L.pixel_shuffle(x, 2), oracle)


def standard_values() -> None:
    def standard(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)

    shape, eps = (2, 4, 3, 2), {"eps": 1e-3}
    against_numpy(
        [shape],
        lambda L, x: L.layer_norm(x, (3, 2), **eps),
        lambda x: standard(x.reshape(2, 4, 6)).reshape(shape),
    )
    against_numpy(
        [shape],
        lambda L, x: L.group_norm(x, 2, **eps),
        lambda x: standard(x.reshape(2, 2, 12)).reshape(shape),
    )
    against_numpy(
        [shape], lambda L, x: L.instance_norm(x, **eps), lambda x: standard(x.reshape(2, 4, 6)).reshape(shape)
    )


def standard_gradients() -> None:
    differentiable([(2, 4, 3), (4,), (4,)], lambda L, x, w, b: L.group_norm(x, 2, w, b))


def gate_values() -> None:
    against_numpy(GRU, lambda L, *a: L.gru(*a), gru_loop)
    against_numpy(LSTM, lambda L, *a: L.lstm(*a), lstm_loop)


def gate_gradients() -> None:
    differentiable(GRU, lambda L, *a: L.gru(*a))
    differentiable(LSTM, lambda L, *a: L.lstm(*a))


def gate_twins() -> None:
    gradients_agree(GRU, lambda L, *a: L.gru(*a))
    gradients_agree(LSTM, lambda L, *a: L.lstm(*a))


def split_gradients() -> None:
    differentiable([(3, 5)], lambda L, x: [part * (1 + k) for k, part in enumerate(L.split(x, 2, 1))])


def curve_values() -> None:
    x = np.linspace(-6, 6, 25)
    against_numpy([x], lambda L, x: L.gelu(x), lambda x: x * special.ndtr(x))
    against_numpy([x], lambda L, x: L.elu(x, 1.5), lambda x: np.where(x > 0, x, 1.5 * np.expm1(x)))
    against_numpy([x], lambda L, x: L.softplus(x, 2.0), lambda x: np.logaddexp(0, 2 * x) / 2)
    against_numpy([x], lambda L, x: L.leaky_relu(x, 0.2), lambda x: np.maximum(x, 0.2 * x))


def curve_gradients() -> None:
    def call(L, x):
        return L.gelu(x), L.elu(x, 1.5), L.silu(x), L.softplus(x, 2.0), L.leaky_relu(x)

    differentiable([(3, 4)], call)
    gradients_agree([(3, 4)], call)


def true_probabilities(x: np.ndarray) -> np.ndarray:
    return np.take_along_axis(special.softmax(x, axis=1), np.maximum(TARGET, 0)[:, None], 1)[:, 0]


def focal_values() -> None:
    def oracle(x: np.ndarray) -> float:
        p = true_probabilities(x)[KEPT]
        return -np.sum(WEIGHT[TARGET[KEPT]] * (1 - p) ** 1.5 * np.log(p)) / KEPT.sum()

    def call(L, x):
        return L.focal_loss(x, ms.tensor(TARGET), 1.5, ms.tensor(WEIGHT.astype(x.dtype)))

    against_numpy([LOGITS], call, oracle)


def overlap_values() -> None:
    def oracle(x: np.ndarray, alpha: float, beta: float) -> float:
        p, losses = special.softmax(x, axis=1), []
        for k in range(4):
            pk, tk = p[:, k][KEPT], np.equal(TARGET, k)[KEPT]
            hit, alarm, missed = np.sum(pk * tk), np.sum(pk * ~tk), np.sum((1 - pk) * tk)
            losses.append(1 - (hit + 1) / (hit + alpha * alarm + beta * missed + 1))
        return np.mean(losses)

    target = ms.tensor(TARGET)
    against_numpy([LOGITS], lambda L, x: L.tversky_loss(x, target, 0.3, 0.7), lambda x: oracle(x, 0.3, 0.7))
    against_numpy([LOGITS], lambda L, x: L.jaccard_loss(x, target), lambda x: oracle(x, 1, 1))


def lovasz_values() -> None:
    def oracle(x: np.ndarray) -> float:
        p = special.softmax(x, axis=1)
        members = [np.equal(TARGET, k)[KEPT] for k in range(3)]
        return np.mean([extension(np.abs(m - p[:, k][KEPT]), m) for k, m in enumerate(members)])

    against_numpy([LOGITS], lambda L, x: L.lovasz_softmax(x, ms.tensor(TARGET)), oracle)


def distance_values() -> None:
    against_numpy(
        [(5, 6), (5, 6)],
        lambda L, x, t: L.huber_loss(x, t, delta=0.7),
        lambda x, t: special.huber(0.7, x - t).mean(),
    )
    against_numpy(
        [(5, 6), (5, 6)],
        lambda L, x, t: L.smooth_l1_loss(x, t, beta=0.7),
        lambda x, t: special.huber(0.7, x - t).mean() / 0.7,
    )


def letter_values() -> None:
    for equation in ("ij,jk->ki", "iji->j", "ba"):
        shapes = {"ij,jk->ki": [(2, 3), (3, 2)], "iji->j": [(3, 2, 3)], "ba": [(3, 3)]}[equation]
        against_numpy(
            shapes, lambda L, *x, e=equation: L.einsum(e, *x), lambda *x, e=equation: np.einsum(e, *x)
        )


def letter_gradients() -> None:
    differentiable([(3, 3), (3, 3)], lambda L, a, b: L.einsum("ji,jk->ik", a, b))


CHECKS = {
    name: function for name, function in list(globals().items()) if name.endswith(("values", "gradients"))
}
