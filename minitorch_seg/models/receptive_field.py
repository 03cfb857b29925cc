"""Which input pixels an output pixel depends on, and how strongly: by its gradient, in float64.

    s = Σ_k u_k y_k(pixel)                     y = model(x), u and x drawn at random
    strength(p) = ‖∂s/∂x(p)‖                   over the channels of input pixel p
    seen = {p : strength(p) ≠ 0}

A formula says what a network can see; this says what it does see, whatever it is made of.  The seen set of a
recurrent sweep may be the whole image while all but the neighbours count for nothing: that is what
`gradient_by_distance` shows.  Meanwhile convolutions are computed as sums over their taps: Winograd's
algorithm leaves rounding errors around the window, where the gradient is zero.

Luo, Li, Urtasun and Zemel, "Understanding the effective receptive field in deep convolutional neural
networks", 2016.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor, grad
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch


def gradient_map(
    model: Any, shape: Sequence[int], pixel: tuple[int, int], draws: int = 4, seed: int = 0
) -> np.ndarray:
    """Strength with which each input pixel acts on one output pixel: float64 (draws, H, W).

    Args:
        model: a Module that maps (N, C, H, W) to (N, K, H', W').  A float64 copy of it is looked at, in
            evaluation mode: in training, batch norm would join all pixels.
        shape: (C, H, W) of the input.
        pixel: (row, column) of the output; negative numbers count from the end.
        draws: how many random inputs; a relu or a maximum that hides a pixel from one shows it to another.
        seed: of inputs and cotangents.

    >>> import minitorch_seg as ms
    >>> strength = gradient_map(ms.nn.Conv2d(1, 1, (1, 3), padding=(0, 1)), (1, 1, 5), (0, 1))
    >>> (strength[0] > 0).astype(int).tolist()
    [[1, 1, 1, 0, 0]]
    """
    return _gradient_map(model, shape, pixel, draws, seed)[0]


def _gradient_map(
    model: Any, shape: Sequence[int], pixel: tuple[int, int], draws: int, seed: int
) -> tuple[np.ndarray, tuple[int, int]]:
    """The strengths, and the size of the output."""
    if len(shape) != 3:
        raise ShapeError(f"gradient_map: shape must be (C, H, W), found {tuple(shape)}")
    rng = np.random.default_rng(seed)
    model = copy.deepcopy(model).double().eval()
    x = Tensor(rng.standard_normal((draws, *shape)), requires_grad=True)
    with _sums_over_taps():
        y = model(x)
        height, width = y.shape[2:]
        row, column = pixel
        if not (-height <= row < height and -width <= column < width):
            raise ShapeError(f"gradient_map: pixel {pixel} is outside the output of {height}×{width} pixels")
        u = rng.standard_normal(y.shape[:2])
        (gradient,) = grad(y[:, :, row, column], [x], Tensor(u))
    return np.sqrt((gradient.data**2).sum(axis=1)), (height, width)


@contextmanager
def _sums_over_taps() -> Iterator[None]:
    """No Winograd convolutions in the body of a `with` statement."""
    before = dispatch.conv_algorithm()
    try:
        if before in ("auto", "winograd") and "kernels/fast" in dispatch.why("conv2d"):
            dispatch.set_conv_algorithm("direct")
        yield
    finally:
        dispatch.set_conv_algorithm(before)


def seen(
    model: Any, shape: Sequence[int], pixel: tuple[int, int], draws: int = 4, seed: int = 0
) -> np.ndarray:
    """Whether an output pixel depends on each input pixel: bool (H, W).  Arguments as `gradient_map`.

    >>> import minitorch_seg as ms
    >>> one_way = ms.models.Sweep(1, 2, "width", both_ways=False)
    >>> seen(one_way, (1, 2, 4), (1, 2)).astype(int).tolist()
    [[0, 0, 0, 0], [1, 1, 1, 0]]
    """
    return np.any(gradient_map(model, shape, pixel, draws, seed) > 0, axis=0)


def gradient_by_distance(
    model: Any, shape: Sequence[int], pixel: tuple[int, int], draws: int = 4, seed: int = 0
) -> np.ndarray:
    """Mean strength over distance, float64: entry d is the root mean square over all pixels at distance d.

        distance of (y, x) and (y', x') = max(|y − y'|, |x − x'|)

    `pixel` is meant in the input here: the output must have its size.  Other arguments as `gradient_map`.

    >>> import minitorch_seg as ms
    >>> model = ms.nn.Conv2d(1, 1, 3, padding=1)
    >>> (gradient_by_distance(model, (1, 9, 9), (4, 4)) > 0).tolist()
    [True, True, False, False, False]
    """
    strength, size = _gradient_map(model, shape, pixel, draws, seed)
    height, width = strength.shape[1:]
    if size != (height, width):
        raise ShapeError(
            f"gradient_by_distance: the output has {size[0]}×{size[1]} pixels, the input {height}×{width}; "
            "distances need equal sizes: resize the output, or use gradient_map"
        )
    return over_distance(strength, pixel)


def distances(height: int, width: int, pixel: tuple[int, int]) -> np.ndarray:
    """The distance of every pixel of an image from one, as a king in chess counts: (H, W).

    >>> distances(2, 4, (0, 1)).tolist()
    [[1, 0, 1, 2], [1, 1, 1, 2]]
    """
    rows, columns = np.abs(np.arange(height) - pixel[0] % height), np.abs(np.arange(width) - pixel[1] % width)
    return np.maximum(rows[:, np.newaxis], columns)


def over_distance(strength: np.ndarray, pixel: tuple[int, int]) -> np.ndarray:
    """`gradient_by_distance` of strengths (draws, H, W) that `gradient_map` has given for `pixel`.

    >>> over_distance(np.array([[[3.0, 1.0, 4.0]]]), (0, 1)).round(2).tolist()
    [1.0, 3.54]
    """
    distance = distances(strength.shape[1], strength.shape[2], pixel).ravel()
    squares = (strength**2).mean(axis=0).ravel()
    return np.sqrt(np.bincount(distance, squares) / np.bincount(distance))
