"""The last step of every loss: none, mean or sum."""

from __future__ import annotations

from minitorch_seg.autograd import Tensor

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(operator: str, reduction: str) -> None:
    """Refuse a reduction of another name."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{operator}: reduction {reduction!r} is unknown: use 'none', 'mean' or 'sum'")


def reduce_loss(loss: Tensor, reduction: str) -> Tensor:
    """The loss of each element as it is ("none"), or its mean or sum over all of them."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()
