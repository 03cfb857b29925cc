"""PatchLoader: patches with the class of the pixel in their middle, every class as often as any other.

Drawn evenly over pixels, a rare class would hardly be seen: of the road's pixels one in fifty-five is a
pothole.  So the class is drawn first, then one of all training pixels that have it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.data.dataset import Dataset
from minitorch_seg.data.transforms import Transform
from minitorch_seg.errors import DataError

#: A stream of chance beside those of the DataLoader.
_PATCHES = 2


class PatchLoader:
    """Iterate over (patches, classes): float32 (n, C, size, size), channels-last in memory, and int64 (n,).

    The labelled pixel is number size//2 of both axes; an image is continued by repeating its border.

    dataset: its samples give images and masks.  size: side of a patch.  batch_size: patches, n.
    batches: how many make an epoch.  ignore_index: pixels that are never in the middle.
    transform: of the whole image, once for each image of a batch (normalisation, say).
    patch_transform: of each patch, which keeps its size (flips, turns).
    seed: with the epoch and the number of the batch it decides all that is drawn, so a training that is
        resumed sees the same patches.

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
    ) -> None:
        if min(size, batch_size, batches) < 1:
            raise DataError(f"patches: {size=}, {batch_size=} and {batches=} must each be at least 1.")
        self.dataset, self.size, self.batch_size, self.batches = dataset, size, batch_size, batches
        self.transform, self.patch_transform, self.seed, self.epoch = transform, patch_transform, seed, 0
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
        sample = self.dataset[index]
        image, mask = sample.image, sample.mask
        if self.transform is not None:
            image, mask = self.transform(image, mask, rng)
        image = image / np.float32(255) if image.dtype == np.uint8 else image
        reach = self.size // 2
        image = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
        mask = np.pad(mask, reach, mode="edge")
        inside = (slice(reach, mask.shape[0] - reach), slice(reach, mask.shape[1] - reach))
        patches = []
        for k in classes:
            places = np.flatnonzero(mask[inside] == k)
            row, column = np.divmod(places[rng.integers(len(places))], mask[inside].shape[1])
            # An odd side, so that the pixel is in the very middle and stays there when the patch is turned.
            window = (slice(row, row + 2 * reach + 1), slice(column, column + 2 * reach + 1))
            patch = image[window]
            if self.patch_transform is not None:
                patch, _ = self.patch_transform(patch, mask[window], rng)
            patches.append(patch[: self.size, : self.size].astype(np.float32, copy=False))
        return patches
