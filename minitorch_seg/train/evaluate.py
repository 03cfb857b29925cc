"""Scores of a model on a data set, and of two predictors that learned nothing from the images.

A score means little alone: where a camera always looks the same way, the mean mask of the training images,
without a look at the image, may already be right for nine pixels in ten.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitorch_seg.baselines import Baseline, LocationPrior, Majority
from minitorch_seg.data import Sample, Splits
from minitorch_seg.errors import DataError
from minitorch_seg.metrics import ConfusionMatrix
from minitorch_seg.train.inference import Preparation, predict_samples

__all__ = [
    "baselines",
    "evaluate",
    "evaluate_baseline",
    "evaluate_model",
    "samples",
    "score_table",
    "with_channels",
]


def samples(dataset: Any) -> Iterator[Any]:
    """The samples of a data set, in order."""
    return (dataset[index] for index in range(len(dataset)))


def with_channels(splits: Splits, channels: int) -> Splits:
    """The same splits, their images as grey (1) or RGB (3), for a model that was trained on the other kind.

    >>> import minitorch_seg as ms
    >>> with_channels(ms.data.load("coins"), 3).test[0].image.shape[2]
    3
    """
    if splits.in_channels == channels:
        return splits
    parts: dict[str, Any] = {name: _WithChannels(dataset, channels) for name, dataset in splits.items()}
    return dataclasses.replace(splits, in_channels=channels, **parts)


class _WithChannels:
    """A data set whose images are turned to grey or RGB when they are asked for."""

    def __init__(self, dataset: Any, channels: int) -> None:
        self.dataset, self.channels = dataset, channels

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        from PIL import Image

        sample = self.dataset[index]
        stored = sample.image[..., 0] if sample.image.shape[2] == 1 else sample.image
        picture = np.array(Image.fromarray(stored).convert("L" if self.channels == 1 else "RGB"))
        return dataclasses.replace(sample, image=picture.reshape(*sample.mask.shape, self.channels))


def evaluate(
    model: Any,
    dataset: Any,
    num_classes: int,
    ignore_index: int | None = None,
    on_image: Callable[[Any, np.ndarray], None] | None = None,
    prepare: Preparation | None = None,
) -> ConfusionMatrix:
    """Predict every image of a data set and count; `on_image(sample, prediction)` sees each result.

    prepare: as `predict_samples`.
    """
    if len(dataset) == 0:
        raise DataError("this split holds no image, so there is nothing to evaluate")
    matrix = ConfusionMatrix(num_classes, ignore_index)
    for batch, logits in predict_samples(model, dataset, prepare=prepare):
        for sample, prediction in zip(batch, logits.argmax(axis=1), strict=True):
            matrix.update(prediction, sample.mask)
            if on_image is not None:
                on_image(sample, prediction)
    return matrix


def evaluate_model(
    model: Any,
    splits: Splits,
    dataset: Any,
    on_image: Callable[[Any, np.ndarray], None] | None = None,
    prepare: Preparation | None = None,
) -> dict[str, Any]:
    """The content of metrics.json: scores on `dataset`, one of `splits`, and the baselines beside them."""
    matrix = evaluate(model, dataset, len(splits.classes), splits.ignore_index, on_image, prepare)
    return matrix.report(splits.classes) | {"images": len(dataset), "baselines": baselines(splits, dataset)}


def baselines(splits: Splits, dataset: Any) -> dict[str, dict[str, Any]]:
    """Reports, on `dataset`, of the two baselines that never look at an image."""
    found: dict[str, Baseline] = {"majority": Majority(), "location prior": LocationPrior()}
    return {
        name: evaluate_baseline(baseline.fit(splits), splits, dataset) for name, baseline in found.items()
    }


def evaluate_baseline(
    baseline: Baseline,
    splits: Splits,
    dataset: Any,
    on_image: Callable[[Any, np.ndarray], None] | None = None,
) -> dict[str, Any]:
    """The report of a fitted baseline, as of any model; `on_image(sample, prediction)` sees each result."""
    matrix = ConfusionMatrix(len(splits.classes), splits.ignore_index)
    for sample in samples(dataset):
        prediction = baseline.predict(sample.image)
        matrix.update(prediction, sample.mask)
        if on_image is not None:
            on_image(sample, prediction)
    return matrix.report(splits.classes)


def score_table(report: dict[str, Any], baseline: dict[str, dict[str, Any]] | None = None) -> str:
    """A report as text: IoU and Dice of each class, the means, the baselines beside them.

    >>> matrix = ConfusionMatrix(2)
    >>> matrix.update(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    >>> print(score_table(matrix.report(["background", "coin"])))
                     IoU    Dice
    background     0.500   0.667
    coin           0.667   0.800
    mean           0.583   0.733
    pixel accuracy 0.750
    """
    baseline = baseline or {}
    width = max(14, *(len(name) for name in report["classes"]))
    header = " " * width + f"{'IoU':>6}  {'Dice':>6}" + "".join(f"  {name + ' IoU':>18}" for name in baseline)
    lines = [header]
    for name, scores in report["classes"].items():
        others = "".join(f"  {_number(entry['classes'][name]['iou']):>18}" for entry in baseline.values())
        lines.append(f"{name:<{width}}{_number(scores['iou'])}  {_number(scores['dice'])}{others}")
    others = "".join(f"  {_number(entry['miou']):>18}" for entry in baseline.values())
    lines.append(f"{'mean':<{width}}{_number(report['miou'])}  {_number(report['mean_dice'])}{others}")
    others = "".join(f"  {_number(entry['pixel_accuracy']):>18}" for entry in baseline.values())
    gap = " " * 8 if others else ""
    lines.append(f"{'pixel accuracy':<{width}}{_number(report['pixel_accuracy'])}{gap}{others}")
    if report["absent_classes"]:
        lines.append(f"absent here, left out of the mean: {', '.join(report['absent_classes'])}")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{'-':>6}" if value != value else f"{value:6.3f}"
