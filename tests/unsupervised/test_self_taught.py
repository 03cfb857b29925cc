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


def test_images_of_different_sizes_are_taken_in_windows_of_the_smallest(taught):
    made = splits()
    cut = [
        Sample(s.image[: 16 - index], s.mask[: 16 - index, :], "s") if index < 3 else s
        for index, s in enumerate(made.train)
    ]
    other = Splits("made", ArrayDataset(cut), made.val, made.test, made.classes)
    mixed = SelfTaught(**OPTIONS).fit(other)
    clusters = evaluate_baseline(KMeansColour().fit(other), other, other.test)["miou"]
    assert evaluate_baseline(mixed, other, other.test)["miou"] > clusters + 0.03


def test_a_window_keeps_an_image_and_its_labels_together():
    from minitorch_seg.unsupervised.self_taught import _window

    rng, places = np.random.default_rng(0), set()
    for _ in range(200):
        rows, columns = _window((5, 4), 3, 2, rng)
        assert rows.stop - rows.start == 3 and columns.stop - columns.start == 2
        assert rows.start >= 0 and rows.stop <= 5 and columns.start >= 0 and columns.stop <= 4
        places.add((rows.start, columns.start))
    assert len(places) == 9
    image = np.arange(20).reshape(5, 4)
    maps = [np.stack([image] * 3), image]
    window = _window((5, 4), 3, 2, rng)
    np.testing.assert_array_equal(maps[0][..., *window][1], maps[1][..., *window])
