"""Drawn signs: masks against geometry that is computed otherwise, seeds, splits, classes."""

import numpy as np
import pytest

from minitorch_seg import data
from minitorch_seg.data import catalogue, signs

FRONTAL = np.array([[20.0, 0, 64], [0, 20, 40], [0, 0, 1]])


@pytest.mark.parametrize(
    "kind, area",
    [
        (1, 3 * np.sqrt(3) * 0.5**2),  # a triangle whose sides lie at 0.5 from the middle
        (2, np.pi),
        (3, np.pi),
        (4, 8 * np.tan(np.pi / 8) * 0.92**2),
    ],
)
def test_frontal_areas_are_those_of_the_formulas(kind, area):
    alpha, colours = signs.render(kind, FRONTAL)
    assert alpha.sum() == pytest.approx(area * 20**2, rel=0.01)
    assert (alpha > 0.5).sum() == pytest.approx(area * 20**2, rel=0.05)  # sharp corners are lost
    assert (colours[alpha > 0].max(axis=-1) > 0).all() and alpha.max() == 1 and alpha[0, 0] == 0


def test_a_tilted_disc_is_the_ellipse_that_its_homography_makes():
    rng = np.random.default_rng(3)
    for _ in range(3):
        h = signs.homography(rng)
        angle = np.linspace(0, 2 * np.pi, 4000)
        x, y, w = h @ np.stack([np.cos(angle), np.sin(angle), np.ones_like(angle)])
        x, y = x / w, y / w
        area = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))  # of the outline, by Gauss
        inside = x.min() > 1 and y.min() > 1 and x.max() < signs.SIZE[1] - 2 and y.max() < signs.SIZE[0] - 2
        alpha, _ = signs.render(2, h)
        if inside:
            assert alpha.sum() == pytest.approx(area, rel=0.02)
        finer, _ = signs.render(2, h, fine=12)
        wrong = (alpha > 0.5) != (finer > 0.5)
        assert np.abs(finer[wrong] - 0.5).max(initial=0) < 0.13  # on the border only


def outline(kind):
    """Corners (u, v) of a sign: from the formulas of its shape, not from what `signs` computes."""
    if kind in (2, 3):
        angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
        return np.stack([np.cos(angles), np.sin(angles)])
    corners, side, first = {1: (3, 0.5, np.pi / 2), 4: (8, 0.92, 0.0)}[kind]
    angles = first + np.pi * (2 * np.arange(corners) + 1) / corners  # half way between two normals
    return side / np.cos(np.pi / corners) * np.stack([np.cos(angles), np.sin(angles)])


def covered(kind, to_pixels, fine=6):
    """Share of each pixel inside the outline, whose corners are carried into the image and filled there."""
    from skimage.draw import polygon2mask

    x, y, w = to_pixels @ np.vstack([outline(kind), np.ones(outline(kind).shape[1])])
    rows_and_columns = (np.stack([y / w, x / w], axis=1) + 0.5) * fine - 0.5
    height, width = signs.SIZE
    inside = polygon2mask((height * fine, width * fine), rows_and_columns)
    return inside.reshape(height, fine, width, fine).mean(axis=(1, 3))


def test_masks_of_whole_images_are_exact(monkeypatch):
    """Every sign of every class, tilted as drawn: an outline filled in the image gives the same mask."""
    drawn, grey = [], np.full((*signs.SIZE, 3), 99, np.uint8)
    render = signs.render

    def recorded(kind, to_pixels):
        alpha, colours = render(kind, to_pixels)
        drawn.append((kind, to_pixels, alpha))
        return alpha, colours

    monkeypatch.setattr(signs, "render", recorded)
    monkeypatch.setattr(signs, "background", lambda split, rng: grey)
    monkeypatch.setattr(
        signs, "photographed", lambda image, rng: np.rint(image).clip(0, 255).astype(np.uint8)
    )
    kinds = set()
    for index in range(7):
        drawn.clear()
        sample = signs.draw.__wrapped__("val", index, 7)
        expected, clear, touched = (
            np.zeros(signs.SIZE, int),
            np.ones(signs.SIZE, bool),
            np.zeros(signs.SIZE, bool),
        )
        for kind, to_pixels, alpha in drawn:
            if (expected[alpha > 0] > 0).any():
                continue  # left out: it would hide another
            share = covered(kind, to_pixels)
            expected[share > 0.5] = kind
            clear &= np.abs(share - 0.5) > 0.13  # 4×4 places decide nothing finer
            touched |= alpha > 0
            kinds.add(kind)
        np.testing.assert_array_equal(sample.mask[clear], expected[clear])
        assert clear.mean() > 0.98 and (sample.mask > 0).any()
        assert (sample.image[~touched] == 99).all()  # nothing is drawn beside the signs
        assert (sample.image[sample.mask > 0] != 99).any(axis=-1).mean() > 0.99
    assert kinds == {1, 2, 3, 4}


def test_seeds_repeat_and_splits_and_numbers_differ():
    signs.draw.cache_clear()
    first = signs.draw("train", 4, 0)
    signs.draw.cache_clear()
    again = signs.draw("train", 4, 0)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    for other in (("train", 5, 0), ("val", 4, 0), ("train", 4, 1)):
        assert not np.array_equal(signs.draw(*other).mask, first.mask)


def test_every_class_is_seen_and_outlines_stand_out():
    made = data.load("signs")
    assert made.classes[0] == "background" and made.symmetry == "none"
    seen, red, rest = np.zeros(5, int), [], []
    for index in range(24):
        sample = made.train[index]
        seen += np.bincount(sample.mask.ravel(), minlength=5)
        pixels = sample.image.astype(int)
        redness = pixels[..., 0] - pixels[..., 1:].mean(axis=-1)
        red += redness[sample.mask == 4].tolist()
        rest += redness[sample.mask == 0].tolist()
    assert (seen > 300).all() and seen[0] > 0.8 * seen.sum()
    assert np.mean(red) > np.mean(rest) + 40
    with pytest.raises(IndexError, match="no sample 60"):
        made.test[60]


def test_it_says_that_it_is_synthetic():
    assert "synthetic" in data.load("signs").note and "synthetic" in catalogue.BUNDLED["signs"]


def test_without_the_road_set_photographs_of_scikit_image_serve(monkeypatch):
    monkeypatch.setattr(signs, "find", lambda name: None)
    rng = np.random.default_rng(0)
    parts = [signs.background(split, rng) for split in ("train", "val", "test")]
    assert all(part.shape == (*signs.SIZE, 3) and part.dtype == np.uint8 for part in parts)
