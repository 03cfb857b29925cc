"""Models by name.  `build("unet", in_channels=3, num_classes=2)` is what the command line calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.models.autoencoder import (
    ConvAutoencoder,
    Denoising,
    Inpainting,
    TiedAutoencoder,
    VariationalAutoencoder,
)
from minitorch_seg.models.clustering import code_features, kmeans
from minitorch_seg.models.fcn import FCN
from minitorch_seg.models.kanezaki import cluster_image
from minitorch_seg.models.patch_cnn import PatchCNN
from minitorch_seg.models.receptive_field import gradient_by_distance, gradient_map, seen
from minitorch_seg.models.renet import ReNet, Sweep
from minitorch_seg.models.reseg import ReSeg
from minitorch_seg.models.segnet import SegNet
from minitorch_seg.models.sequence_rnn import SequenceRNN
from minitorch_seg.models.soft_ncut import soft_ncut_loss
from minitorch_seg.models.transfer import transfer
from minitorch_seg.models.unet import UNet
from minitorch_seg.models.wnet import WNet
from minitorch_seg.nn import Module

NAMES: dict[str, Callable[..., Module]] = {
    "unet": UNet,
    # fcn32s, fcn16s, fcn8s as in the paper, and the same without the s
    **{f"fcn{n}{s}": partial(FCN, stride=n) for s in ("s", "") for n in (32, 16, 8)},
    "segnet": SegNet,
    "patch_cnn": PatchCNN,
    "reseg": ReSeg,
    "sequence_rnn": SequenceRNN,
    "autoencoder": ConvAutoencoder,
    "wnet": WNet,
}

#: Models that learn from images alone: `model.objective(logits, images)` is their loss.
UNLABELLED = frozenset({"wnet"})


#: How often a model halves the sides of an image, where that is no option of its own.
HALVINGS = {name: FCN.depth for name in NAMES if name.startswith("fcn")}


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
    "UNLABELLED",
    "ConvAutoencoder",
    "Denoising",
    "Inpainting",
    "PatchCNN",
    "ReNet",
    "ReSeg",
    "SegNet",
    "SequenceRNN",
    "Sweep",
    "TiedAutoencoder",
    "UNet",
    "VariationalAutoencoder",
    "WNet",
    "build",
    "cluster_image",
    "code_features",
    "gradient_by_distance",
    "gradient_map",
    "kmeans",
    "seen",
    "soft_ncut_loss",
    "transfer",
]
