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

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import layout
from minitorch_seg.ops.activation import sigmoid
from minitorch_seg.ops.arguments import class_indices
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.loss_reduction import check_reduction, reduce_loss
from minitorch_seg.ops.softmax import softmax


def one_hot_map(target: np.ndarray, classes: int, dtype: np.dtype) -> np.ndarray:
    """(N, H, W) class indices as a map (N, classes, H, W) of 0 and 1; zero everywhere for other values."""
    y = layout.empty_map((target.shape[0], classes, *target.shape[1:]), dtype)
    for k in range(classes):
        y[:, k] = np.equal(target, k)
    return y


def class_probabilities(
    operator: str, input: Any, target: Any, ignore_index: int, from_logits: bool
) -> tuple[Tensor, Tensor]:
    """Probabilities and truth (N, K, H, W), both 0 where ignored; K = 1 is foreground against background."""
    x, truth = as_tensor(input), as_tensor(target)
    same_float_dtype(operator, input=x)
    if x.ndim != 4:
        raise ShapeError(f"{operator}: input has shape {x.shape}, expected (N, K, H, W)")
    if truth.shape == (x.shape[0], 1, *x.shape[2:]):
        truth = truth.squeeze(1)
    if truth.shape != (x.shape[0], *x.shape[2:]):
        expected = (x.shape[0], *x.shape[2:])
        raise ShapeError(
            f"{operator}: target has shape {truth.shape}, expected {expected} for input {x.shape}"
        )
    binary = x.shape[1] == 1
    if not from_logits and x.data.size and not (x.data.min() >= 0 and x.data.max() <= 1):
        raise ValueError(f"{operator}: with from_logits=False input must hold probabilities between 0 and 1")
    indices = class_indices(operator, truth, 2 if binary else x.shape[1], ignore_index)
    if binary:
        p = sigmoid(x) if from_logits else x
        t = np.expand_dims(np.asarray((indices == 1) & (indices != ignore_index), x.dtype), 1)
    else:
        p = softmax(x, 1) if from_logits else x
        t = one_hot_map(np.where(indices == ignore_index, -1, indices), x.shape[1], x.dtype)
    ignored = indices == ignore_index
    if ignored.any():
        p = p * Tensor(np.asarray(~np.expand_dims(ignored, 1), x.dtype))
    return p, Tensor(t)


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
