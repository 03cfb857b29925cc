"""The recipe of `minitorch-seg train`: which model, loss, optimiser, augmentation and schedule, and why.

    images    normalised one by one, so that dim and bright ones look alike; or by the data set, where
              brightness and colour mean something (the set's own word: `Splits.normalize`)
    augment   gamma, colour, and the flips and turns that keep a set's meaning (`Splits.symmetry`)
    loss      cross-entropy (every pixel counts) + Dice (every class counts, however rare)
    optimiser AdamW, at the model's learning rate (`models.FACTS`), falling to zero along half a cosine
    weights   those with the best mean IoU on the validation images

options.py says what is chosen for each option, and what the registered sets want instead.  Models that learn
without labels (unlabelled.py) have a loss of their own, and their weights are chosen by it.

One seed decides the initial weights, the order of the images and the augmentation.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg import data, models, optim
from minitorch_seg.autograd import Tensor, manual_seed, no_grad
from minitorch_seg.data.images import read_header
from minitorch_seg.data.unlabelled import load_images
from minitorch_seg.errors import UserError
from minitorch_seg.io import load_state_dict
from minitorch_seg.metrics import ConfusionMatrix
from minitorch_seg.train.augment import augmentation, moves
from minitorch_seg.train.inference import Preparation, predict_samples
from minitorch_seg.train.losses import build_loss, class_weights
from minitorch_seg.train.options import SEGMENTS, Options, check_options, model_options, with_recipe
from minitorch_seg.train.patchwise import as_maps, patch_loader
from minitorch_seg.train.run import build_model
from minitorch_seg.train.subset import part_of
from minitorch_seg.train.trainer import OPTIMIZERS, Trainer
from minitorch_seg.train.unlabelled import ImagesAsTargets, matched, name_segments

__all__ = ["Options", "Plan", "load_splits", "make_plan"]

#: Enough for a few hundred small images; coins are few and easy.
DEFAULT_STEPS = 600
COINS_STEPS = 200
VALIDATIONS = 20
LARGE = 256
CROP = 128


@dataclass
class Plan:
    """A training that is ready to begin: nothing has been computed yet, everything is decided."""

    options: Any  # Options without gaps
    splits: Any
    config: dict[str, Any]

    @property
    def facts(self) -> models.Facts:
        """What there is to know of the model."""
        return models.facts_of(self.options.model)

    @property
    def unlabelled(self) -> bool:
        """Whether the model learns from images alone."""
        return self.facts.unlabelled

    @property
    def keep_best(self) -> str:
        """The column of the history that decides which weights are kept."""
        return "val_loss" if self.unlabelled else "val_miou"

    @property
    def prepare(self) -> Preparation:
        """How images become input, and over what the final answers are averaged; validation looks once."""
        return Preparation.of(self.config)

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """How many pixels of each class each training image has (images, classes)."""
        masks = (self.splits.train[index].mask for index in range(len(self.splits.train)))
        kept = (mask[mask != self.splits.ignore_index] for mask in masks)
        return np.array([np.bincount(mask.ravel(), minlength=len(self.splits.classes)) for mask in kept])

    @property
    def loss(self) -> Any:
        """The loss between logits and classes, of maps or, from patches, of single pixels."""
        o, rule = self.options, self.options.class_weights
        weight = None if rule == "none" else class_weights(self.pixels.sum(axis=0), rule)
        loss = build_loss(o.loss, self.splits.ignore_index, weight, o.label_smoothing)
        return as_maps(loss) if self.facts.patchwise else loss

    def loader(self) -> Any:
        """The augmented training batches."""
        o, normalize = self.options, self.prepare.normalize
        if self.facts.patchwise:
            return patch_loader(
                self.splits.train,
                o.batch_size,
                moves(o.symmetry, o.colour) if o.augment else [],
                normalize,
                size=self.config["model_options"]["size"],
                batches=self.batches_an_epoch(),
                ignore_index=self.splits.ignore_index,
                seed=o.seed,
            )
        loader = data.DataLoader(
            self.splits.train,
            batch_size=o.batch_size,
            shuffle=True,
            transform=augmentation(dataclasses.replace(o, crop=self.config["crop"]), self.splits, normalize),
            seed=o.seed,
            weights=self.image_weights(),
        )
        return ImagesAsTargets(loader) if self.unlabelled else loader

    def image_weights(self) -> np.ndarray | None:
        """How often each image is drawn: of the draws, a share `balance` is for a class, each as often."""
        if self.options.balance == 0:
            return None
        has = (self.pixels > 0)[:, self.pixels.any(axis=0)]
        return (1 - self.options.balance) / len(has) + self.options.balance * (has / has.sum(0)).mean(axis=1)

    def trainer(self, steps: int) -> Trainer:
        """Model, loss, optimiser and schedule for `steps` steps, from the seed."""
        o = self.options
        manual_seed(o.seed)
        model = build_model(self.config)
        if o.init is not None:
            begin_with(model, o.init)
        if self.facts.patchwise:
            model.set_prior(self.pixels.sum(axis=0))
        model = model.to(o.device)
        kinds: dict[str, Any] = {"lr": o.lr, "weight_decay": o.weight_decay}
        kinds |= {"momentum": 0.9} if o.optimizer == "sgd" else {}
        optimizer = OPTIMIZERS[o.optimizer](model.parameters(), **kinds)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        return Trainer(
            model,
            model.objective if self.unlabelled else self.loss,
            optimizer,
            [] if self.unlabelled else ["miou"],
            scheduler=schedule,
            ignore_index=self.splits.ignore_index,
            clip_norm=o.clip_norm,
            average=o.ema,
        )

    def validation(self, trainer: Trainer) -> Callable[[], dict[str, float]]:
        """A function that measures loss and scores on the validation images, of any size."""
        splits = self.splits

        def measure() -> dict[str, float]:
            matrix = ConfusionMatrix(len(splits.classes), splits.ignore_index)
            loss = 0.0
            once = dataclasses.replace(self.prepare, symmetry="none")
            for batch, logits in predict_samples(trainer.model, splits.val, prepare=once):
                masks = np.stack([sample.mask for sample in batch])
                matrix.update(logits.argmax(axis=1), masks)
                images = [sample.image for sample in batch]
                target = once.as_input(images) if self.unlabelled else Tensor(masks)
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
            s = self.splits
            name_segments(model, s.train, len(s.classes), s.ignore_index, self.prepare)

    def default_steps(self) -> int:
        """The number of steps when the user names none."""
        return COINS_STEPS if self.splits.name == "coins" else DEFAULT_STEPS

    def batches_an_epoch(self) -> int:
        return -(-len(self.splits.train) // self.options.batch_size)

    def freeze(self, steps: int) -> None:
        """Write the number of steps and what follows from it into the config."""
        epochs = -(-steps // self.batches_an_epoch())
        self.config |= {"steps": steps, "epochs": epochs, "validation_every": -(-epochs // VALIDATIONS)}
        asked = Options(**self.config["asked"])
        self.config["command"] = dataclasses.replace(asked, epochs=None, steps=steps).command()


def is_folder(name: str) -> bool:
    """Whether --data means a folder; a known name comes first."""
    return name not in data.NAMES and Path(name).is_dir()


def load_splits(name: str, convert: str | None = None, segments: int | None = None) -> Any:
    """A data set by name, or a folder of images and masks, checked as `minitorch-seg check` does.

    segments: of a model without labels, to which a folder without masks/ will do.
    """
    if is_folder(name):
        if segments is not None and not (Path(name) / "masks").exists():
            return load_images(name, segments)
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
    free = (options.segments or SEGMENTS) if models.facts_of(options.model).unlabelled else None
    splits = load_splits(options.data, options.convert, free)
    asked, options = options, with_recipe(options, splits)
    if options.share < 1:
        splits = dataclasses.replace(splits, train=part_of(splits.train, options.share, options.seed))
    for name in ("train", "val", "test"):
        if len(getattr(splits, name)) == 0:
            raise UserError(
                f"--data {options.data}: the {name} split is empty; train, val and test each need an image"
            )
    crop = choose_crop(options.crop, splits.train)
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
        "normalize": normalisation(options, splits),
        "average": options.symmetry if options.average else "none",
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
        "asked": dataclasses.asdict(asked),
    }
    return Plan(options, splits, config)


def normalisation(options: Options, splits: Any) -> str | dict[str, list[float]]:
    """For config.json: "image", or mean and standard deviation of the training images' channels."""
    if options.normalize == "image":
        return "image"
    mean, std = data.transforms.channel_statistics(splits.train)
    return {"mean": list(mean), "std": list(std)}


def begin_with(model: Any, path: str) -> None:
    """Give the part `down` of a model the weights in a file of `unsupervised.pretrain`."""
    weights = load_state_dict(path)
    if not hasattr(model, "down"):
        raise UserError(f"--init {path}: a {type(model).__name__} has no part named down to begin with it")
    try:
        model.down.load_state_dict(weights)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"--init {path} does not fit ({error.args[0]}); pre-train with the same base channels and depth"
        ) from error


def check_batches(options: Any, splits: Any, crop: int | None) -> None:
    """Batch norm needs two values a channel or more, on the lowest level of the last batch too."""
    height, width = (crop, crop) if crop is not None else next(iter(image_sizes(splits.train)))
    last = len(splits.train) % options.batch_size or options.batch_size
    given = model_options(options)
    depth = given.get("depth", models.facts_of(options.model).halvings)
    if last * math.ceil(height / 2**depth) * math.ceil(width / 2**depth) < 2:
        named = f"--depth {depth}" if "depth" in given else options.model
        raise UserError(
            f"{named} shrinks {width}x{height} pixels to one, and the last batch holds one "
            "image, too few for batch norm; use a smaller --depth, a larger --crop or another --batch-size"
        )


def choose_crop(asked: int | None, dataset: Any) -> int | None:
    """Side of the training crops; None where the images are small and of one size, and are taken whole."""
    if asked is not None:
        return asked
    sizes = image_sizes(dataset)
    return None if len(sizes) == 1 and max(next(iter(sizes))) <= LARGE else CROP


def sample_name(dataset: Any, index: int) -> str:
    """The name of a sample, without decoding its image where the data set knows its names."""
    return dataset.names[index] if hasattr(dataset, "names") else dataset[index].name


def image_sizes(dataset: Any) -> set[tuple[int, int]]:
    """All (height, width) of a data set; of files the headers are read only."""
    if hasattr(dataset, "images"):
        return {read_header(path).size for path in dataset.images}
    return {dataset[index].mask.shape for index in range(len(dataset))}
