import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.data import transforms as T
from minitorch_seg.errors import DataError


def coordinates(height, width):
    """An image whose pixels say where they were, (row, column, 255), and a mask row * 256 + column."""
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.stack([rows, columns, np.full_like(rows, 255)], axis=-1).astype(np.uint8)
    return image, (rows * 256 + columns).astype(np.int64)


def agrees(image, mask):
    return np.array_equal(image[..., 0].astype(int) * 256 + image[..., 1], mask)


sizes = st.integers(1, 40)
seeds = st.integers(0, 2**32)
MOVES = [
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(),
    T.RandomRot90(),
    T.RandomCrop((5, 7)),
    T.RandomCrop(9),
    T.Compose([T.RandomRot90(), T.RandomCrop(6), T.RandomHorizontalFlip(), T.RandomVerticalFlip()]),
]


@settings(deadline=None, max_examples=30)
@given(height=sizes, width=sizes, seed=seeds)
@pytest.mark.parametrize("move", MOVES, ids=repr)
def test_image_and_mask_move_alike(move, height, width, seed):
    image, mask = move(*coordinates(height, width), np.random.default_rng(seed))
    assert image.dtype == np.uint8 and mask.dtype == np.int64
    assert agrees(image, mask)


@settings(deadline=None, max_examples=30)
@given(height=sizes, width=sizes, crop=st.tuples(sizes, sizes), seed=seeds)
def test_crop_gives_its_size_and_ignores_invented_pixels(height, width, crop, seed):
    image, mask = T.RandomCrop(crop, ignore_index=-1)(
        *coordinates(height, width), np.random.default_rng(seed)
    )
    assert image.shape == (*crop, 3) and mask.shape == crop
    real = mask >= 0
    assert real.sum() == min(crop[0], height) * min(crop[1], width)
    assert agrees(image[real][:, np.newaxis], mask[real][:, np.newaxis])


def test_crop_reaches_every_place_and_moves():
    image, mask = coordinates(6, 6)
    rng = np.random.default_rng(0)
    corners = {int(T.RandomCrop(4)(image, mask, rng)[1][0, 0]) for _ in range(200)}
    assert corners == {r * 256 + c for r in range(3) for c in range(3)}


def test_flips_with_certainty_and_never():
    image, mask = coordinates(3, 4)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(T.RandomHorizontalFlip(1)(image, mask, rng)[1], mask[:, ::-1])
    np.testing.assert_array_equal(T.RandomVerticalFlip(1)(image, mask, rng)[1], mask[::-1])
    np.testing.assert_array_equal(T.RandomVerticalFlip(0)(image, mask, rng)[1], mask)


def test_rot90_makes_all_four_turns_but_keeps_the_shape():
    image, mask = coordinates(4, 4)
    rng = np.random.default_rng(0)
    assert {int(T.RandomRot90()(image, mask, rng)[1][0, 0]) for _ in range(60)} == {0, 3, 3 * 256, 3 * 257}
    image, mask = coordinates(3, 5)
    assert {T.RandomRot90()(image, mask, rng)[1].shape for _ in range(60)} == {(3, 5)}
    assert {int(T.RandomRot90()(image, mask, rng)[1][0, 0]) for _ in range(60)} == {0, 2 * 256 + 4}


@settings(deadline=None, max_examples=60)
@given(height=sizes, width=sizes, seed=seeds)
def test_scale_invents_no_class_and_stays_aligned(height, width, seed):
    rng = np.random.default_rng(seed)
    classes = np.array([0, 3, 200])[rng.integers(3, size=(height, width))]
    image = np.zeros((height, width, 1), np.uint8)
    scaled, mask = T.RandomScale(0.5, 2.0)(image, classes, rng)
    assert scaled.shape == (*mask.shape, 1) and scaled.dtype == np.uint8
    assert set(np.unique(mask)) <= set(np.unique(classes))


def test_scaled_image_and_mask_keep_their_places():
    mask = np.zeros((40, 40), np.int64)
    mask[10:30, 15:35] = 1
    image = (255 * mask[..., np.newaxis]).astype(np.uint8)
    for factor in (0.5, 0.8, 1.37, 2.0):
        scaled, small = T.RandomScale(factor, factor)(image, mask, np.random.default_rng(0))
        assert small.shape == (round(40 * factor), round(40 * factor))
        disagree = ((scaled[..., 0] > 127) != (small == 1)).mean()
        assert disagree < 0.03  # half-covered pixels on the edge


def test_resize_mask_against_pillow():
    from PIL import Image

    mask = np.random.default_rng(0).integers(0, 9, (13, 17))
    for size in ((13, 17), (5, 40), (29, 8), (1, 1)):
        nearest = Image.fromarray(mask.astype(np.uint8)).resize(size[::-1], Image.Resampling.NEAREST)
        np.testing.assert_array_equal(T.resize_mask(mask, size), np.asarray(nearest))


def test_brightness_and_contrast_follow_the_formula():
    image = np.random.default_rng(0).integers(60, 190, (9, 9, 3), dtype=np.uint8)
    mask = np.zeros((9, 9), np.int64)
    rng = np.random.default_rng(5)
    shift, gain = 255 * rng.uniform(-0.1, 0.1), 1 + rng.uniform(-0.3, 0.3)
    expected = np.clip(image.mean() + (image - image.mean()) * gain + shift, 0, 255)
    changed, same = T.RandomBrightnessContrast(0.1, 0.3)(image, mask, np.random.default_rng(5))
    assert changed.dtype == np.uint8 and same is mask
    np.testing.assert_allclose(changed, expected, atol=0.5001)
    extreme, _ = T.RandomBrightnessContrast(1.0, 1.0)(image, mask, np.random.default_rng(1))
    assert extreme.dtype == np.uint8  # cut, not wrapped round
    np.testing.assert_array_equal(T.RandomBrightnessContrast(0, 0)(image, mask, rng)[0], image)


def test_normalize_is_per_image_and_safe_for_empty_ones():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    result = T.normalize(image)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, (image - image.mean()) / image.std(), atol=1e-5)
    assert (T.normalize(np.full((4, 4, 1), 200, np.uint8)) == 0).all()
    np.testing.assert_array_equal(T.Normalize()(image, None, None)[0], result)


def test_options_that_make_no_sense():
    with pytest.raises(DataError, match="at least 1"):
        T.RandomCrop(0)
    with pytest.raises(DataError, match="0 < low <= high"):
        T.RandomScale(2, 1)


def test_representation_names_every_option():
    assert repr(T.Compose([T.RandomCrop(8), T.Normalize()])) == (
        "Compose([RandomCrop(size=8, ignore_index=None), Normalize()])"
    )
