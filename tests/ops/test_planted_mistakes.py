"""Are the tests worth anything?  Some sixty wrong operators are planted one after the other, each a mistake that is easily
made, and the helpers that test the right ones must raise for every one of them.

A mistake counts as caught only where a comparison of numbers fails (AssertionError): one that crashes is no feat to find.
The oracles are NumPy, SciPy and finite differences; the kernels are the reference kernels, which are quick to replace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.kernels import dispatch, sizes
from minitorch_seg.kernels.reference import batch_norm as bn_kernel
from minitorch_seg.kernels.reference import conv2d as conv_kernel
from minitorch_seg.kernels.reference import conv_transpose2d as transposed_kernel
from minitorch_seg.kernels.reference import cross_entropy as ce_kernel
from minitorch_seg.kernels.reference import interpolate as interpolate_kernel
from minitorch_seg.kernels.reference import max_pool2d as pool_kernel
from minitorch_seg.kernels.reference import rnn as rnn_kernel
from minitorch_seg.kernels.reference import softmax as softmax_kernel
from minitorch_seg.ops import (
    activation,
    arithmetic,
    binary_cross_entropy,
    cat,
    conv2d,
    cross_entropy,
    dropout,
    exponential,
    indexing,
    matmul,
    pad,
    reduction,
    rnn,
    selection,
    shape,
)
from tests.helpers import against_numpy, differentiable

special = pytest.importorskip("scipy.special")
ndimage = pytest.importorskip("scipy.ndimage")
signal = pytest.importorskip("scipy.signal")

CONV = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
TARGET = np.array([[[0, 2, 1], [1, -100, 2]]])
WEIGHT = np.array([0.5, 2.0, 1.25])
TIES = np.array([[[[1.0, 1, 0], [1, 1, 2], [0, 2, 2]]]])


# -- the checks: the same helpers and oracles as in the operators' own tests ---------------------------------------


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


def norm_values() -> None:
    def oracle(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        m, v = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
        return (x - m) / np.sqrt(v + 1e-5) * w[:, None, None] + b[:, None, None]

    against_numpy(
        [(2, 2, 2, 3), (2,), (2,)], lambda L, x, w, b: L.batch_norm(x, None, None, w, b, True), oracle
    )


def norm_gradients() -> None:
    differentiable([(2, 2, 2, 2), (2,), (2,)], lambda L, x, w, b: L.batch_norm(x, None, None, w, b, True))


def softmax_values() -> None:
    x = np.array([[1000.0, 0.0, -1000.0], [1.0, 2.0, 3.0]])
    against_numpy([x], lambda L, x: L.softmax(x, 1), lambda x: special.softmax(x, axis=1))
    against_numpy([x], lambda L, x: L.log_softmax(x, 1), lambda x: special.log_softmax(x, axis=1))


def softmax_gradients() -> None:
    differentiable([(2, 3)], lambda L, x: L.softmax(x, 1))
    differentiable([(2, 3)], lambda L, x: L.log_softmax(x, 1))


def entropy_values() -> None:
    def oracle(x: np.ndarray) -> float:
        log_p, kept = special.log_softmax(x, axis=1), TARGET != -100
        n, h, w = np.nonzero(kept)
        weights = WEIGHT[TARGET[kept]]
        return -np.sum(weights * log_p[n, TARGET[kept], h, w]) / weights.sum()

    against_numpy(
        [(1, 3, 2, 3)],
        lambda L, x: L.cross_entropy(x, ms.tensor(TARGET), ms.tensor(WEIGHT.astype(x.dtype))),
        oracle,
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
    differentiable([(2, 3)], lambda L, a: (a * a + 1) ** 2.5 + abs(a))
    differentiable([(2, 3), (2, 3)], lambda L, a, b: L.where(ms.tensor([True, False, True]), a, b))
    differentiable([(2, 3), (3,)], lambda L, a, b: L.maximum(a, b) + a.clamp(-0.3, 0.4))


def activation_gradients() -> None:
    differentiable([(2, 3)], lambda L, x: (L.sigmoid(x), L.tanh(x), L.softplus(x), L.relu(x), x.exp()))


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


# -- the mistakes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    """`owner.name` is replaced by `wrong(the right one)`; `check` must notice."""

    title: str
    owner: Any
    name: str
    wrong: Callable[[Any], Any]
    check: Callable[[], None]


def _backward(change: Callable[..., Any]) -> Callable[[Any], Any]:
    """A wrong backward: `change(ctx, gradients…, right results…)`."""

    def wrong(right: Any) -> Any:
        def backward(ctx: Any, *grads: Any) -> Any:
            results = right(ctx, *grads)
            return change(ctx, grads, list(results) if isinstance(results, tuple | list) else [results])

        return staticmethod(backward)

    return wrong


def _scaled(position: int, factor: float) -> Callable[[Any], Any]:
    def change(ctx: Any, grads: Any, results: list[Any]) -> Any:
        if results[position] is not None:
            results[position] = results[position] * factor
        return tuple(results)

    return _backward(change)


def _assigning_transposed(right: Any) -> Any:
    """Stamps overwrite each other where they overlap."""

    def kernel(x, weight, bias, output_size, stride, padding, dilation, groups):
        total = np.zeros_like(right(x, weight, bias, output_size, stride, padding, dilation, groups))
        for place in np.ndindex(x.shape[2:]):
            single = np.zeros_like(x)
            single[(..., *place)] = x[(..., *place)]
            stamp = right(single, weight, None, output_size, stride, padding, dilation, groups)
            np.copyto(total, stamp, where=stamp != 0)
        return total if bias is None else total + bias.reshape(1, -1, 1, 1)

    return kernel


def _assigning_pool(right: Any) -> Any:
    def kernel(grad, indices, input_size, *options):
        n, c = grad.shape[:2]
        flat = np.zeros((n, c, input_size[0] * input_size[1]), grad.dtype)
        np.put_along_axis(flat, indices.reshape(n, c, -1), grad.reshape(n, c, -1), axis=2)
        return flat.reshape(n, c, *input_size)

    return kernel


def _last_tie(right: Any) -> Any:
    def kernel(x, *options):
        ramp = np.arange(x.shape[2] * x.shape[3]).reshape(x.shape[2:]) * 1e-6
        return right(x, *options)[0], right(x + ramp, *options)[1]

    return kernel


def _zero_padded_pool(right: Any) -> Any:
    def kernel(x, kernel_size, stride, padding, dilation, output_size):
        framed = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
        return right(framed, kernel_size, stride, (0, 0), dilation, output_size)

    return kernel


def _assigning_nearest(right: Any) -> Any:
    def kernel(grad, input_size, scale):
        rows = sizes.nearest_indices(input_size[0], grad.shape[2], None)
        columns = sizes.nearest_indices(input_size[1], grad.shape[3], None)
        dx = np.zeros((*grad.shape[:2], *input_size), grad.dtype)
        dx[:, :, rows[:, None], columns] = grad
        return dx

    return kernel


def _norm_gradient(mean_term: bool, variance_term: bool, scaled: bool = True) -> Callable[[Any], Any]:
    """Batch norm's input gradient with a term left out."""

    def wrong(right: Any) -> Any:
        def kernel(grad, x, mean, inv_std, weight):
            _, dweight, dbias = right(grad, x, mean, inv_std, weight)
            column = lambda v: v.reshape(1, -1, 1, 1)  # noqa: E731
            m, normalized = x.size // x.shape[1], (x - column(mean)) * column(inv_std)
            dx = grad - mean_term * column(dbias) / m - variance_term * normalized * column(dweight) / m
            scale = inv_std * weight if scaled and weight is not None else inv_std
            return column(scale) * dx, dweight, dbias

        return kernel

    return wrong


def _bptt(carried: bool, slope_of_the_past: bool = False) -> Callable[[Any], Any]:
    def wrong(right: Any) -> Any:
        def kernel(grad, h, h0, w_hh, activation):
            du, carry = np.empty_like(h), np.zeros_like(h0)
            for t in reversed(range(len(h))):
                state = (h[t - 1] if t else h0) if slope_of_the_past else h[t]
                du[t] = (grad[t] + carried * carry) * (1 - state * state)
                carry = du[t] @ w_hh
            return du, carry

        return kernel

    return wrong


def _future_state(ctx: Any, grads: Any, results: list[Any]) -> Any:
    h, _, _ = (t.data for t in ctx.saved_tensors)
    features = h.shape[2]
    results[2] = results[0].reshape(-1, features).T @ h.reshape(-1, features)
    return tuple(results)


def _reversed_groups(right: Any) -> Any:
    def kernel(x, weight, bias, stride, padding, dilation, groups):
        parts = weight.reshape(groups, -1, *weight.shape[1:])[::-1]
        return right(x, parts.reshape(weight.shape), bias, stride, padding, dilation, groups)

    return kernel


def _mean_to_size(right: Any) -> Any:
    """The gradients of what was broadcast are averaged and not added up."""

    def sum_to_size(self, size):
        result = right(self, size)
        return result * (result.data.size / max(self.data.size, 1))

    return sum_to_size


def _no_shift(right: Any) -> Any:
    def softmax(x, dim):
        with np.errstate(over="ignore", invalid="ignore"):
            return np.exp(x) / np.exp(x).sum(dim, keepdims=True)

    return softmax


def _last_maximum(right: Any) -> Any:
    def maximum(input, dim=None, keepdim=False):
        flipped = right(input.flip(dim), dim, keepdim)
        return reduction.Extremum(flipped.values, input.shape[dim] - 1 - flipped.indices)

    return maximum


def _swapped_branches(ctx: Any, grads: Any, results: list[Any]) -> Any:
    (condition,) = ctx.saved_tensors
    zero = ms.tensor(np.zeros((), grads[0].dtype))
    return (
        None,
        selection.Where.apply(condition, zero, grads[0]),
        selection.Where.apply(condition, grads[0], zero),
    )


def _untransposed(ctx: Any, grads: Any, results: list[Any]) -> Any:
    a, b = ctx.saved_tensors
    return matmul.matmul(grads[0], b), matmul.matmul(a, grads[0])


def _from_wrong_side(ctx: Any, grads: Any, results: list[Any]) -> Any:
    return pad.PadConstant.apply(grads[0], [(-b, -a) for a, b in ctx.widths], 0), None, None


MISTAKES = [
    # convolution
    Mistake("conv2d: the kernel flipped", conv_kernel, "conv2d", lambda f: lambda x, w, *a: f(x, w[..., ::-1, ::-1], *a), conv_values),
    Mistake("conv2d: the kernel transposed", conv_kernel, "conv2d", lambda f: lambda x, w, *a: f(x, w.swapaxes(2, 3), *a), conv_values),
    Mistake("conv2d: the bias lost", conv_kernel, "conv2d", lambda f: lambda x, w, b, *a: f(x, w, None, *a), conv_values),
    Mistake("conv2d: groups exchanged", conv_kernel, "conv2d", _reversed_groups, conv_values),
    Mistake("conv2d: the bias's gradient lost", conv2d.Conv2d, "backward", _scaled(2, 0.0), conv_gradients),
    Mistake("conv2d: the bias's gradient averaged", conv2d.Conv2d, "backward", _scaled(2, 0.5), conv_gradients),
    Mistake("conv2d: weight gradient without dilation", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda x, g, k, s, p, d, n: f(x, g, k, s, p, (1, 1), n), conv_gradients),
    Mistake("conv2d: weight gradient of a shifted image", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda x, *a: f(np.roll(x, 1, 2), *a), conv_gradients),
    Mistake("conv2d: weight gradient transposed", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda *a: f(*a).swapaxes(2, 3), conv_gradients),
    Mistake("conv2d: weight gradient flipped", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda *a: f(*a)[..., ::-1, ::-1], conv_gradients),
    Mistake("conv2d: weight gradient of the first image alone", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda x, g, *a: f(x[:1], g[:1], *a), conv_gradients),
    Mistake("conv2d: input gradient with a flipped kernel", transposed_kernel, "conv_transpose2d",
            lambda f: lambda x, w, *a: f(x, w[..., ::-1, ::-1], *a), conv_gradients),
    Mistake("conv2d: input gradient with = for +=", transposed_kernel, "conv_transpose2d", _assigning_transposed, conv_gradients),
    Mistake("conv2d: input gradient with the pad not cropped", transposed_kernel, "conv_transpose2d",
            lambda f: lambda x, w, b, size, s, p, d, n: f(x, w, b, size, s, (0, 0), d, n), conv_gradients),
    Mistake("conv_transpose2d: = for +=", transposed_kernel, "conv_transpose2d", _assigning_transposed, transposed_values),
    Mistake("conv_transpose2d: the pad not cropped", transposed_kernel, "conv_transpose2d",
            lambda f: lambda x, w, b, size, s, p, d, n: f(x, w, b, size, s, (0, 0), d, n), transposed_values),
    Mistake("conv_transpose2d: weight read as OI", transposed_kernel, "conv_transpose2d",
            lambda f: lambda x, w, *a: f(x, w.swapaxes(0, 1), *a), transposed_values),
    # pooling and resampling
    Mistake("max_pool2d: = for += where windows overlap", pool_kernel, "max_pool2d_gradient", _assigning_pool, pool_gradients),
    Mistake("max_pool2d: a tie to the last", pool_kernel, "max_pool2d", _last_tie, pool_ties),
    Mistake("max_pool2d: padded with zeros", pool_kernel, "max_pool2d", _zero_padded_pool, pool_values),
    Mistake("interpolate: align_corners ignored", interpolate_kernel, "interpolate_bilinear",
            lambda f: lambda x, size, corners, scale: f(x, size, False, scale), bilinear_values),
    Mistake("interpolate: gradient by resizing back", interpolate_kernel, "interpolate_bilinear_gradient",
            lambda f: lambda g, size, *a: interpolate_kernel.interpolate_bilinear(g, size, *a), bilinear_gradients),
    Mistake("interpolate: nearest rounds", interpolate_kernel, "nearest_indices",
            lambda f: lambda n, m, s: np.minimum(np.round(np.arange(m) * n / m).astype(int), n - 1), nearest_values),
    Mistake("interpolate: nearest gradient with = for +=", interpolate_kernel, "interpolate_nearest_gradient",
            _assigning_nearest, nearest_gradients),
    # normalisation
    Mistake("batch_norm: the mean taken as constant", bn_kernel, "batch_norm_gradient", _norm_gradient(False, True), norm_gradients),
    Mistake("batch_norm: the variance taken as constant", bn_kernel, "batch_norm_gradient", _norm_gradient(True, False), norm_gradients),
    Mistake("batch_norm: both taken as constant", bn_kernel, "batch_norm_gradient", _norm_gradient(False, False), norm_gradients),
    Mistake("batch_norm: the scale lost in the gradient", bn_kernel, "batch_norm_gradient",
            _norm_gradient(True, True, False), norm_gradients),
    Mistake("batch_norm: the sample's variance for the batch's", bn_kernel, "channel_moments",
            lambda f: lambda x: (f(x)[0], f(x)[1] * 12 / 11), norm_values),
    Mistake("batch_norm: the shift lost", bn_kernel, "normalize", lambda f: lambda x, m, s, w, b: f(x, m, s, w, None), norm_values),
    Mistake("softmax: without the shift", softmax_kernel, "softmax", _no_shift, softmax_values),
    Mistake("softmax: the sum left out of the gradient", softmax_kernel, "softmax_gradient",
            lambda f: lambda g, y, dim: g * y, softmax_gradients),
    Mistake("log_softmax: the logarithm for the probability", softmax_kernel, "log_softmax_gradient",
            lambda f: lambda g, y, dim: g - y * g.sum(dim, keepdims=True), softmax_gradients),
    Mistake("dropout: not scaled", dropout, "_mask", lambda f: lambda *a: np.sign(f(*a)), dropout_scale),
    # losses
    Mistake("cross_entropy: ignored pixels counted in the mean", cross_entropy, "_pixel_weights",
            lambda f: lambda t, w, i, dtype: np.asarray(w.data[np.maximum(t, 0)], dtype), entropy_values),
    Mistake("cross_entropy: the mean over pixels, not over weights", cross_entropy, "_pixel_weights",
            lambda f: lambda t, w, i, dtype: np.asarray(t != i, dtype), entropy_values),
    Mistake("cross_entropy: the truth left out of the gradient", ce_kernel, "cross_entropy_gradient",
            lambda f: lambda g, y, t, w, i: np.exp(y) * (g * (w[np.maximum(t, 0)] * (t != i)))[:, None], entropy_gradients),
    Mistake("cross_entropy: class weights left out of the gradient", ce_kernel, "cross_entropy_gradient",
            lambda f: lambda g, y, t, w, i: f(g, y, t, None, i), entropy_gradients),
    Mistake("cross_entropy: ignored pixels have a gradient", ce_kernel, "cross_entropy_gradient",
            lambda f: lambda g, y, t, w, i: f(g, y, np.maximum(t, 0), w, i), entropy_gradients),
    Mistake("binary_cross_entropy: the sign turned", binary_cross_entropy.BinaryCrossEntropy, "backward",
            _scaled(0, -1.0), binary_gradients),
    # recurrence
    Mistake("rnn: the carried term missing", rnn_kernel, "rnn_gradient", _bptt(False), rnn_gradients),
    Mistake("rnn: the slope at the state before", rnn_kernel, "rnn_gradient", _bptt(True, True), rnn_gradients),
    Mistake("rnn: W_hh not transposed", rnn_kernel, "rnn", lambda f: lambda u, h0, w, a: f(u, h0, w.T, a), rnn_values),
    Mistake("rnn: dW_hh with h_t for h_(t-1)", rnn.Recurrence, "backward", _backward(_future_state), rnn_gradients),
    # indexing and frames
    Mistake("indexing: = for += at repeated places", indexing, "_repeats", lambda f: lambda index: False, index_gradients),
    Mistake("pad: cropped from the wrong side", pad.PadConstant, "backward", _backward(_from_wrong_side), frame_gradients),
    Mistake("pad: reflection repeats the edge", pad, "_sources",
            lambda f: lambda n, a, b, mode: np.pad(np.arange(n), (a, b), "symmetric"), frame_values),
    # arithmetic
    Mistake("broadcasting: gradients not added up", ms.Tensor, "sum_to_size", _mean_to_size, arithmetic_gradients),
    Mistake("sub: the sign of the second gradient", arithmetic.Sub, "backward", _scaled(1, -1.0), arithmetic_gradients),
    Mistake("mul: each operand's own number", arithmetic.Mul, "backward",
            _backward(lambda ctx, g, r: (r[1], r[0])), arithmetic_gradients),
    Mistake("div: the sign of the second gradient", arithmetic.Div, "backward", _scaled(1, -1.0), arithmetic_gradients),
    Mistake("pow: the exponent lost", arithmetic.Pow, "backward", _scaled(0, 0.4), arithmetic_gradients),
    Mistake("abs: the sign lost", arithmetic.Abs, "backward", _backward(lambda ctx, g, r: g[0]), arithmetic_gradients),
    Mistake("where: branches exchanged", selection.Where, "backward", _backward(_swapped_branches), arithmetic_gradients),
    Mistake("maximum: both operands get all", selection.Extreme, "backward",
            _backward(lambda ctx, g, r: (g[0], g[0], None)), arithmetic_gradients),
    Mistake("clamp: a gradient outside the limits", selection.Clamp, "backward",
            _backward(lambda ctx, g, r: (g[0], None, None)), arithmetic_gradients),
    # activations
    Mistake("tanh: 1 - y for 1 - y²", activation.Tanh, "backward",
            _backward(lambda ctx, g, r: g[0] * (1 - ctx.saved_tensors[0])), activation_gradients),
    Mistake("sigmoid: y for y (1 - y)", activation.Sigmoid, "backward",
            _backward(lambda ctx, g, r: g[0] * ctx.saved_tensors[0]), activation_gradients),
    Mistake("exp: x for y", exponential.Exp, "backward",
            _backward(lambda ctx, g, r: g[0] * ctx.saved_tensors[0].log()), activation_gradients),
    # reductions
    Mistake("sum: the gradient divided", reduction.Sum, "backward", _scaled(0, 0.5), reduction_gradients),
    Mistake("cumsum: the running sum from the same end", reduction.Cumsum, "backward",
            _backward(lambda ctx, g, r: (g[0].cumsum(ctx.dim), None)), reduction_gradients),
    Mistake("amax: every tie gets all", reduction.Amax, "backward",
            _backward(lambda ctx, g, r: (r[0] * 2, None, None, None)), tie_gradients),
    Mistake("max: a tie to the last", reduction, "max", _last_maximum, tie_gradients),
    # matrices and shapes
    Mistake("matmul: transposes missing", matmul.MatMul, "backward", _backward(_untransposed), matrix_gradients),
    Mistake("cat: parts exchanged", cat.Cat, "backward", _backward(lambda ctx, g, r: (None, r[2], r[1])), shape_gradients),
    Mistake("permute: the same order back", shape.Permute, "backward",
            _backward(lambda ctx, g, r: (g[0].permute(2, 0, 1), None)), shape_gradients),
    Mistake("flip: not flipped back", shape.Flip, "backward", _backward(lambda ctx, g, r: (g[0], None)), shape_gradients),
    Mistake("roll: rolled on", shape.Roll, "backward",
            _backward(lambda ctx, g, r: (shape.Roll.apply(g[0], ctx.shifts, ctx.dims), None, None)), shape_gradients),
]  # fmt: skip


def is_caught(mistake: Mistake) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mistake.owner, mistake.name, mistake.wrong(getattr(mistake.owner, mistake.name)))
        try:
            mistake.check()
        except AssertionError:
            return True
    return False


@pytest.fixture(autouse=True)
def reference_kernels():
    with dispatch.use("reference"):
        yield


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_right_operators_pass(check):
    check()


def test_every_mistake_is_caught():
    missed = [mistake.title for mistake in MISTAKES if not is_caught(mistake)]
    print(f"\nplanted mistakes: {len(MISTAKES) - len(missed)} of {len(MISTAKES)} caught")
    assert len(MISTAKES) >= 60
    assert not missed, f"not noticed: {missed}"


def test_titles_are_unlike():
    assert len({mistake.title for mistake in MISTAKES}) == len(MISTAKES)
