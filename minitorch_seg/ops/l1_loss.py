"""l1_loss, smooth_l1_loss, huber_loss: losses that an outlier does not rule.

With d = x − t, the input minus the target, and g = dL/dℓ:

    l1          ℓ = |d|                                                 dL/dx = g sign d
    smooth l1   ℓ = d² / (2β) where |d| < β, else |d| − β/2             dL/dx = g d/β  or  g sign d
    huber       ℓ = d² / 2  where |d| ≤ δ, else δ (|d| − δ/2)           dL/dx = g d    or  g δ sign d

Huber is δ times smooth l1 with β = δ.  Near zero both are parabolas, so they have no kink there.

Huber, "Robust estimation of a location parameter", 1964; Girshick, "Fast R-CNN", 2015 (smooth l1).
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Tensor
from minitorch_seg.ops.loss_reduction import difference, reduce_loss, weighted
from minitorch_seg.ops.selection import where
from minitorch_seg.ops.typed import typed


@typed
def l1_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """|input − target|, elementwise, reduced.

    Args:
        input, target: of one shape and dtype.
        reduction: "mean", "sum" or "none".
        weight: w of the input's shape; the losses are w ℓ, their mean is Σ w ℓ / Σ w.

    Returns: one number, or with "none" the input's shape.

    Raises: ShapeError unless the shapes agree; ValueError for another reduction; DTypeError unless all
        operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.l1_loss(ms.tensor([1.0, -2.0]), ms.tensor([0.0, 0.0]))
    tensor(1.5)
    """
    d = difference("l1_loss", input, target, reduction)
    return reduce_loss(weighted("l1_loss", d.abs(), weight), reduction, weight)


@typed
def smooth_l1_loss(input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d²/(2·beta) for |d| < beta, |d| − beta/2 beyond, with d = input − target; beta = 0 is l1_loss.

    Arguments, result and errors as l1_loss; ValueError for a negative beta.

    >>> import minitorch_seg as ms
    >>> ms.functional.smooth_l1_loss(ms.tensor([1.0, 3.0]), ms.tensor([0.5, 0.0]), reduction="none")
    tensor([0.125, 2.5  ])
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, found {beta}")
    d = difference("smooth_l1_loss", input, target, reduction)
    if beta == 0:
        return reduce_loss(d.abs(), reduction)
    return reduce_loss(where(d.abs() < beta, d * d / (2 * beta), d.abs() - beta / 2), reduction)


@typed
def huber_loss(
    input: Any,
    target: Any,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d²/2 for |d| ≤ delta, delta·(|d| − delta/2) beyond, with d = input − target.

    A weight w of the input's shape makes it w ℓ; the mean divides by the number of elements all the same, as
    PyTorch's does (that of l1_loss and mse_loss divides by Σ w).

    Arguments, result and errors as l1_loss; ValueError unless delta is positive.

    >>> import minitorch_seg as ms
    >>> ms.functional.huber_loss(ms.tensor([1.0, 3.0]), ms.tensor([0.5, 0.0]), reduction="none", delta=2.0)
    tensor([0.125, 4.   ])
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, found {delta}")
    d = difference("huber_loss", input, target, reduction)
    loss = where(d.abs() <= delta, d * d / 2, delta * (d.abs() - delta / 2))
    return reduce_loss(weighted("huber_loss", loss, weight), reduction)
