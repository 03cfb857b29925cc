"""What the kernels' tests share: arrays in every layout, one call of each kernel, guarded memory."""

import math
import sys

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.layout import as_map, empty_map

LAYOUTS = ("contiguous", "channels-last", "reversed", "sliced", "read-only")
TOLERANCE = {np.dtype("float32"): 2e-5, np.dtype("float64"): 1e-12}


def lay_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers in another memory layout."""
    if layout == "channels-last" and x.ndim == 4:
        result = empty_map(x.shape, x.dtype)
        result[...] = x
    elif layout == "reversed":
        result = np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    elif layout == "sliced":
        result = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan if x.dtype.kind == "f" else -7, x.dtype)[
            ..., ::2
        ]
        result[...] = x
    else:
        result = np.array(x, order="C")
        result.flags.writeable = layout != "read-only"
    return result


def close(found: np.ndarray, expected: np.ndarray, scale: float | None = None) -> None:
    """Same shape, same dtype, and equal up to rounding relative to the largest number (or to `scale`)."""
    assert found.shape == expected.shape and found.dtype == expected.dtype
    if found.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    largest = scale or max(1.0, float(np.abs(expected).max(initial=0, where=np.isfinite(expected))))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[found.dtype] * largest)


def calls(dtype: str = "float32", side: int = 37) -> dict:
    """operator -> function that calls every kernel of a module of that operator and returns all results."""
    rng = np.random.default_rng(11)

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    x, weight, bias = normal(3, 6, side, side + 2), normal(5, 6, 3, 3), normal(5)
    grad = normal(3, 5, side, side + 2)
    up, up_bias = normal(6, 4, 2, 2), normal(4)
    target = rng.integers(0, 6, (3, side, side + 2))
    target[0, :2] = -100
    same, same5 = ((1, 1), (1, 1), (1, 1), 1), ((1, 1), (2, 2), (1, 1), 1)
    weight5 = normal(5, 6, 5, 5)
    pool = ((3, 3), (2, 2), (1, 1), (1, 1))
    halving = ((2, 2), (2, 2), (0, 0), (1, 1))
    pooled_size = ((side + 1) // 2, (side + 3) // 2)
    mean, scale, shift, inv_std = normal(6), normal(6), normal(6), np.abs(normal(6)) + np.ones(6, dtype)
    series, given, h0, w_xh, w_hh = (normal(*s) for s in ((7, 99, 4), (7, 99, 5), (99, 5), (5, 4), (5, 5)))
    gates, w_gates = normal(7, 99, 20), normal(20, 5)

    def conv2d(k):
        return (
            k.conv2d(x, weight, bias, *same),
            k.conv2d(x, weight, None, (2, 1), (1, 2), (2, 2), 1),
            k.conv2d_weight_gradient(x, grad, (3, 3), *same),
            k.conv2d(x, weight5, bias, *same5),
            k.conv2d_weight_gradient(x, grad, (5, 5), *same5),
        )

    def conv_transpose2d(k):
        return (
            k.conv_transpose2d(x, up, up_bias, (2 * side, 2 * side + 4), (2, 2), (0, 0), (1, 1), 1),
            k.conv_transpose2d(grad, weight, None, (side, side + 2), *same),
        )

    def max_pool2d(k):
        results = []
        for window, size in ((pool, pooled_size), (halving, (side // 2, (side + 2) // 2))):
            y, taps = k.max_pool2d(x, *window, size)
            results += [y, taps, k.max_pool2d_gradient(y, taps, x.shape[2:], *window)]
        return tuple(results)

    def avg_pool2d(k):
        divisor = np.full(pooled_size, 9, dtype)
        y = k.avg_pool2d(x, divisor, *pool[:3])
        return y, k.avg_pool2d_gradient(y, x.shape[2:], divisor, *pool[:3])

    def batch_norm(k):
        return (
            *k.channel_moments(x),
            k.normalize(x, mean, inv_std, scale, shift),
            *k.batch_norm_gradient(x[::-1], x, mean, inv_std, scale),
            k.normalize(x, mean, inv_std, scale, shift, True),
            *k.batch_norm_gradient(x[::-1], x, mean, inv_std, scale, shift, True),
        )

    def cat(k):
        joined = k.cat([as_map(x), as_map(grad)], 1)
        return joined, k.cat([x, x], 1), k.cat([x, x, x], 2)

    def add(k):
        joined = as_map(np.concatenate([x, grad], axis=1))
        return k.add(x, x), k.add(as_map(x), joined[:, :6]), k.add(joined[:, 6:], as_map(grad))

    def copy(k):
        joined = as_map(np.concatenate([x, grad], axis=1))
        return k.copy(x), k.copy(as_map(x)), k.copy(joined[:, :6])

    def interpolate(k):
        results = []
        for size in ((50, 20), (2 * side, 2 * side + 4)):
            nearest, linear = (
                k.interpolate_nearest(x, size, None),
                k.interpolate_bilinear(x, size, False, None),
            )
            results += [
                nearest,
                linear,
                k.interpolate_nearest_gradient(nearest, x.shape[2:], None),
                k.interpolate_bilinear_gradient(linear, x.shape[2:], False, None),
            ]
        return tuple(results)

    def softmax(k):
        y, log_y = k.softmax(x, 1), k.log_softmax(x, 3)
        return y, log_y, k.softmax_gradient(x, y, 1), k.log_softmax_gradient(x, log_y, 3)

    def cross_entropy(k):
        loss, pixel_weight, y = k.cross_entropy(x, target, inv_std, -100)
        return loss, pixel_weight, y, k.cross_entropy_gradient(loss, y, target, inv_std, -100)

    def activation(k):
        many = np.tile(x, (1, 1, 4, 4))  # fewer numbers would be left to NumPy
        tanh = k.activation("Tanh", series.repeat(9))
        return (
            *(tanh, k.activation_gradient("Tanh", tanh[::-1], tanh)),
            k.activation("Softplus", many, 1.5, 20.0),
            k.activation_gradient("Softplus", many[::-1], many, 1.5, 20.0),
        )

    def relu(k):
        y = k.relu(x)
        return y, k.relu(series), k.relu_gradient(x[::-1], y)

    def matmul(k):
        tall, flat = np.tile(series.reshape(-1, 4), (1, 40)), np.tile(given.reshape(-1, 5), (1, 130))
        wide = np.tile(flat[:200], (1, 8))  # parts of k, of rows, of columns
        return [
            k.matmul(*pair)
            for pair in ((series, w_xh.T), (tall.T, flat), (tall, flat[:160]), (tall[:200].T, wide))
        ]

    def rnn(k):
        h = k.rnn(series, h0, w_xh, w_hh, bias, "tanh")
        return h, *k.rnn_gradient(given, series, h, h0, w_xh, w_hh, "tanh", True)

    def gru(k):
        h, kept = k.gru(gates[..., :15], h0, w_gates[:15], None)
        return h, kept, *k.gru_gradient(given, h, kept, h0, w_gates[:15])

    def lstm(k):
        h, c, kept = k.lstm(gates, h0, h0, w_gates)
        return h, c, kept, *k.lstm_gradient(given, h0, h, c, kept, h0, h0, w_gates)

    return {
        "activation": activation,
        "add": add,
        "avg_pool2d": avg_pool2d,
        "batch_norm": batch_norm,
        "cat": cat,
        "channel_sum": lambda k: (k.channel_sum(x),),
        "conv2d": conv2d,
        "conv_transpose2d": conv_transpose2d,
        "copy": copy,
        "cross_entropy": cross_entropy,
        "gru": gru,
        "interpolate": interpolate,
        "lstm": lstm,
        "matmul": matmul,
        "max_pool2d": max_pool2d,
        "relu": relu,
        "rnn": rnn,
        "softmax": softmax,
    }


class GuardedMemory:
    """Stands in for np.empty and np.zeros: every array lies between two stretches of canaries."""

    MARGIN = 256

    def __init__(self, monkeypatch) -> None:
        self.real_empty, self.arrays = np.empty, []
        monkeypatch.setattr(np, "empty", self.empty)
        monkeypatch.setattr(np, "zeros", self.zeros)
        # Memory that an earlier test has left for the next array would have no canaries.
        monkeypatch.setattr(buffers, "SMALLEST", sys.maxsize)

    def empty(self, shape, dtype=float, **_):
        shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
        size = math.prod(shape)
        whole = self.real_empty(size + 2 * self.MARGIN, dtype)
        whole.fill(99)
        self.arrays.append(whole)
        return whole[self.MARGIN : self.MARGIN + size].reshape(shape)

    def zeros(self, shape, dtype=float, **_):
        result = self.empty(shape, dtype)
        result.fill(0)
        return result

    def check(self) -> None:
        assert self.arrays, "nothing was allocated here: the test would prove nothing"
        for whole in self.arrays:
            assert (whole[: self.MARGIN] == 99).all() and (whole[-self.MARGIN :] == 99).all()


def surrounded(x: np.ndarray) -> np.ndarray:
    """The same numbers, channels-last where 4-D, with NaN (or −7) before and behind them in memory."""
    moved = x.transpose(0, 2, 3, 1) if x.ndim == 4 else x
    whole = np.full(x.size + 512, np.nan if x.dtype.kind == "f" else -7, x.dtype)
    inside = whole[256 : 256 + x.size].reshape(moved.shape)
    inside[...] = moved
    return inside.transpose(0, 3, 1, 2) if x.ndim == 4 else inside
