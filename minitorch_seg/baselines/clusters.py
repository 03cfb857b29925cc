"""KMeansColour: clusters of colour over the whole training set, named by its masks."""

from __future__ import annotations

import numpy as np

from minitorch_seg.unsupervised import PointClusters, as_points, blurred


class KMeansColour(PointClusters):
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
        super().__init__(k, restarts, seed)
        self.sigma = sigma

    def points(self, image: np.ndarray) -> np.ndarray:
        maps = image.astype(np.float32).transpose(2, 0, 1)[np.newaxis] / 255
        return as_points(blurred(maps, self.sigma))
