"""A network taught by clusters: it smooths them, and masks do nothing but name what it found."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.baselines import KMeansColour
from minitorch_seg.data import ArrayDataset, Sample, Splits
from minitorch_seg.train.evaluate import evaluate_baseline
from minitorch_seg.unsupervised import SelfTaught

OPTIONS = {
    "steps": 40,
    "rounds": 1,
    "networks": 2,
    "sigma": 0.0,
    "base_channels": 4,
    "depth": 1,
    "batch_size": 4,
}


def splits(shift=0):
    """Two colours under so much noise that a pixel alone often says the wrong one."""
    rng, samples = np.random.default_rng(0), []
    for _ in range(8):
        mask = np.zeros((16, 16), np.int64)
        y, x = rng.integers(1, 7, 2)
        mask[y : y + 9, x : x + 9] = 1
        image = 100 + 60 * mask[..., np.newaxis] + rng.normal(0, 60, (16, 16, 3))
        samples.append(Sample(image.clip(0, 255).astype(np.uint8), (mask + shift) % 2, "s"))
    parts = [ArrayDataset(samples[a:b]) for a, b in ((0, 5), (5, 6), (6, 8))]
    return Splits("made", *parts, ["a", "b"])


@pytest.fixture(scope="module")
def taught():
    return SelfTaught(**OPTIONS).fit(splits())


def test_it_is_better_than_the_clusters_it_began_with(taught):
    made = splits()
    clusters = evaluate_baseline(KMeansColour().fit(made), made, made.test)["miou"]
    assert evaluate_baseline(taught, made, made.test)["miou"] > clusters + 0.03
    assert taught.predict(np.zeros((9, 13, 3), np.uint8)).shape == (9, 13)


def test_masks_only_name_what_it_found(taught):
    other = SelfTaught(**OPTIONS).fit(splits(shift=1))
    for name, value in taught.models[1].state_dict().items():
        np.testing.assert_array_equal(value.data, other.models[1].state_dict()[name].data, err_msg=name)
    np.testing.assert_array_equal(1 - taught.classes, other.classes)


def test_answers_for_all_ways_to_look_are_turned_back(taught):
    """The mean over all eight ways turns with the image."""
    image = taught.normalize.image(splits().test[0].image).transpose(2, 0, 1)
    found = taught._segments(image)
    np.testing.assert_array_equal(taught._segments(np.rot90(image, 1, (1, 2)).copy()), np.rot90(found))
    np.testing.assert_array_equal(taught._segments(image[..., ::-1].copy()), found[..., ::-1])
    assert len(taught.models) == 2 and isinstance(taught.models[0], ms.models.UNet)
