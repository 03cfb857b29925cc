import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.data import Sample
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


def test_gamma_follows_the_formula_and_keeps_the_ends():
    image = np.linspace(-2, 3, 256, dtype=np.float32).reshape(16, 16, 1)
    mask = np.zeros((16, 16), np.int64)
    gamma = np.exp(np.random.default_rng(5).uniform(-np.log(2), np.log(2)))
    changed, same = T.RandomGamma(2.0)(image, mask, np.random.default_rng(5))
    assert changed.dtype == np.float32 and same is mask
    np.testing.assert_allclose(changed, -2 + 5 * ((image + 2) / 5) ** gamma, atol=1e-5)
    assert changed.min() == -2 and changed.max() == pytest.approx(3)
    np.testing.assert_allclose(T.RandomGamma(1.0)(image, mask, np.random.default_rng(0))[0], image, atol=1e-6)
    flat = np.ones((4, 4, 1), np.float32)
    np.testing.assert_allclose(T.RandomGamma()(flat, mask, np.random.default_rng(0))[0], flat)


def test_colour_follows_the_formula_channel_by_channel():
    image = np.random.default_rng(0).standard_normal((50, 40, 3)).astype(np.float32)
    changed, _ = T.RandomColour(0.2, 0.3, 0.1)(image, np.zeros((50, 40), int), np.random.default_rng(1))
    assert changed.dtype == np.float32
    lines = [np.polyfit(image[..., k].ravel(), changed[..., k].ravel(), 1) for k in range(3)]
    for k, (gain, shift) in enumerate(lines):
        np.testing.assert_allclose(changed[..., k], gain * image[..., k] + shift, atol=1e-5)
        assert abs(gain - 1) <= 0.3 and abs(shift) <= 0.4
    assert np.ptp([gain for gain, _ in lines]) > 0.01  # the channels are not changed alike
    still, _ = T.RandomColour(0, 0, 0)(image, None, np.random.default_rng(0))
    np.testing.assert_array_equal(still, image)


def test_shift_moves_both_alike_and_ignores_what_comes_in():
    image, mask = coordinates(9, 12)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        moved, same = T.RandomShift(2, ignore_index=-1)(image, mask, rng)
        assert moved.shape == image.shape and same.shape == mask.shape
        real = same >= 0
        assert agrees(moved[real][:, np.newaxis], same[real][:, np.newaxis]) and real.sum() >= 7 * 10
        seen.add(int(same[4, 5]))
    assert len(seen) == 25  # every shift in ±2


def test_a_class_crop_holds_the_rare_class_and_moves_both_alike():
    image, mask = coordinates(20, 30)
    rng = np.random.default_rng(0)
    marked = np.where(mask == 7 * 256 + 21, 1, 0)
    found, corners = 0, set()
    for _ in range(200):
        crop, classes = T.ClassCrop(6, p=1.0)(image, marked, rng)
        assert classes.shape == (6, 6) and crop.shape == (6, 6, 3)
        found += classes.any()
        if classes.any():
            np.testing.assert_array_equal(crop[classes == 1], [[7, 21, 255]])
            corners.add(tuple(crop[0, 0, :2].tolist()))
    assert found > 95 and len(corners) > 25  # half of the crops are drawn for it, anywhere in the window
    never = [T.ClassCrop(6, p=0.0)(image, marked, rng)[1].any() for _ in range(200)]
    assert sum(never) < 40
    small, _ = T.ClassCrop((30, 8), p=1.0)(image, marked, rng)
    assert small.shape == (30, 8, 3)


def test_normalize_by_a_data_set_keeps_brightness():
    dark, bright = np.full((2, 4, 4, 2), 10, np.uint8), np.full((2, 4, 4, 2), 30, np.uint8)
    rng = np.random.default_rng(0)
    images = np.concatenate([dark, bright]) + rng.integers(0, 9, (4, 4, 4, 2), dtype=np.uint8)
    images = np.concatenate([images, images[..., :1]], axis=-1)
    data = [Sample(i, np.zeros((4, 4), np.int64), "x") for i in images]
    mean, std = T.channel_statistics(data)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(std, images.std(axis=(0, 1, 2)))
    result = np.stack([T.Normalize(mean, std)(i, None)[0] for i in images])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=(0, 1, 2)), 1, atol=1e-5)
    assert result[0].mean() < -0.5 < 0.5 < result[2].mean()


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
    with pytest.raises(DataError, match="limit must be at least 1"):
        T.RandomGamma(0.5)


def test_representation_names_every_option():
    assert repr(T.Compose([T.RandomCrop(8), T.Normalize()])) == (
        "Compose([RandomCrop(size=8, ignore_index=None), Normalize(mean=None, std=None)])"
    )
