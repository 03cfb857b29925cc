"""What a user can ask of `minitorch-seg train`, and what is chosen where nothing is asked."""

from __future__ import annotations

import dataclasses
import inspect
import math
import shlex
from dataclasses import dataclass
from typing import Any

from minitorch_seg import models
from minitorch_seg.data.dataset import NORMALISATIONS, SYMMETRIES
from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.train.losses import CLASS_WEIGHTS, SEGMENTATION
from minitorch_seg.train.run import HIGHEST
from minitorch_seg.train.trainer import OPTIMIZERS

__all__ = ["GENERAL", "RECIPES", "Options", "check_options", "model_options", "with_recipe"]

LARGEST_CROP = 4096

#: What is chosen for an option that is None, whatever the data.
GENERAL: dict[str, Any] = {
    "batch_size": 8,
    "loss": "cross_entropy+dice_loss",
    "class_weights": "none",
    "label_smoothing": 0.0,
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "ema": 0.0,
    "scale": 1.0,
    "shift": 0,
    "rotate": 0.0,
    "elastic": 0.0,
    "colour": 1.0,
    "balance": 0.0,
    "average": False,
}
#: What a model without labels looks for in a folder without masks, when nobody says how many.
SEGMENTS = 4
#: What is chosen for the registered sets instead.
RECIPES: dict[str, dict[str, Any]] = {
    "nuclei": {"scale": 1.2, "colour": 0.5, "ema": 0.995, "average": True},
    # The hippocampus lies in the middle, always the same way round: what is where says what it is.  Bending
    # and turning it as well (elastic 1.5, rotate 10) gave the same on validation, over three seeds.
    "hippocampus": {"shift": 6, "scale": 1.1, "ema": 0.995},
    # Cracks and potholes are 3 % of the pixels.  The camera always looks the same way, and the place in the
    # image helps: narrow crops, and enlarging by more than a tenth, cost more than they give.
    "road": {
        "loss": "cross_entropy+lovasz_softmax",
        "scale": 1.1,
        "balance": 0.3,
        "weight_decay": 0.05,
        "ema": 0.995,
        "average": True,
    },
    # Its images are parts of a few scenes, and colour says which: where colours change while learning, it
    # takes four times as many steps to come as far.
    "aerial": {"scale": 1.1, "colour": 0.0, "ema": 0.995, "average": True},
}


@dataclass(frozen=True)
class Options:
    """What a user can ask for; None is what the recipe chooses (GENERAL, RECIPES, the model, the data)."""

    data: str = "coins"
    model: str = "unet"
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    optimizer: str | None = None
    weight_decay: float | None = None
    ema: float | None = None
    base_channels: int | None = None
    depth: int | None = None
    size: int | None = None
    segments: int | None = None
    set: tuple[str, ...] = ()
    init: str | None = None
    loss: str | None = None
    class_weights: str | None = None
    label_smoothing: float | None = None
    clip_norm: float | None = None
    normalize: str | None = None
    augment: bool = True
    symmetry: str | None = None
    crop: int | None = None
    scale: float | None = None
    shift: int | None = None
    rotate: float | None = None
    elastic: float | None = None
    colour: float | None = None
    balance: float | None = None
    average: bool | None = None
    share: float = 1.0
    convert: str | None = None
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "set", tuple(self.set))  # a list, where JSON was read

    def command(self) -> str:
        """The command that repeats this run."""
        words = ["minitorch-seg", "train"]
        for field in dataclasses.fields(self):
            value, name = getattr(self, field.name), field.name.replace("_", "-")
            if field.name == "set":
                words += [word for pair in value for word in ("--set", pair)]
            elif isinstance(value, bool):
                words += [] if value == field.default else [f"--{name}" if value else f"--no-{name}"]
            elif value != field.default or field.name in ("data", "seed"):
                words += [f"--{name}", str(value)]
        return shlex.join(words)


def with_recipe(options: Options, splits: Any) -> Options:
    """The options with everything filled in that the recipe chooses for these data.

    >>> import minitorch_seg as ms
    >>> filled = with_recipe(Options(ema=0.9), ms.data.load("coins"))
    >>> filled.ema, filled.symmetry, filled.normalize, filled.scale
    (0.9, 'square', 'image', 1.0)
    """
    facts = models.facts_of(options.model)
    chosen: dict[str, Any] = GENERAL | {"symmetry": splits.symmetry, "normalize": splits.normalize}
    chosen |= {"lr": facts.learning_rate, "clip_norm": facts.clip_norm} | RECIPES.get(splits.name, {})
    if facts.patchwise:
        # Its patches are all of these.
        chosen |= {"crop": None, "scale": 1.0, "shift": 0, "rotate": 0.0, "elastic": 0.0, "balance": 0.0}
    missing = {name: value for name, value in chosen.items() if getattr(options, name) is None}
    return dataclasses.replace(options, **missing)


#: Option -> (lowest, highest) of what makes sense; the highest is allowed, of those in OPEN it is not.
RANGES: dict[str, tuple[float, float]] = {
    **{name: (1, math.inf) for name in ("batch_size", "epochs", "steps")},
    **{name: (1, highest) for name, highest in HIGHEST.items()},
    "crop": (1, LARGEST_CROP),
    "segments": (2, 64),
    "weight_decay": (0, math.inf),
    "ema": (0, 1),
    "label_smoothing": (0, 1),
    "scale": (1, 8),
    "shift": (0, LARGEST_CROP),
    "rotate": (0, 180),
    "elastic": (0, 64),
    "colour": (0, 2),
    "balance": (0, 1),
}
OPEN = ("ema", "label_smoothing")
CHOICES = {
    "optimizer": tuple(OPTIMIZERS),
    "class_weights": tuple(CLASS_WEIGHTS),
    "normalize": NORMALISATIONS,
    "symmetry": SYMMETRIES,
}


def check_options(options: Options) -> None:
    """Raise a `UserError` that names the first option that cannot be used."""
    if options.model not in models.NAMES and options.model not in models.ALIASES:
        raise UserError(f"--model {options.model}: no such model{nearest_name(options.model, models.NAMES)}")
    facts = models.facts_of(options.model)
    for name, (low, high) in RANGES.items():
        value = getattr(options, name)
        if value is not None and not value >= low:
            raise UserError(f"--{name.replace('_', '-')} must be at least {low:g}, not {value}")
        if value is not None and not (value < high if name in OPEN else value <= high):
            limit = "below" if name in OPEN else "at most"
            raise UserError(f"--{name.replace('_', '-')} must be {limit} {high:g}, not {value}")
    for name, known in CHOICES.items():
        value = getattr(options, name)
        if value is not None and value not in known:
            raise UserError(
                f"--{name.replace('_', '-')} {value}: no such choice{nearest_name(value, known)}; "
                f"use one of {', '.join(known)}"
            )
    if facts.patchwise:
        names = ("crop", "scale", "shift", "rotate", "elastic", "balance")
        given = [n for n in names if getattr(options, n) is not None]
        if given:
            raise UserError(
                f"--{given[0]}: {options.model} is trained on patches; choose their side with --size"
            )
        if options.size is not None and options.size < models.PatchCNN.smallest:
            raise UserError(f"--size must be at least {models.PatchCNN.smallest}, not {options.size}")
    for name in ("lr", "clip_norm", "share"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"--{name.replace('_', '-')} must be above 0, not {value}")
    if options.share > 1:
        raise UserError(f"--share must be at most 1, not {options.share}")
    if options.segments is not None and not facts.unlabelled:
        raise UserError(
            f"--segments: {options.model} learns from masks, which say how many classes there are"
        )
    if facts.unlabelled and options.loss is not None:
        raise UserError(f"--loss {options.loss}: {options.model} learns without labels, by a loss of its own")
    if not 0 <= options.seed < 2**63:
        raise UserError(f"--seed must be a whole number from 0 to 2^63 - 1, not {options.seed}")
    for name in (options.loss or GENERAL["loss"]).split("+"):
        if name.strip() not in SEGMENTATION:
            hint = nearest_name(name.strip(), SEGMENTATION)
            raise UserError(f"--loss {options.loss}: no loss {name.strip()!r} for classes of pixels{hint}")
    model_options(options)


def model_options(options: Options) -> dict[str, Any]:
    """What the model is built with; what was not given is its own default."""
    known = inspect.signature(models.facts_of(options.model).build).parameters
    chosen = {}
    for name in ("base_channels", "depth", "size"):
        value = getattr(options, name)
        if name in known:
            chosen[name] = known[name].default if value is None else value
        elif value is not None:
            raise UserError(f"--{name.replace('_', '-')}: {options.model} has no such option; leave it out")
    for pair in options.set:
        name, equals, text = pair.partition("=")
        settable = {n: p for n, p in known.items() if isinstance(p.default, int | float | str | None)}
        settable = {n: p for n, p in settable.items() if p.default is not inspect.Parameter.empty}
        if not equals or name not in settable:
            raise UserError(
                f"--set {pair}: {options.model} has {', '.join(settable) or 'nothing to set'}; "
                "write --set NAME=VALUE"
            )
        chosen[name] = _value(text)
    return chosen


def _value(text: str) -> int | float | bool | str | None:
    """
    >>> [_value(text) for text in ("3", "0.5", "true", "none", "gru")]
    [3, 0.5, True, None, 'gru']
    """
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
