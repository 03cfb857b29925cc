"""jaccard_loss and tversky_loss: two relatives of dice_loss.

With p the predicted probability of a class and t its truth (0 or 1), let, for each class and over all pixels
of the batch that are not ignored,

    TP = Σ p t        FP = Σ p (1 − t)        FN = Σ (1 − p) t

    Dice     2 TP / (2 TP + FP + FN)
    Jaccard  TP / (TP + FP + FN)                  (soft intersection over union)
    Tversky  TP / (TP + α FP + β FN)              (α = β = ½ is Dice, α = β = 1 is Jaccard)

Each loss is one minus the mean over the classes; a smoothing s is added above and below.  With β > α a missed
pixel costs more than a false alarm, which helps small objects.

Backward, by the operators they are composed of; with T the index and D = TP + α FP + β FN + s, at pixel i:

    ∂T/∂p_i = ( t_i − T (t_i + α (1 − t_i) − β t_i) ) / D

Rahman and Wang, "Optimizing intersection-over-union in deep neural networks for image segmentation", 2016;
Salehi, Erdogmus and Gholipour, "Tversky loss function for image segmentation using 3D fully convolutional
deep networks", 2017.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Tensor
from minitorch_seg.ops.class_probabilities import class_probabilities
from minitorch_seg.ops.loss_reduction import check_reduction, reduce_loss
from minitorch_seg.ops.typed import typed


@typed
def tversky_loss(
    input: Any,
    target: Any,
    alpha: float = 0.5,
    beta: float = 0.5,
    ignore_index: int = -100,
    smooth: float = 1.0,
    from_logits: bool = True,
    reduction: str = "mean",
) -> Tensor:
    """1 − TP / (TP + α FP + β FN), soft, over the batch.

    Args:
        input: logits (N, K, H, W), or probabilities with from_logits=False; K = 1 is foreground against
            background.
        target: class indices (N, H, W).
        alpha, beta: weights of false positives and of false negatives, not negative.
        ignore_index, smooth, reduction: as dice_loss.

    Returns: one number, or with "none" (K,), in the input's dtype.

    Raises: as dice_loss; ValueError for negative weights.

    >>> import minitorch_seg as ms
    >>> unsure = ms.zeros(1, 2, 1, 2)
    >>> ms.functional.tversky_loss(unsure, ms.tensor([[[0, 1]]]), smooth=0.0)
    tensor(0.5)
    """
    check_reduction("tversky_loss", reduction)
    if not (alpha >= 0 and beta >= 0):
        raise ValueError(f"tversky_loss: alpha and beta must not be negative, found {alpha} and {beta}")
    p, t = class_probabilities("tversky_loss", input, target, ignore_index, from_logits)
    dims = (0, 2, 3)
    hit = (p * t).sum(dims)
    false_alarm, missed = p.sum(dims) - hit, t.sum(dims) - hit
    return reduce_loss(1 - (hit + smooth) / (hit + alpha * false_alarm + beta * missed + smooth), reduction)


@typed
def jaccard_loss(
    input: Any,
    target: Any,
    ignore_index: int = -100,
    smooth: float = 1.0,
    from_logits: bool = True,
    reduction: str = "mean",
) -> Tensor:
    """1 − soft intersection over union: tversky_loss with α = β = 1.

    Arguments, result and errors as dice_loss.

    >>> import minitorch_seg as ms
    >>> sure = ms.tensor([[[[100.0, -100.0]], [[-100.0, 100.0]]]])
    >>> ms.functional.jaccard_loss(sure, ms.tensor([[[0, 1]]])).item()
    0.0
    """
    return tversky_loss(input, target, 1.0, 1.0, ignore_index, smooth, from_logits, reduction)
