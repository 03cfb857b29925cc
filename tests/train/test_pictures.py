"""A picture of predictions: which images are kept, and that each column shows what it says."""

import numpy as np
import pytest

from minitorch_seg.data import ArrayDataset, Sample, Splits
from minitorch_seg.data.palette import palette
from minitorch_seg.train.pictures import SHOWN, Pictures


def sample(number):
    rng = np.random.default_rng(number)
    image = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Sample(image, rng.integers(0, 3, (6, 8)), f"s{number}"), rng.integers(0, 3, (6, 8))


@pytest.mark.parametrize("count", [1, 3, SHOWN, 20])
def test_images_are_spread_from_the_first_to_the_last(count):
    pictures = Pictures(count)
    for number in range(count):
        pictures(number, None)
    kept = [number for number, _ in pictures.shown]
    assert len(kept) == min(count, SHOWN) and kept[0] == 0 and kept[-1] == count - 1
    assert np.ptp(np.diff([-1, *kept, count])[1:-1]) <= 1 if count > 2 else True


def test_a_row_shows_image_truth_and_prediction_of_one_sample():
    pairs = [sample(number) for number in range(2)]
    pictures = Pictures(2)
    for pair in pairs:
        pictures(*pair)
    data = ArrayDataset([pair[0] for pair in pairs])
    figure = pictures.figure(Splits("made", data, data, data, ["a", "b", "c"]), "of two")
    rows = np.reshape(figure.axes, (2, 4))
    colors = palette(3)
    for (shown, prediction), axes in zip(pairs, rows, strict=True):
        image, truth, predicted = (ax.images[0].get_array() for ax in axes[:3])
        np.testing.assert_array_equal(image, shown.image)
        np.testing.assert_array_equal(truth, colors[shown.mask])
        np.testing.assert_array_equal(predicted, colors[prediction])
