"""Scores against definitions written with Python sets, one image at a time or all at once."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg import metrics
from minitorch_seg.errors import DataError, ShapeError
from minitorch_seg.metrics import ConfusionMatrix


def by_sets(prediction, target, num_classes, ignore_index):
    """IoU and Dice by the textbook: sets of pixel numbers, the ignored ones taken away."""
    pixels = [i for i, t in enumerate(target) if t != ignore_index]
    iou, dice = [], []
    for k in range(num_classes):
        a = {i for i in pixels if prediction[i] == k}
        b = {i for i in pixels if target[i] == k}
        iou.append(len(a & b) / len(a | b) if a | b else math.nan)
        dice.append(2 * len(a & b) / (len(a) + len(b)) if a or b else math.nan)
    right = sum(prediction[i] == target[i] for i in pixels)
    return iou, dice, right / len(pixels) if pixels else math.nan


@st.composite
def batches(draw):
    num_classes = draw(st.integers(1, 5))
    size = draw(st.integers(0, 40))
    ignore_index = draw(st.sampled_from([None, -100, 255, 0, num_classes]))
    values = list(range(num_classes)) + ([ignore_index] if ignore_index is not None else [])
    prediction = draw(st.lists(st.integers(0, num_classes - 1), min_size=size, max_size=size))
    target = draw(st.lists(st.sampled_from(values), min_size=size, max_size=size))
    return (
        np.array(prediction, int),
        np.array(target, int),
        num_classes,
        ignore_index,
        draw(st.integers(0, size)),
    )


@settings(max_examples=150, deadline=None)
@given(batches())
def test_streamed_scores_equal_the_textbook(batch):
    prediction, target, num_classes, ignore_index, cut = batch
    matrix = ConfusionMatrix(num_classes, ignore_index)
    matrix.update(prediction[:cut], target[:cut])
    matrix.update(prediction[cut:], target[cut:])
    iou, dice, accuracy = by_sets(prediction.tolist(), target.tolist(), num_classes, ignore_index)
    np.testing.assert_allclose(matrix.iou(), iou, rtol=1e-12)
    np.testing.assert_allclose(matrix.dice(), dice, rtol=1e-12)
    np.testing.assert_allclose(matrix.pixel_accuracy(), accuracy, rtol=1e-12)
    assert matrix.absent() == [k for k in range(num_classes) if math.isnan(iou[k])]
    present = [value for value in iou if not math.isnan(value)]
    np.testing.assert_allclose(matrix.mean_iou(), np.mean(present) if present else math.nan, rtol=1e-12)


def test_against_scikit_image_s_neighbours():
    """skimage.metrics has the pair counts under another name: an independent count of the same table."""
    from skimage.metrics import contingency_table

    rng = np.random.default_rng(0)
    target, prediction = rng.integers(0, 4, (2, 3, 17, 19))
    matrix = ConfusionMatrix(4)
    matrix.update(prediction, target)
    np.testing.assert_array_equal(contingency_table(target, prediction).toarray(), matrix.counts)


def test_class_accuracy_is_recall():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(matrix.class_accuracy(), [0.5, 0.5, math.nan])


def test_a_class_that_is_predicted_but_never_true_scores_zero_and_counts():
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([0, 1]), np.array([0, 0]))
    assert matrix.iou().tolist() == [0.5, 0.0]
    assert matrix.absent() == [] and matrix.mean_iou() == 0.25


def test_report_has_the_names_of_metrics_json_and_says_what_is_absent():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0, 1]), np.array([0, 1, 1]))
    report = matrix.report(["sky", "road", "sign"])
    assert report["miou"] == 0.5 and report["pixel_accuracy"] == pytest.approx(2 / 3)
    assert report["classes"]["road"] == {"iou": 0.5, "dice": pytest.approx(2 / 3), "pixels": 2}
    assert math.isnan(report["classes"]["sign"]["iou"]) and report["absent_classes"] == ["sign"]
    with pytest.raises(ShapeError, match="2 class names for 3 classes"):
        matrix.report(["a", "b"])


def test_reset_forgets():
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([0]), np.array([1]))
    matrix.reset()
    assert matrix.counts.sum() == 0 and math.isnan(matrix.pixel_accuracy())


def test_wrong_input_is_explained():
    matrix = ConfusionMatrix(2, ignore_index=255)
    with pytest.raises(ShapeError, match="argmax over the class axis"):
        matrix.update(np.zeros((1, 2, 4, 4), int), np.zeros((1, 4, 4), int))
    with pytest.raises(ShapeError, match="prediction must hold class indices, got float64"):
        matrix.update(np.zeros(3), np.zeros(3, int))
    with pytest.raises(DataError, match="target has the value 7, outside the 2 classes"):
        matrix.update(np.zeros(2, int), np.array([0, 7]))
    with pytest.raises(DataError, match="prediction has the value -1"):
        matrix.update(np.array([-1, 0]), np.zeros(2, int))
    with pytest.raises(ShapeError, match="at least one class"):
        ConfusionMatrix(0)
    assert matrix.counts.sum() == 0


def test_uint8_masks_do_not_overflow():
    matrix = ConfusionMatrix(200)
    matrix.update(np.array([199], np.uint8), np.array([199], np.uint8))
    assert matrix.counts[199, 199] == 1


@pytest.mark.parametrize("name", ["iou", "dice", "mean_iou", "mean_dice"])
def test_functions_are_the_matrix_s_scores(name):
    rng = np.random.default_rng(1)
    prediction, target = rng.integers(0, 3, (2, 40))
    target[:5] = 255
    matrix = ConfusionMatrix(4, 255)
    matrix.update(prediction, target)
    function = getattr(metrics, name)
    np.testing.assert_array_equal(
        function(prediction, target, num_classes=4, ignore_index=255), getattr(matrix, name)()
    )
    assert metrics.pixel_accuracy(prediction, target, ignore_index=255) == matrix.pixel_accuracy()


def test_number_of_classes_is_found_when_not_given_and_ignores_the_ignored():
    assert metrics.iou(np.array([0, 2]), np.array([0, 255]), ignore_index=255).shape == (3,)


def test_predicted_classes():
    rng = np.random.default_rng(2)
    logits = rng.standard_normal((2, 3, 4, 5))
    np.testing.assert_array_equal(
        metrics.predicted_classes(logits, np.zeros((2, 4, 5))), np.argmax(logits, axis=1)
    )
    binary = rng.standard_normal((2, 1, 4, 5))
    np.testing.assert_array_equal(metrics.predicted_classes(binary, np.zeros((2, 4, 5))), binary[:, 0] > 0)
    np.testing.assert_array_equal(metrics.predicted_classes(binary, np.zeros((2, 1, 4, 5))), binary > 0)
    with pytest.raises(ShapeError, match="do not belong"):
        metrics.predicted_classes(logits, np.zeros((2, 5, 4)))
