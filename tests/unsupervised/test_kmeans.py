"""k-means against SciPy's and against all partitions; features of a code at the size of the image."""

import itertools

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.unsupervised import as_points, blurred, code_features, kmeans, nearest


def spread(points, centres):
    return min_distances(points, centres).sum()


def min_distances(points, centres):
    return ((points[:, np.newaxis] - centres) ** 2).sum(axis=2).min(axis=1)


def test_nearest_is_the_nearest():
    rng = np.random.default_rng(0)
    points, centres = rng.standard_normal((40, 3)), rng.standard_normal((5, 3))
    expected = ((points[:, np.newaxis] - centres) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest(points, centres), expected)


def test_the_best_of_some_seeds_is_the_best_of_all_partitions():
    points = np.random.default_rng(3).standard_normal((8, 2))
    best = np.inf
    for labels in itertools.product(range(3), repeat=8):
        parts = [points[np.array(labels) == k] for k in range(3)]
        best = min(best, sum(((part - part.mean(0)) ** 2).sum() for part in parts if len(part)))
    found = min(spread(points, kmeans(points, 3, seed)) for seed in range(8))
    assert found == pytest.approx(best, rel=1e-12)


def test_as_good_as_scipy_s_and_a_fixed_point():
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(place, 0.3, (60, 2)) for place in ((0, 0), (3, 0), (0, 4), (5, 5))])
    centres = kmeans(points, 4, seed=1)
    theirs, _ = kmeans2(points, 4, minit="++", rng=np.random.default_rng(0), iter=50)
    assert spread(points, centres) <= 1.0001 * spread(points, theirs)
    belongs = nearest(points, centres)
    for k in range(4):
        np.testing.assert_allclose(centres[k], points[belongs == k].mean(0), rtol=1e-12)


def test_seeds_repeat_and_equal_points_do_no_harm():
    points = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    np.testing.assert_array_equal(kmeans(points, 3, seed=4), kmeans(points, 3, seed=4))
    assert kmeans(points, 3).dtype == np.float32
    np.testing.assert_array_equal(kmeans(np.ones((5, 2)), 3), np.ones((3, 2)))


def test_features_are_the_code_stretched_to_the_image():
    ms.manual_seed(0)
    model = ms.models.ConvAutoencoder(1, 1, base_channels=2, depth=2, code_channels=3)
    x = ms.rand(2, 1, 8, 12)
    features = code_features(model, x)
    assert features.shape == (2, 3, 8, 12) and not model.training
    with ms.no_grad():
        code = model.encode(x).data
    np.testing.assert_allclose(features[:, :, 0, 0], code[:, :, 0, 0], rtol=1e-5)
    points = as_points(features)
    np.testing.assert_array_equal(points[8 * 12 + 5 * 12 + 7], features[1, :, 5, 7])


def test_stretching_is_bilinear():
    """A code of one row is stretched by straight lines, not by steps."""
    model = ms.models.ConvAutoencoder(1, 1, base_channels=2, depth=1, code_channels=1)
    features = code_features(model, ms.rand(1, 1, 2, 16))[0, 0, 0]
    with ms.no_grad():
        code = model.encode(ms.zeros(1, 1, 2, 16))
    assert code.shape == (1, 1, 1, 8) and len(np.unique(features.round(6))) > 8


def test_blurring_keeps_the_mean_and_joins_neighbours():
    images = np.random.default_rng(0).standard_normal((2, 3, 12, 14))
    soft = blurred(images, 1.5)
    np.testing.assert_allclose(soft.mean(), images.mean(), atol=0.05)
    assert soft.std() < 0.5 * images.std() and blurred(images, 0) is images
    alone = blurred(images[1:, 2:], 1.5)
    np.testing.assert_allclose(soft[1:, 2:], alone)  # neither images nor channels are mixed


def test_wrong_arguments_are_explained():
    with pytest.raises(ms.DataError, match="NaN or infinity"):
        kmeans(np.array([[0.0], [np.nan]]), 1)
    with pytest.raises(ms.ShapeError, match="1 to n centres"):
        kmeans(np.zeros((2, 2)), 3)
    with pytest.raises(ms.ShapeError, match=r"expected \(N, C, H, W\)"):
        as_points(np.zeros((2, 2)))
