"""The recipe of `minitorch-seg train`: which model, loss, optimiser, augmentation and schedule, and why.

    images    normalised one by one, so that dim and bright ones look alike
    augment   flips, quarter turns, brightness and contrast; upright scenes are mirrored only
    loss      cross-entropy (every pixel counts) + Dice (every class counts, however rare)
    optimiser AdamW, learning rate 0.01 (without batch norm 0.001) falling to zero along half a cosine
    weights   those with the best mean IoU on the validation images

Models that learn without labels (unlabelled.py) have a loss of their own, and their weights are chosen by it.

One seed decides the initial weights, the order of the images and the augmentation.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import math
import platform
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg import data, models, optim
from minitorch_seg.autograd import Tensor, manual_seed, no_grad
from minitorch_seg.data import transforms
from minitorch_seg.data.images import read_header
from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.metrics import ConfusionMatrix
from minitorch_seg.train.inference import as_input, predict_samples
from minitorch_seg.train.losses import build_loss
from minitorch_seg.train.patchwise import as_maps, patch_loader
from minitorch_seg.train.run import HIGHEST, build_model
from minitorch_seg.train.trainer import Trainer
from minitorch_seg.train.unlabelled import ImagesAsTargets, matched, name_segments

__all__ = ["Options", "Plan", "load_splits", "make_plan"]

#: Enough for a few hundred small images; coins are few and easy.
DEFAULT_STEPS = 600
COINS_STEPS = 200
VALIDATIONS = 20
#: Losses between logits (N, K, H, W) and class indices (N, H, W).
LOSSES = ("cross_entropy", "dice_loss")
LARGE = 256
CROP = 128
LARGEST_CROP = 4096
#: Scenes with a sky above and a ground below: turned upside down they would be another task.
UPRIGHT = frozenset({"road"})


@dataclass(frozen=True)
class Options:
    """What a user can ask for; the defaults are the recipe."""

    data: str = "coins"
    model: str = "unet"
    epochs: int | None = None
    steps: int | None = None
    batch_size: int = 8
    lr: float | None = None
    base_channels: int | None = None
    depth: int | None = None
    size: int | None = None
    loss: str = "cross_entropy+dice_loss"
    clip_norm: float | None = None
    crop: int | None = None
    augment: bool = True
    convert: str | None = None
    device: str = "cpu"
    seed: int = 0

    def command(self) -> str:
        """The command that repeats this run."""
        words = ["minitorch-seg", "train"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "augment":
                words += [] if value else ["--no-augment"]
            elif value != field.default or field.name in ("data", "seed"):
                words += [f"--{field.name.replace('_', '-')}", str(value)]
        return shlex.join(words)


@dataclass
class Plan:
    """A training that is ready to begin: nothing has been computed yet, everything is decided."""

    options: Options
    splits: Any
    config: dict[str, Any]

    @property
    def unlabelled(self) -> bool:
        """Whether the model learns from images alone."""
        return self.options.model in models.UNLABELLED

    @property
    def keep_best(self) -> str:
        """The column of the history that decides which weights are kept."""
        return "val_loss" if self.unlabelled else "val_miou"

    @property
    def patchwise(self) -> bool:
        """Whether the model classifies patches, and is trained on those."""
        return self.options.model == "patch_cnn"

    @property
    def learning_rate(self) -> float:
        """At the start; a model without batch norm is thrown off by what suits the others."""
        chosen = 0.001 if self.patchwise else 0.01
        return chosen if self.options.lr is None else self.options.lr

    @property
    def loss(self) -> Any:
        """The loss between logits and classes, of maps or, from patches, of single pixels."""
        named = self.options.loss
        return as_maps(build_loss(named, self.splits.ignore_index)) if self.patchwise else named

    def loader(self) -> Any:
        """The augmented training batches."""
        o = self.options
        transform = augmentation(o, self.splits, self.config["crop"])
        if self.patchwise:
            return patch_loader(
                self.splits.train,
                o.batch_size,
                augmentation(o, self.splits, None),
                size=self.config["model_options"]["size"],
                batches=self.batches_an_epoch(),
                ignore_index=self.splits.ignore_index,
                seed=o.seed,
            )
        loader = data.DataLoader(
            self.splits.train, batch_size=o.batch_size, shuffle=True, transform=transform, seed=o.seed
        )
        return ImagesAsTargets(loader) if self.unlabelled else loader

    def trainer(self, steps: int) -> Trainer:
        """Model, loss, optimiser and schedule for `steps` steps, from the seed."""
        manual_seed(self.options.seed)
        model = build_model(self.config).to(self.options.device)
        optimizer = optim.AdamW(model.parameters(), lr=self.learning_rate)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        return Trainer(
            model,
            model.objective if self.unlabelled else self.loss,
            optimizer,
            [] if self.unlabelled else ["miou"],
            scheduler=schedule,
            ignore_index=self.splits.ignore_index,
            clip_norm=self.options.clip_norm,
        )

    def validation(self, trainer: Trainer) -> Callable[[], dict[str, float]]:
        """A function that measures loss and scores on the validation images, of any size."""
        splits = self.splits

        def measure() -> dict[str, float]:
            matrix = ConfusionMatrix(len(splits.classes), splits.ignore_index)
            loss = 0.0
            for batch, logits in predict_samples(trainer.model, splits.val):
                masks = np.stack([sample.mask for sample in batch])
                matrix.update(logits.argmax(axis=1), masks)
                images = [sample.image for sample in batch]
                target = as_input(images) if self.unlabelled else Tensor(masks)
                with no_grad():
                    loss += trainer.loss(Tensor(logits), target).item() * len(batch)
            scored = matched(matrix) if self.unlabelled else matrix
            return {
                "loss": loss / len(splits.val),
                "miou": scored.mean_iou(),
                "pixel_accuracy": scored.pixel_accuracy(),
            }

        return measure

    def finish(self, model: Any) -> None:
        """What is left to do when the weights are final: segments without names get those of classes."""
        if self.unlabelled:
            name_segments(model, self.splits.train, len(self.splits.classes), self.splits.ignore_index)

    def default_steps(self) -> int:
        """The number of steps when the user names none."""
        return COINS_STEPS if self.splits.name == "coins" else DEFAULT_STEPS

    def batches_an_epoch(self) -> int:
        return -(-len(self.splits.train) // self.options.batch_size)

    def freeze(self, steps: int) -> None:
        """Write the number of steps and what follows from it into the config."""
        epochs = -(-steps // self.batches_an_epoch())
        self.config |= {"steps": steps, "epochs": epochs, "validation_every": -(-epochs // VALIDATIONS)}
        self.config["command"] = dataclasses.replace(self.options, epochs=None, steps=steps).command()


def is_folder(name: str) -> bool:
    """Whether --data means a folder; a known name comes first."""
    return name not in data.NAMES and Path(name).is_dir()


def load_splits(name: str, convert: str | None = None) -> Any:
    """A data set by name, or a folder of images and masks, checked as `minitorch-seg check` does."""
    if is_folder(name):
        report = data.check_folder(name, convert=convert)
        if not report.ok:
            more = len(report.problems) - 1
            rest = f" (and {more} more; all of them: minitorch-seg check {name})" if more else ""
            raise UserError(f"{report.problems[0]}{rest}")
    return data.load(name, convert=convert)


def make_plan(options: Options) -> Plan:
    """Check every option, load the data, and decide what follows from both."""
    check_options(options)
    if is_folder(options.data):  # whole, so that evaluate and --resume find it from everywhere
        options = dataclasses.replace(options, data=str(Path(options.data).absolute()))
    splits = load_splits(options.data, options.convert)
    for name in ("train", "val", "test"):
        if len(getattr(splits, name)) == 0:
            raise UserError(
                f"--data {options.data}: the {name} split is empty; train, val and test each need an image"
            )
    crop = choose_crop(options, splits)
    check_batches(options, splits, crop)
    names = {
        part: [sample_name(getattr(splits, part), i) for i in range(len(getattr(splits, part)))]
        for part in ("train", "val", "test")
    }
    config = {
        "model": options.model,
        "model_options": model_options(options),
        "in_channels": splits.in_channels,
        "classes": list(splits.classes),
        "ignore_index": splits.ignore_index,
        "pixel_size": splits.pixel_size,
        "pixel_unit": splits.pixel_unit,
        "normalisation": "per image: (v - mean) / standard deviation",
        "optimizer": "adamw",
        "schedule": "cosine to zero",
        "crop": crop,
        "images": {part: len(stems) for part, stems in names.items()},
        "split_sha256": hashlib.sha256(repr(names).encode()).hexdigest(),
        "threads": ms.get_num_threads(),
        "versions": {
            "minitorch_seg": ms.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "options": dataclasses.asdict(options),
    }
    return Plan(options, splits, config)


def check_options(options: Options) -> None:
    """Raise a `UserError` that names the first option that cannot be used."""
    if options.model not in models.NAMES:
        raise UserError(f"--model {options.model}: no such model{nearest_name(options.model, models.NAMES)}")
    for name in ("batch_size", "base_channels", "depth", "size", "epochs", "steps", "crop"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
        highest = (HIGHEST | {"crop": LARGEST_CROP}).get(name, math.inf)
        if value is not None and value > highest:
            raise UserError(f"--{name.replace('_', '-')} must be at most {highest}, not {value}")
    if options.crop is not None and options.model == "patch_cnn":
        raise UserError("--crop: patch_cnn is trained on patches; choose their side with --size")
    if options.lr is not None and not 0 < options.lr < math.inf:
        raise UserError(f"--lr must be above 0, not {options.lr}")
    if options.clip_norm is not None and not 0 < options.clip_norm < math.inf:
        raise UserError(f"--clip-norm must be above 0, not {options.clip_norm}")
    if options.model in models.UNLABELLED and options.loss != Options.loss:
        raise UserError(f"--loss {options.loss}: {options.model} learns without labels, by a loss of its own")
    if not 0 <= options.seed < 2**63:
        raise UserError(f"--seed must be a whole number from 0 to 2^63 - 1, not {options.seed}")
    for name in options.loss.split("+"):
        if name.strip() not in LOSSES:
            hint = nearest_name(name.strip(), LOSSES)
            raise UserError(f"--loss {options.loss}: no loss {name.strip()!r} for classes of pixels{hint}")


def model_options(options: Options) -> dict[str, Any]:
    """What the model is built with; what was not given is its own default."""
    known = inspect.signature(models.NAMES[options.model]).parameters
    chosen = {}
    for name in ("base_channels", "depth", "size"):
        value = getattr(options, name)
        if name in known:
            chosen[name] = known[name].default if value is None else value
        elif value is not None:
            raise UserError(f"--{name.replace('_', '-')}: {options.model} has no such option; leave it out")
    return chosen


def check_batches(options: Options, splits: Any, crop: int | None) -> None:
    """Batch norm needs two values a channel or more, on the lowest level of the last batch too."""
    height, width = (crop, crop) if crop is not None else next(iter(image_sizes(splits.train)))
    last = len(splits.train) % options.batch_size or options.batch_size
    given = model_options(options)
    depth = given.get("depth", models.HALVINGS.get(options.model, 0))
    if last * math.ceil(height / 2**depth) * math.ceil(width / 2**depth) < 2:
        named = f"--depth {depth}" if "depth" in given else options.model
        raise UserError(
            f"{named} shrinks {width}x{height} pixels to one, and the last batch holds one "
            "image, too few for batch norm; use a smaller --depth, a larger --crop or another --batch-size"
        )


def choose_crop(options: Options, splits: Any) -> int | None:
    """Side of the training crops; None where the images are small and of one size, and are taken whole."""
    if options.crop is not None:
        return options.crop
    sizes = image_sizes(splits.train)
    return None if len(sizes) == 1 and max(next(iter(sizes))) <= LARGE else CROP


def augmentation(options: Options, splits: Any, crop: int | None) -> transforms.Compose:
    """The joint transform of training images and masks.

    Images are normalised before they are cropped, as prediction normalises whole images.
    """
    steps: list[Any] = []
    if options.augment:
        steps.append(transforms.RandomBrightnessContrast(0.2, 0.2))
    steps.append(transforms.Normalize())
    if crop is not None:
        steps.append(transforms.RandomCrop(crop, ignore_index=splits.ignore_index))
    if options.augment:
        steps.append(transforms.RandomHorizontalFlip())
        if splits.name not in UPRIGHT:
            steps += [transforms.RandomVerticalFlip(), transforms.RandomRot90()]
    return transforms.Compose(steps)


def sample_name(dataset: Any, index: int) -> str:
    """The name of a sample, without decoding its image where the data set knows its names."""
    return dataset.names[index] if hasattr(dataset, "names") else dataset[index].name


def image_sizes(dataset: Any) -> set[tuple[int, int]]:
    """All (height, width) of a data set; of files the headers are read only."""
    if hasattr(dataset, "images"):
        return {read_header(path).size for path in dataset.images}
    return {dataset[index].mask.shape for index in range(len(dataset))}
