"""textures: exact masks, no part of a photograph in two splits, classes that brightness does not tell."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from minitorch_seg.data import textures
from minitorch_seg.data.textures import PARTS, SIZE, load_textures, random_piece, region_map
from minitorch_seg.errors import DataError


@pytest.fixture(scope="module")
def splits():
    return load_textures()


def arrays(dataset) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([s.image[..., 0] for s in dataset]), np.stack([s.mask for s in dataset])


def mean_iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    scores = []
    for c in range(3):
        a, b = predicted == c, truth == c
        scores.append(np.count_nonzero(a & b) / np.count_nonzero(a | b))
    return float(np.mean(scores))


def lookup(feature: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The best table from a feature 0..255 to a class: the class in which that value is most frequent."""
    counts = [np.bincount(feature[mask == c], minlength=256) for c in range(3)]
    return np.argmax([count / count.sum() for count in counts], axis=0)


def test_shapes_and_names(splits):
    assert (splits.name, splits.classes, splits.in_channels) == ("textures", ["brick", "grass", "gravel"], 1)
    assert splits.ignore_index is None and splits.pixel_size is None
    assert {name: len(dataset) for name, dataset in splits.items()} == {"train": 120, "val": 24, "test": 24}
    names = [sample.name for _, dataset in splits.items() for sample in dataset]
    assert len(set(names)) == 168
    for _, dataset in splits.items():
        for sample in dataset:
            assert sample.image.shape == (SIZE, SIZE, 1) and sample.image.dtype == np.uint8
            assert sample.mask.shape == (SIZE, SIZE) and sample.mask.dtype == np.int64


def test_every_class_has_its_share_in_every_split(splits):
    for _, dataset in splits.items():
        share = np.bincount(arrays(dataset)[1].ravel(), minlength=3) / (len(dataset) * SIZE**2)
        assert share.sum() == 1 and (share > 0.25).all()


def test_mosaics_of_flat_photographs_are_their_masks(monkeypatch):
    """Where each photograph is one flat value, the picture must be a copy of the mask."""
    monkeypatch.setattr(textures, "random_piece", lambda source, rng: np.full((SIZE, SIZE), source[0, 0]))
    sources = [np.full((200, 200), value, np.uint8) for value in (10, 20, 30)]
    for seed in range(20):
        sample = textures.mosaic(sources, np.random.default_rng(seed), "flat")
        np.testing.assert_array_equal(sample.image[..., 0], 10 + 10 * sample.mask)


def test_parts_of_the_photographs_are_disjoint():
    shown = np.zeros((512, 512), dtype=int)
    for _, part in PARTS.values():
        shown[part] += 1
    assert shown.min() == 1 and shown.max() == 1


def test_each_split_is_cut_from_its_own_part(monkeypatch):
    """With every pixel's value telling its part, each mosaic shows the value of its own split alone."""
    owner = np.zeros((512, 512), dtype=np.uint8)
    owner[:, 256:], owner[256:, 256:] = 1, 2
    for name in textures.CLASSES:
        monkeypatch.setattr(data, name, lambda: owner)

    def unstandardised(source, rng):
        top, left = rng.integers(np.array(source.shape) - SIZE + 1)
        return source[top : top + SIZE, left : left + SIZE]

    monkeypatch.setattr(textures, "random_piece", unstandardised)
    splits = textures.load_textures()
    for value, name in enumerate(("train", "val", "test")):
        assert set(np.unique(arrays(splits.split(name))[0])) == {value}


def test_pieces_stay_inside_a_photograph_that_just_fits():
    source = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE)
    assert random_piece(source, np.random.default_rng(0)).shape == (SIZE, SIZE)


def test_region_maps_are_random_and_of_connected_smooth_regions():
    rng = np.random.default_rng(3)
    maps = [region_map(rng, 3) for _ in range(30)]
    assert len({m.tobytes() for m in maps}) == 30
    for m in maps:
        assert m.dtype == np.int64 and set(np.unique(m)) <= {0, 1, 2} and len(np.unique(m)) >= 2
        pieces = sum(ndimage.label(m == c)[1] for c in range(3))
        assert pieces <= 12, "regions, not speckle"
        border = np.mean(m[:, 1:] != m[:, :-1]) + np.mean(m[1:] != m[:-1])
        assert border < 0.1


def test_brightness_and_contrast_are_equal_between_the_classes(splits):
    image, mask = arrays(splits.train)
    for c in range(3):
        assert abs(image[mask == c].mean() - 128) < 3
        assert abs(image[mask == c].std() - 42) < 4


def test_brightness_alone_does_not_tell_the_classes_but_texture_does(splits):
    """The best table from brightness to class stays poor; a linear rule on roughness does better."""
    train, train_mask = arrays(splits.train)
    test, test_mask = arrays(splits.test)
    by_brightness = mean_iou(lookup(train, train_mask)[test], test_mask)
    assert by_brightness < 0.45

    def roughness(images: np.ndarray) -> np.ndarray:
        def at(image: np.ndarray, scale: float) -> np.ndarray:
            return np.log1p(ndimage.gaussian_filter(ndimage.gaussian_gradient_magnitude(image, scale), 6))

        return np.array(
            [
                [np.ones(image.size), *(at(image.astype(float), s).ravel() for s in (0.5, 1, 2, 4))]
                for image in images
            ]
        )

    features = roughness(train).transpose(0, 2, 1).reshape(-1, 5)
    weights = np.linalg.lstsq(features, np.eye(3)[train_mask.ravel()], rcond=None)[0]
    scores = roughness(test).transpose(0, 2, 1) @ weights
    by_roughness = mean_iou(scores.argmax(axis=-1).reshape(test_mask.shape), test_mask)
    assert by_roughness > by_brightness + 0.08


def test_k_means_of_brightness_does_poorly(splits):
    """Three clusters of brightness, given the best of the six ways to name them."""
    image, mask = arrays(splits.test)
    centres = np.array([60.0, 128.0, 200.0])
    for _ in range(30):
        cluster = np.abs(image[..., np.newaxis] - centres).argmin(axis=-1)
        centres = np.array([image[cluster == k].mean() for k in range(3)])
    assert max(mean_iou(np.array(order)[cluster], mask) for order in permutations(range(3))) < 0.4


def test_one_seed_gives_the_same_mosaics_and_another_different_ones(splits):
    again, other = load_textures(0), load_textures(1)
    for name, dataset in splits.items():
        image, mask = arrays(dataset)
        np.testing.assert_array_equal(image, arrays(again.split(name))[0])
        np.testing.assert_array_equal(mask, arrays(again.split(name))[1])
        assert (mask != arrays(other.split(name))[1]).mean() > 0.3


def test_a_negative_seed_is_refused_in_one_sentence():
    with pytest.raises(DataError, match="must not be negative, but it is -1"):
        load_textures(-1)
