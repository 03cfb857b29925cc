"""coins: the outlines against segmentations that do not use them, and splits that share no pixel."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage
from skimage import filters
from skimage.segmentation import watershed

from minitorch_seg.data.coins import CROP, coin_photograph, load_coins, outlines


@pytest.fixture(scope="module")
def photograph():
    return coin_photograph()


@pytest.fixture(scope="module")
def splits():
    return load_coins()


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boolean masks."""
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def shoelace(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def inside(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Our own even-odd rule: a ray from the pixel's centre crosses the outline an odd number of times."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    odd = np.zeros(shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            odd ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd


# ---- outlines ----


def test_one_outline_for_each_place_of_the_grid():
    assert [(row, column) for row, column, _ in outlines()] == [(i // 6, i % 6) for i in range(24)]


def test_grid_numbers_follow_the_photograph():
    centres = np.array([polygon.mean(axis=0) for _, _, polygon in outlines()]).reshape(4, 6, 2)
    assert (np.diff(centres[..., 0], axis=1) > 30).all(), "columns go from left to right"
    assert (np.diff(centres[..., 1], axis=0) > 50).all(), "rows go from top to bottom"


@pytest.mark.parametrize("row, column, polygon", outlines())
def test_outline_is_a_plausible_closed_curve(row, column, polygon):
    assert 40 <= len(polygon) <= 60
    sides = np.hypot(*(np.roll(polygon, -1, axis=0) - polygon).T)
    assert sides.min() > 0.5 and sides.max() < 7
    area, perimeter = shoelace(polygon), sides.sum()
    assert 1000 < area < 3300, "one orientation for all, and coins of 36 to 65 pixels across"
    assert 4 * np.pi * area / perimeter**2 > 0.9, "nearly round"


def test_labels_fill_the_outlines_and_no_two_overlap(photograph):
    image, mask, labels = photograph
    count = np.zeros(image.shape, dtype=int)
    for row, column, polygon in outlines():
        pixels = inside(polygon, image.shape)
        count += pixels
        different = pixels ^ (labels == 1 + 6 * row + column)
        assert np.count_nonzero(different) <= 2, "only a centre on the outline itself is open to either rule"
    assert count.max() == 1
    np.testing.assert_array_equal(mask, labels > 0)


def test_every_label_is_one_piece_without_holes(photograph):
    labels = photograph[2]
    for label in range(1, 25):
        coin = labels == label
        assert ndimage.label(coin)[1] == 1
        np.testing.assert_array_equal(coin, ndimage.binary_fill_holes(coin))


# ---- against segmentations that know nothing of the outlines ----


def test_outlines_agree_with_a_watershed(photograph):
    image, _, labels = photograph
    markers = np.zeros(image.shape, dtype=int)
    markers[image < 30], markers[image > 150] = 1, 2
    reference = ndimage.binary_fill_holes(watershed(filters.sobel(image), markers) == 2)
    pieces, _ = ndimage.label(reference)
    scores = {}
    for label in range(1, 25):
        coin = labels == label
        piece = np.bincount(pieces[coin & (pieces > 0)]).argmax()
        scores[(label - 1) // 6, (label - 1) % 6] = overlap(coin, pieces == piece)
    # The watershed loses the dim upper rim of coin (2, 0) and fills the notches of coin (2, 4).
    assert {place for place, score in scores.items() if score < 0.975} <= {(2, 0), (2, 4)}, scores
    assert min(scores.values()) > 0.95, scores


def test_outlines_agree_with_a_threshold_of_their_own_neighbourhood(photograph):
    image, _, labels = photograph
    scores = {}
    for label in range(1, 25):
        coin = labels == label
        near = ndimage.binary_dilation(coin, iterations=5) & ((labels == 0) | coin)
        bright = near & (image > filters.threshold_otsu(image[near]))
        scores[(label - 1) // 6, (label - 1) % 6] = overlap(coin, ndimage.binary_fill_holes(bright))
    # Coins (2, 0) and (0, 4) have dim rims, which a threshold loses.
    assert {place for place, score in scores.items() if score < 0.97} <= {(2, 0), (0, 4)}, scores
    assert min(scores.values()) > 0.94, scores


@pytest.mark.parametrize("row, column, polygon", outlines())
def test_no_shift_of_an_outline_fits_the_rim_better(photograph, row, column, polygon):
    """Brightness falls most steeply across the outline where it is, not one pixel in, out or beside."""
    smooth = ndimage.gaussian_filter(photograph[0].astype(float), 0.8)
    centre = polygon.mean(axis=0)
    out = (polygon - centre) / np.hypot(*(polygon - centre).T)[:, np.newaxis]

    def fall(points: np.ndarray) -> float:
        inner, outer = points - 0.75 * out, points + 0.75 * out
        at = [ndimage.map_coordinates(smooth, p.T[::-1], order=1, mode="nearest") for p in (inner, outer)]
        return float(np.mean(at[0] - at[1]))

    here = fall(polygon)
    right, down = np.array([1, 0]), np.array([0, 1])
    for name, moved in {
        "in": polygon - out,
        "out": polygon + out,
        "left": polygon - right,
        "right": polygon + right,
        "up": polygon - down,
        "down": polygon + down,
    }.items():
        assert fall(moved) < here, f"coin ({row}, {column}) would fit better one pixel {name}"


# ---- splits ----


def find(crop: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Where a crop lies in the photograph, found by its pixels alone: a boolean map."""
    windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape)
    candidates = np.argwhere((windows[:, :, 0] == crop[0]).all(axis=-1))
    places = [(y, x) for y, x in candidates if np.array_equal(windows[y, x], crop)]
    assert len(places) == 1
    y, x = places[0]
    found = np.zeros(image.shape, dtype=bool)
    found[y : y + crop.shape[0], x : x + crop.shape[1]] = True
    return found


@pytest.fixture(scope="module")
def regions(photograph, splits):
    """For each split, where each of its crops lies."""
    image = photograph[0]
    return {
        name: [find(sample.image[..., 0], image) for sample in dataset] for name, dataset in splits.items()
    }


def test_shapes_and_names(splits):
    assert (splits.name, splits.classes, splits.in_channels) == ("coins", ["background", "coin"], 1)
    assert splits.ignore_index is None and splits.pixel_size is None
    assert {name: len(dataset) for name, dataset in splits.items()} == {"train": 116, "val": 4, "test": 4}
    names = [sample.name for _, dataset in splits.items() for sample in dataset]
    assert len(set(names)) == len(names)
    for _, dataset in splits.items():
        for sample in dataset:
            assert sample.image.shape == (CROP, CROP, 1) and sample.image.dtype == np.uint8
            assert sample.mask.shape == (CROP, CROP) and sample.mask.dtype == np.int64
            assert set(np.unique(sample.mask)) <= {0, 1}


def test_crops_are_copies():
    """Changing one crop must not change a crop that overlaps it."""
    train = load_coins().train
    before = train[1].image.copy(), train[1].mask.copy()
    train[0].image[:], train[0].mask[:] = 0, 0
    np.testing.assert_array_equal(train[1].image, before[0])
    np.testing.assert_array_equal(train[1].mask, before[1])


def test_no_pixel_is_shown_in_two_splits(regions):
    shown = sum(np.any(regions[name], axis=0).astype(int) for name in ("train", "val", "test"))
    assert shown.max() == 1
    for name in ("val", "test"):
        assert np.sum(regions[name], axis=0).max() == 1, f"the crops of {name} count no pixel twice"


def test_masks_are_cut_where_the_images_are(photograph, splits, regions):
    for name, dataset in splits.items():
        for sample, region in zip(dataset, regions[name], strict=True):
            np.testing.assert_array_equal(sample.mask.ravel(), photograph[1][region])


@pytest.mark.parametrize("split, column", [("test", 0), ("val", 1)])
def test_held_out_crops_show_one_whole_coin_each(photograph, splits, regions, split, column):
    labels = photograph[2]
    for row, (sample, region) in enumerate(zip(splits.split(split), regions[split], strict=True)):
        assert sample.name == f"coin-r{row}-c{column}"
        label = 1 + 6 * row + column
        assert set(np.unique(labels[region])) == {0, label}
        assert np.count_nonzero(labels[region] == label) == np.count_nonzero(labels == label)


def test_training_crops_show_all_other_coins_nearly_whole(photograph, splits, regions):
    labels = photograph[2]
    for label in range(1, 25):
        whole = np.count_nonzero(labels == label)
        best = max(np.count_nonzero(labels[region] == label) for region in regions["train"]) / whole
        assert best == 0 if (label - 1) % 6 < 2 else best > 0.9
    for sample in splits.train:
        assert sample.mask.mean() > 0.05 and sample.mask.min() == 0, f"{sample.name} has coin and background"


def test_a_single_threshold_does_not_solve_the_test_coins(photograph, splits):
    """The no-learning baseline: Otsu's threshold of the whole photograph."""
    threshold = filters.threshold_otsu(photograph[0])
    bright = np.stack([sample.image[..., 0] for sample in splits.test]) > threshold
    truth = np.stack([sample.mask for sample in splits.test]) == 1
    assert 0.7 < overlap(bright, truth) < 0.85


def test_the_same_twice(splits):
    for (_, first), (_, second) in zip(splits.items(), load_coins().items(), strict=True):
        for a, b in zip(first, second, strict=True):
            assert a.name == b.name
            np.testing.assert_array_equal(a.image, b.image)
            np.testing.assert_array_equal(a.mask, b.mask)


@pytest.mark.parametrize("module, function", [("coins", "load_coins"), ("textures", "load_textures")])
def test_loads_without_network_and_without_pooch(module, function):
    """The photographs lie in scikit-image's wheel: neither its download helper nor a socket is needed."""
    program = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise OSError('network used')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "sys.modules['pooch'] = None\n"
        f"from minitorch_seg.data.{module} import {function}\n"
        f"print(len({function}().test))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
