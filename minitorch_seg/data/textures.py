"""The data set `textures`: mosaics of three real photographs (brick, grass, gravel) whose masks are exact.

The photographs come with scikit-image (512x512, grey each); nothing is downloaded.  A mosaic shows each class
through the regions of a random map, and the map is the mask, so not one pixel of the truth is in doubt.

**Brightness alone does not tell.**  The three photographs differ in mean and contrast.  So each piece that
is cut out of a photograph is standardised first, z = (piece − mean) / standard deviation, and then written
as 128 + 42 z, rounded and clipped to 0..255.  What is left to tell the classes apart is the arrangement of
bright and dark, that is texture, and the shape of the histogram: the best table from brightness to class,
learned from train, reaches a mIoU of 0.41 on test.

**Splits.**  Each photograph is cut in three: train uses its left half, val the upper and test the lower
half of its right half.  No pixel of a photograph serves two splits.
"""

from __future__ import annotations

import numpy as np

from minitorch_seg.data.dataset import ArrayDataset, Sample, Splits
from minitorch_seg.errors import DataError

CLASSES = ["brick", "grass", "gravel"]
SIZE = 96
"""Height and width of every mosaic in pixels."""

# Split: (number of mosaics, part of each photograph they are cut from).
PARTS = {
    "train": (120, np.s_[:, :256]),
    "val": (24, np.s_[:256, 256:]),
    "test": (24, np.s_[256:, 256:]),
}


def load_textures(seed: int = 0) -> Splits:
    """The splits of `textures`: 120 / 24 / 24 mosaics, three classes, images uint8 (96, 96, 1).

    seed (default 0, not negative) draws the region maps and the places where pieces are cut; one seed
    always gives the same pixels.  Raises DataError for a negative seed.

    >>> textures = load_textures()
    >>> len(textures.train), len(textures.val), len(textures.test), textures.classes
    (120, 24, 24, ['brick', 'grass', 'gravel'])
    >>> textures.train[0].image.shape, textures.train[0].mask.shape
    ((96, 96, 1), (96, 96))
    """
    from skimage import data

    if seed < 0:
        raise DataError(f"the seed of the textures must not be negative, but it is {seed}; use 0 or more.")
    photographs = [getattr(data, name)() for name in CLASSES]
    mosaics = {}
    for key, (split, (count, part)) in enumerate(PARTS.items()):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, key])))
        sources = [photograph[part] for photograph in photographs]
        mosaics[split] = ArrayDataset([mosaic(sources, rng, f"{split}-{i:03d}") for i in range(count)])
    return Splits(
        name="textures",
        train=mosaics["train"],
        val=mosaics["val"],
        test=mosaics["test"],
        classes=list(CLASSES),
        in_channels=1,
    )


def mosaic(sources: list[np.ndarray], rng: np.random.Generator, name: str) -> Sample:
    """One mosaic: a random region map, and each class cut from a random place of its source.

    sources: one grey photograph a class, uint8 (H, W), at least 96x96.
    """
    mask = region_map(rng, len(sources))
    pieces = np.stack([random_piece(source, rng) for source in sources])
    image = np.take_along_axis(pieces, mask[np.newaxis], axis=0)[0]
    return Sample(image[..., np.newaxis], mask, name)


def region_map(rng: np.random.Generator, classes: int) -> np.ndarray:
    """A random map of classes, int64 (96, 96): Voronoi cells with curved borders.

    For three classes, 3 to 6 points are drawn and the classes dealt out to them in turn, so that every
    class has one or two; a pixel takes the class of the point nearest to it.  Before the distance is
    measured, pixels are moved by a smooth wave, which bends the borders.  A class whose cells lie outside
    the map may be missing from it.
    """
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    amplitude = rng.uniform(2, 7, size=2)
    period = rng.uniform(35, 80, size=2)
    phase = rng.uniform(0, 2 * np.pi, size=2)
    bent_y = y + amplitude[0] * np.sin(2 * np.pi * x / period[0] + phase[0])
    bent_x = x + amplitude[1] * np.sin(2 * np.pi * y / period[1] + phase[1])

    count = int(rng.integers(classes, 2 * classes + 1))
    points = rng.uniform(0, SIZE, size=(count, 2))
    point_class = rng.permutation(classes)[np.arange(count) % classes]
    distance = [(bent_y - point_y) ** 2 + (bent_x - point_x) ** 2 for point_y, point_x in points]
    return point_class[np.argmin(distance, axis=0)].astype(np.int64)


def random_piece(source: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A 96x96 piece from a random place, standardised to mean 128, standard deviation 42; uint8."""
    top = rng.integers(source.shape[0] - SIZE + 1)
    left = rng.integers(source.shape[1] - SIZE + 1)
    piece = source[top : top + SIZE, left : left + SIZE].astype(np.float64)
    standard = (piece - piece.mean()) / piece.std()
    return np.clip(np.rint(128 + 42 * standard), 0, 255).astype(np.uint8)
