"""Joint changes of an image and its mask, for augmentation and as the last step before a network.

Every transform is called t(image, mask, rng) -> (image, mask): image uint8 (H, W, C), mask int64 (H, W), rng
a numpy.random.Generator, the only source of chance.  What moves pixels moves both alike; a mask is never
interpolated, so no class can appear that was not there.  Only `Normalize` changes the dtype, to float32;
what comes after it takes float32 images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minitorch_seg.data.dataset import Dataset
from minitorch_seg.data.images import resize_image
from minitorch_seg.errors import DataError

Pair = tuple[np.ndarray, np.ndarray]
Transform = Callable[[np.ndarray, np.ndarray, np.random.Generator], Pair]


class Compose:
    """One transform after the other.

    >>> augment = Compose([RandomHorizontalFlip(), RandomRot90(), Normalize()])
    >>> image, mask = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.int64)
    >>> image, mask = augment(image, mask, np.random.default_rng(0))
    >>> image.dtype, image.shape
    (dtype('float32'), (4, 6, 3))
    """

    def __init__(self, transforms: list[Transform]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        for transform in self.transforms:
            image, mask = transform(image, mask, rng)
        return image, mask

    def __repr__(self) -> str:
        return f"Compose({self.transforms!r})"


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left and right exchanged, with probability p."""

    p: float = 0.5

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        return (image[:, ::-1], mask[:, ::-1]) if rng.random() < self.p else (image, mask)


@dataclass(frozen=True)
class RandomVerticalFlip:
    """Top and bottom exchanged, with probability p.  For images without a natural "up": cells, maps."""

    p: float = 0.5

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        return (image[::-1], mask[::-1]) if rng.random() < self.p else (image, mask)


@dataclass(frozen=True)
class RandomRot90:
    """A turn by 0, 90, 180 or 270 degrees, each as likely.

    An image that is not square is turned by 0 or 180 only, so that the images of a batch keep one size.
    """

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        turns = int(rng.integers(4))
        if mask.shape[0] != mask.shape[1]:
            turns = 2 * (turns // 2)
        return np.rot90(image, turns), np.rot90(mask, turns)


@dataclass(frozen=True)
class RandomCrop:
    """A window of `size` (an int, or (height, width)) at a random place.

    An image that is smaller is first continued by reflection, evenly on both sides.  Its mask is continued
    alike, or filled with `ignore_index` where one is given, so that no loss counts invented pixels.
    """

    size: int | tuple[int, int]
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        if min(self._pair()) < 1:
            raise DataError(f"RandomCrop: size must be at least 1, not {self.size}.")

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        height, width = self._pair()
        image, mask = self._pad(image, mask, height, width)
        top = int(rng.integers(mask.shape[0] - height + 1))
        left = int(rng.integers(mask.shape[1] - width + 1))
        window = (slice(top, top + height), slice(left, left + width))
        return image[window], mask[window]

    def _pair(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def _pad(self, image: np.ndarray, mask: np.ndarray, height: int, width: int) -> Pair:
        missing = (max(height - mask.shape[0], 0), max(width - mask.shape[1], 0))
        if missing == (0, 0):
            return image, mask
        around = [(m // 2, m - m // 2) for m in missing]
        image = np.pad(image, [*around, (0, 0)], mode="reflect")
        if self.ignore_index is None:
            return image, np.pad(mask, around, mode="reflect")
        return image, np.pad(mask, around, constant_values=self.ignore_index)


@dataclass(frozen=True)
class RandomScale:
    """Both made larger or smaller by one factor between low and high, drawn evenly on a logarithmic scale.

    The image bilinearly (smoothed when it shrinks), the mask by the nearest pixel.  The size changes, so a
    RandomCrop usually follows.
    """

    low: float = 0.8
    high: float = 1.25

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise DataError(f"RandomScale: 0 < low <= high is needed, not low={self.low}, high={self.high}.")

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        factor = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        height, width = (max(1, round(n * factor)) for n in mask.shape)
        return resize_image(np.ascontiguousarray(image), (height, width)), resize_mask(mask, (height, width))


@dataclass(frozen=True)
class RandomShift:
    """The whole image moved by up to `pixels` along both axes, its border continued by reflection."""

    pixels: int
    ignore_index: int | None = None

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        height, width = mask.shape
        reach = min(self.pixels, height - 1, width - 1)
        around = [(reach, reach), (reach, reach)]
        image = np.pad(image, [*around, (0, 0)], mode="reflect")
        if self.ignore_index is None:
            mask = np.pad(mask, around, mode="reflect")
        else:
            mask = np.pad(mask, around, constant_values=self.ignore_index)
        return RandomCrop((height, width))(image, mask, rng)


@dataclass(frozen=True)
class ClassCrop:
    """`RandomCrop`, but with probability p around a pixel of a class, so that rare ones are seen.

    The class is drawn evenly from those that the image has, then one of its pixels, then a window that holds
    it.  An image that is smaller than the window is cropped as RandomCrop does.
    """

    size: int | tuple[int, int]
    ignore_index: int | None = None
    p: float = 0.5

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        classes = np.unique(mask[mask != self.ignore_index] if self.ignore_index is not None else mask)
        if rng.random() >= self.p or mask.shape[0] < height or mask.shape[1] < width or not len(classes):
            return RandomCrop(self.size, self.ignore_index)(image, mask, rng)
        places = np.argwhere(mask == rng.choice(classes))
        row, column = places[rng.integers(len(places))]
        top = int(rng.integers(max(0, row - height + 1), min(row, mask.shape[0] - height) + 1))
        left = int(rng.integers(max(0, column - width + 1), min(column, mask.shape[1] - width) + 1))
        window = (slice(top, top + height), slice(left, left + width))
        return image[window], mask[window]


@dataclass(frozen=True)
class RandomGamma:
    """v -> l + (h - l) ((v - l) / (h - l))^γ of a normalised image with values from l to h, float32.

    γ lies between 1/limit and limit, drawn evenly on a logarithmic scale: middle tones darker or brighter,
    while the ends stay.  It stands after `Normalize`, which would undo most of it otherwise; of a dim image
    the own range is bent, not the first few of 256 grey levels.
    """

    limit: float = 1.5

    def __post_init__(self) -> None:
        if not self.limit >= 1:
            raise DataError(f"RandomGamma: limit must be at least 1, not {self.limit}.")

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        gamma = np.float32(np.exp(rng.uniform(-np.log(self.limit), np.log(self.limit))))
        low, high = image.min(), image.max()
        span = max(high - low, np.float32(1e-6))
        return low + span * ((image - low) / span) ** gamma, mask


@dataclass(frozen=True)
class RandomColour:
    """v -> v (1 + a + a_c) + b + b_c of a normalised image, float32: contrast, brightness, tint.

    a, b: one number for the image, in ±contrast and ±brightness; a_c, b_c: one for each channel, in ±tint.
    It stands after `Normalize`, in units of its standard deviation, so that nothing undoes it.
    """

    contrast: float = 0.2
    brightness: float = 0.2
    tint: float = 0.1

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        channels = image.shape[2]
        tints = rng.uniform(-self.tint, self.tint, (2, channels))
        gain = tints[0] + 1 + rng.uniform(-self.contrast, self.contrast)
        shift = tints[1] + rng.uniform(-self.brightness, self.brightness)
        return image * gain.astype(np.float32) + shift.astype(np.float32), mask


@dataclass(frozen=True)
class Normalize:
    """(v - mean) / standard deviation, as float32.

    mean, std: one number a channel, of a whole data set (`channel_statistics`): brightness and colour are
    kept.  Without them, of this very image, over all its pixels and channels: a dim fluorescence image and
    a bright stained one then look alike to a network; colours keep their relation.
    A standard deviation is taken as at least 1 grey level, so an empty image becomes 0.

    >>> image = np.array([[[10], [30]]], np.uint8)
    >>> Normalize()(image, np.zeros((1, 2), np.int64), None)[0].ravel()
    array([-1.,  1.], dtype=float32)
    >>> Normalize((0.0,), (10.0,))(image, np.zeros((1, 2), np.int64), None)[0].ravel()
    array([1., 3.], dtype=float32)
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator | None = None) -> Pair:
        return self.image(image), mask

    def image(self, image: np.ndarray) -> np.ndarray:
        """An image alone, uint8 (H, W, C) -> float32: what prediction does."""
        if self.mean is None or self.std is None:
            return normalize(image)
        std = np.maximum(np.asarray(self.std, np.float32), 1)
        return (image.astype(np.float32) - np.asarray(self.mean, np.float32)) / std


def normalize(image: np.ndarray) -> np.ndarray:
    """`Normalize` of a single image by itself, uint8 (H, W, C) -> float32."""
    mean, std = float(image.mean(dtype=np.float64)), float(image.std(dtype=np.float64))
    return (image.astype(np.float32) - np.float32(mean)) / np.float32(max(std, 1.0))


def channel_statistics(dataset: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, over all pixels of a data set.

    >>> from minitorch_seg.data import ArrayDataset
    >>> pixels = np.array([[0, 4], [2, 2]], np.uint8).reshape(2, 1, 2, 1)
    >>> channel_statistics(ArrayDataset.from_arrays(pixels, np.zeros((2, 1, 2), int)))
    ((2.0,), (1.4142135623730951,))
    """
    images = [dataset[index].image for index in range(len(dataset))]
    pixels = sum(image.shape[0] * image.shape[1] for image in images)
    mean = sum(image.sum(axis=(0, 1), dtype=np.float64) for image in images) / pixels
    square = sum(((image - mean) ** 2).sum(axis=(0, 1)) for image in images) / pixels
    return tuple(np.asarray(mean).tolist()), tuple(np.sqrt(square).tolist())


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nearest-neighbour: pixel i of n takes the old pixel that holds its centre, floor((i + 1/2) · old / n).

    >>> resize_mask(np.array([[0, 7]]), (2, 4))
    array([[0, 0, 7, 7],
           [0, 0, 7, 7]])
    """
    rows, columns = ((2 * np.arange(n) + 1) * old // (2 * n) for n, old in zip(size, mask.shape, strict=True))
    return mask[rows[:, np.newaxis], columns]
