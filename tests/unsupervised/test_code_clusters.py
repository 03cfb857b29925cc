"""Clusters of codes: they find textures that colour cannot tell apart, and masks do nothing but name them."""

import numpy as np
import pytest

from minitorch_seg.baselines import KMeansColour
from minitorch_seg.data import ArrayDataset, Sample, Splits
from minitorch_seg.train.evaluate import evaluate_baseline
from minitorch_seg.unsupervised import CodeClusters, as_points, code_features, nearest

OPTIONS = {"steps": 60, "batch_size": 4, "base_channels": 4, "depth": 2, "restarts": 2}


def splits(shift=0, cut=False):
    """Stripes across to the left of a border, stripes down to the right of it: every grey is in both."""
    rng, samples = np.random.default_rng(0), []
    y, x = np.mgrid[:32, :64]
    for number in range(8):
        mask = np.zeros((32, 64), np.int64)
        mask[:, int(rng.integers(24, 40)) :] = 1
        grey = 128 + 90 * np.where(mask == 1, np.sin(np.pi * x / 2), np.sin(np.pi * y / 2))
        image = (grey + rng.normal(0, 8, grey.shape)).clip(0, 255).astype(np.uint8)[..., np.newaxis]
        rows = 32 - 4 * (number % 3) if cut else 32
        samples.append(Sample(image[:rows], (mask[:rows] + shift) % 2, f"s{number}"))
    parts = [ArrayDataset(samples[a:b]) for a, b in ((0, 5), (5, 6), (6, 8))]
    return Splits("made", *parts, ["across", "down"], in_channels=1)


@pytest.fixture(scope="module")
def fitted():
    return CodeClusters(**OPTIONS).fit(splits())


def test_textures_of_one_colour_are_told_apart(fitted):
    made = splits()
    colour = evaluate_baseline(KMeansColour().fit(made), made, made.test)["miou"]
    assert evaluate_baseline(fitted, made, made.test)["miou"] > colour + 0.3
    assert fitted.predict(np.zeros((9, 13, 1), np.uint8)).shape == (9, 13)


def test_a_segment_is_the_nearest_centre_to_the_code(fitted):
    import minitorch_seg as ms

    image = splits().test[0].image
    x = ms.tensor(fitted.normalize.image(image).transpose(2, 0, 1)[None].copy())
    points = as_points(code_features(fitted.autoencoder, x)) / fitted.spread
    expected = fitted.classes[nearest(points, fitted.centres)].reshape(32, 64)
    np.testing.assert_array_equal(fitted.predict(image), expected)


def test_masks_only_name_what_it_found(fitted):
    other = CodeClusters(**OPTIONS).fit(splits(shift=1))
    np.testing.assert_array_equal(fitted.centres, other.centres)
    np.testing.assert_array_equal(1 - fitted.classes, other.classes)


def test_images_of_different_sizes(fitted):
    made = splits(cut=True)
    assert len({sample.size for sample in made.train}) == 3
    report = evaluate_baseline(CodeClusters(**OPTIONS).fit(made), made, made.test)
    assert report["miou"] > 0.6
