"""Prepares the four registered sets from the archives of their sources, as the registry describes.

What could not be verified when this was written: there was no connection to the real servers, so neither
their archives nor our reading of them has been seen.  The code is tested with small synthetic archives,
served on loopback.  The notes that came with the prepared sets also leave details open (rounding, the scale
of each aerial tile).  Where they do, several readings are tried and the one that gives the registered pixels
is taken. Whatever happens, all pairs are compared with the registry afterwards, and what differs is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from minitorch_seg.data.archive import SourceArchive
from minitorch_seg.data.images import read_image, read_mask
from minitorch_seg.data.masks import convert_instances
from minitorch_seg.data.nifti import read_nifti
from minitorch_seg.data.registry import Entry, Pair, pair_hash
from minitorch_seg.errors import DataError

Arrays = tuple[np.ndarray, np.ndarray]
Prepared = Iterator[tuple[Pair, np.ndarray, np.ndarray]]


class _DoesNotFit(Exception):
    """A reading of the preparation under which a registered crop would lie outside its image."""


def _first_that_fits(
    readings: Iterable[dict[str, Any]], make: Callable[..., Arrays], pair: Pair
) -> dict[str, Any]:
    """The reading of the preparation that gives the registered pixels of a pair; the first if none does."""
    readings = list(readings)
    for reading in readings:
        try:
            image, mask = make(pair, **reading)
        except _DoesNotFit:
            continue
        if pair_hash(image, mask) == pair.sha256:
            return reading
    return readings[0]


def prepare_nuclei(source: SourceArchive, facts: Entry) -> Prepared:
    """stage1_train/ID/images/ID.png and ID/masks/*.png (one per nucleus) -> 128x128 RGB, 3 classes."""
    parts = defaultdict(list)
    for name in source.names:
        path = name.split("/")
        if len(path) == 4 and path[0] == "stage1_train" and path[2] == "masks" and path[3].endswith(".png"):
            parts[path[1]].append(name)

    def make(pair: Pair, rounding: str) -> Arrays:
        name = f"stage1_train/{pair.source}/images/{pair.source}.png"
        image = _centre(read_image(_place(source, name), 3, source.read(name)), 256)
        instances = np.zeros(image.shape[:2], np.int64)
        for number, part in enumerate(sorted(parts[pair.source]), start=1):
            instances[_centre(read_mask(_place(source, part), source.read(part)), 256) > 0] = number
        return box_mean(image, 2, rounding), convert_instances(instances[::2, ::2], "boundary")

    reading = _first_that_fits(BOX_FILTERS, make, facts.pairs[0])
    return ((pair, *make(pair, **reading)) for pair in facts.pairs)


def prepare_hippocampus(source: SourceArchive, facts: Entry) -> Prepared:
    """data/TrainingSet/{images,labels}/VOLUME.nii.gz -> the slices VOLUME_zNN, 64x64 grey, 3 classes."""

    def make(pair: Pair, rounded: bool, per_slice: bool) -> Arrays:
        volume_name, z = pair.stem.rsplit("_z", 1)
        volume, labels = (
            read_nifti(source.read(name), _place(source, name))
            for name in (f"data/TrainingSet/{kind}/{volume_name}.nii.gz" for kind in ("images", "labels"))
        )
        if volume.shape != labels.shape or volume.ndim != 3 or int(z) >= volume.shape[2]:
            raise DataError(f"{source.path}: {volume_name} has no slice for {pair.stem} of the registry.")
        grey = volume[..., int(z)].astype(np.float64)
        low, high = np.percentile(grey if per_slice else volume, (1, 99.5))
        grey = np.clip((grey - low) / max(high - low, 1e-12), 0, 1) * 255
        image = (np.rint(grey) if rounded else grey).astype(np.uint8)
        return _pad(image, 64)[..., np.newaxis], _pad(labels[..., int(z)].astype(np.int64), 64)

    readings = [{"rounded": r, "per_slice": s} for s in (False, True) for r in (False, True)]
    reading = _first_that_fits(readings, make, facts.pairs[0])
    return ((pair, *make(pair, **reading)) for pair in facts.pairs)


def prepare_road(source: SourceArchive, facts: Entry) -> Prepared:
    """Dataset/FRAME/FRAME_{RAW.jpg, LANE.png, CRACK.png, POTHOLE.png} -> 128x80 RGB, 4 classes."""
    names = set(source.names)

    def share(frame: str, kind: str) -> np.ndarray:
        """The share of each 8x8 cell that a mask covers; a frame without potholes has no such mask."""
        name = f"{frame}_{kind}.png"
        if kind == "POTHOLE" and name not in names:
            return np.zeros((80, 128))
        mask = read_image(_place(source, name), 1, source.read(name))
        return (_expect(mask, name) > 127).reshape(80, 8, 128, 8).mean(axis=(1, 3))

    def make(pair: Pair, rounding: str) -> Arrays:
        frame = f"Dataset/{pair.stem}/{pair.stem}"
        name = f"{frame}_RAW.jpg"
        image = box_mean(_expect(read_image(_place(source, name), 3, source.read(name)), name), 8, rounding)
        mask = (share(frame, "LANE") >= 0.5).astype(np.int64)
        mask[share(frame, "CRACK") >= 0.25] = 2
        mask[share(frame, "POTHOLE") >= 0.35] = 3
        return image, mask

    reading = _first_that_fits(BOX_FILTERS, make, facts.pairs[0])
    return ((pair, *make(pair, **reading)) for pair in facts.pairs)


# The colours of the aerial masks, in the order of the classes; the last one is "unlabeled".
AERIAL_COLOURS = (
    (60, 16, 152),
    (132, 41, 246),
    (110, 193, 228),
    (254, 221, 58),
    (226, 169, 41),
    (155, 155, 155),
)
# The first guess at each tile's scale: what the grid of its registered crops allows.
AERIAL_SCALES = {1: 2.2, 2: 2.2, 3: 2.2, 4: 2.5, 5: 2.5, 6: 2.2, 7: 4.0, 8: 4.0}


def prepare_aerial(source: SourceArchive, facts: Entry) -> Prepared:
    """Semantic segmentation dataset/Tile T/{images,masks}/image_part_00P -> the crops tT_P_RC, 5 classes."""
    tiles: dict[int, list[Pair]] = defaultdict(list)
    for pair in facts.pairs:
        tiles[int(pair.stem[1 : pair.stem.index("_")])].append(pair)

    def make(pair: Pair, scale: float, method: str) -> Arrays:
        tile, part, place = pair.stem[1:].split("_")
        folder = f"Semantic segmentation dataset/Tile {tile}"
        name, mask_name = (
            f"{folder}/images/image_part_00{part}.jpg",
            f"{folder}/masks/image_part_00{part}.png",
        )
        image = read_image(_place(source, name), 3, source.read(name))
        colours = read_image(_place(source, mask_name), 3, source.read(mask_name))
        size = (int(image.shape[0] / scale), int(image.shape[1] / scale))
        image, colours = _resize(image, size, method), _resize(colours, size, "NEAREST")
        top, left = 128 * int(place[0]), 128 * int(place[1])
        window = (slice(top, top + 128), slice(left, left + 128))
        if image[window].shape != (128, 128, 3):
            raise _DoesNotFit(f"the crop {pair.stem} does not lie in the image at scale {scale}")
        return image[window], nearest_colour(colours[window])

    def all_pairs() -> Prepared:
        for tile, pairs in tiles.items():
            scales = [AERIAL_SCALES[tile], *(n / 10 for n in range(22, 41))]
            methods = ("BOX", "LANCZOS", "BICUBIC", "BILINEAR", "HAMMING")
            readings = [{"scale": scale, "method": method} for scale in scales for method in methods]
            reading = _first_that_fits(readings, make, pairs[0])
            for pair in pairs:
                try:
                    yield pair, *make(pair, **reading)
                except _DoesNotFit as error:
                    raise DataError(f"{source.path}: {error}; it is not the archive that we know.") from None

    return all_pairs()


PREPARE: dict[str, Callable[[SourceArchive, Entry], Prepared]] = {
    "nuclei": prepare_nuclei,
    "hippocampus": prepare_hippocampus,
    "road": prepare_road,
    "aerial": prepare_aerial,
}


# How a box filter rounds: Pillow's resize rounds after each of its two passes; a mean is rounded once, or
# cut off.
BOX_FILTERS = ({"rounding": "twice"}, {"rounding": "once"}, {"rounding": "cut"})


def box_mean(image: np.ndarray, factor: int, rounding: str = "once") -> np.ndarray:
    """The mean of each factor x factor cell of a uint8 image (H, W, 3).  rounding: see BOX_FILTERS.

    >>> cell = np.array([[1, 2], [2, 2]], np.uint8)[..., np.newaxis].repeat(3, axis=2)
    >>> [int(box_mean(cell, 2, rounding).max()) for rounding in ("twice", "once", "cut")]
    [2, 2, 1]
    """
    height, width, channels = image.shape
    if rounding == "twice":
        return _resize(image, (height // factor, width // factor), "BOX")
    cells = image.reshape(height // factor, factor, width // factor, factor, channels).astype(np.int64)
    sums, count = cells.sum(axis=(1, 3)), factor * factor
    return ((sums + (count // 2 if rounding == "once" else 0)) // count).astype(np.uint8)


def nearest_colour(colours: np.ndarray) -> np.ndarray:
    """Mask colours to class indices; black, which is outside the palette, is unlabelled."""
    table = np.array([*AERIAL_COLOURS, (0, 0, 0)], np.int64)
    distance = ((colours[:, :, np.newaxis].astype(np.int64) - table) ** 2).sum(axis=-1)
    return np.minimum(distance.argmin(axis=-1), len(AERIAL_COLOURS) - 1)


def _expect(image: np.ndarray, name: str) -> np.ndarray:
    if image.shape[:2] != (640, 1024):
        raise DataError(f"{name}: 1024x640 pixels are expected, not {image.shape[1]}x{image.shape[0]}.")
    return image


def _centre(array: np.ndarray, size: int) -> np.ndarray:
    top, left = ((n - size) // 2 for n in array.shape[:2])
    if top < 0 or left < 0:
        raise DataError(
            f"an image of {array.shape[1]}x{array.shape[0]} is smaller than its {size}x{size} crop."
        )
    return array[top : top + size, left : left + size]


def _pad(array: np.ndarray, size: int) -> np.ndarray:
    around = [((size - n) // 2, size - n - (size - n) // 2) for n in array.shape]
    return np.pad(array, around)


def _resize(image: np.ndarray, size: Sequence[int], method: str) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling[method]))


def _place(source: SourceArchive, name: str) -> str:
    return f"{source.path}/{name}"
