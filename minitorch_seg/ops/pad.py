"""pad: a frame around the last dimensions; a negative width crops.

    constant    … 0 0 | a b c d | 0 0 …         dL/dx = the part of g = dL/dy inside the frame
    reflect     … c b | a b c d | c b …         r(i) = |(i + n − 1) mod (2n − 2) − (n − 1)|
    replicate   … a a | a b c d | d d …         r(i) = min(max(i, 0), n − 1)
    circular    … c d | a b c d | a b …         r(i) = i mod n

In the last three each output reads one input of the n, y[i] = x[r(i)], so the gradient adds up where several
outputs read the same one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import layout
from minitorch_seg.ops.arguments import LARGEST, sizes_of
from minitorch_seg.ops.cast import as_tensor
from minitorch_seg.ops.indexing import index_select
from minitorch_seg.ops.typed import typed


class PadConstant(Function):
    @staticmethod
    def forward(ctx, x, widths, value):
        ctx.widths = widths
        shape = tuple(n + a + b for n, (a, b) in zip(x.shape, widths, strict=True))
        # np.pad would lose the channels-last order of maps
        y = (layout.empty_map if layout.is_map(x.data) else np.empty)(shape, x.dtype, like=x.data)
        y[...] = value
        inner, source = [], []
        for n, (a, b) in zip(x.shape, widths, strict=True):
            inner.append(slice(max(a, 0), max(a, 0) + n + min(a, 0) + min(b, 0)))
            source.append(slice(max(-a, 0), n - max(-b, 0)))
        y[tuple(inner)] = x.data[tuple(source)]
        return y

    @staticmethod
    def backward(ctx, grad):  # cropping is padding by the negative widths
        return PadConstant.apply(grad, [(-a, -b) for a, b in ctx.widths], 0), None, None


def _sources(n: int, before: int, after: int, mode: str) -> np.ndarray:
    """The input index that each position of the padded dimension reads."""
    position = np.arange(-before, n + after)
    if mode == "replicate":
        return np.clip(position, 0, n - 1)
    if mode == "circular":
        return position % n
    return np.abs((position + n - 1) % (2 * n - 2) - (n - 1)) if n > 1 else np.zeros_like(position)


@typed
def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Frame the last dimensions of `input`.

    Args:
        input: any tensor; for reflect, replicate and circular (N, C, H, W) or (C, H, W) with two pairs of
            widths, (N, C, L) or (C, L) with one pair, (N, C, D, H, W) with three.
        pad: widths from the last dimension backwards: (left, right, top, bottom, …); negative ones crop.
        mode: "constant", "reflect" (less than the size), "replicate", "circular" (at most the size).
        value: what a constant frame holds; None is 0.

    Returns: the input's dtype; a dimension of size n becomes before + n + after.

    Raises: ShapeError where a width is too large, or crops more than there is; ValueError for another mode.

    >>> import minitorch_seg as ms
    >>> ms.functional.pad(ms.tensor([[1, 2, 3]]), (2, -1))
    tensor([[0, 0, 1, 2]])
    """
    x = as_tensor(input)
    widths = sizes_of((tuple(pad),))
    if len(widths) % 2 or len(widths) > 2 * x.ndim:
        raise ShapeError(
            f"pad: {len(widths)} widths for shape {x.shape}: expected a pair for each padded "
            f"dimension, last first"
        )
    pairs = list(zip(widths[::2], widths[1::2], strict=True))
    by_dim = [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]
    if max(widths, default=0) > LARGEST or any(
        n + min(a, 0) + min(b, 0) < 0 for n, (a, b) in zip(x.shape, by_dim, strict=True)
    ):
        raise ShapeError(
            f"pad: widths {widths} crop more than there is of shape {x.shape}, or one is above {LARGEST}"
        )
    if mode == "constant":
        return PadConstant.apply(x, by_dim, 0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise ValueError(f"pad: mode {mode!r} is unknown: use constant, reflect, replicate or circular")
    if value:
        raise ValueError(f"pad: mode {mode!r} takes no value, found {value!r}")
    if not 1 <= len(pairs) <= 3 or x.ndim - len(pairs) not in (1, 2) or 0 in x.shape[1:]:
        raise ShapeError(
            f"pad: mode {mode!r} frames all but the one or two first dimensions, and only N may be 0: "
            f"{len(pairs)} pairs of widths for shape {x.shape}"
        )
    crops = [(min(a, 0), min(b, 0)) for a, b in by_dim]
    cropped = any(a or b for a, b in crops)
    if mode == "circular" and cropped:  # what is left goes round; mirrors and edges stand where they were
        x, cropped = PadConstant.apply(x, crops, 0), False
    for dim, (before, after) in enumerate(by_dim):
        n = x.shape[dim]
        if max(before, after, 0) > {"reflect": max(n - 1, 0), "circular": n, "replicate": math.inf}[mode]:
            raise ShapeError(
                f"pad: width {max(before, after)} is too large for mode {mode!r} and a dimension of size {n}"
            )
        if before > 0 or after > 0:
            x = index_select(x, dim, _sources(n, max(before, 0), max(after, 0), mode))
    return PadConstant.apply(x, crops, 0) if cropped else x
