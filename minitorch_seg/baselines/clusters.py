"""KMeansColour: clusters of colour over the whole training set, named by its masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.metrics import count_segments, match_segments
from minitorch_seg.unsupervised import blurred, kmeans, nearest

#: Pixels that the centres are fitted to.
PIXELS = 100_000


class KMeansColour:
    """k-means on the colours of all training pixels; each test pixel goes to the nearest centre.

    Args:
        sigma: colours are blurred by a Gaussian of so many pixels first.
        k: clusters; default as many as classes.  More get the class that most of their pixels have: a score
            with more clusters than classes is another one, and must be told with k.
        restarts: of which the one with the least sum of squares is kept; no label has a part in that.
        seed: of pixels and first centres.
    """

    def __init__(
        self,
        sigma: float = 0.0,
        k: int | None = None,
        restarts: int = 3,
        seed: int = 0,
    ) -> None:
        self.sigma, self.k, self.restarts, self.seed = sigma, k, restarts, seed

    def fit(self, splits: Any) -> KMeansColour:
        rng = np.random.default_rng(self.seed)
        train = [splits.train[index] for index in range(len(splits.train))]
        each = max(1, PIXELS // len(train))
        parts = []
        for sample in train:
            points = self._points(sample.image)
            parts.append(points[rng.integers(len(points), size=min(each, len(points)))])
        points, k = np.concatenate(parts), self.k or len(splits.classes)
        found = [kmeans(points, k, self.seed + restart) for restart in range(self.restarts)]
        self.centres = min(found, key=lambda centres: _spread(points, centres))
        counts = np.zeros((len(splits.classes), k), np.int64)
        for sample in train:
            segments = nearest(self._points(sample.image), self.centres)
            counts += count_segments(segments, sample.mask, k, len(splits.classes), splits.ignore_index)
        self.classes = match_segments(counts)
        return self

    def predict(self, image: np.ndarray) -> np.ndarray:
        return self.classes[nearest(self._points(image), self.centres)].reshape(image.shape[:2])

    def _points(self, image: np.ndarray) -> np.ndarray:
        maps = image.astype(np.float32).transpose(2, 0, 1)[np.newaxis] / 255
        return blurred(maps, self.sigma)[0].reshape(image.shape[2], -1).T


def _spread(points: np.ndarray, centres: np.ndarray) -> float:
    return float(((points - centres[nearest(points, centres)]) ** 2).sum())
