"""What a row does: `method(splits, row, folder, steps) -> scores`, one function a kind of row.

`folder` is the row's own, outside the repository: a training leaves its run there and is continued from it.
`steps` replaces a row's budget (in tests).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.segmentation import sets
from benchmarks.segmentation.documented import beside_keras
from benchmarks.segmentation.measure import BySize, Fluorescence
from benchmarks.segmentation.rows import Row
from minitorch_seg import baselines
from minitorch_seg.data import transforms
from minitorch_seg.io import save_state_dict
from minitorch_seg.train import session
from minitorch_seg.train.evaluate import evaluate, evaluate_baseline
from minitorch_seg.train.inference import Preparation
from minitorch_seg.train.options import Options
from minitorch_seg.train.recipe import load_splits
from minitorch_seg.train.run import CLAIM, RunFolder, load_model
from minitorch_seg.unsupervised import CodeClusters, SelfTaught, pretrain


def baseline(row: Row, folder: Path, steps: int | None) -> dict[str, Any]:
    """options: name, of baselines.NAMES."""
    return scored(baselines.build(row.options["name"]), row)


def clusters(row: Row, folder: Path, steps: int | None) -> dict[str, Any]:
    """k-means with more clusters than classes; options of KMeansColour."""
    return scored(baselines.KMeansColour(**row.options, seed=row.seed), row)


def code_clusters(row: Row, folder: Path, steps: int | None) -> dict[str, Any]:
    """k-means on an autoencoder's code; options of CodeClusters."""
    options = row.options if steps is None else row.options | {"steps": steps}
    return scored(CodeClusters(**options, seed=row.seed), row)


def self_taught(row: Row, folder: Path, steps: int | None) -> dict[str, Any]:
    """A network that learns from clusters; options of SelfTaught."""
    options = row.options if steps is None else row.options | {"steps": steps}
    return scored(SelfTaught(**options, seed=row.seed), row)


def train(row: Row, folder: Path, steps: int | None) -> dict[str, Any]:
    """A training as `minitorch-seg train` does it; options of train.options.Options."""
    options = dict(row.options)
    options |= {} if steps is None else {"steps": steps}
    minutes = None if "steps" in options else row.minutes or None
    return _run(Options(data=row.data, seed=row.seed, **options), folder / "run", minutes)


def few_labels(row: Row, folder: Path, steps: int | None) -> dict[str, Any]:
    """A U-Net on a share of the labels; options: share, task ("scratch" or one of pretrain), steps."""
    options = dict(row.options)
    task, before = options.pop("task"), options.pop("pretraining_steps")
    options |= {} if steps is None else {"steps": steps}
    # One for all shares of the labels.
    seen = before if steps is None else steps
    encoder = folder.parent / f"encoder-{task}-{row.data}-{row.seed}-{seen}.safetensors"
    if task != "scratch":
        if not encoder.exists():
            splits = load_splits(row.data)
            way = transforms.Normalize()
            if splits.normalize == "dataset":
                way = transforms.Normalize(*transforms.channel_statistics(splits.train))
            model = pretrain(
                splits.train,
                splits.in_channels,
                task=task,
                steps=seen,
                base_channels=options["base_channels"],
                depth=options["depth"],
                transform=way,
                seed=row.seed,
            )
            save_state_dict(encoder, model.down.state_dict())
        options["init"] = str(encoder)
    return _run(Options(data=row.data, seed=row.seed, **options), folder / "run", None)


def cue(row: Row, folder: Path, steps: int | None) -> dict[str, Any]:
    """Claim 7: trained where the cue tells the classes apart; then asked where two cues contradict."""
    data = sets.write(folder / "data", row.data, seed=row.seed)
    options = dict(row.options) | ({} if steps is None else {"steps": steps})
    scores = _run(Options(data=str(data), seed=row.seed, **options), folder / "run", None)
    if "_and_" in row.data:
        model, config = load_model(folder / "run")
        first = sets.swapped(row.data, seed=row.seed)
        matrix = evaluate(model, first, len(sets.CLASSES), prepare=Preparation.of(config))
        scores["swapped"] = {"follows": row.data.split("_and_")[0], "miou": matrix.mean_iou()}
    return scores


def documented(row: Row, folder: Path, steps: int | None) -> dict[str, Any]:
    """Claim 8: the documented example and Keras, ten steps; options of beside_keras."""
    return beside_keras(**row.options | ({} if steps is None else {"steps": steps}))


def scored(method: Any, row: Row) -> dict[str, Any]:
    """Fit whatever has `fit` and `predict`, and score it on the test images."""
    splits, watch = load_splits(row.data), Watch()
    return evaluate_baseline(method.fit(splits), splits, splits.test, watch) | watch.report()


def _run(options: Options, folder: Path, minutes: float | None) -> dict[str, Any]:
    """A new run, or the rest of one that was stopped; a finished one is read."""
    run = RunFolder(folder)
    (folder / CLAIM).unlink(missing_ok=True)  # of this very row, killed before its first step
    if (folder / "checkpoint.safetensors").exists() and not run.finished:
        session.resume(folder, progress=False)
    elif not run.finished:
        session.run_training(options, folder, minutes=minutes, force=True, progress=False)
    model, config = load_model(folder)
    splits, watch = load_splits(options.data), Watch()
    matrix = evaluate(
        model, splits.test, len(splits.classes), splits.ignore_index, watch, Preparation.of(config)
    )
    chosen = {name: config[name] for name in ("steps", "model_options", "options")}
    return matrix.report(splits.classes) | watch.report() | {"config": chosen}


class Watch:
    """Sees each prediction besides the confusion matrix."""

    def __init__(self) -> None:
        self.sizes, self.bright = BySize(), Fluorescence()

    def __call__(self, sample: Any, prediction: np.ndarray) -> None:
        self.sizes.add(sample, prediction)
        self.bright.add(sample, prediction)

    def report(self) -> dict[str, Any]:
        return {"by_size": self.sizes.report(), "fluorescence": self.bright.report()}


METHODS = {
    "baseline": baseline,
    "clusters": clusters,
    "code_clusters": code_clusters,
    "self_taught": self_taught,
    "train": train,
    "few_labels": few_labels,
    "cue": cue,
    "documented": documented,
}


def foreground_dice(scores: dict[str, Any]) -> float:
    """Mean Dice of all classes but the first."""
    return float(np.nanmean([entry["dice"] for entry in list(scores["classes"].values())[1:]]))
