"""The confusion matrix, counted pixel by pixel over any number of batches, and every score that follows from
it.

M[t, p] is the number of pixels of true class t that were predicted as class p.  With TP_k = M[k, k], row sums
T_k (pixels of class k in the truth) and column sums P_k (pixels predicted as k):

    pixel accuracy = Σ_k TP_k / Σ M        IoU_k  = TP_k / (T_k + P_k - TP_k)
    class accuracy = TP_k / T_k            Dice_k = 2 TP_k / (T_k + P_k) = 2 IoU_k / (1 + IoU_k)

Counts are added up over the whole data set before anything is divided: one big image weighs as much as its
pixels, and no image in which a class is missing distorts that class's score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_seg.errors import DataError, ShapeError
from minitorch_seg.io import to_array

__all__ = ["ConfusionMatrix"]


class ConfusionMatrix:
    """Counts of (true class, predicted class) over pixels; `update` as often as wanted, then read the scores.

    `num_classes`: K.  `ignore_index`: target value of pixels that are not counted (None: all are counted).

    A class that occurs neither in the truth nor in the predictions has no IoU: its score is NaN, and means
    leave it out (`absent` names it).  A class that is missing in the truth but was predicted scores 0.

    >>> matrix = ConfusionMatrix(3, ignore_index=255)
    >>> matrix.update(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 255]))
    >>> matrix.counts.tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    >>> matrix.iou().tolist(), matrix.absent(), matrix.mean_iou()
    ([0.5, 0.5, nan], [2], 0.5)
    """

    def __init__(self, num_classes: int, ignore_index: int | None = None) -> None:
        if num_classes < 1:
            raise ShapeError(f"ConfusionMatrix needs at least one class, got num_classes={num_classes}")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.counts = np.zeros((num_classes, num_classes), np.int64)

    def reset(self) -> None:
        """Forget all counts."""
        self.counts[:] = 0

    def update(self, prediction: Any, target: Any) -> None:
        """Count one batch: two equally shaped arrays or Tensors of class indices."""
        predicted, truth = to_array(prediction), to_array(target)
        if predicted.shape != truth.shape:
            raise ShapeError(
                f"ConfusionMatrix.update: prediction has shape {predicted.shape} and target {truth.shape}; "
                f"both hold "
                "class indices, one a pixel (of logits take argmax over the class axis first)"
            )
        for name, values in (("prediction", predicted), ("target", truth)):
            if values.dtype.kind not in "iub":
                raise ShapeError(
                    f"ConfusionMatrix.update: {name} must hold class indices, got {values.dtype}"
                )
        predicted, truth = predicted.ravel(), truth.ravel()
        if self.ignore_index is not None:
            counted = truth != self.ignore_index
            predicted, truth = predicted[counted], truth[counted]
        if truth.size == 0:
            return
        for name, values in (("prediction", predicted), ("target", truth)):
            low, high = int(values.min()), int(values.max())
            if low < 0 or high >= self.num_classes:
                raise DataError(
                    f"ConfusionMatrix.update: {name} has the value "
                    f"{high if high >= self.num_classes else low}, outside "
                    f"the {self.num_classes} classes 0 … {self.num_classes - 1} "
                    f"(ignore_index={self.ignore_index})"
                )
        cells = truth.astype(np.int64) * self.num_classes + predicted
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)

    def absent(self) -> list[int]:
        """The classes that occur neither in the truth nor in the predictions."""
        return [int(k) for k in np.flatnonzero(self._union() == 0)]

    def pixel_accuracy(self) -> float:
        """Share of counted pixels whose class was found; NaN before the first pixel."""
        return _ratio(np.trace(self.counts), self.counts.sum()).item()

    def class_accuracy(self) -> np.ndarray:
        """Share of each class's true pixels that was found (recall); NaN where the truth has none."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    def iou(self) -> np.ndarray:
        """Intersection over union (Jaccard index) of each class, float64 (K,)."""
        return _ratio(np.diag(self.counts), self._union())

    def dice(self) -> np.ndarray:
        """Dice coefficient (F1) of each class, float64 (K,)."""
        return _ratio(2 * np.diag(self.counts), self.counts.sum(axis=0) + self.counts.sum(axis=1))

    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur; NaN when none does."""
        return _mean(self.iou())

    def mean_dice(self) -> float:
        """Mean Dice over the classes that occur; NaN when none does."""
        return _mean(self.dice())

    def report(self, classes: Sequence[str] | None = None) -> dict[str, Any]:
        """All scores under the names of metrics.json; `classes` names the rows.

        >>> matrix = ConfusionMatrix(2)
        >>> matrix.update(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
        >>> matrix.report(["background", "coin"])["classes"]["coin"]
        {'iou': 0.6666666666666666, 'dice': 0.8, 'pixels': 2}
        """
        names = list(classes) if classes is not None else [str(k) for k in range(self.num_classes)]
        if len(names) != self.num_classes:
            raise ShapeError(f"report: {len(names)} class names for {self.num_classes} classes")
        pixels, iou, dice = self.counts.sum(axis=1), self.iou(), self.dice()
        return {
            "miou": self.mean_iou(),
            "mean_dice": self.mean_dice(),
            "pixel_accuracy": self.pixel_accuracy(),
            "classes": {
                name: {"iou": float(iou[k]), "dice": float(dice[k]), "pixels": int(pixels[k])}
                for k, name in enumerate(names)
            },
            "absent_classes": [names[k] for k in self.absent()],
        }

    def _union(self) -> np.ndarray:
        return self.counts.sum(axis=0) + self.counts.sum(axis=1) - np.diag(self.counts)


def _ratio(numerator: Any, denominator: Any) -> np.ndarray:
    """numerator / denominator in float64, NaN where the denominator is 0."""
    n, d = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    return np.divide(n, d, out=np.full(np.shape(d), np.nan), where=d != 0)


def _mean(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")
