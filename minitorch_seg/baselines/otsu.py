"""Otsu: one threshold for an image, where the grey levels fall apart best.

    t* = argmax_t  ω(t) (1 − ω(t)) (μ_below(t) − μ_above(t))²          ω: share of the pixels below t

the variance between the two sides, which is largest where the variance within them is smallest.

Otsu, "A threshold selection method from gray-level histograms", 1979.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def otsu_threshold(grey: np.ndarray) -> int:
    """The last grey level of the lower side, for uint8 values; an image of one level has none above it.

    >>> otsu_threshold(np.array([3, 4, 3, 200, 210], np.uint8))
    4
    """
    share = np.bincount(grey.ravel(), minlength=256) / grey.size
    below, mean = np.cumsum(share), np.cumsum(share * np.arange(256))
    inside = below * (1 - below)
    between = np.where(inside > 1e-12, (mean[-1] * below - mean) ** 2 / np.maximum(inside, 1e-12), -1.0)
    return int(between.argmax()) if between.max() >= 0 else 255


class Otsu:
    """Class 1 on the side of the threshold that has fewer pixels, class 0 on the other: no label is used.

    A third class is never found.
    """

    def fit(self, splits: Any) -> Otsu:
        return self

    def predict(self, image: np.ndarray) -> np.ndarray:
        grey = np.rint(image.mean(axis=2)).astype(np.uint8)
        above = grey > otsu_threshold(grey)
        return (above if above.mean() <= 0.5 else ~above).astype(np.int64)
