"""ReSeg: convolutions to see what is near, ReNet layers to hear from everywhere, up-sampling to say where.

    image (N, C, H, W)                                                     logits (N, K, H, W)
      │ two convolutions                                                     ▲ 1×1 convolution
    (N, B, H, W)                                                           (N, B, H, W)
      │ max-pool 2, two convolutions                                         ▲ 2×2 transposed convolution
    (N, 2B, H/2, W/2)                                                      (N, 2B, H/2, W/2)
      │ max-pool 2, two convolutions                                         ▲ 2×2 transposed convolution
    (N, 4B, H/4, W/4)                                                      (N, 4B, H/4, W/4)
      │ ReNet, patches of 2×2                                                ▲ 2×2 transposed convolution
    (N, 2U, H/8, W/8) ──── ReNet, patches of 1×1 ───► (N, 2U, H/8, W/8) ─────┘

(here with depth = 3 and layers = 2; B = base_channels, U = hidden).  "Two convolutions" are those of U-Net
(unet.py), and so is what happens to an image whose sides are not multiples of 2^depth.  Each transposed
convolution is followed by batch norm (ours: the paper has none there) and relu.  With skips=True the map of
the same size on the left is added to the one on the right: it is no part of the paper, costs no parameter,
and brings back thin outlines.

Visin et al., "ReSeg: a recurrent neural network-based model for semantic segmentation", 2016 (its front is
the beginning of a trained VGG-16, and its classes are weighted).
"""

from __future__ import annotations

import itertools

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.models.blocks import DoubleConv, begin_as_he, check_sizes, to_multiple, to_size
from minitorch_seg.models.renet import ReNet


class ReSeg(nn.Module):
    """Images (N, in_channels, H, W) of any size → logits (N, num_classes, H, W).

    Args:
        in_channels: C, of the image.
        num_classes: K.
        base_channels: B, the channels of the first level of the convolutional front.
        depth: how many times the map is halved, the last time by the patches of the first ReNet layer; at
            least 1.
        hidden: U, the state of each sweep; default B·2^(depth−1), as many as the front gives.
        layers: how many ReNet layers, at least 1.
        cell: "elman", "gru" or "lstm".
        truncate: gradients go back so many steps of a sweep at most (renet.py).
        skips: add the front's maps on the way up.

    >>> import minitorch_seg as ms
    >>> model = ms.models.ReSeg(1, 2, base_channels=4, depth=2)
    >>> model(ms.zeros(1, 1, 30, 21)).shape
    (1, 2, 30, 21)
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        base_channels: int = 16,
        depth: int = 3,
        hidden: int | None = None,
        layers: int = 2,
        cell: str = "gru",
        truncate: int | None = None,
        skips: bool = False,
    ):
        super().__init__()
        check_sizes(
            "ReSeg",
            in_channels=in_channels,
            num_classes=num_classes,
            base_channels=base_channels,
            depth=depth,
            layers=layers,
        )
        self.in_channels, self.depth, self.skips = in_channels, depth, skips
        widths = [base_channels * 2**level for level in range(depth)]
        states = widths[-1] if hidden is None else hidden
        self.front = nn.ModuleList(
            DoubleConv(a, b) for a, b in zip([in_channels, *widths], widths, strict=False)
        )
        self.renets = nn.ModuleList(
            ReNet(2 * states if layer else widths[-1], states, 1 if layer else 2, cell, truncate)
            for layer in range(layers)
        )
        upwards = [2 * states, *reversed(widths)]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 2, stride=2, bias=False) for a, b in itertools.pairwise(upwards)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in reversed(widths))
        self.head = nn.Conv2d(base_channels, num_classes, 1)
        begin_as_he(self.front)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        x = to_multiple("ReSeg", x, self.in_channels, 2**self.depth)
        seen = []
        for level, double_conv in enumerate(self.front):
            x = double_conv(F.max_pool2d(x, 2) if level else x)
            seen.append(x)
        for renet in self.renets:
            x = renet(x)
        for up, norm in zip(self.up, self.norms, strict=True):
            x = norm(up(x), relu=True)
            x = x + seen.pop() if self.skips else x
        return to_size(self.head(x), size)
