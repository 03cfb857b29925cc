"""A few images of a data set with what was predicted for them, as one picture: predictions.png of a run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_seg import plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SHOWN", "Pictures"]

SHOWN = 6


class Pictures:
    """Keeps at most SHOWN of `count` samples, spread evenly, as `evaluate(on_image=...)` hands them over.

    >>> keep = Pictures(11)
    >>> for number in range(11):
    ...     keep(number, None)
    >>> [sample for sample, _ in keep.shown]
    [0, 2, 4, 6, 8, 10]
    """

    def __init__(self, count: int) -> None:
        places = np.linspace(0, count - 1, min(SHOWN, count))
        self._wanted = set(places.round().astype(int).tolist())
        self._count = itertools.count()
        self.shown: list[tuple[Any, np.ndarray]] = []

    def __call__(self, sample: Any, prediction: np.ndarray) -> None:
        if next(self._count) in self._wanted:
            self.shown.append((sample, prediction))

    def figure(self, splits: Any, title: str) -> Figure:
        """A row each: image, truth, prediction, errors."""
        return plot.gallery(
            [sample.image for sample, _ in self.shown],
            [sample.mask for sample, _ in self.shown],
            [prediction for _, prediction in self.shown],
            splits.classes,
            ignore_index=splits.ignore_index,
            names=[sample.name for sample, _ in self.shown],
            title=title,
        )
