"""Wrong operators made by editing the right one's source: one line of the real code, as a tired author might
write it."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional
from minitorch_seg.kernels.reference import activation as formulas
from minitorch_seg.kernels.reference import gru as gru_kernel
from minitorch_seg.kernels.reference import lstm as lstm_kernel
from minitorch_seg.ops import activation, avg_pool2d, cat, einsum, gru, layer_norm, lovasz_softmax, unfold
from tests.ops import checks_of_composed as checks
from tests.ops.mistakes import Mistake


def edited(old: str, new: str) -> Callable[[Any], Any]:
    """The function with `old` replaced by `new` in its source, where `old` must stand once."""

    def wrong(right: Any) -> Any:
        right = inspect.unwrap(right)  # without the check of its arguments' types
        source = textwrap.dedent(inspect.getsource(right))
        if source.count(old) != 1:
            raise LookupError(
                f"{right.__qualname__} holds {source.count(old)} times {old!r}: adapt the mistake"
            )
        scope = dict(right.__globals__)
        exec(source.replace(old, new), scope)
        return scope[right.__name__]

    return wrong


EDITS = [
    # windows
    Mistake("avg_pool2d: a window beyond the frame divided by its whole size", avg_pool2d, "_covered",
            edited("np.minimum(start + kernel, size + padding)", "start + kernel"), checks.mean_pool_values),
    Mistake("avg_pool2d: count_include_pad ignored", avg_pool2d, "_covered",
            edited("if not include_pad", "if False"), checks.mean_pool_values),
    Mistake("avg_pool2d: the frame never counted", avg_pool2d, "_covered",
            edited("if not include_pad", "if True"), checks.mean_pool_values),
    Mistake("ceil_mode: a window that begins beyond the image kept", avg_pool2d, "window_output_size",
            edited("if ceil_mode and (count - 1) * s >= n + p", "if False"), checks.ceil_values),
    Mistake("ceil_mode: a window that begins at the end of the image kept", avg_pool2d, "window_output_size",
            edited("(count - 1) * s >= n + p", "(count - 1) * s > n + p"), checks.ceil_values),
    Mistake("ceil_mode: rounded down", avg_pool2d, "window_output_size",
            edited("-(-room // s) if ceil_mode else room // s", "room // s"), checks.ceil_values),
    Mistake("avg_pool2d: the gradient not divided", avg_pool2d.AvgPool2d, "backward",
            edited("ctx.divisor", "np.ones_like(ctx.divisor)"), checks.mean_pool_gradients),
    Mistake("adaptive_avg_pool2d: the end rounded down", avg_pool2d, "_averaging_matrix",
            edited("-(-(i + 1) * inputs // outputs)", "(i + 1) * inputs // outputs"), checks.adaptive_values),
    Mistake("unfold: places column by column", unfold.Unfold, "forward",
            edited("np.reshape(y,", "np.reshape(y.swapaxes(4, 5),"), checks.column_values),
    Mistake("unfold: channels after offsets", unfold.Unfold, "forward",
            edited("np.reshape(y,", "np.reshape(np.moveaxis(y, 1, 3),"), checks.column_values),
    Mistake("fold: = for += where windows overlap", unfold.Fold, "forward",
            edited("place += columns", "place[...] = columns"), checks.column_values),
    Mistake("fold: unfold's gradient with = for +=", unfold.Fold, "forward",
            edited("place += columns", "place[...] = columns"), checks.column_gradients),
    Mistake("fold: the frame not cropped", unfold.Fold, "forward",
            edited("framed[:, :, p : p + h, q : q + w]", "framed[:, :, :h, :w]"), checks.column_values),
    Mistake("pixel_shuffle: rows and columns of a block exchanged", functional, "pixel_shuffle",
            edited("n + 3, n + 1, n + 4, n + 2, n)", "n + 3, n + 2, n + 4, n + 1, n)"),
            checks.shuffle_values),
    # normalisation
    Mistake("group_norm: groups of every second channel", functional, "group_norm",
            edited("x.reshape(n, num_groups, channels // num_groups, *rest)",
                   "x.reshape(n, channels // num_groups, num_groups, *rest).transpose(1, 2)"),
            checks.standard_values),
    Mistake("instance_norm: over the batch too", functional, "instance_norm",
            edited("tuple(range(2, x.ndim))", "(0, *range(2, x.ndim))"), checks.standard_values),
    Mistake("layer_norm: ε outside the root", layer_norm, "_standardize",
            edited("+ eps).sqrt()", ").sqrt() + eps"), checks.standard_values),
    Mistake("layer_norm: the mean taken as constant", layer_norm, "_standardize",
            edited("x.mean(dims, keepdim=True)", "x.mean(dims, keepdim=True).detach()"),
            checks.standard_gradients),
    Mistake("layer_norm: the variance taken as constant", layer_norm, "_standardize",
            edited("(centred * centred)", "(centred * centred).detach()"), checks.standard_gradients),
    # gates: the kernels, and their twins
    Mistake("gru: the reset before the product", gru_kernel, "gru",
            edited("r * v_n", "(r * before) @ w_hh[2 * hidden :].T + b_hh[2 * hidden :]"),
            checks.gate_values),
    Mistake("gru: the update turned round", gru_kernel, "gru",
            edited("n + z * (before - n)", "before + z * (n - before)"), checks.gate_values),
    Mistake("gru: r and z exchanged", gru_kernel, "gru", edited("r, z, v_n = ", "z, r, v_n = "),
            checks.gate_values),
    Mistake("gru: the direct way back lost", gru_kernel, "gru_gradient",
            edited("total * z + dv[t] @ w_hh", "dv[t] @ w_hh"), checks.gate_gradients),
    Mistake("gru: dv_n not reset", gru_kernel, "gru_gradient",
            edited("dv[t, :, 2 * hidden :] *= r", "pass"), checks.gate_gradients),
    Mistake("gru: the slope of z with the state after", gru_kernel, "gru_gradient",
            edited("(before[t] - n)", "(h[t] - n)"), checks.gate_gradients),
    Mistake("gru's twin: r and z exchanged", gru.GatedRecurrence, "twin",
            edited("r, z = sigmoid", "z, r = sigmoid"), checks.gate_twins),
    Mistake("lstm: g and o exchanged", lstm_kernel, "lstm",
            edited("for k in (0, 1, 3)", "for k in (0, 1, 2)"), checks.gate_values),
    Mistake("lstm: the cell not bent", lstm_kernel, "lstm",
            edited("np.tanh(c_before)", "c_before"), checks.gate_values),
    Mistake("lstm: the gradient of the last cell lost", lstm_kernel, "lstm_gradient",
            edited("np.zeros(h0.shape, h.dtype), grad_c", "np.zeros(h0.shape, h.dtype), 0 * grad_c"),
            checks.gate_gradients),
    Mistake("lstm: the cell not carried", lstm_kernel, "lstm_gradient",
            edited("du[t] @ w_hh, d_c * f", "du[t] @ w_hh, 0 * d_c"), checks.gate_gradients),
    Mistake("lstm: the slope of f with the cell after", lstm_kernel, "lstm_gradient",
            edited("d_c * c_before[t] * f", "d_c * c[t] * f"), checks.gate_gradients),
    Mistake("lstm's twin: g and o exchanged", gru.Memory, "twin",
            edited("i, f, g, o = ", "i, f, o, g = "), checks.gate_twins),
    Mistake("split: gradients joined in the wrong order", cat.Split, "backward",
            edited("*grads), None", "*grads[::-1]), None"), checks.split_gradients),
    # activations
    Mistake("gelu: the derivative without x φ", activation.Gelu, "gradient",
            edited(" + x * _normal_density(x)", ""), checks.curve_gradients),
    Mistake("elu: the derivative without α", activation.Elu, "gradient",
            edited("alpha * ", ""), checks.curve_gradients),
    Mistake("elu's kernel: the derivative without α", formulas, "FORMULAS",
            lambda right: right | {"Elu": (right["Elu"][0], lambda g, x, a: g * np.exp(np.minimum(x, 0)))},
            checks.curve_gradients),
    Mistake("silu's kernel: the derivative of the second factor lost", formulas, "FORMULAS",
            lambda right: right | {"Silu": (right["Silu"][0], lambda g, x: g / (1 + np.exp(-x)))},
            checks.curve_gradients),
    Mistake("softplus: β and the threshold exchanged", functional, "softplus",
            edited("float(beta), float(threshold)", "float(threshold), float(beta)"), checks.curve_values),
    Mistake("leaky_relu: the slope lost", functional, "leaky_relu",
            edited("float(negative_slope)", "0.01"), checks.curve_values),
    # losses
    Mistake("focal_loss: p for 1 − p", functional, "focal_loss",
            edited("1 - (-surprise).exp()", "(-surprise).exp()"), checks.focal_values),
    Mistake("focal_loss: ignored pixels counted", functional, "focal_loss",
            edited("kept.data.sum()", "kept.data.size"), checks.focal_values),
    Mistake("focal_loss: γ applied to the weighted loss", functional, "focal_loss",
            edited("surprise = cross_entropy(input, target, None,",
                   "surprise = cross_entropy(input, target, weight,"),
            checks.focal_values),
    Mistake("tversky_loss: α and β exchanged", functional, "tversky_loss",
            edited("alpha * false_alarm + beta * missed", "beta * false_alarm + alpha * missed"),
            checks.overlap_values),
    Mistake("jaccard_loss: Dice's weights", functional, "jaccard_loss",
            edited("1.0, 1.0", "0.5, 0.5"), checks.overlap_values),
    Mistake("tversky_loss: not smoothed below", functional, "tversky_loss",
            edited("beta * missed + smooth", "beta * missed"), checks.overlap_values),
    Mistake("lovasz_softmax: not sorted", lovasz_softmax, "_batch_loss",
            edited("np.argsort(-error.data", "np.argsort(0 * error.data"), checks.lovasz_values),
    Mistake("lovasz_softmax: sorted upwards", lovasz_softmax, "_batch_loss",
            edited("np.argsort(-error.data", "np.argsort(error.data"), checks.lovasz_values),
    Mistake("lovasz_softmax: absent classes counted", lovasz_softmax, "_batch_loss",
            edited("not member.any()", "False"), checks.lovasz_values),
    Mistake("lovasz_softmax: false alarms not in the union", lovasz_softmax, "_weights",
            edited(" + np.cumsum(1 - member)", ""), checks.lovasz_values),
    Mistake("huber_loss: δ lost", functional, "huber_loss",
            edited("delta * (d.abs() - delta / 2)", "d.abs() - delta / 2"), checks.distance_values),
    Mistake("smooth_l1_loss: β lost", functional, "smooth_l1_loss",
            edited("d * d / (2 * beta)", "d * d / 2"), checks.distance_values),
    # einsum
    Mistake("einsum: the gradient's letters sorted", einsum.Einsum, "backward",
            edited('"".join(c for c in own if c in known)', '"".join(sorted(c for c in own if c in known))'),
            checks.letter_gradients),
    Mistake("einsum: an implied output in the order of the operands", ms, "einsum",
            edited("sorted(c for c in set(left)", "list(c for c in left"), checks.letter_values),
]  # fmt: skip
