"""A folder of images and no masks: what a model that learns without labels needs, and all it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minitorch_seg.data.dataset import Sample, Splits
from minitorch_seg.data.images import SUFFIXES, read_header, read_image
from minitorch_seg.data.layout import seeded_split
from minitorch_seg.errors import DataError

#: The mask of every pixel: nobody knows.
UNKNOWN = 255


class Images:
    """Files as samples whose masks hold UNKNOWN throughout; read when they are asked for."""

    def __init__(self, images: Sequence[Path], channels: int) -> None:
        self.images, self.channels = list(images), channels
        self.names = [path.stem for path in self.images]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        image = read_image(self.images[index], self.channels)
        return Sample(image, np.full(image.shape[:2], UNKNOWN), self.names[index])


def all_images(folder: str | Path) -> Images:
    """Every image in FOLDER/images, or in FOLDER itself; grey where all of them are grey, else RGB.

    >>> import tempfile
    >>> from minitorch_seg.io import write_png
    >>> place = Path(tempfile.mkdtemp())
    >>> write_png(place / "a.png", np.zeros((8, 8), np.uint8))
    >>> all_images(place)[0].image.shape
    (8, 8, 1)
    """
    place = Path(folder) / "images" if (Path(folder) / "images").is_dir() else Path(folder)
    if not place.is_dir():
        raise DataError(f"{folder}: there is no such folder; give one that holds images")
    files = [path for path in sorted(place.iterdir()) if path.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(f"{place} holds no image; known are {', '.join(SUFFIXES)}")
    return Images(files, max(read_header(path).channels for path in files))


def load_images(folder: str | Path, segments: int, seed: int = 0) -> Splits:
    """Train, val and test (70/15/15) of the images in FOLDER/images, or in FOLDER itself.

    segments: how many a model is to find; they are called "segment 1", "segment 2" and so on.

    >>> import tempfile
    >>> from minitorch_seg.io import write_png
    >>> place = Path(tempfile.mkdtemp())
    >>> for k in range(4):
    ...     write_png(place / f"{k}.png", np.zeros((8, 8), np.uint8))
    >>> splits = load_images(place, 2)
    >>> len(splits.train), splits.classes, splits.train[0].mask.min()
    (2, ['segment 1', 'segment 2'], np.int64(255))
    """
    found = all_images(folder)
    files = {path.stem: path for path in found.images}
    if len(files) < 3:
        raise DataError(f"{folder} holds {len(files)} images; train, val and test each need one.")
    channels = found.channels
    split = seeded_split(list(files), seed)
    train, val, test = (Images([files[stem] for stem in part], channels) for part in split.values())
    names = [f"segment {number + 1}" for number in range(segments)]
    return Splits(Path(folder).name, train, val, test, names, UNKNOWN, channels)
