"""The order of an epoch depends on seed and epoch alone."""

import numpy as np
import pytest

from minitorch_seg.errors import ShapeError
from minitorch_seg.train.batches import ArrayLoader, as_loader


def order(loader, epoch):
    loader.set_epoch(epoch)
    return np.concatenate([x.numpy() for x, _ in loader]).tolist()


def test_each_epoch_has_its_own_order_and_shows_every_example_once():
    x = np.arange(20.0)
    first, second = ArrayLoader(x, x, 6, seed=4), ArrayLoader(x, x, 6, seed=4)
    assert sorted(order(first, 0)) == x.tolist()
    assert order(first, 0) != order(first, 1)
    assert order(second, 1) == order(first, 1)
    assert order(ArrayLoader(x, x, 6, seed=5), 1) != order(first, 1)


def test_x_and_y_stay_together():
    x = np.arange(20.0).reshape(10, 2)
    for a, b in ArrayLoader(x, x[:, 0] * 10, 3):
        np.testing.assert_array_equal(a.numpy()[:, 0] * 10, b.numpy())


def test_a_loader_is_taken_as_it_is():
    pairs = [(np.zeros(2), np.zeros(2))]
    assert as_loader(pairs) is pairs


@pytest.mark.parametrize(
    "x, y, size, sentence",
    [
        (np.zeros((0, 2)), np.zeros(0), 4, "hold no example"),
        (np.zeros(3), np.zeros(3), 0, "batch_size must be at least 1"),
        (np.zeros(()), np.zeros(3), 4, "one entry an example"),
    ],
)
def test_wrong_arguments_are_explained(x, y, size, sentence):
    with pytest.raises(ShapeError, match=sentence):
        ArrayLoader(x, y, size)
