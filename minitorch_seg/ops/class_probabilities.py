"""class_probabilities: what the overlap losses (Dice, Jaccard, Tversky, Lovász) begin with.

Logits x become probabilities, p = softmax(x) over the classes, or p = sigmoid(x) for a single channel
(foreground against background); the target becomes the truth t, 1 where a pixel belongs to the class and 0
elsewhere.  Both are 0 where the pixel is ignored, so that it counts in no sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError, target_hint
from minitorch_seg.kernels import layout
from minitorch_seg.ops.activation import sigmoid
from minitorch_seg.ops.arguments import class_indices
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.softmax import softmax


def one_hot_map(target: np.ndarray, classes: int, dtype: np.dtype) -> np.ndarray:
    """(N, H, W) class indices as a map (N, classes, H, W) of 0 and 1; zero everywhere for other values."""
    y = layout.empty_map((target.shape[0], classes, *target.shape[1:]), dtype, target)
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
        hint = target_hint(x.shape, truth.shape) if x.ndim else ""
        raise ShapeError(f"{operator}: input has shape {x.shape}, expected (N, K, H, W){hint}")
    if truth.shape == (x.shape[0], 1, *x.shape[2:]):
        truth = truth.squeeze(1)
    if truth.shape != (x.shape[0], *x.shape[2:]):
        expected = (x.shape[0], *x.shape[2:])
        raise ShapeError(
            f"{operator}: target has shape {truth.shape}, expected {expected} for input {x.shape}"
            + target_hint(x.shape, truth.shape)
        )
    binary = x.shape[1] == 1
    if not from_logits and x.data.size and not (x.data.min() >= 0 and x.data.max() <= 1):
        raise ValueError(f"{operator}: with from_logits=False input must hold probabilities between 0 and 1")
    indices = class_indices(operator, truth, 2 if binary else x.shape[1], ignore_index).data
    if binary:
        p = sigmoid(x) if from_logits else x
        t = np.expand_dims(((indices == 1) & (indices != ignore_index)).astype(x.dtype), 1)
    else:
        p = softmax(x, 1) if from_logits else x
        t = one_hot_map(np.where(indices == ignore_index, -1, indices), x.shape[1], x.dtype)
    ignored = indices == ignore_index
    if ignored.any():
        p = p * Tensor((~np.expand_dims(ignored, 1)).astype(x.dtype))
    return p, Tensor(t)
