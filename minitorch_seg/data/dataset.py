"""What a data set is: samples, something indexable that holds them, and the three splits with their classes.

A data set is anything with `len(dataset)` and `dataset[i] -> Sample`; nothing has to be subclassed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from minitorch_seg.errors import DataError


@dataclass(frozen=True)
class Sample:
    """One image with its mask.

    image: uint8 (H, W, C), C = 1 (grey) or 3 (RGB).  mask: int64 (H, W), a class index per pixel.

    >>> sample = Sample(np.zeros((2, 3, 1), np.uint8), np.zeros((2, 3), np.int64), "empty")
    >>> sample.name, sample.size
    ('empty', (2, 3))
    """

    image: np.ndarray
    mask: np.ndarray
    name: str

    def __post_init__(self) -> None:
        image, mask = self.image, self.mask
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
            raise DataError(
                f"{self.name}: an image is a uint8 array of shape (H, W, 1) or (H, W, 3), "
                f"not {image.dtype} {image.shape}; convert it first."
            )
        if mask.dtype != np.int64 or mask.ndim != 2:
            raise DataError(
                f"{self.name}: a mask is an int64 array of shape (H, W), not {mask.dtype} {mask.shape}; "
                "convert it first, for example with mask.astype(np.int64)."
            )
        if image.shape[:2] != mask.shape:
            raise DataError(
                f"{self.name}: the image is {image.shape[0]}x{image.shape[1]} (height x width), its mask "
                f"{mask.shape[0]}x{mask.shape[1]}; both must have the same size."
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return self.mask.shape[0], self.mask.shape[1]


@runtime_checkable
class Dataset(Protocol):
    """What the DataLoader asks of a data set."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


class ArrayDataset:
    """A data set that lies in memory: a list of samples.

    >>> data = ArrayDataset.from_arrays(np.zeros((4, 8, 8, 3), np.uint8), np.zeros((4, 8, 8), np.int64))
    >>> len(data), data[-1].name
    (4, '3')
    """

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples: Sequence[Sample] = tuple(samples)

    @classmethod
    def from_arrays(
        cls, images: np.ndarray, masks: np.ndarray, names: Sequence[str] | None = None
    ) -> ArrayDataset:
        """images: uint8 (N, H, W, C) or (N, H, W); masks: integers (N, H, W); default names "0", "1", ..."""
        images, masks = np.asarray(images), np.asarray(masks)
        if images.ndim == 3:
            images = images[..., np.newaxis]
        if len(images) != len(masks):
            raise DataError(f"{len(images)} images but {len(masks)} masks; each image needs one mask.")
        if not np.issubdtype(masks.dtype, np.integer):
            raise DataError(f"masks hold class indices, so their dtype must be integer, not {masks.dtype}.")
        names = [str(i) for i in range(len(images))] if names is None else names
        masks = masks.astype(np.int64, copy=False)
        return cls(Sample(i, m, n) for i, m, n in zip(images, masks, names, strict=True))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)


@dataclass(frozen=True)
class Splits:
    """A named set of images in three parts that share none: train to learn, val to choose, test to report.

    classes: one name per class index.  ignore_index: the mask value that losses and metrics skip, or None.
    in_channels: 1 or 3.  pixel_size: the side of a pixel in pixel_unit ("µm", "m"), or None when unknown.
    symmetry: what may be done to an image without making it another kind of image, one of SYMMETRIES:
        "square" (flips and quarter turns: cells, maps), "mirror" (left and right exchanged: scenes with a sky
        and a ground), "none" (a place means something: organs in a scan).
    normalize: "image" (each image by its own mean: brightness is chance) or "dataset" (all by one mean:
        brightness and colour say what a thing is).
    note: what a user must know before trusting a score; train and evaluate print it.
    """

    name: str
    train: Dataset
    val: Dataset
    test: Dataset
    classes: list[str]
    ignore_index: int | None = None
    in_channels: int = 3
    pixel_size: float | None = None
    pixel_unit: str | None = None
    symmetry: str = "square"
    normalize: str = "image"
    note: str = ""

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def split(self, name: str) -> Dataset:
        """The split called "train", "val" or "test"."""
        if name not in SPLIT_NAMES:
            raise DataError(f"there is no split {name!r}; the splits are train, val and test.")
        return getattr(self, name)

    def items(self) -> Iterator[tuple[str, Dataset]]:
        """("train", ...), ("val", ...), ("test", ...)"""
        return ((name, self.split(name)) for name in SPLIT_NAMES)


SPLIT_NAMES = ("train", "val", "test")
SYMMETRIES = ("none", "mirror", "square")
NORMALISATIONS = ("image", "dataset")
