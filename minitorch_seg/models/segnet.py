"""SegNet: the decoder puts each number back where the encoder's pooling found it.

    image (N, C, H, W)                                                      logits (N, K, H, W)
      │ two convolutions                                                      ▲ two convolutions, 1×1
    (N, B, H, W)                                                            (N, B, H, W)
      │ max-pool 2 ─────────── indices ────────────────────────────────────►  ▲ unpool
    (N, B, H/2, W/2)                                                        (N, B, H/2, W/2)
      │ two convolutions                                                      ▲ two convolutions
    (N, 2B, H/2, W/2)                                       (N, 2B, H/2, W/2) ┘
      │ max-pool 2 ─────────── indices ────────────────────►  ▲ unpool
    (N, 2B, H/4, W/4)                                       (N, 2B, H/4, W/4)
      │ two convolutions                                      ▲ two convolutions
    (N, 4B, H/4, W/4)                       (N, 4B, H/4, W/4) ┘
      │ max-pool 2 ─────────── indices ────►  ▲ unpool
    (N, 4B, H/8, W/8) ────────────────────────┘

(here with depth = 3; B = base_channels.)  Where a U-Net hands whole maps across, SegNet hands over one index
for each pooled number: where in its window the largest stood.  Unpooling puts the number there and zeros
beside it; the convolutions that follow fill the gaps.  Borders stay where they were, for two bits a number.
An image whose sides are not multiples of 2^depth is continued by repeating its border, and the logits are
cropped again.

The paper's SegNet is VGG-16 and its mirror: depth 5, two or three convolutions a level, of which the
decoder's last narrows the map; here it is the first, which costs less, and the depth is 4 unless another is
asked for.  Its classifier is a 3×3 convolution, here 1×1; its classes are weighted by the median of their
frequencies over their own (`train --class-weights balanced` comes near), here equally.

Badrinarayanan, Kendall and Cipolla, "SegNet: a deep convolutional encoder-decoder architecture for image
segmentation", 2017.
"""

from __future__ import annotations

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.models.blocks import DoubleConv, begin_as_he, check_sizes, to_multiple, to_size


class SegNet(nn.Module):
    """SegNet with `depth` poolings: images (N, in_channels, H, W), any size → logits (N, num_classes, H, W).

    Args:
        in_channels: C, of the image.
        num_classes: K.
        base_channels: B, the channels of the first level; each level below has twice as many.
        depth: how many times the map is halved, at least 1.

    >>> import minitorch_seg as ms
    >>> model = ms.models.SegNet(1, 2, base_channels=4, depth=2)
    >>> model(ms.zeros(1, 1, 30, 21)).shape
    (1, 2, 30, 21)
    """

    def __init__(self, in_channels: int, num_classes: int, base_channels: int = 16, depth: int = 4):
        super().__init__()
        check_sizes(
            "SegNet",
            in_channels=in_channels,
            num_classes=num_classes,
            base_channels=base_channels,
            depth=depth,
        )
        self.in_channels, self.depth = in_channels, depth
        widths = [base_channels * 2**level for level in range(depth)]
        self.encoder = nn.ModuleList(
            DoubleConv(a, b) for a, b in zip([in_channels, *widths], widths, strict=False)
        )
        self.decoder = nn.ModuleList(DoubleConv(2 * w, w) for w in reversed(widths[:-1]))
        self.decoder.append(DoubleConv(base_channels, base_channels))
        self.head = nn.Conv2d(base_channels, num_classes, 1)
        begin_as_he(self)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        x = to_multiple("SegNet", x, self.in_channels, 2**self.depth)
        places = []
        for block in self.encoder:
            x, indices = F.max_pool2d(block(x), 2, return_indices=True)
            places.append(indices)
        for block in self.decoder:
            x = block(F.max_unpool2d(x, places.pop(), 2))
        return to_size(self.head(x), size)
