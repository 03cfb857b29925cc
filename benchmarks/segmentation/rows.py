"""The rows of the table: what is run, on what, for how long, and which claim of the source text it tests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

SETS = ("nuclei", "hippocampus", "road", "aerial")
SEEDS = (0, 1, 2)
TEN = 0.038  # of the training images of nuclei and of hippocampus: ten
SHARES = (TEN, 0.05, 0.1, 0.2, 0.5, 1.0)
#: As many parameters as UNet(16) has, or a little fewer (ReSeg: 1 % more); found by counting.
MODELS: dict[str, dict[str, Any]] = {
    "unet": {"base_channels": 16},
    "fcn8s": {"base_channels": 12},
    "fcn32s": {"base_channels": 12},
    "segnet": {"base_channels": 16},
    "reseg": {"base_channels": 20, "depth": 3, "set": ["layers=1", "skips=true"], "lr": 0.005},
    "sequence_rnn": {"base_channels": 62},
    "autoencoder": {"base_channels": 16},
    "patch_cnn": {"base_channels": 16, "size": 32, "set": ["hidden=400"]},
}
#: Steps of a training, the same for all networks of a set, so that a busy machine takes longer and learns
#: the same; as many as fit into BUDGET of the slowest network.
BUDGET = 20.0  # minutes on two cores that do nothing else
STEPS = {"nuclei": 3000, "hippocampus": 1600, "road": 4000, "aerial": 2000}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    name: its file's name.  data: a set.  method: a function of methods.py.  options: what that is given.
    minutes: the budget of a training on two cores; without steps among the options, as many as fit into it
    are made.  claim: the number of the claim.
    """

    name: str
    data: str
    method: str
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    minutes: float = 0.0
    claim: int = 0

    @property
    def key(self) -> str:
        """Equal for equal rows: a result of another recipe under the same name does not count as done."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def rows() -> list[Row]:
    """All rows, the cheap and the needed first."""
    return [
        *baselines(),
        *networks(),
        *signs(),
        *unlabelled(),
        *labels(),
        *augmentation(),
        *cues(),
        *documented(),
    ]


def baselines() -> list[Row]:
    names = ("majority", "location_prior", "otsu", "kmeans", "kmeans_blurred", "filter_bank")
    return [Row(f"{name}-{data}", data, "baseline", {"name": name}) for data in SETS for name in names]


def networks() -> list[Row]:
    """Models on sets: U-Net and ReSeg, which claim 3 compares, with three seeds, the others with one."""
    found = [_trained("unet", data, seed) for seed in SEEDS for data in SETS]
    found += [_trained("reseg", data, seed, claim=3) for seed in SEEDS for data in SETS]
    others = [name for name in MODELS if name not in ("unet", "reseg")]
    return found + [_trained(name, data, 0) for data in SETS for name in others]


def signs() -> list[Row]:
    """Traffic signs, drawn onto the road set's images: synthetic, so beside the table of the four sets."""
    options = {"model": "unet", **MODELS["unet"], "steps": 1000}
    return [Row("unet-signs-0", "signs", "train", options, 0, BUDGET)]


def unlabelled() -> list[Row]:
    """Claim 1: no labels but those that name and score the segments."""
    k = {"k": 20}
    found = [Row(f"kmeans20-{data}", data, "clusters", {**k, "sigma": 3.0}, claim=1) for data in SETS]
    found += [Row(f"code_clusters-{data}", data, "code_clusters", {"segments": 20}, claim=1) for data in SETS]
    taught = {"steps": 300, "networks": 5}
    found += [
        Row(f"self_taught-{data}-{seed}", data, "self_taught", taught, seed, claim=1)
        for data in SETS
        for seed in (SEEDS if data == "aerial" else SEEDS[:1])  # where a figure is to be reached
    ]
    wnet = {"model": "wnet", "base_channels": 8, "set": ["reconstruction_weight=10"], "normalize": "dataset"}
    wnet["steps"] = 400
    return [*found, *(Row(f"wnet-{data}", data, "train", wnet, 0, BUDGET, 1) for data in SETS)]


def labels() -> list[Row]:
    """Claim 2: few labels up to all, with and without an encoder that has seen all images."""
    found = []
    for data in ("hippocampus", "nuclei"):
        for seed in SEEDS:
            for share in SHARES:
                common = {"base_channels": 16, "depth": 3, "share": share}
                for task in ("scratch", "inpainting"):
                    name = f"labels-{task}-{round(100 * share)}-{data}-{seed}"
                    options = {**common, "task": task, "steps": 400, "pretraining_steps": 800}
                    found.append(Row(name, data, "few_labels", options, seed, 0, 2))
    return found


def augmentation() -> list[Row]:
    """Claim 4: with and without, on a tenth of the images and on all."""
    return [
        Row(
            f"augment-{'with' if augment else 'without'}-{round(100 * share)}-{data}-{seed}",
            data,
            "train",
            {"model": "unet", "base_channels": 16, "share": share, "augment": augment, "steps": 600},
            seed,
            0,
            4,
        )
        for data in ("nuclei", "hippocampus", "aerial")
        for seed in SEEDS
        for share in (0.1, 1.0)
        for augment in (True, False)
    ]


def cues() -> list[Row]:
    """Claim 7: one cue tells the classes apart while learning; at the test two cues contradict each other."""
    return [
        Row(f"cue-{cue}-{model}-{seed}", cue, "cue", {"model": model, "steps": 400}, seed, 0, 7)
        for cue in ("colour", "texture", "shape", "colour_and_shape", "texture_and_shape")
        for model in ("unet", "patch_cnn")
        for seed in SEEDS
    ]


def documented() -> list[Row]:
    """Claim 8: the documented example beside Keras 3."""
    return [Row("documented-beside-keras", "noise", "documented", {"steps": 10}, claim=8)]


def _trained(model: str, data: str, seed: int, claim: int = 0) -> Row:
    options = {"model": model, **MODELS[model], "steps": STEPS[data]}
    return Row(f"{model}-{data}-{seed}", data, "train", options, seed, BUDGET, claim)
