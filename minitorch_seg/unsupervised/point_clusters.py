"""PointClusters: k-means over the pixels of all training images, whatever describes a pixel.

    images ── points(image): C numbers a pixel ──► k-means over some pixels of all images ──► k centres
    image  ── points(image) ──► the nearest centre ──► segment ── training masks name it ──► class (H, W)

A subclass says what describes a pixel: its colour (baselines/clusters.py), a learned code (code_clusters.py).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from minitorch_seg.metrics import match_images
from minitorch_seg.unsupervised.kmeans import kmeans, nearest

#: Pixels that the centres are fitted to.
PIXELS = 100_000


class PointClusters:
    """`fit(splits)`, then `predict(image)`; training masks only name the segments at the end.

    segments: how many; default as many as classes.  restarts: of which the one with the least sum of squares
    is kept; no label has a part in that.  seed: of pixels and first centres.
    """

    def __init__(self, segments: int | None, restarts: int, seed: int) -> None:
        self.segments, self.restarts, self.seed = segments, restarts, seed

    def points(self, image: np.ndarray) -> np.ndarray:
        """What describes each pixel of an image uint8 (H, W, C): (H·W, numbers)."""
        raise NotImplementedError

    def scale(self, points: np.ndarray) -> Any:
        """What numbers are divided by before distances are taken, from the points that were drawn."""
        return np.float32(1)

    def fit(self, splits: Any) -> Self:
        rng = np.random.default_rng(self.seed)
        train = [splits.train[index] for index in range(len(splits.train))]
        each, parts = max(1, PIXELS // len(train)), []
        for sample in train:
            points = self.points(sample.image)
            parts.append(points[rng.integers(len(points), size=min(each, len(points)))])
        points, k = np.concatenate(parts), self.segments or len(splits.classes)
        self.spread = self.scale(points)
        points = points / self.spread
        found = [kmeans(points, k, self.seed + restart) for restart in range(self.restarts)]
        self.centres = min(found, key=lambda c: float(((points - c[nearest(points, c)]) ** 2).sum()))
        segmented = ((self.find(sample.image), sample.mask) for sample in train)
        self.classes = match_images(segmented, k, len(splits.classes), splits.ignore_index)
        return self

    def find(self, image: np.ndarray) -> np.ndarray:
        """The segment of each pixel, (H, W)."""
        return nearest(self.points(image) / self.spread, self.centres).reshape(image.shape[:2])

    def predict(self, image: np.ndarray) -> np.ndarray:
        """The class of each pixel, (H, W)."""
        return self.classes[self.find(image)]
