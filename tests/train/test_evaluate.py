"""Scores of a model whose answers are known, and baselines counted by hand."""

import math

import numpy as np
import pytest

from minitorch_seg.autograd import Tensor
from minitorch_seg.data import ArrayDataset, Sample, Splits
from minitorch_seg.errors import DataError
from minitorch_seg.train.evaluate import baselines, evaluate, evaluate_model, score_table


class Threshold:
    """Class 1 where the normalised image is above its mean."""

    def eval(self):
        return self

    def __call__(self, batch):
        values = batch.numpy()
        return Tensor(np.concatenate([np.zeros_like(values), values], axis=1))


def sample(mask, wrong=()):
    mask = np.asarray(mask, np.int64)
    image = (mask * 200).astype(np.uint8)
    for place in wrong:
        image[place] = 200 - image[place]
    return Sample(image[..., np.newaxis], mask, "s")


def splits(train, test, **options):
    return Splits(
        "made",
        ArrayDataset(train),
        ArrayDataset(test),
        ArrayDataset(test),
        ["a", "b"],
        in_channels=1,
        **options,
    )


def test_evaluate_counts_every_pixel_of_every_image():
    samples = [sample([[0, 1], [0, 1]]), sample([[0, 1, 1], [0, 0, 1]], wrong=[(0, 0)])]
    seen = []
    matrix = evaluate(Threshold(), ArrayDataset(samples), 2, on_image=lambda s, p: seen.append((s, p)))
    assert matrix.counts.tolist() == [[4, 1], [0, 5]]
    assert [s is t for (s, _), t in zip(seen, samples, strict=True)] == [True, True]
    assert seen[1][1].tolist() == [[1, 1, 1], [0, 0, 1]]


def test_an_empty_split_is_an_error():
    with pytest.raises(DataError, match="no image"):
        evaluate(Threshold(), ArrayDataset([]), 2)


def test_baselines_by_hand():
    train = [sample([[0, 1], [0, 0]]), sample([[0, 1], [0, 1]]), sample([[0, 1], [1, 0]])]
    test = [sample([[0, 1], [0, 0]]), sample([[1, 1], [0, 0]])]
    result = baselines(splits(train, test), ArrayDataset(test))
    # Majority: 7 of 12 training pixels are class 0; the test images hold 5 of it among 8.
    assert result["majority"]["pixel_accuracy"] == 5 / 8
    assert result["majority"]["classes"]["b"]["iou"] == 0
    # Location: class 1 at the upper right alone; wrong once, at the upper left of the second image.
    assert result["location prior"]["pixel_accuracy"] == 7 / 8
    assert result["location prior"]["classes"]["b"]["iou"] == pytest.approx(2 / 3)


def test_baselines_take_masks_of_other_sizes_and_skip_ignored_pixels():
    train = [sample([[0, 1], [0, 1]]), sample(np.repeat([[0, 0, 1, 1]], 4, axis=0))]
    train[0].mask[0, 0] = 9
    test = [sample(np.repeat([[0, 0, 0, 1, 1, 1]], 2, axis=0))]
    test[0].mask[0, 0] = 9
    result = baselines(splits(train, test, ignore_index=9), ArrayDataset(test))
    assert result["location prior"]["pixel_accuracy"] == 1.0
    assert result["location prior"]["classes"]["a"]["pixels"] == 5


def test_baselines_of_large_images_take_little_memory():
    import tracemalloc

    mask = np.zeros((1024, 2048), np.int64)
    mask[512:] = 1
    large = ArrayDataset([Sample(np.zeros((*mask.shape, 1), np.uint8), mask, "large")])
    many = Splits("made", large, large, large, [f"c{k}" for k in range(20)], in_channels=1)
    tracemalloc.start()
    result = baselines(many, large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result["location prior"]["pixel_accuracy"] == 1.0
    assert peak < mask.size * 8 * 10  # a vote for each pixel and class would be twice that


def test_metrics_of_a_model_hold_the_baselines_and_the_table_shows_them():
    test = [sample([[0, 1], [0, 1]])]
    metrics = evaluate_model(Threshold(), splits(test, test), ArrayDataset(test))
    assert metrics["miou"] == 1.0 and metrics["images"] == 1
    text = score_table(metrics, metrics["baselines"])
    assert "majority IoU" in text and "location prior IoU" in text
    assert text.splitlines()[1].split() == ["a", "1.000", "1.000", "0.500", "1.000"]


def test_an_absent_class_is_a_dash_and_is_named():
    metrics = evaluate_model(Threshold(), splits([sample([[0, 1]])], []), ArrayDataset([sample([[0, 1]])]))
    metrics["classes"]["b"] |= {"iou": math.nan, "dice": math.nan}
    metrics["absent_classes"] = ["b"]
    text = score_table(metrics)
    assert "absent here, left out of the mean: b" in text
    assert text.splitlines()[2].split() == ["b", "-", "-"]
