"""Models by name, and what a training has to know of each; the command line calls `build("unet", 3, 2)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.models.autoencoder import ConvAutoencoder
from minitorch_seg.models.fcn import FCN
from minitorch_seg.models.patch_cnn import PatchCNN
from minitorch_seg.models.reseg import ReSeg
from minitorch_seg.models.segnet import SegNet
from minitorch_seg.models.sequence_rnn import SequenceRNN
from minitorch_seg.models.unet import UNet
from minitorch_seg.models.wnet import WNet
from minitorch_seg.nn import Module


@dataclass(frozen=True)
class Facts:
    """One model.

    build: (in_channels, num_classes, **options) -> Module.
    learning_rate: to begin with; without batch norm a model is thrown off by what suits the others.
    clip_norm: gradients are shortened to this norm; those of a recurrent model may explode.
    halvings: how often the sides of an image are halved, where that is not the option `depth`.
    unlabelled: learns from images alone, by `model.objective(output, images)`.
    patchwise: classifies patches, is trained on those, and segments by `model.segment(images)`.
    """

    build: Callable[..., Module]
    learning_rate: float = 0.01
    clip_norm: float | None = None
    halvings: int = 0
    unlabelled: bool = False
    patchwise: bool = False


FACTS: dict[str, Facts] = {
    "unet": Facts(UNet),
    **{f"fcn{n}s": Facts(partial(FCN, stride=n), halvings=FCN.depth) for n in (32, 16, 8)},
    "segnet": Facts(SegNet),
    "patch_cnn": Facts(PatchCNN, learning_rate=0.001, patchwise=True),
    "reseg": Facts(ReSeg, clip_norm=1.0),
    "sequence_rnn": Facts(SequenceRNN, learning_rate=0.001, clip_norm=1.0),
    "autoencoder": Facts(ConvAutoencoder),
    "wnet": Facts(WNet, unlabelled=True),
}
#: Other names for the same.
ALIASES = {"fcn32": "fcn32s", "fcn16": "fcn16s", "fcn8": "fcn8s"}
NAMES: dict[str, Callable[..., Module]] = {name: facts.build for name, facts in FACTS.items()}


def facts_of(name: str) -> Facts:
    """The facts of a model, by its name or an alias.

    >>> facts_of("fcn8").halvings
    5
    """
    name = ALIASES.get(name, name)
    if name not in FACTS:
        raise UserError(f"there is no model named {name!r}{nearest_name(name, FACTS)}")
    return FACTS[name]


def build(name: str, in_channels: int, num_classes: int, **options: Any) -> Module:
    """A new model with random weights.

    >>> type(build("unet", 1, 2, base_channels=4, depth=1)).__name__
    'UNet'
    """
    return facts_of(name).build(in_channels, num_classes, **options)
