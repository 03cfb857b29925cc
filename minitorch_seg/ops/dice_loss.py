"""dice_loss: one minus the overlap of prediction and truth, class by class.

With p the predicted probability of class k and t its truth (0 or 1), both over all pixels of the batch that
are not ignored:

    D_k = (2 Σ p t + s) / (Σ p + Σ t + s)              L = 1 − mean_k D_k

D is 1 for a perfect prediction and near 0 without any overlap.  A class of few pixels counts as much as one
of many; that is why Dice goes well together with cross-entropy.  The smoothing s keeps an absent class from
dividing by zero.

Backward, by the operators it is composed of; for pixel i:  ∂D/∂p_i = (2 t_i − D) / (Σ p + Σ t + s).

Milletari, Navab and Ahmadi, "V-Net: fully convolutional neural networks for volumetric medical image
segmentation", 2016; Dice, "Measures of the amount of ecologic association between species", 1945.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Tensor
from minitorch_seg.ops.class_probabilities import class_probabilities
from minitorch_seg.ops.loss_reduction import check_reduction, reduce_loss
from minitorch_seg.ops.typed import typed


@typed
def dice_loss(
    input: Any,
    target: Any,
    ignore_index: int = -100,
    smooth: float = 1.0,
    from_logits: bool = True,
    reduction: str = "mean",
) -> Tensor:
    """1 − the Dice coefficient of probabilities ("soft"), over the whole batch.

    Args:
        input: logits (N, K, H, W), or probabilities with from_logits=False; K = 1 is foreground against
            background.
        target: class indices (N, H, W).
        ignore_index: pixels that do not count.
        smooth: s, in pixels.
        reduction: "mean" over the classes, "sum", or "none" for one loss a class.

    Returns: one number, or with "none" (K,), in the input's dtype.

    Raises: ShapeError where shapes do not fit or a class index is out of range; ValueError for another
        reduction, and for probabilities outside 0 … 1; TypeError for a target that is not integer.

    >>> import minitorch_seg as ms
    >>> sure = ms.tensor([[[[100.0, -100.0]], [[-100.0, 100.0]]]])
    >>> ms.functional.dice_loss(sure, ms.tensor([[[0, 1]]])).item()
    0.0
    """
    check_reduction("dice_loss", reduction)
    p, t = class_probabilities("dice_loss", input, target, ignore_index, from_logits)
    dims = (0, 2, 3)
    overlap = (p * t).sum(dims)
    dice = (2 * overlap + smooth) / (p.sum(dims) + t.sum(dims) + smooth)
    return reduce_loss(1 - dice, reduction)
