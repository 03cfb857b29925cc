"""A part of a data set, for the question how much labelled data is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Subset", "part_of"]


class Subset:
    """Some samples of a data set, in the order of `indices`.

    >>> from minitorch_seg.data import ArrayDataset
    >>> data = ArrayDataset.from_arrays(np.zeros((3, 2, 2), np.uint8), np.zeros((3, 2, 2), int), list("abc"))
    >>> [sample.name for sample in Subset(data, [2, 0])]
    ['c', 'a']
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, list(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]


def part_of(dataset: Any, share: float, seed: int) -> Subset:
    """A share of the images, at least one, drawn by the seed; a smaller share is part of a larger one.

    >>> len(part_of(range(10), 0.25, seed=0))
    3
    """
    order = np.random.default_rng(seed).permutation(len(dataset))
    return Subset(dataset, order[: math.ceil(share * len(dataset))].tolist())
