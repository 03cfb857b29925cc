"""Training without labels: images are their own targets; labels name the segments and score them.

training      loss = model.objective(logits, images), masks are never looked at
weights       those with the lowest objective on the validation images
names         afterwards: the class of each segment, matched on the training masks (metrics/matching.py)
scores        on the test images, whose masks had no part in any of this
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.metrics import ConfusionMatrix, match_segments
from minitorch_seg.train.inference import Preparation, predict_samples

__all__ = ["ImagesAsTargets", "matched", "name_segments"]


class ImagesAsTargets:
    """A loader that gives (images, images) where the one inside gives (images, masks).

    >>> list(ImagesAsTargets([("image", "mask")]))
    [('image', 'image')]
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def set_epoch(self, epoch: int) -> None:
        """As `DataLoader.set_epoch`."""
        self.loader.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((images, images) for images, _ in self.loader)


def matched(matrix: ConfusionMatrix) -> ConfusionMatrix:
    """Counts of segments as counts of classes: each segment takes the class that suits all of them best.

    >>> matrix = ConfusionMatrix(2)
    >>> matrix.update(np.array([1, 1, 0]), np.array([0, 0, 1]))
    >>> matched(matrix).counts.tolist()
    [[2, 0], [0, 1]]
    """
    named = ConfusionMatrix(len(matrix.counts), matrix.ignore_index)
    named.counts[:, match_segments(matrix.counts)] = matrix.counts
    return named


def name_segments(
    model: Any, dataset: Any, num_classes: int, ignore_index: int | None, prepare: Preparation
) -> None:
    """Tell a model (`model.name_segments`) which class each of its segments is, by the masks of `dataset`."""
    matrix = ConfusionMatrix(num_classes, ignore_index)
    for batch, logits in predict_samples(model, dataset, prepare=prepare):
        matrix.update(logits.argmax(axis=1), np.stack([sample.mask for sample in batch]))
    model.name_segments(match_segments(matrix.counts))
