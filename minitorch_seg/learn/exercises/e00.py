"""Exercises of lesson 00, the first ten minutes: a threshold, a score, and a trap of NumPy's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg.learn.exercise import Case, Exercise, Mistake


def threshold(image, t):
    return image > t


def _threshold_cases() -> Sequence[Case]:
    rng = np.random.default_rng(0)
    return [
        Case("grey values from 0 to 255", rng.integers(0, 256, (4, 6)), t=120),
        Case("some equal to t", np.array([[7, 8, 9], [9, 8, 8]]), t=8),
        Case("a dark picture", rng.uniform(0, 0.3, (5, 3)), t=0.2),
    ]


def iou(prediction, truth):
    both = (prediction & truth).sum()
    either = (prediction | truth).sum()
    return both / either


def _iou_cases() -> Sequence[Case]:
    rng = np.random.default_rng(1)

    def mask(share: float) -> np.ndarray:
        return rng.uniform(size=(6, 9)) < share

    return [
        Case("half of it coin", mask(0.5), mask(0.5)),
        Case("few coins", mask(0.2), mask(0.1)),
        Case("too much taken for coin", mask(0.9), mask(0.3)),
    ]


def _iou_accuracy(prediction, truth):
    return (prediction == truth).mean()


def _iou_of_all(prediction, truth):
    return (prediction & truth).sum() / truth.size


def _iou_dice(prediction, truth):
    return 2 * (prediction & truth).sum() / (prediction.sum() + truth.sum())


def _iou_twice(prediction, truth):
    return (prediction & truth).sum() / (prediction.sum() + truth.sum())


def _iou_recall(prediction, truth):
    return (prediction & truth).sum() / truth.sum()


def grey(rgb):
    return rgb.astype(float).mean(axis=2)


def _grey_cases() -> Sequence[Case]:
    rng = np.random.default_rng(2)
    return [
        Case("a dark picture", rng.integers(0, 80, (3, 4, 3)).astype(np.uint8)),
        Case("a bright picture", rng.integers(120, 256, (3, 5, 3)).astype(np.uint8)),
    ]


def _grey_overflows(rgb):
    return (rgb[..., 0] + rgb[..., 1] + rgb[..., 2]) / 3


def _grey_whole(rgb):
    return (rgb[..., 0].astype(int) + rgb[..., 1] + rgb[..., 2]) // 3


def _grey_green(rgb):
    return rgb[..., 1]


EXERCISES = [
    Exercise(
        "00.threshold",
        "which pixels are brighter than t?",
        threshold,
        _threshold_cases,
        (
            Mistake("inverted", lambda image, t: image <= t, "this marks what is not brighter than t"),
            Mistake("at least", lambda image, t: image >= t, "a pixel equal to t is not brighter than t"),
            Mistake(
                "keeps the grey",
                lambda image, t: np.where(image > t, image, 0),
                "a mask says yes or no; yours still holds the image's grey values",
            ),
        ),
    ),
    Exercise(
        "00.iou",
        "intersection over union of two masks",
        iou,
        _iou_cases,
        (
            Mistake(
                "accuracy",
                _iou_accuracy,
                "this is the share of pixels that agree; it counts the ground, where both say no",
            ),
            Mistake("divides by all", _iou_of_all, "divide by the union, not by the number of all pixels"),
            Mistake("dice", _iou_dice, "this is Dice, a relative: 2·intersection / (sum of both sizes)"),
            Mistake(
                "union counts twice",
                _iou_twice,
                "in the sum of both sizes the intersection is counted twice; the union counts it once",
            ),
            Mistake(
                "recall", _iou_recall, "divided by the truth alone, a mask that says yes everywhere wins"
            ),
        ),
    ),
    Exercise(
        "00.grey",
        "the mean of three colours, with a trap",
        grey,
        _grey_cases,
        (
            Mistake(
                "overflow",
                _grey_overflows,
                "right for dark pictures only: the sum of three numbers of type uint8 is a uint8 again, "
                "and 256 becomes 0; convert before you add",
            ),
            Mistake("rounded", _grey_whole, "`//` cuts off what is behind the point; the mean has thirds"),
            Mistake("one colour", _grey_green, "this is the green alone"),
        ),
        planted=True,
    ),
]
