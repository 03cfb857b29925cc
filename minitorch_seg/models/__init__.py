"""Networks that segment images; facts.py lists them by the names that the command line knows."""

from minitorch_seg.models.autoencoder import (
    ConvAutoencoder,
    Denoising,
    Inpainting,
    TiedAutoencoder,
    VariationalAutoencoder,
)
from minitorch_seg.models.facts import ALIASES, FACTS, NAMES, Facts, build, facts_of
from minitorch_seg.models.fcn import FCN
from minitorch_seg.models.patch_cnn import PatchCNN
from minitorch_seg.models.receptive_field import gradient_by_distance, gradient_map, seen
from minitorch_seg.models.renet import ReNet, Sweep
from minitorch_seg.models.reseg import ReSeg
from minitorch_seg.models.segnet import SegNet
from minitorch_seg.models.sequence_rnn import SequenceRNN
from minitorch_seg.models.unet import UNet
from minitorch_seg.models.wnet import WNet

__all__ = [
    "ALIASES",
    "FACTS",
    "FCN",
    "NAMES",
    "ConvAutoencoder",
    "Denoising",
    "Facts",
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
    "facts_of",
    "gradient_by_distance",
    "gradient_map",
    "seen",
]
