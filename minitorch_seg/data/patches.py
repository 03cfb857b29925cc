"""PatchLoader: patches with the class of the pixel in their middle, every class as often as any other.

Drawn evenly over pixels, a rare class would hardly be seen: of the road's pixels one in fifty-five is a
pothole.  So the class is drawn first, then one of all training pixels that have it.

The patches of a batch come from nearly as many images.  So an image is read and transformed once and then
kept, with the places of each class, as long as all that is kept fits into `keep_bytes`; the images that come
later are made anew whenever a patch is cut from them.  What is drawn, and every number, are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.data.dataset import Dataset
from minitorch_seg.data.folder import CACHE_BYTES
from minitorch_seg.data.transforms import Transform
from minitorch_seg.errors import DataError

#: A stream of chance beside those of the DataLoader.
_PATCHES = 2


class PatchLoader:
    """Iterate over (patches, classes): float32 (n, C, size, size), channels-last in memory, and int64 (n,).

    The labelled pixel is number size//2 of both axes; an image is continued by repeating its border.

    dataset: its samples give images and masks.  size: side of a patch.  batch_size: patches, n.
    batches: how many make an epoch.  ignore_index: pixels that are never in the middle.
    transform: of the whole image, before patches are cut from it (normalisation, say).  What it draws is the
        same each time; chance belongs into patch_transform.
    patch_transform: of each patch, which keeps its size (flips, turns).
    seed: with the epoch and the number of the batch it decides all that is drawn, so a training that is
        resumed sees the same patches.
    keep_bytes: how much memory the kept images may take.

    >>> from minitorch_seg.data.dataset import ArrayDataset
    >>> mask = np.zeros((1, 9, 9), np.int64)
    >>> mask[0, 4, 4] = 1
    >>> data = ArrayDataset.from_arrays(np.zeros((1, 9, 9, 3), np.uint8), mask)
    >>> patches, classes = next(iter(PatchLoader(data, size=4, batch_size=100, batches=1)))
    >>> patches.shape, bool(40 < classes.data.sum() < 60)
    ((100, 3, 4, 4), True)
    """

    def __init__(
        self,
        dataset: Dataset,
        size: int,
        batch_size: int = 64,
        batches: int = 100,
        ignore_index: int | None = None,
        transform: Transform | None = None,
        patch_transform: Transform | None = None,
        seed: int = 0,
        keep_bytes: int = CACHE_BYTES,
    ) -> None:
        if min(size, batch_size, batches) < 1:
            raise DataError(f"patches: {size=}, {batch_size=} and {batches=} must each be at least 1.")
        self.dataset, self.size, self.batch_size, self.batches = dataset, size, batch_size, batches
        self.transform, self.patch_transform, self.seed, self.epoch = transform, patch_transform, seed, 0
        self.keep_bytes, self.kept_bytes = keep_bytes, 0
        self._kept: dict[int, _Prepared] = {}
        masks = (dataset[index].mask for index in range(len(dataset)))
        counts = [np.bincount(mask[mask != ignore_index]) for mask in masks]
        classes = max((len(count) for count in counts), default=0)
        #: pixels[i, k]: how many pixels of class k image i has
        self.pixels = np.array([np.pad(count, (0, classes - len(count))) for count in counts])
        if self.pixels.sum() == 0:
            raise DataError("patches: no image has a pixel that counts, so there is nothing to draw.")

    def __len__(self) -> int:
        """The number of batches."""
        return self.batches

    def set_epoch(self, epoch: int) -> None:
        """The next pass is this epoch (from 0)."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return (self._batch(epoch, number) for number in range(self.batches))

    def _batch(self, epoch: int, number: int) -> tuple[Tensor, Tensor]:
        counter = [0, 0, number, _PATCHES]
        rng = np.random.Generator(np.random.Philox(key=[self.seed, epoch], counter=counter))
        present = np.flatnonzero(self.pixels.sum(axis=0))
        classes = rng.choice(present, self.batch_size)
        images = np.empty_like(classes)
        for k in present:
            share = self.pixels[:, k] / self.pixels[:, k].sum()
            images[classes == k] = rng.choice(len(share), np.count_nonzero(classes == k), p=share)
        order = np.lexsort((classes, images))  # patches of one image are cut from it together
        patches: list[np.ndarray] = []
        for image in np.unique(images):
            patches += self._cut(image, classes[order][images[order] == image], rng)
        return Tensor(np.stack(patches).transpose(0, 3, 1, 2)), Tensor(classes[order])

    def _cut(self, index: int, classes: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """A patch around a random pixel of each of `classes`, which are sorted."""
        found = self._prepared(int(index))
        height, width = found.mask.shape
        # An odd side, so that the pixel is in the very middle and stays there when the patch is turned.
        around = np.arange(2 * (self.size // 2) + 1) - self.size // 2
        patches = []
        for k in classes:
            places = found.places[k]
            row, column = np.divmod(places[rng.integers(len(places))], width)
            window = np.ix_((row + around).clip(0, height - 1), (column + around).clip(0, width - 1))
            patch = found.image[window]
            if self.patch_transform is not None:
                patch, _ = self.patch_transform(patch, found.mask[window], rng)
            patches.append(patch[: self.size, : self.size].astype(np.float32, copy=False))
        return patches

    def _prepared(self, index: int) -> _Prepared:
        """An image as patches are cut from it: kept from before, or made and, where there is room, kept."""
        if index in self._kept:
            return self._kept[index]
        sample = self.dataset[index]
        image, mask = sample.image, sample.mask
        if self.transform is not None:
            image, mask = self.transform(image, mask, np.random.default_rng([self.seed, index]))
        image = image / np.float32(255) if image.dtype == np.uint8 else image
        order = np.argsort(mask, axis=None, kind="stable").astype(np.int32)
        made = _Prepared(image, mask, np.split(order, np.cumsum(np.bincount(mask.ravel()))[:-1]))
        size = image.nbytes + mask.nbytes + order.nbytes
        if self.kept_bytes + size <= self.keep_bytes:
            self._kept[index], self.kept_bytes = made, self.kept_bytes + size
        return made


class _Prepared(NamedTuple):
    """image float32 (H, W, C); mask (H, W); places[k]: the numbers y·W + x of the pixels of class k."""

    image: np.ndarray
    mask: np.ndarray
    places: list[np.ndarray]
