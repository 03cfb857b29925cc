import numpy as np
import pytest

from minitorch_seg.data.palette import IGNORED, colourise, palette


@pytest.mark.parametrize("n", [1, 2, 8, 9, 21, 60])
def test_colours_are_distinct_stable_and_never_the_ignored_one(n):
    colours = palette(n)
    assert colours.shape == (n, 3) and colours.dtype == np.uint8
    assert len(np.unique(colours, axis=0)) == n
    assert not (colours == IGNORED).all(axis=1).any()
    np.testing.assert_array_equal(colours, palette(n + 5)[:n])


def test_first_colours_differ_in_lightness_for_the_colour_blind():
    # Red-green blind eyes keep luminance and blue-yellow: these must tell the first six colours apart.
    r, g, b = palette(6).astype(float).T
    seen = np.stack([0.2126 * r + 0.7152 * g + 0.0722 * b, b - (r + g) / 2], axis=1)
    distance = np.linalg.norm(seen[:, np.newaxis] - seen, axis=-1) + 1e9 * np.eye(6)
    assert distance.min() > 25


def test_colourise():
    mask = np.array([[0, 2], [255, -1]])
    colours = colourise(mask, 3)
    np.testing.assert_array_equal(colours[0, 1], palette(3)[2])
    assert colours[1].tolist() == [list(IGNORED)] * 2
