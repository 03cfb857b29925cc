"""layer_norm, group_norm, instance_norm: batch norm's formula over other sets of numbers.

    x̂ = (x − μ) / √(σ² + ε),      y = γ x̂ + β

    batch norm      μ, σ over N, H, W of each channel            (needs a batch)
    instance norm   over H, W of each channel of each image
    group norm      over H, W and the channels of one group, of each image
    layer norm      over the last dimensions, for each remaining index

None of the last three looks at other images of the batch, so training and evaluation are alike (unless
instance norm is told to keep running statistics).

Backward: by the operators they are composed of.  It is batch norm's, with means over the same sets as μ; with
g = dL/dy and ĝ = γ g:

    dL/dx = (ĝ − mean ĝ − x̂ · mean(ĝ x̂)) / √(σ² + ε)

Ba, Kiros and Hinton, "Layer normalization", 2016; Wu and He, "Group normalization", 2018; Ulyanov, Vedaldi
and Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.batch_norm import batch_norm, check_channels, move_running
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.typed import typed


def _standardize(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(dims, keepdim=True)
    return centred / ((centred * centred).mean(dims, keepdim=True) + eps).sqrt()


@typed
def layer_norm(
    input: Any,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Standardise over the last dimensions.

    Args:
        input: (…, *normalized_shape).
        normalized_shape: sizes of the dimensions to normalise over.
        weight, bias: γ and β of that shape.
        eps: ε, added to the variance.

    Returns: the input's shape and dtype.

    Raises: ShapeError where the input does not end in that shape; DTypeError unless all operands are float32
        or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.layer_norm(ms.tensor([[1.0, 3.0]]), 2, eps=0.0)
    tensor([[-1.,  1.]])
    """
    x = as_tensor(input)
    same_float_dtype("layer_norm", input=x, weight=weight, bias=bias)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm: input of shape {x.shape} does not end in normalized_shape {shape}")
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and t.shape != shape:
            raise ShapeError(f"layer_norm: {name} has shape {t.shape}, expected {shape}")
    y = _standardize(x, tuple(range(x.ndim - len(shape), x.ndim)), eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@typed
def group_norm(
    input: Any, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Standardise each group of channels of each image.

    Args:
        input: (N, C, …).
        num_groups: must divide C.
        weight, bias: γ and β, (C,).
        eps: ε, added to the variance.

    Returns: the input's shape and dtype.

    Raises: ShapeError where num_groups does not divide C, or a group holds a single value; DTypeError unless
        all operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.group_norm(ms.tensor([[[[1.0]], [[3.0]]]]), 1, eps=0.0).reshape(-1)
    tensor([-1.,  1.])
    """
    x = as_tensor(input)
    if x.ndim < 2:
        raise ShapeError(f"group_norm: input has shape {x.shape}, expected (N, C, …)")
    check_channels("group_norm", x, weight, bias)
    n, channels, *rest = x.shape
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(
            f"group_norm: num_groups={num_groups} does not divide the {channels} channels of input {x.shape}"
        )
    if int(np.prod(rest)) * (channels // num_groups) * n == 1:
        raise ShapeError(
            f"group_norm: one value a group (input {x.shape}, num_groups={num_groups}) has no variance"
        )
    y = _standardize(
        x.reshape(n, num_groups, channels // num_groups, *rest), tuple(range(2, x.ndim + 1)), eps
    )
    return _scale_channels(y.reshape(x.shape), weight, bias)


@typed
def instance_norm(
    input: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Standardise each channel of each image (N, C, H, W) (or (N, C, L)).

    Args:
        running_mean, running_var: (C,); with use_input_stats they are moved in place towards the mean of the
            images' statistics, r ← (1 − momentum)·r + momentum·statistic; without, they are used.
        weight, bias: γ and β, (C,).
        eps: ε, added to the variance.

    Returns: the input's shape and dtype.

    Raises: ShapeError for another shape, and for a channel of a single value; ValueError where running
        statistics are to be used and missing; DTypeError unless all operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.instance_norm(ms.tensor([[[1.0, 3.0], [5.0, 5.0]]]), eps=1e-20).tolist()
    [[[-1.0, 1.0], [0.0, 0.0]]]
    """
    x = as_tensor(input)
    if x.ndim not in (3, 4):
        raise ShapeError(f"instance_norm: input has shape {x.shape}, expected (N, C, H, W) or (N, C, L)")
    check_channels("instance_norm", x, weight, bias, running_mean, running_var, not use_input_stats)
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    dims = tuple(range(2, x.ndim))
    count = int(np.prod(x.shape[2:]))
    if count == 1:
        raise ShapeError(f"instance_norm: one value a channel (input {x.shape}) has no variance")
    if count and x.shape[0]:
        move_running(running_mean, np.mean(np.mean(x.data, axis=dims), axis=0), momentum)
        move_running(running_var, np.mean(np.var(x.data, axis=dims, ddof=1), axis=0), momentum)
    return _scale_channels(_standardize(x, dims, eps), weight, bias)


def _scale_channels(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    shape = (1, -1, *[1] * (y.ndim - 2))
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)
