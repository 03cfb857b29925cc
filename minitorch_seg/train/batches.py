"""Whatever `Trainer.fit` is given (arrays, a data set, a loader) becomes something that yields batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.data import DataLoader
from minitorch_seg.errors import ShapeError
from minitorch_seg.io import to_array

__all__ = ["ArrayLoader", "as_loader"]


class ArrayLoader:
    """Batches of two arrays of equal length, in a new order each epoch when `shuffle` is set.

    The order is a function of (seed, epoch) alone, so a training that is continued at an epoch sees the same
    batches as one that was never interrupted.

    >>> loader = ArrayLoader(np.arange(3.0), np.arange(3), batch_size=2, shuffle=False)
    >>> [(x.tolist(), y.tolist()) for x, y in loader]
    [([0.0, 1.0], [0, 1]), ([2.0], [2])]
    """

    def __init__(self, x: Any, y: Any, batch_size: int = 32, shuffle: bool = True, seed: int = 0) -> None:
        self.x, self.y = to_array(x), to_array(y)
        if self.x.ndim == 0 or self.y.ndim == 0 or len(self.x) != len(self.y):
            raise ShapeError(
                f"fit: x has shape {self.x.shape} and y {self.y.shape}; both need one entry an example, "
                "so their first sizes must be equal"
            )
        if len(self.x) == 0:
            raise ShapeError("fit: x and y hold no example")
        if batch_size < 1:
            raise ShapeError(f"fit: batch_size must be at least 1, got {batch_size}")
        self.batch_size, self.shuffle, self.seed, self.epoch = batch_size, shuffle, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of `epoch`."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = np.arange(len(self.x))
        if self.shuffle:
            order = np.random.Generator(np.random.Philox(key=[self.seed, self.epoch])).permutation(
                len(self.x)
            )
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield Tensor(self.x[chosen]), Tensor(self.y[chosen])


def as_loader(
    x: Any,
    y: Any = None,
    *,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int = 0,
    transform: Callable | None = None,
) -> Any:
    """A loader for arrays (`x` and `y`), for a data set (anything indexable whose items are Samples), or `x`
    itself.

    A loader is anything that can be iterated more than once and yields pairs; `len` and `set_epoch` are used
    where they exist.
    """
    if y is not None:
        return ArrayLoader(x, y, batch_size, shuffle, seed)
    if isinstance(x, DataLoader | ArrayLoader):
        return x
    if hasattr(x, "__getitem__") and not isinstance(x, np.ndarray | list | tuple | Tensor):
        return DataLoader(x, batch_size=batch_size, shuffle=shuffle, transform=transform, seed=seed)
    if isinstance(x, np.ndarray | Tensor):
        raise ShapeError("fit: x is an array, so y is needed as well: fit(x, y, ...)")
    if not hasattr(x, "__iter__") or iter(x) is x:
        raise ShapeError(
            f"fit: x is {type(x).__name__}; expected arrays x and y, a data set, or a loader that can be "
            "iterated once an epoch (a generator is used up after the first)"
        )
    return x
