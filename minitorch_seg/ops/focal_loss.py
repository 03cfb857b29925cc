"""focal_loss: cross-entropy that turns away from what is easy.

    ℓ = (1 − p_t)^γ · (−w_t log p_t)

p_t is the predicted probability of the true class t, w_t the weight of that class.  γ = 0 is cross-entropy;
with γ = 2 a pixel already at p_t = 0.9 counts a hundred times less.  Background pixels, many and easy, no
longer drown the few of a small object.

Backward, by the operators it is composed of; with respect to p = p_t:

    dℓ/dp = w_t ( γ (1 − p)^{γ−1} log p − (1 − p)^γ / p )

Lin et al., "Focal loss for dense object detection", 2017.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Tensor
from minitorch_seg.ops.cast import as_tensor
from minitorch_seg.ops.cross_entropy import cross_entropy
from minitorch_seg.ops.loss_reduction import check_reduction, reduce_loss
from minitorch_seg.ops.selection import where
from minitorch_seg.ops.typed import typed


@typed
def focal_loss(
    input: Any,
    target: Any,
    gamma: float = 2.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """(1 − p_t)^γ times the cross-entropy of each pixel, from logits.

    Args:
        input: logits (N, K, d₁, …).
        target: class indices (N, d₁, …).
        gamma: γ ≥ 0.
        weight: (K,), a weight for each class (the paper's α).
        ignore_index: pixels with this target do not count.
        reduction: "mean" over the pixels that are not ignored, "sum" or "none".

    Returns: one number, or with "none" the target's shape.

    Raises: ValueError for a negative gamma; otherwise as cross_entropy.

    >>> import minitorch_seg as ms
    >>> logits = ms.tensor([[2.0, 0.0]])
    >>> easy = ms.functional.focal_loss(logits, ms.tensor([0]))
    >>> easy.item() < 0.02 * ms.functional.cross_entropy(logits, ms.tensor([0])).item()
    True
    """
    check_reduction("focal_loss", reduction)
    if not gamma >= 0:
        raise ValueError(f"focal_loss: gamma must not be negative, found {gamma}")
    if as_tensor(target).dtype.kind == "f":
        raise TypeError(
            f"focal_loss: target is {as_tensor(target).dtype}, expected integer class indices: use .long()"
        )
    options: dict[str, Any] = {"ignore_index": ignore_index, "reduction": "none"}
    surprise = cross_entropy(input, target, None, **options)  # −log p_t, 0 where ignored
    kept = Tensor(as_tensor(target).data != ignore_index)
    loss = surprise if weight is None else cross_entropy(input, target, weight, **options)
    if gamma:  # at p_t = 1 the derivative of (1 − p_t)^γ is ∞ for γ < 1; times the loss, 0, it must be 0
        hard = 1 - (-surprise).exp()
        unsure = hard > 0
        loss = where(unsure, where(unsure, hard, 1.0) ** gamma, 0.0) * loss
    if reduction != "mean":
        return reduce_loss(loss, reduction)
    return loss.sum() / float(kept.data.sum())
