"""One small call of every differentiable operator, for `minitorch-seg gradcheck` and for the tests.

An example is made of float64 arrays from a seeded generator; sizes are uneven, strides and paddings unlike,
windows overlap, so that a mistake cannot hide behind a symmetry.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.ops import (
    arithmetic,
    cast,
    cat,
    einsum,
    exponential,
    indexing,
    matmul,
    reduction,
    selection,
    shape,
)


@dataclass(frozen=True)
class Example:
    """`call(*arrays)`; `smooth`: the second derivative exists almost everywhere and is worth checking."""

    operator: str
    call: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    smooth: bool = True


def examples(device: str = "cpu") -> list[Example]:
    """All examples, by the operator's name; some operators have several.  `device`: where those tensors lie
    that a call brings itself, as the targets of losses."""
    rng = np.random.default_rng(20)

    def normal(*size: int) -> np.ndarray:
        return rng.standard_normal(size)

    def positive(*size: int) -> np.ndarray:
        return rng.uniform(0.5, 2.0, size)

    def constant(array: np.ndarray) -> Tensor:
        return Tensor(array).to(device)

    found: list[Example] = []

    def add(operator: str, call: Callable[..., Any], *arrays: np.ndarray, smooth: bool = True) -> None:
        found.append(Example(operator, call, arrays, smooth))

    classes = np.array([[[0, 2, 1, 1], [2, 0, -100, 1], [1, 1, 0, 2]]])
    image, kernels, bias = normal(2, 3, 5, 6), normal(4, 3, 3, 2), normal(4)
    # arithmetic
    add("add", arithmetic.add, normal(3, 1), normal(2, 1, 4))
    add("sub", arithmetic.sub, normal(3, 1), normal(2, 1, 4))
    add("mul", arithmetic.mul, normal(3, 1), normal(2, 1, 4))
    add("div", arithmetic.div, normal(3, 1), positive(2, 1, 4))
    add("remainder", arithmetic.remainder, 3 * normal(3, 1), positive(2, 1, 4), smooth=False)
    add("neg", arithmetic.neg, normal(3))
    add("pow", arithmetic.pow, positive(2, 3), normal(3))
    add("abs", arithmetic.abs, normal(5), smooth=False)
    add("exp", exponential.exp, normal(4))
    add("log", exponential.log, positive(4))
    add("log1p", exponential.log1p, positive(4))
    add("sqrt", exponential.sqrt, positive(4))
    add("where", lambda a, b: selection.where(constant(classes[0] > 0), a, b), normal(3, 4), normal(4))
    add("masked_fill", lambda a: selection.masked_fill(a, constant(classes[0] > 0), 2.0), normal(3, 4))
    add("maximum", selection.maximum, normal(3, 4), normal(4), smooth=False)
    add("minimum", selection.minimum, normal(3, 4), normal(4), smooth=False)
    add("clamp", lambda a: selection.clamp(a, -0.5, 0.7), normal(3, 4), smooth=False)
    # reductions
    add("sum", lambda a: reduction.sum(a, (0, 2)), normal(2, 3, 4))
    add("mean", lambda a: reduction.mean(a, 1, keepdim=True), normal(2, 3, 4))
    add("var", lambda a: reduction.var(a, (0, 2)), normal(2, 3, 4))
    add("std", lambda a: reduction.std(a, 1, correction=0), normal(2, 5))
    add("amax", lambda a: reduction.amax(a, 1), normal(3, 4), smooth=False)
    add("amin", lambda a: reduction.amin(a, (0, 1)), normal(3, 4), smooth=False)
    add("max", lambda a: reduction.max(a, 1).values, normal(3, 4), smooth=False)
    add("min", lambda a: reduction.min(a, 0).values, normal(3, 4), smooth=False)
    add("logsumexp", lambda a: reduction.logsumexp(a, (0, 2)), normal(2, 3, 4))
    add("cumsum", lambda a: reduction.cumsum(a, 1), normal(2, 4))
    # shape, indexing, joining
    add("reshape", lambda a: shape.reshape(a, 4, -1), normal(2, 6))
    add("flatten", lambda a: shape.flatten(a, 1), normal(2, 3, 2))
    add("permute", lambda a: shape.permute(a, 2, 0, 1), normal(2, 3, 4))
    add("transpose", lambda a: shape.transpose(a, 0, -1), normal(2, 3, 4))
    add("squeeze", lambda a: shape.squeeze(a, 1), normal(2, 1, 3))
    add("unsqueeze", lambda a: shape.unsqueeze(a, 1), normal(2, 3))
    add("broadcast_to", lambda a: shape.broadcast_to(a, (2, 3, 4)), normal(3, 1))
    add("flip", lambda a: shape.flip(a, 0, 2), normal(2, 3, 2))
    add("roll", lambda a: shape.roll(a, (1, -2), (0, 1)), normal(3, 4))
    add("getitem", lambda a: indexing.getitem(a, (slice(None, None, -1), [0, 2, 0])), normal(2, 3))
    add("gather", lambda a: indexing.gather(a, 1, constant(np.array([[0, 0, 2], [1, 0, 1]]))), normal(2, 3))
    add("index_select", lambda a: indexing.index_select(a, 1, np.array([2, 0, 2])), normal(2, 3))
    add("cat", lambda a, b: cat.cat([a, b], 1), normal(2, 3), normal(2, 2))
    add("stack", lambda a, b: cat.stack([a, b], 1), normal(2, 3), normal(2, 3))
    add("split", lambda a: cat.split(a, [1, 3], 1), normal(2, 4))
    add("chunk", lambda a: cat.chunk(a, 2, 1), normal(2, 5))
    add("clone", lambda a: cast.Clone.apply(a), normal(3))
    add("matmul", matmul.matmul, normal(2, 1, 3, 4), normal(2, 4, 2))
    add("einsum", lambda a, b: einsum.einsum("nij,jk->ink", a, b), normal(2, 3, 4), normal(4, 2))
    add("linear", F.linear, normal(2, 3, 4), normal(5, 4), normal(5))
    # convolution, pooling, resampling, frames
    add("conv2d", lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), (1, 2)), image, kernels, bias)
    add(
        "conv2d",
        lambda x, w: F.conv2d(x, w, None, 1, "same", groups=2),
        normal(1, 4, 4, 3),
        normal(2, 2, 3, 2),
    )
    add(
        "conv_transpose2d",
        lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 1), 1, (1, 0), 1, (1, 2)),
        normal(2, 3, 3, 4),
        normal(3, 2, 3, 2),
        normal(2),
    )
    add(
        "conv_transpose2d",
        lambda x, w: F.conv_transpose2d(x, w, None, 2, groups=2),
        normal(1, 4, 3, 2),
        normal(4, 1, 2, 2),
    )
    add("convolve2d", lambda x, h: F.convolve2d(x, h, "same"), normal(4, 5), normal(3, 2))
    add("documented_convolution", F.documented_convolution, normal(3, 4), normal(3, 4), normal(2, 3))
    add("max_pool2d", lambda x: F.max_pool2d(x, 3, (2, 1), 1), image, smooth=False)
    places = F.max_pool2d(constant(normal(2, 3, 5, 6)), 2, return_indices=True)[1]
    add("max_unpool2d", lambda x: F.max_unpool2d(x, places, 2, output_size=(5, 6)), normal(2, 3, 2, 3))
    add("avg_pool2d", lambda x: F.avg_pool2d(x, (3, 2), (2, 1), 1, ceil_mode=True), image)
    add("avg_pool2d", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), image)
    add("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (3, 4)), image)
    add("unfold", lambda x: F.unfold(x, (3, 2), (1, 2), 1, (2, 1)), normal(1, 2, 4, 5))
    add("fold", lambda x: F.fold(x, (4, 5), (3, 2), (1, 2), 1, (2, 1)), normal(1, 12, 10))
    add("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), normal(1, 8, 2, 3))
    add("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), normal(1, 2, 4, 6))
    add("interpolate", lambda x: F.interpolate(x, (7, 4), mode="bilinear"), image)
    add("interpolate", lambda x: F.interpolate(x, scale_factor=(1.7, 0.6)), image)
    add("pad", lambda x: F.pad(x, (1, -1, -1, 2)), image)
    add("pad", lambda x: F.pad(x, (2, 1, 0, 3), mode="reflect"), image)
    add("pad", lambda x: F.pad(x, (2, 1, 0, 3), mode="replicate"), image)
    add("pad", lambda x: F.pad(x, (2, 1, 0, 3), mode="circular"), image)
    # normalisation
    add(
        "batch_norm",
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        normal(2, 3, 2, 3),
        positive(3),
        normal(3),
    )
    add(
        "batch_norm",
        lambda x, w, b: F.batch_norm(x, constant(bias[:3]), constant(np.full(3, 1.7)), w, b),
        normal(2, 3, 2, 3),
        positive(3),
        normal(3),
    )
    add(
        "batch_norm_relu",
        lambda x, w, b: F.batch_norm_relu(x, None, None, w, b, training=True),
        normal(2, 3, 2, 3),
        positive(3),
        normal(3),
    )
    add(
        "layer_norm",
        lambda x, w, b: F.layer_norm(x, (3, 4), w, b),
        normal(2, 3, 4),
        positive(3, 4),
        normal(3, 4),
    )
    add("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b), normal(2, 4, 2, 3), positive(4), normal(4))
    add(
        "instance_norm",
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        normal(2, 3, 2, 3),
        positive(3),
        normal(3),
    )
    add("dropout", lambda x: F.dropout(x, 0.4, generator=_fresh()), normal(4, 5))
    add("dropout2d", lambda x: F.dropout2d(x, 0.4, generator=_fresh()), normal(2, 3, 2, 2))
    # activations
    add("relu", F.relu, normal(3, 4), smooth=False)
    add("leaky_relu", lambda x: F.leaky_relu(x, 0.2), normal(3, 4), smooth=False)
    add("elu", lambda x: F.elu(x, 1.3), normal(3, 4), smooth=False)
    add("gelu", lambda x: F.gelu(x, "tanh"), normal(3, 4))
    for name in ("sigmoid", "tanh", "softplus", "logsigmoid", "gelu", "silu"):
        add(name, getattr(F, name), normal(3, 4))
    add("softmax", lambda x: F.softmax(x, 1), normal(2, 3, 2, 2))
    add("log_softmax", lambda x: F.log_softmax(x, 1), normal(2, 3, 2, 2))
    # recurrent
    sizes = (3, 2, 4), (2, 5), (5, 4), (5, 5), (5,)
    add("rnn", F.rnn, *(0.5 * normal(*size) for size in sizes))
    softplus_rnn = functools.partial(F.rnn, f=F.softplus)
    add("rnn", softplus_rnn, *(0.5 * normal(*size) for size in sizes))
    gates = (3, 2, 4), (2, 5)
    add("gru", F.gru, *(0.5 * normal(*size) for size in (*gates, (15, 4), (15, 5), (15,), (15,))))
    add("lstm", F.lstm, *(0.5 * normal(*size) for size in (*gates, (2, 5), (20, 4), (20, 5), (20,), (20,))))
    projected = (*gates[:1], (2, 3), (2, 5), (20, 4), (20, 3), (20,), (20,), (3, 5))
    add("lstm", F.lstm, *(0.5 * normal(*size) for size in projected))
    # losses
    weight = constant(np.array([0.5, 2.0, 1.0]))
    truth = constant(rng.uniform(0, 1, (3, 4)))
    add("cross_entropy", lambda x: F.cross_entropy(x, constant(classes), weight), normal(1, 3, 3, 4))
    add(
        "cross_entropy",
        lambda x: F.cross_entropy(x, constant(classes), weight, label_smoothing=0.2),
        normal(1, 3, 3, 4),
    )
    add("nll_loss", lambda x: F.nll_loss(x, constant(classes), weight, reduction="sum"), normal(1, 3, 3, 4))
    add("binary_cross_entropy", lambda x: F.binary_cross_entropy(x, truth), rng.uniform(0.1, 0.9, (3, 4)))
    add(
        "binary_cross_entropy_with_logits",
        lambda x: F.binary_cross_entropy_with_logits(x, truth, pos_weight=constant(np.array(3.0))),
        normal(3, 4),
    )
    add("dice_loss", lambda x: F.dice_loss(x, constant(classes)), normal(1, 3, 3, 4))
    add("jaccard_loss", lambda x: F.jaccard_loss(x, constant(classes)), normal(1, 3, 3, 4))
    add("tversky_loss", lambda x: F.tversky_loss(x, constant(classes), 0.3, 0.7), normal(1, 3, 3, 4))
    add("focal_loss", lambda x: F.focal_loss(x, constant(classes), 2.0, weight), normal(1, 3, 3, 4))
    small = image[:, :, :3, :4]
    add("soft_ncut_loss", lambda p: F.soft_ncut_loss(p, constant(small[1:]), 2), np.exp(small[:1]))
    add("lovasz_softmax", lambda x: F.lovasz_softmax(x, constant(classes)), normal(1, 3, 3, 4), smooth=False)
    add("l1_loss", F.l1_loss, normal(3, 4), normal(3, 4), smooth=False)
    add(
        "smooth_l1_loss",
        lambda x, t: F.smooth_l1_loss(x, t, beta=0.7),
        normal(3, 4),
        normal(3, 4),
        smooth=False,
    )
    add("huber_loss", lambda x, t: F.huber_loss(x, t, delta=0.7), normal(3, 4), normal(3, 4), smooth=False)
    add("mse_loss", F.mse_loss, normal(3, 4), normal(3, 4))
    add("reconstruction_loss", F.reconstruction_loss, normal(3, 4), normal(3, 4))
    return found


def _fresh() -> Any:
    from minitorch_seg.autograd import Generator

    return Generator(3)  # the same mask at every call, as differences need it
