"""Models by name.  `build("unet", in_channels=3, num_classes=2)` is what the command line calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.models.fcn import FCN
from minitorch_seg.models.patch_cnn import PatchCNN
from minitorch_seg.models.receptive_field import gradient_by_distance, gradient_map, seen
from minitorch_seg.models.renet import ReNet, Sweep
from minitorch_seg.models.reseg import ReSeg
from minitorch_seg.models.segnet import SegNet
from minitorch_seg.models.sequence_rnn import SequenceRNN
from minitorch_seg.models.unet import UNet
from minitorch_seg.nn import Module

NAMES: dict[str, Callable[..., Module]] = {
    "unet": UNet,
    # fcn32s, fcn16s, fcn8s as in the paper, and the same without the s
    **{f"fcn{n}{s}": partial(FCN, stride=n) for s in ("s", "") for n in (32, 16, 8)},
    "segnet": SegNet,
    "patch_cnn": PatchCNN,
    "reseg": ReSeg,
    "sequence_rnn": SequenceRNN,
}


def build(name: str, in_channels: int, num_classes: int, **options: Any) -> Module:
    """A new model with random weights.

    >>> type(build("unet", 1, 2, base_channels=4, depth=1)).__name__
    'UNet'
    """
    if name not in NAMES:
        raise UserError(f"there is no model named {name!r}{nearest_name(name, NAMES)}")
    return NAMES[name](in_channels, num_classes, **options)


__all__ = [
    "FCN",
    "NAMES",
    "PatchCNN",
    "ReNet",
    "ReSeg",
    "SegNet",
    "SequenceRNN",
    "Sweep",
    "UNet",
    "build",
    "gradient_by_distance",
    "gradient_map",
    "seen",
]
