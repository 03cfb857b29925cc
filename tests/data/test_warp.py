"""RandomWarp: turned by the angle that was drawn, bent smoothly, image and mask alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.data.warp import RandomWarp
from minitorch_seg.errors import DataError


class Drawn:
    """A generator that draws the given angle, and displacements of the given pixels everywhere."""

    def __init__(self, angle=0.0, rows=0.0, columns=0.0):
        self.angle, self.moves = angle, [rows, columns]

    def uniform(self, low, high):
        assert low <= self.angle <= high
        return self.angle

    def normal(self, mean, sd, shape):
        return np.full(shape, self.moves.pop(0))


def picture(height, width, channels=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((height, width, channels), "float32"), rng.integers(0, 5, (height, width))


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 9))
def test_nothing_asked_is_nothing_changed(height, width, seed):
    image, mask = picture(height, width, seed=seed)
    bent, moved = RandomWarp(0, 0)(image, mask, np.random.default_rng(seed))
    np.testing.assert_allclose(bent, image, atol=1e-6)
    np.testing.assert_array_equal(moved, mask)


def test_a_quarter_turn_is_the_quarter_turn():
    image, mask = picture(9, 9)
    bent, moved = RandomWarp(90, 0)(image, mask, Drawn(90.0))
    np.testing.assert_allclose(bent, np.rot90(image), atol=1e-6)
    np.testing.assert_array_equal(moved, np.rot90(mask))


def test_equal_displacements_move_the_whole_image_and_reflect_the_border():
    image, mask = picture(8, 10)
    bent, moved = RandomWarp(0, 1)(image, mask, Drawn(rows=2.0, columns=-3.0))
    around = ((3, 3), (3, 3))
    np.testing.assert_allclose(bent, np.pad(image, (*around, (0, 0)), mode="reflect")[5:13, 0:10], atol=1e-5)
    np.testing.assert_array_equal(moved, np.pad(mask, around, mode="reflect")[5:13, 0:10])


@settings(deadline=None, max_examples=20)
@given(st.integers(16, 40), st.integers(16, 40), st.floats(0, 40), st.floats(0, 3), st.integers(0, 99))
def test_image_and_mask_stay_together(height, width, degrees, pixels, seed):
    """A mask of two halves, and an image that shows it: they agree but for the pixels along the border."""
    mask = np.zeros((height, width), np.int64)
    mask[:, width // 2 :] = 1
    bent, moved = RandomWarp(degrees, pixels)(
        mask[:, :, None].astype("float32"), mask, np.random.default_rng(seed)
    )
    assert set(np.unique(moved)) <= {0, 1}
    np.testing.assert_array_equal(
        (bent[:, :, 0] > 0.5)[bent[:, :, 0] != 0.5], moved[bent[:, :, 0] != 0.5] == 1
    )
    unsure = (bent > 1e-6) & (bent < 1 - 1e-6)
    assert unsure.mean() < 0.5


def test_displacements_are_as_large_as_asked_and_smooth():
    """An image of its own column numbers shows the displacement of each pixel."""
    side, found, steps = 64, [], []
    image = np.broadcast_to(np.arange(side, dtype="float32")[None, :, None], (side, side, 1))
    for seed in range(40):
        bent, _ = RandomWarp(0, 2.0)(image, np.zeros((side, side), int), np.random.default_rng(seed))
        inside = (bent - image)[16:-16, 16:-16, 0]
        found.append(inside)
        steps.append(np.abs(np.diff(inside, axis=1)).max())
    assert 0.8 < np.std(found) < 2.4  # a spline between values of standard deviation 2 stays below it
    assert max(steps) < 0.6, "neighbours move together"


def test_angles_reach_both_ends():
    """Where a pixel right of the middle comes from, over many turns."""
    image = np.zeros((33, 33, 1), "float32")
    image[16, 28] = 1.0
    angles = []
    for seed in range(60):
        bent, _ = RandomWarp(20, 0)(image, np.zeros((33, 33), int), np.random.default_rng(seed))
        row, column = np.unravel_index(bent.argmax(), (33, 33))
        angles.append(np.rad2deg(np.arctan2(16 - row, column - 16)))
    assert -24 < min(angles) < -12 and 12 < max(angles) < 24


def test_one_seed_gives_the_same_bits():
    image, mask = picture(20, 24)
    a, b = (RandomWarp(10, 2)(image, mask, np.random.default_rng(3)) for _ in range(2))
    assert (a[0] == b[0]).all() and (a[1] == b[1]).all()
    assert (a[0] != RandomWarp(10, 2)(image, mask, np.random.default_rng(4))[0]).any()


@pytest.mark.parametrize("options", [{"degrees": -1}, {"degrees": 181}, {"pixels": -0.5}, {"pixels": np.nan}])
def test_options_that_make_no_sense(options):
    with pytest.raises(DataError, match="RandomWarp"):
        RandomWarp(**options)
