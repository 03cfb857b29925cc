"""Convolution and the gradient of its weight: chooses an algorithm by shape, `choose` says which and why.

`winograd.py` has Winograd's algorithm, `direct.py` register tiles on the plain sum, `depthwise.py` tiles for
channels that see themselves alone, `cpu/conv2d.py` the plain loops.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from minitorch_seg.kernels import dispatch
from minitorch_seg.kernels.cpu import conv2d as plain
from minitorch_seg.kernels.cpu.passes import Pass
from minitorch_seg.kernels.fast import depthwise, direct, winograd
from minitorch_seg.kernels.fast.blocks import Passes
from minitorch_seg.kernels.layout import contiguous, empty_map, pixels
from minitorch_seg.kernels.sizes import Pair, window_counts

#: Winograd's algorithm serves kernels of that many taps along both axes, from that many channels in and out
#: on: where its fewer products outweigh its transforms.
FEWEST = {3: 8, 5: 16}
#: What it saves: 36 products for a tile of outputs, instead of outputs × taps.
PRODUCTS = {3: 144, 5: 100}
FEWEST_OUTPUTS = 3  # outputs of a group from which a tile beats plain loops, though most of a vector is empty


def choose(
    channels: int, outputs: int, kernel: Pair, stride: Pair, dilation: Pair, groups: int
) -> tuple[str, str]:
    """("winograd", "direct", "depthwise" or "plain", and why) for a convolution from `channels` to
    `outputs`, or its gradients.

    >>> choose(16, 16, (3, 3), (1, 1), (1, 1), 1)[0], choose(16, 16, (3, 3), (2, 2), (1, 1), 1)[0]
    ('winograd', 'direct')
    """
    return _choose(dispatch.conv_algorithm(), channels, outputs, kernel, stride, dilation, groups)


@lru_cache(maxsize=512)
def _choose(
    wanted: str, channels: int, outputs: int, kernel: Pair, stride: Pair, dilation: Pair, groups: int
) -> tuple[str, str]:
    taps = kernel[0]
    fits = taps in FEWEST and (kernel[1], stride, dilation, groups) == (taps, (1, 1), (1, 1), 1)
    if wanted == "direct":
        return "direct", "it was chosen"
    if wanted == "winograd":
        return (
            ("winograd", "it was chosen")
            if fits
            else ("direct", "Winograd needs 3×3 or 5×5, stride 1, one group")
        )
    if fits and min(channels, outputs) >= FEWEST[taps]:
        enough = f"{taps}×{taps}, stride 1, {FEWEST[taps]} channels or more"
        return "winograd", f"{enough}: 36 products do the work of {PRODUCTS[taps]}"
    if groups > 1 and channels == groups == outputs:
        return "depthwise", "each channel sees itself alone: vectors of channels, multiplied place by place"
    if outputs // groups < FEWEST_OUTPUTS and groups > 1:
        return "plain", f"a group has fewer than {FEWEST_OUTPUTS} outputs, too few to fill a vector"
    return "direct", "a register tile suits every other shape"


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """x (N, C, H, W), weight (O, C/groups, kh, kw), bias (O,) or None -> y (N, O, Ho, Wo)."""
    o, part, kh, kw = weight.shape
    algorithm = dispatch.taken(*choose(x.shape[1], o, (kh, kw), stride, dilation, groups))
    way = _way(x.shape, (kh, kw), stride, padding, dilation)
    if algorithm == "plain" or 0 in (x.size, weight.size, *way.size):
        return plain.conv2d(x, weight, bias, stride, padding, dilation, groups)
    y = empty_map((x.shape[0], o, *way.size), x.dtype)
    source, result = pixels(x), y.transpose(0, 2, 3, 1)
    shift = None if bias is None else contiguous(bias)
    if algorithm == "winograd":
        taps = contiguous(weight).reshape(-1)
        places = 0, kw, 1, kh * kw, kh * kw * part
        winograd.correlate(source, taps, places, shift, result, kw, padding)
        return y
    if way.flat:
        source, result = source.reshape(1, 1, -1, x.shape[1]), result.reshape(1, 1, -1, o)
    taps = contiguous(weight).reshape(-1)
    if algorithm == "depthwise":
        depthwise.correlate(source, taps, shift, result, way.passes, kw)
        return y
    strides = kh * kw, part * kh * kw, o // groups * part * kh * kw
    direct.correlate(source, taps, strides, shift, result, way.passes, groups, kw)
    return y


def conv2d_weight_gradient(
    x: np.ndarray,
    grad: np.ndarray,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """The gradient with respect to the weight, of shape (O, C/groups, kh, kw)."""
    o, c = grad.shape[1], x.shape[1]
    algorithm = dispatch.taken(*choose(c, o, kernel_size, stride, dilation, groups))
    if algorithm == "plain" or 0 in (x.size, grad.size, *kernel_size):
        return plain.conv2d_weight_gradient(x, grad, kernel_size, stride, padding, dilation, groups)
    source, given = pixels(x), pixels(grad)
    if algorithm == "winograd":
        return winograd.weight_gradient(source, given, kernel_size[0], padding)
    way = _way(x.shape, kernel_size, stride, padding, dilation, grad.shape[2:])
    if way.flat:
        source, given = source.reshape(1, 1, -1, c), given.reshape(1, 1, -1, o)
    taps = kernel_size[0] * kernel_size[1]
    if algorithm == "depthwise":
        dweight = depthwise.weight_gradient(source, given, taps, way.passes)
    else:
        dweight = direct.weight_gradient(source, given, groups, taps, way.passes)
    return dweight.reshape(o, c // groups, *kernel_size)


class _Way(NamedTuple):
    """The output's size, whether all pixels are one long row (none sees another), and the passes."""

    size: Pair
    flat: bool
    passes: Passes


@lru_cache(maxsize=512)
def _way(
    shape: tuple[int, ...],
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    made: Pair | None = None,
) -> _Way:
    """For x of this shape, and for `made` outputs along both axes instead of all windows that fit."""
    size = made or window_counts((shape[2], shape[3]), kernel, stride, padding, dilation)
    flat = (*kernel, *stride, *padding) == (1, 1, 1, 1, 0, 0)
    counts = (1, shape[0] * size[0] * size[1]) if flat else size
    rows, columns = (
        (Pass(tuple(range(k)), tuple(i * d - p for i in range(k)), s, 1, 0, n),)
        for n, k, s, p, d in zip(counts, kernel, stride, padding, dilation, strict=True)
    )
    return _Way(size, flat, Passes(rows, columns))
