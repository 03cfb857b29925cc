"""One image clustered by a network of its own."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.metrics import name_segments
from minitorch_seg.unsupervised.cluster_image import cluster_image, continuity


def scene():
    """Three regions of colour, with noise: image (3, H, W) and truth (H, W)."""
    truth = np.zeros((24, 24), int)
    truth[4:14, 3:12], truth[15:, 10:] = 1, 2
    colors = np.array([[1, -1, 0.2], [-1, 1, 0.5], [-0.5, -0.5, 1.5]])
    noise = np.random.default_rng(0).normal(0, 0.2, (24, 24, 3))
    return (colors[truth] + noise).transpose(2, 0, 1).astype(np.float32), truth


def test_regions_are_found_and_seeds_repeat():
    image, truth = scene()
    segments = cluster_image(image, channels=16, steps=60, seed=1)
    named = name_segments(segments, truth)
    assert (named == truth).mean() > 0.9 and segments.max() < 10
    sizes = np.bincount(segments.ravel())
    assert (sizes > 0).all() and (np.diff(sizes) <= 0).all()
    again = cluster_image(ms.tensor(image), channels=16, steps=60, seed=1)
    np.testing.assert_array_equal(segments, again)


def test_few_labels_end_it():
    """Stopped by the number of labels, long before the steps: the same segments whatever the steps."""
    image, _ = scene()
    found = cluster_image(image, channels=16, steps=60, min_labels=8)
    assert 2 <= found.max() + 1 <= 8
    np.testing.assert_array_equal(found, cluster_image(image, channels=16, steps=59, min_labels=8))


def test_the_package_s_chance_is_left_alone():
    image, _ = scene()
    ms.manual_seed(3)
    expected = ms.rand(2).numpy()
    ms.manual_seed(3)
    cluster_image(image, channels=4, steps=1)
    np.testing.assert_array_equal(ms.rand(2).numpy(), expected)


def test_continuity_is_the_mean_difference_of_neighbours():
    r = np.random.default_rng(0).standard_normal((1, 2, 4, 5))
    expected = np.abs(np.diff(r, axis=2)).mean() + np.abs(np.diff(r, axis=3)).mean()
    assert continuity(ms.tensor(r)).item() == pytest.approx(expected, rel=1e-12)
    assert ms.gradcheck(continuity, [r], name="continuity").compared
    row = r[:, :, :1]
    assert continuity(ms.tensor(row)).item() == pytest.approx(np.abs(np.diff(row, axis=3)).mean())
    assert continuity(ms.tensor(r[:, :, :1, :1])).item() == 0


def test_wrong_input_is_explained():
    with pytest.raises(ms.ShapeError, match=r"expected \(C, H, W\)"):
        cluster_image(np.zeros((4, 4)))
    with pytest.raises(ms.ShapeError, match="at least two pixels"):
        cluster_image(np.zeros((1, 1, 1)))
    with pytest.raises(ms.DataError, match="NaN or infinity"):
        cluster_image(np.full((1, 4, 4), np.nan))
    with pytest.raises(ValueError, match="min_labels=0"):
        cluster_image(np.zeros((1, 4, 4)), min_labels=0)
