"""dropout and dropout2d: in training, numbers (or whole channels) are set to zero at random.

    y = x · m / (1 − p),      m = 1 with probability 1 − p, else 0
    dL/dx = g · m / (1 − p),  g = dL/dy

Dividing by 1 − p keeps the expected value, so nothing needs to be changed in evaluation, where y = x.

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014; dropout2d:
Tompson et al., "Efficient object localization using convolutional networks", 2015.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Generator, Tensor, default_generator
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.typed import typed


def _check_probability(operator: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{operator}: p is a probability between 0 and 1, found {p}")


def _mask(shape: tuple[int, ...], p: float, like: np.ndarray, generator: Generator | None) -> np.ndarray:
    kept = (generator or default_generator).uniform(shape) >= p
    return np.asarray(kept / (1 - p) if p < 1 else kept * 0, like.dtype, like=like)


@typed
def dropout(
    input: Any, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Each number is zero with probability p, else divided by 1 − p; without `training`, the input itself.

    Args:
        input: float tensor of any shape.
        p: between 0 and 1.
        training: without it nothing happens.
        generator: where the random numbers come from; default: the one that ms.manual_seed seeds.

    Returns: the input's shape and dtype.

    Raises: ValueError unless 0 ≤ p ≤ 1; DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> y = ms.functional.dropout(ms.ones(1000), p=0.2, generator=ms.Generator(0))
    >>> sorted(set(y.tolist())), 0.15 < (y == 0).float().mean().item() < 0.25
    ([0.0, 1.25], True)
    """
    _check_probability("dropout", p)
    x = as_tensor(input)
    same_float_dtype("dropout", input=x)
    if not training or p == 0:
        return x
    if x.ndim == 4:  # the mask is drawn in the map's own memory order
        n, c, h, w = x.shape
        mask = np.transpose(_mask((n, h, w, c), p, x.data, generator), (0, 3, 1, 2))
    else:
        mask = _mask(x.shape, p, x.data, generator)
    return x * Tensor(mask)


@typed
def dropout2d(
    input: Any, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Each channel of each image (N, C, H, W) is zero with probability p, else divided by 1 − p.

    Three dimensions are an image (C, H, W); PyTorch takes them for (N, C, L), and warns.

    Arguments as dropout.

    Returns: the input's shape and dtype.

    Raises: as dropout; ShapeError for another number of dimensions.

    >>> import minitorch_seg as ms
    >>> y = ms.functional.dropout2d(ms.ones(2, 8, 3, 3), generator=ms.Generator(0))
    >>> bool((y.amax((2, 3)) == y.amin((2, 3))).all())
    True
    """
    _check_probability("dropout2d", p)
    x = as_tensor(input)
    same_float_dtype("dropout2d", input=x)
    if x.ndim not in (3, 4):
        raise ShapeError(f"dropout2d: input has shape {x.shape}, expected (N, C, H, W) or (C, H, W)")
    if not training or p == 0:
        return x
    return x * Tensor(_mask((*x.shape[:-2], 1, 1), p, x.data, generator))
