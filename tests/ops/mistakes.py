"""Wrong operators, each by a mistake that is easily made: a flipped kernel, `=` for `+=`, a lost term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg.kernels import sizes
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
    dropout,
    exponential,
    indexing,
    matmul,
    max_pool2d,
    pad,
    reduction,
    selection,
    shape,
)
from tests.ops import checks


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
    def kernel(grad, taps, input_size, *options):
        n, c = grad.shape[:2]
        indices = max_pool2d.winner_places(taps, input_size, *options)
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
        def kernel(grad, x, mean, inv_std, weight, *options):
            _, dweight, dbias = right(grad, x, mean, inv_std, weight, *options)
            column = lambda v: v.reshape(1, -1, 1, 1)  # noqa: E731
            m, normalized = x.size // x.shape[1], (x - column(mean)) * column(inv_std)
            dx = grad - mean_term * column(dbias) / m - variance_term * normalized * column(dweight) / m
            scale = inv_std * weight if scaled and weight is not None else inv_std
            return column(scale) * dx, dweight, dbias

        return kernel

    return wrong


def _bptt(carried: bool, slope_of_the_past: bool = False) -> Callable[[Any], Any]:
    def wrong(right: Any) -> Any:
        def kernel(grad, x, h, h0, w_xh, w_hh, activation, need_dx):
            delta, carry = np.empty_like(h), np.zeros_like(h0)
            before = np.concatenate([h0[None], h])[:-1]
            for t in reversed(range(len(h))):
                state = before[t] if slope_of_the_past else h[t]
                delta[t] = (grad[t] + carried * carry) * (1 - state * state)
                carry = delta[t] @ w_hh
            rows, inputs, states = (a.reshape(-1, a.shape[2]) for a in (delta, x, before))
            return delta @ w_xh, carry, rows.T @ inputs, rows.T @ states, rows.sum(axis=0)

        return kernel

    return wrong


def _future_state(right: Any) -> Any:
    def kernel(grad, x, h, h0, w_xh, w_hh, activation, need_dx):
        dx, dh0, dw_xh, _, db = right(grad, x, h, h0, w_xh, w_hh, activation, need_dx)
        dw_hh = right(grad, h, h, h0, w_hh, w_hh, activation, False)[2]  # h_t in the place of x_t
        return dx, dh0, dw_xh, dw_hh, db

    return kernel


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
    Mistake("conv2d: the kernel flipped", conv_kernel, "conv2d",
            lambda f: lambda x, w, *a: f(x, w[..., ::-1, ::-1], *a), checks.conv_values),
    Mistake("conv2d: the kernel transposed", conv_kernel, "conv2d",
            lambda f: lambda x, w, *a: f(x, w.swapaxes(2, 3), *a), checks.conv_values),
    Mistake("conv2d: the bias lost", conv_kernel, "conv2d",
            lambda f: lambda x, w, b, *a: f(x, w, None, *a), checks.conv_values),
    Mistake("conv2d: groups exchanged", conv_kernel, "conv2d", _reversed_groups, checks.conv_values),
    Mistake("conv2d: the bias's gradient lost", conv2d.Conv2d, "backward", _scaled(2, 0.0),
            checks.conv_gradients),
    Mistake("conv2d: the bias's gradient averaged", conv2d.Conv2d, "backward",
            _scaled(2, 0.5), checks.conv_gradients),
    Mistake("conv2d: the dilation dropped", conv_kernel, "conv2d",
            lambda f: lambda x, w, b, s, p, d, g: f(x, w, b, s, p, (1, 1), g), checks.conv_values),
    Mistake("conv2d: weight gradient without dilation", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda x, g, k, s, p, d, n: f(x, g, k, s, p, (1, 1), n), checks.conv_gradients),
    Mistake("conv2d: weight gradient of a shifted image", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda x, *a: f(np.roll(x, 1, 2), *a), checks.conv_gradients),
    Mistake("conv2d: weight gradient transposed", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda *a: f(*a).swapaxes(2, 3), checks.conv_gradients),
    Mistake("conv2d: weight gradient flipped", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda *a: f(*a)[..., ::-1, ::-1], checks.conv_gradients),
    Mistake("conv2d: weight gradient of the first image alone", conv_kernel, "conv2d_weight_gradient",
            lambda f: lambda x, g, *a: f(x[:1], g[:1], *a), checks.conv_gradients),
    Mistake("conv2d: input gradient with a flipped kernel", transposed_kernel, "conv_transpose2d",
            lambda f: lambda x, w, *a: f(x, w[..., ::-1, ::-1], *a), checks.conv_gradients),
    Mistake("conv2d: input gradient with = for +=", transposed_kernel, "conv_transpose2d",
            _assigning_transposed, checks.conv_gradients),
    Mistake("conv2d: input gradient with the pad not cropped", transposed_kernel, "conv_transpose2d",
            lambda f: lambda x, w, b, size, s, p, d, n: f(x, w, b, size, s, (0, 0), d, n),
            checks.conv_gradients),
    Mistake("conv_transpose2d: = for +=", transposed_kernel, "conv_transpose2d",
            _assigning_transposed, checks.transposed_values),
    Mistake("conv_transpose2d: the pad not cropped", transposed_kernel, "conv_transpose2d",
            lambda f: lambda x, w, b, size, s, p, d, n: f(x, w, b, size, s, (0, 0), d, n),
            checks.transposed_values),
    Mistake("conv_transpose2d: weight read as OI", transposed_kernel, "conv_transpose2d",
            lambda f: lambda x, w, *a: f(x, w.swapaxes(0, 1), *a), checks.transposed_values),
    # pooling and resampling
    Mistake("max_pool2d: = for += where windows overlap", pool_kernel, "max_pool2d_gradient",
            _assigning_pool, checks.pool_gradients),
    Mistake("max_pool2d: a tie to the last", pool_kernel, "max_pool2d", _last_tie, checks.pool_ties),
    Mistake("max_pool2d: the window's row and column exchanged", max_pool2d, "winner_places",
            lambda f: lambda t, *a: f(np.asarray(2 * (t % 2) + t // 2, t.dtype), *a), checks.pool_ties),
    Mistake("max_pool2d: padded with zeros", pool_kernel, "max_pool2d", _zero_padded_pool,
            checks.pool_values),
    Mistake("interpolate: align_corners ignored", interpolate_kernel, "interpolate_bilinear",
            lambda f: lambda x, size, corners, scale: f(x, size, False, scale), checks.bilinear_values),
    Mistake("interpolate: gradient by resizing back", interpolate_kernel, "interpolate_bilinear_gradient",
            lambda f: lambda g, size, *a: interpolate_kernel.interpolate_bilinear(g, size, *a),
            checks.bilinear_gradients),
    Mistake("interpolate: nearest rounds", interpolate_kernel, "nearest_indices",
            lambda f: lambda n, m, s: np.minimum(np.round(np.arange(m) * n / m).astype(int), n - 1),
            checks.nearest_values),
    Mistake("interpolate: nearest gradient with = for +=", interpolate_kernel, "interpolate_nearest_gradient",
            _assigning_nearest, checks.nearest_gradients),
    # normalisation
    Mistake("batch_norm: the mean taken as constant", bn_kernel, "batch_norm_gradient",
            _norm_gradient(False, True), checks.norm_gradients),
    Mistake("batch_norm: the variance taken as constant", bn_kernel, "batch_norm_gradient",
            _norm_gradient(True, False), checks.norm_gradients),
    Mistake("batch_norm: both taken as constant", bn_kernel, "batch_norm_gradient",
            _norm_gradient(False, False), checks.norm_gradients),
    Mistake("batch_norm: the scale lost in the gradient", bn_kernel, "batch_norm_gradient",
            _norm_gradient(True, True, False), checks.norm_gradients),
    Mistake("batch_norm: the sample's variance for the batch's", bn_kernel, "channel_moments",
            lambda f: lambda x: (f(x)[0], f(x)[1] * 12 / 11), checks.norm_values),
    Mistake("batch_norm: the shift lost", bn_kernel, "normalize",
            lambda f: lambda x, m, s, w, b, r: f(x, m, s, w, None, r), checks.norm_values),
    Mistake("batch_norm: constants in evaluation have a gradient", bn_kernel, "batch_norm_gradient",
            lambda f: lambda *a: f(*a[:7], False), checks.fixed_norm_gradients),
    Mistake("batch_norm_relu: a gradient where relu has cut", bn_kernel, "batch_norm_gradient",
            lambda f: lambda *a: f(*a[:6], False), checks.rectified_norm_gradients),
    Mistake("batch_norm_relu: cut where x was negative, not y", bn_kernel, "batch_norm_gradient",
            lambda f: lambda g, x, *a: f(g * (x > 0), x, *a[:4], False), checks.rectified_norm_gradients),
    Mistake("batch_norm_relu: cut before the shift", bn_kernel, "batch_norm_gradient",
            lambda f: lambda g, x, m, s, w, b, *a: f(g, x, m, s, w, None, *a),
            checks.rectified_norm_gradients),
    Mistake("batch_norm_relu: relu forgotten", bn_kernel, "normalize",
            lambda f: lambda *a: f(*a[:5], False), checks.rectified_norm_values),
    Mistake("softmax: without the shift", softmax_kernel, "softmax", _no_shift, checks.softmax_values),
    Mistake("softmax: the sum left out of the gradient", softmax_kernel, "softmax_gradient",
            lambda f: lambda g, y, dim: g * y, checks.softmax_gradients),
    Mistake("log_softmax: the logarithm for the probability", softmax_kernel, "log_softmax_gradient",
            lambda f: lambda g, y, dim: g - y * g.sum(dim, keepdims=True), checks.softmax_gradients),
    Mistake("dropout: not scaled", dropout, "_mask", lambda f: lambda *a: np.sign(f(*a)),
            checks.dropout_scale),
    # losses
    Mistake("cross_entropy: ignored pixels counted in the mean", ce_kernel, "cross_entropy",
            lambda f: lambda x, t, w, i: (f(x, t, w, i)[0], w[np.maximum(t, 0)], f(x, t, w, i)[2]),
            checks.entropy_values),
    Mistake("cross_entropy: the mean over pixels, not over weights", ce_kernel, "cross_entropy",
            lambda f: lambda x, t, w, i: (f(x, t, w, i)[0], np.asarray(t != i, x.dtype), f(x, t, w, i)[2]),
            checks.entropy_values),
    Mistake("nll_loss: ignored pixels counted in the mean", ce_kernel, "nll_loss",
            lambda f: lambda y, t, w, i: (f(y, t, w, i)[0], w[np.maximum(t, 0)], y),
            checks.likelihood_values),
    Mistake("cross_entropy: the truth left out of the gradient", ce_kernel, "cross_entropy_gradient",
            lambda f: lambda g, p, t, w, i: p * (g * (w[np.maximum(t, 0)] * (t != i)))[:, None],
            checks.entropy_gradients),
    Mistake("cross_entropy: class weights left out of the gradient", ce_kernel, "cross_entropy_gradient",
            lambda f: lambda g, y, t, w, i: f(g, y, t, None, i), checks.entropy_gradients),
    Mistake("cross_entropy: ignored pixels have a gradient", ce_kernel, "cross_entropy_gradient",
            lambda f: lambda g, y, t, w, i: f(g, y, np.maximum(t, 0), w, i), checks.entropy_gradients),
    Mistake("binary_cross_entropy: the sign turned", binary_cross_entropy.BinaryCrossEntropy, "backward",
            _scaled(0, -1.0), checks.binary_gradients),
    # recurrence
    Mistake("rnn: the carried term missing", rnn_kernel, "rnn_gradient", _bptt(False), checks.rnn_gradients),
    Mistake("rnn: the slope at the state before", rnn_kernel, "rnn_gradient",
            _bptt(True, True), checks.rnn_gradients),
    Mistake("rnn: W_hh not transposed", rnn_kernel, "rnn",
            lambda f: lambda x, h0, v, w, b, a: f(x, h0, v, w.T, b, a), checks.rnn_values),
    Mistake("rnn: dW_hh with h_t for h_(t-1)", rnn_kernel, "rnn_gradient",
            _future_state, checks.rnn_gradients),
    # indexing and frames
    Mistake("indexing: = for += at repeated places", indexing, "_repeats",
            lambda f: lambda index: False, checks.index_gradients),
    Mistake("pad: cropped from the wrong side", pad.PadConstant, "backward",
            _backward(_from_wrong_side), checks.frame_gradients),
    Mistake("pad: reflection repeats the edge", pad, "_sources",
            lambda f: lambda n, a, b, mode: np.pad(np.arange(n), (a, b), "symmetric"), checks.frame_values),
    # arithmetic
    Mistake("broadcasting: gradients not added up", ms.Tensor, "sum_to_size",
            _mean_to_size, checks.arithmetic_gradients),
    Mistake("sub: the sign of the second gradient", arithmetic.Sub, "backward",
            _scaled(1, -1.0), checks.arithmetic_gradients),
    Mistake("mul: each operand's own number", arithmetic.Mul, "backward",
            _backward(lambda ctx, g, r: (r[1], r[0])), checks.arithmetic_gradients),
    Mistake("div: the sign of the second gradient", arithmetic.Div, "backward",
            _scaled(1, -1.0), checks.arithmetic_gradients),
    Mistake("floor_divide: cut off towards 0", arithmetic, "floor_divide",
            lambda f: lambda a, b: ms.Tensor(np.trunc(a.data / b.data)), checks.arithmetic_gradients),
    Mistake("remainder: the divisor taken as constant", arithmetic.Remainder, "backward",
            _backward(lambda ctx, g, r: (r[0], None)), checks.arithmetic_gradients),
    Mistake("remainder: the sign of the dividend", arithmetic.Remainder, "forward",
            lambda f: staticmethod(lambda ctx, a, b: np.fmod(a.data, b.data)), checks.division_values),
    Mistake("pow: the exponent lost", arithmetic.Pow, "backward", _scaled(0, 0.4),
            checks.arithmetic_gradients),
    Mistake("abs: the sign lost", arithmetic.Abs, "backward",
            _backward(lambda ctx, g, r: g[0]), checks.arithmetic_gradients),
    Mistake("where: branches exchanged", selection.Where, "backward",
            _backward(_swapped_branches), checks.arithmetic_gradients),
    Mistake("maximum: both operands get all", selection.Extreme, "backward",
            _backward(lambda ctx, g, r: (g[0], g[0], None)), checks.arithmetic_gradients),
    Mistake("clamp: a gradient outside the limits", selection.Clamp, "backward",
            _backward(lambda ctx, g, r: (g[0], None, None)), checks.arithmetic_gradients),
    # activations
    Mistake("tanh: 1 - y for 1 - y²", activation.Tanh, "gradient",
            lambda right: lambda g, y: g * (1 - y), checks.activation_gradients),
    Mistake("sigmoid: y for y (1 - y)", activation.Sigmoid, "gradient",
            lambda right: lambda g, y: g * y, checks.activation_gradients),
    Mistake("exp: x for y", exponential.Exp, "backward",
            _backward(lambda ctx, g, r: g[0] * ctx.saved_tensors[0].log()), checks.activation_gradients),
    # reductions
    Mistake("sum: the gradient divided", reduction.Sum, "backward", _scaled(0, 0.5),
            checks.reduction_gradients),
    Mistake("cumsum: the running sum from the same end", reduction.Cumsum, "backward",
            _backward(lambda ctx, g, r: (g[0].cumsum(ctx.dim), None)), checks.reduction_gradients),
    Mistake("amax: every tie gets all", reduction.Amax, "backward",
            _backward(lambda ctx, g, r: (r[0] * 2, None, None, None)), checks.tie_gradients),
    Mistake("max: a tie to the last", reduction, "max", _last_maximum, checks.tie_gradients),
    # matrices and shapes
    Mistake("matmul: transposes missing", matmul.MatMul, "backward",
            _backward(_untransposed), checks.matrix_gradients),
    Mistake("cat: parts exchanged", cat.Cat, "backward",
            _backward(lambda ctx, g, r: (None, r[2], r[1])), checks.shape_gradients),
    Mistake("permute: the same order back", shape.Permute, "backward",
            _backward(lambda ctx, g, r: (g[0].permute(2, 0, 1), None)), checks.shape_gradients),
    Mistake("flip: not flipped back", shape.Flip, "backward",
            _backward(lambda ctx, g, r: (g[0], None)), checks.shape_gradients),
    Mistake("roll: rolled on", shape.Roll, "backward",
            _backward(lambda ctx, g, r: (shape.Roll.apply(g[0], ctx.shifts, ctx.dims), None, None)),
            checks.shape_gradients),
]  # fmt: skip
