"""The data set `coins`: a photograph of 24 Greek coins, each outlined by us, cut into small crops.

The photograph comes with scikit-image (`skimage.data.coins`, 303 rows, 384 columns, grey).  The outlines
are ours and lie beside this file in coins_outlines.txt, whose header says how they were drawn.  Nothing is
downloaded.

The background is brighter at the upper left, so one threshold for the whole photograph does not do: Otsu's
reaches a coin IoU of 0.77 on the test crops.  Otsu's threshold of each crop by itself reaches 0.95: the task
is meant to be easy.

**Splits.**  The coins lie in 4 rows and 6 columns, and a split is a set of columns.  So the splits are
different coins in different parts of the photograph:

    test    column 0     4 crops, one whole coin in each
    val     column 1     4 crops, one whole coin in each; this strip also separates test from train
    train   columns 2-5  116 overlapping crops on a regular grid, whole coins and parts of coins

The rule: no pixel of the photograph, coin or background, is shown by crops of two splits.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from minitorch_seg.data.dataset import ArrayDataset, Sample, Splits

CROP = 64
"""Height and width of every crop in pixels: the widest coin just fits."""

# The upper left pixel (y, x) of each held-out crop, by (row, column) of its coin.  Between two columns
# there is hardly room for 64 pixels, so each window was pushed sideways until it shows its own coin whole
# and no other coin.
TEST_WINDOWS = {(0, 0): (23, 3), (1, 0): (93, 3), (2, 0): (164, 3), (3, 0): (228, 12)}
VAL_WINDOWS = {(0, 1): (25, 67), (1, 1): (94, 67), (2, 1): (164, 67), (3, 1): (234, 77)}

# The grid of training crops.  It begins right of the validation crops of the first three rows; where the
# validation crop of the last row reaches further, the crops that would touch it are left out.
TRAIN_Y = range(16, 240, 20)
TRAIN_X = range(131, 321, 21)


def outlines() -> list[tuple[int, int, np.ndarray]]:
    """The 24 outlines as (row, column, polygon), ordered by row, then column.

    polygon: float64 (vertices, 2), columns x and y in pixels; (0, 0) is the centre of the upper left pixel,
    and the last vertex is joined to the first.

    >>> row, column, polygon = outlines()[0]
    >>> row, column, polygon.shape
    (0, 0, (48, 2))
    """
    text = files("minitorch_seg.data").joinpath("coins_outlines.txt").read_text(encoding="ascii")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            row, column, *vertices = line.split()
            polygon = np.array([vertex.split(",") for vertex in vertices], dtype=np.float64)
            found.append((int(row), int(column), polygon))
    return found


def coin_photograph() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The whole photograph with its truth: (image, mask, instance_labels), each of shape (303, 384).

    image: uint8, grey.  mask: int64, 1 on a coin and 0 elsewhere.  instance_labels: int64, 1 + 6*row +
    column on the coin at (row, column), 0 elsewhere.  A pixel belongs to a coin when its centre lies inside
    the coin's outline.

    >>> image, mask, labels = coin_photograph()
    >>> image.shape, image.dtype.name, int(labels.max())
    ((303, 384), 'uint8', 24)
    """
    from skimage import data
    from skimage.draw import polygon as pixels_inside

    image = data.coins()
    labels = np.zeros(image.shape, dtype=np.int64)
    for row, column, polygon in outlines():
        labels[pixels_inside(polygon[:, 1], polygon[:, 0], image.shape)] = 1 + 6 * row + column
    return image, (labels > 0).astype(np.int64), labels


def load_coins() -> Splits:
    """The splits of `coins`: 116 / 4 / 4 crops, classes background and coin, images uint8 (64, 64, 1).

    Always the same crops.  The docstring of this module tells how the photograph is divided.

    >>> coins = load_coins()
    >>> len(coins.train), len(coins.val), len(coins.test), coins.classes
    (116, 4, 4, ['background', 'coin'])
    >>> coins.test[0].name
    'coin-r0-c0'
    """
    image, mask, _ = coin_photograph()

    def crop(y: int, x: int, name: str) -> Sample:
        window = np.s_[y : y + CROP, x : x + CROP]
        return Sample(image[window][..., np.newaxis].copy(), mask[window].copy(), name)

    def held_out(windows: dict[tuple[int, int], tuple[int, int]]) -> ArrayDataset:
        return ArrayDataset(crop(y, x, f"coin-r{row}-c{column}") for (row, column), (y, x) in windows.items())

    taken = [*TEST_WINDOWS.values(), *VAL_WINDOWS.values()]
    train = [
        crop(y, x, f"train-y{y:03d}-x{x:03d}")
        for y in TRAIN_Y
        for x in TRAIN_X
        if not any(abs(y - top) < CROP and abs(x - left) < CROP for top, left in taken)
    ]
    return Splits(
        name="coins",
        train=ArrayDataset(train),
        val=held_out(VAL_WINDOWS),
        test=held_out(TEST_WINDOWS),
        classes=["background", "coin"],
        in_channels=1,
    )
