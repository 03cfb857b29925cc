"""Scores of a segmentation: how far predicted classes agree with true ones.

`ConfusionMatrix` counts over many batches; the functions below are the same scores for one pair of arrays.
`NAMES` are the scores that `Trainer(metrics=[...])` knows by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_seg.errors import ShapeError
from minitorch_seg.io import to_array
from minitorch_seg.metrics.confusion import ConfusionMatrix
from minitorch_seg.metrics.matching import count_segments, match_images, match_segments, name_segments

__all__ = [
    "NAMES",
    "ConfusionMatrix",
    "count_segments",
    "dice",
    "iou",
    "match_images",
    "match_segments",
    "mean_dice",
    "mean_iou",
    "name_segments",
    "pixel_accuracy",
    "predicted_classes",
]

#: Name in a history -> score of a confusion matrix.  `accuracy` is the name Keras has for pixel accuracy.
NAMES: dict[str, Callable[[ConfusionMatrix], float]] = {
    "accuracy": ConfusionMatrix.pixel_accuracy,
    "mean_dice": ConfusionMatrix.mean_dice,
    "miou": ConfusionMatrix.mean_iou,
    "pixel_accuracy": ConfusionMatrix.pixel_accuracy,
}


def predicted_classes(logits: Any, target: Any) -> np.ndarray:
    """The class each logit speaks for, in the shape of `target`.

    Logits (N, C, ...) with target (N, ...): argmax over the class axis, ties to the lower class.
    One logit an answer (the shape of `target`, or (N, 1, ...) for target (N, ...)): class 1 where the logit
    is above 0, which is where the sigmoid is above one half.

    >>> predicted_classes(np.array([[0.1, 2.0], [3.0, -1.0]]), np.array([1, 0])).tolist()
    [1, 0]
    >>> predicted_classes(np.array([[-0.5], [0.5]]), np.array([0, 1])).tolist()
    [0, 1]
    """
    scores, shape = to_array(logits), to_array(target).shape
    if scores.shape == shape:
        return (scores > 0).astype(np.int64)
    if scores.ndim == len(shape) + 1 and (scores.shape[0], *scores.shape[2:]) == shape:
        return (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
    raise ShapeError(
        f"logits of shape {scores.shape} do not belong to a target of shape {shape}; expected (N, C, ...) "
        f"for (N, ...), "
        "or equal shapes with one logit an answer"
    )


def _count(
    prediction: Any, target: Any, num_classes: int | None, ignore_index: int | None
) -> ConfusionMatrix:
    if num_classes is None:
        truth = to_array(target)
        counted = truth[truth != ignore_index] if ignore_index is not None else truth
        num_classes = 1 + max(int(np.max(to_array(prediction), initial=0)), int(np.max(counted, initial=0)))
    matrix = ConfusionMatrix(num_classes, ignore_index)
    matrix.update(prediction, target)
    return matrix


def pixel_accuracy(prediction: Any, target: Any, ignore_index: int | None = None) -> float:
    """Share of pixels whose class was found.

    >>> pixel_accuracy(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    0.75
    """
    return _count(prediction, target, None, ignore_index).pixel_accuracy()


def iou(
    prediction: Any, target: Any, num_classes: int | None = None, ignore_index: int | None = None
) -> np.ndarray:
    """Intersection over union of each class (K,); NaN for a class that occurs in neither array.

    `num_classes` None: one more than the largest class that occurs.

    >>> iou(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0])).round(3).tolist()
    [0.5, 0.667]
    """
    return _count(prediction, target, num_classes, ignore_index).iou()


def dice(
    prediction: Any, target: Any, num_classes: int | None = None, ignore_index: int | None = None
) -> np.ndarray:
    """Dice coefficient of each class (K,); NaN for a class that occurs in neither array.

    >>> dice(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0])).round(3).tolist()
    [0.667, 0.8]
    """
    return _count(prediction, target, num_classes, ignore_index).dice()


def mean_iou(
    prediction: Any, target: Any, num_classes: int | None = None, ignore_index: int | None = None
) -> float:
    """Mean of `iou` over the classes that occur.

    >>> round(mean_iou(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]), num_classes=5), 3)
    0.583
    """
    return _count(prediction, target, num_classes, ignore_index).mean_iou()


def mean_dice(
    prediction: Any, target: Any, num_classes: int | None = None, ignore_index: int | None = None
) -> float:
    """Mean of `dice` over the classes that occur.

    >>> round(mean_dice(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0])), 3)
    0.733
    """
    return _count(prediction, target, num_classes, ignore_index).mean_dice()
