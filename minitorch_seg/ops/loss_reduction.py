"""The first and the last step of losses: the difference of input and target; none, mean or sum, weights."""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.cast import as_tensor, same_float_dtype

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(operator: str, reduction: str) -> None:
    """Refuse a reduction of another name."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{operator}: reduction {reduction!r} is unknown: use 'none', 'mean' or 'sum'")


def difference(operator: str, input: Any, target: Any, reduction: str) -> Tensor:
    """input − target, of one shape and dtype."""
    x, t = as_tensor(input), as_tensor(target)
    check_reduction(operator, reduction)
    same_float_dtype(operator, input=x, target=t)
    if x.shape != t.shape:
        raise ShapeError(
            f"{operator}: input {x.shape} and target {t.shape} must have one shape: "
            "a silent broadcast would compare each number with several"
        )
    return x - t


def weighted(operator: str, loss: Tensor, weight: Tensor | None) -> Tensor:
    """The loss of each element times its weight."""
    if weight is None:
        return loss
    if weight.shape != loss.shape:
        raise ShapeError(f"{operator}: weight has shape {weight.shape}, expected the input's {loss.shape}")
    return loss * weight


def reduce_loss(loss: Tensor, reduction: str, weight: Tensor | None = None) -> Tensor:
    """The loss of each element as it is ("none"), or its mean or sum over all of them.

    Where the losses are already `weighted`, their weight is what the mean divides by.
    """
    if reduction == "none":
        return loss
    if reduction == "mean" and weight is not None:
        return loss.sum() / weight.sum()
    return loss.mean() if reduction == "mean" else loss.sum()
