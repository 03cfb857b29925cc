"""Joint changes of an image and its mask, for augmentation and as the last step before a network.

Every transform is called t(image, mask, rng) -> (image, mask): image uint8 (H, W, C), mask int64 (H, W), rng
a numpy.random.Generator, the only source of chance.  What moves pixels moves both alike; a mask is never
interpolated, so no class can appear that was not there.  Only `Normalize` changes the dtype, to float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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
class RandomBrightnessContrast:
    """v -> mean + (v - mean) * (1 + c) + 255 * b, with b in ±brightness and c in ±contrast, cut to 0 ... 255.

    The mean is the image's own, so that contrast does not change the brightness.  The mask stays as it is.
    """

    brightness: float = 0.2
    contrast: float = 0.2

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Pair:
        shift = 255 * rng.uniform(-self.brightness, self.brightness)
        gain = 1 + rng.uniform(-self.contrast, self.contrast)
        # uint8 has 256 values only: a table of them is exact and quicker than arithmetic on each pixel.
        mean = image.mean()
        table = np.rint(np.clip(mean + (np.arange(256) - mean) * gain + shift, 0, 255)).astype(np.uint8)
        return table[image], mask


@dataclass(frozen=True)
class Normalize:
    """(v - mean) / standard deviation of this very image, over all its pixels and channels, as float32.

    A dim fluorescence image and a bright stained one then look alike to a network; colours keep their
    relation. The standard deviation is taken as at least 1 grey level, so an empty image becomes 0.

    >>> image = np.array([[[10], [30]]], np.uint8)
    >>> Normalize()(image, np.zeros((1, 2), np.int64), None)[0].ravel()
    array([-1.,  1.], dtype=float32)
    """

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator | None = None) -> Pair:
        return normalize(image), mask


def normalize(image: np.ndarray) -> np.ndarray:
    """`Normalize` for an image alone, uint8 (H, W, C) -> float32: what prediction does."""
    mean, std = float(image.mean(dtype=np.float64)), float(image.std(dtype=np.float64))
    return (image.astype(np.float32) - np.float32(mean)) / np.float32(max(std, 1.0))


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nearest-neighbour: pixel i of n takes the old pixel that holds its centre, floor((i + 1/2) · old / n).

    >>> resize_mask(np.array([[0, 7]]), (2, 4))
    array([[0, 0, 7, 7],
           [0, 0, 7, 7]])
    """
    rows, columns = ((2 * np.arange(n) + 1) * old // (2 * n) for n, old in zip(size, mask.shape, strict=True))
    return mask[rows[:, np.newaxis], columns]
