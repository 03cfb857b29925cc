"""FCN-32s, 16s, 8s: a classifier's layers slid over the whole image, and its coarse scores enlarged.

    image (N, C, H, W)
      │ stage 1: two convolutions, max-pool 2
    (N, B, H/2, W/2)
      │ stage 2: two convolutions, max-pool 2
    (N, 2B, H/4, W/4)
      │ stage 3: two convolutions, max-pool 2
    (N, 4B, H/8, W/8) ──────────── score ──► (N, K, H/8, W/8) ─────► + ──► ×8 ──► logits of FCN-8s
      │ stage 4: two convolutions, max-pool 2                        ▲ ×2
    (N, 8B, H/16, W/16) ────────── score ──► (N, K, H/16, W/16) ─► + ┴───► ×16 ─► logits of FCN-16s
      │ stage 5: two convolutions, max-pool 2                      ▲ ×2
    (N, 8B, H/32, W/32)                                            │
      │ what were dense layers: 3×3, dropout, 1×1, dropout         │
    (N, 8B, H/32, W/32) ────────── score ──► (N, K, H/32, W/32) ───┴─────► ×32 ─► logits of FCN-32s

(B = base_channels; "score" is a 1×1 convolution.)  Every stage halves the sides, so FCN-32s knows what is
there but says where only to 32 pixels.  FCN-16s and FCN-8s add the scores of finer maps, which know better.

As in the paper, the score layers begin at zero: at the start the finer maps change nothing, and a network of
stride 8 answers as one of stride 32 would.  ×2 is a transposed convolution, 4×4 with stride 2, learned from
the weights of bilinear interpolation; the last enlargement is bilinear interpolation itself, and learns
nothing.  An image whose sides are not multiples of 32 is continued by repeating its border, and the logits
are cropped again (the paper pads by 100 pixels and crops).  The stages are those of VGG-13 with batch norm,
narrower; VGG's first dense layer is 7×7 and learned on ImageNet, here it is 3×3 and learned with the rest.
The paper trains in stages, first stride 32, then 16 and 8 from its weights; here each stride is trained at
once.

Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", 2015; Simonyan and
Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015.
"""

from __future__ import annotations

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.models.blocks import DoubleConv, begin_as_he, check_sizes, to_multiple, to_size

#: Stride of the finest scores -> how many finer maps are added.
SKIPS = {32: 0, 16: 1, 8: 2}


class FCN(nn.Module):
    """FCN of one of three strides: images (N, in_channels, H, W) of any size → logits (N, num_classes, H, W).

    Args:
        in_channels: C, of the image.
        num_classes: K.
        base_channels: B, the channels of the first stage; the others have 2, 4, 8 and 8 times as many.
        stride: 32, 16 or 8.
        dropout: share of the two last hidden maps that a training step leaves out; the paper's is 0.5, of
            4,096 channels.

    >>> import minitorch_seg as ms
    >>> model = ms.models.FCN(3, 4, base_channels=2, stride=8)
    >>> model(ms.zeros(2, 3, 40, 33)).shape
    (2, 4, 40, 33)
    """

    depth = 5

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        base_channels: int = 16,
        stride: int = 8,
        dropout: float = 0.1,
    ):
        super().__init__()
        check_sizes("FCN", in_channels=in_channels, num_classes=num_classes, base_channels=base_channels)
        if stride not in SKIPS:
            raise ShapeError(f"FCN: stride must be 32, 16 or 8, found {stride}")
        self.in_channels, self.stride = in_channels, stride
        widths = [base_channels * n for n in (1, 2, 4, 8, 8)]
        self.stages = nn.ModuleList(
            DoubleConv(a, b) for a, b in zip([in_channels, *widths], widths, strict=False)
        )
        self.classifier = nn.Sequential(
            nn.Conv2d(widths[-1], widths[-1], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[-1]),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(widths[-1], widths[-1], 1),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        sources = [widths[4], widths[3], widths[2]][: 1 + SKIPS[stride]]
        self.scores = nn.ModuleList(nn.Conv2d(width, num_classes, 1) for width in sources)
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(num_classes, num_classes, 4, stride=2, padding=1, bias=False)
            for _ in sources[1:]
        )
        begin_as_he(self)
        nn.init.kaiming_normal_(self.classifier[4].weight, nonlinearity="relu")
        nn.init.zeros_(self.classifier[4].bias)
        for score in self.scores:
            nn.init.zeros_(score.weight)
            nn.init.zeros_(score.bias)
        for enlarge in self.enlarge:
            begin_as_bilinear(enlarge.weight)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        x = to_multiple("FCN", x, self.in_channels, 32)
        framed = x.shape[2], x.shape[3]
        maps = []
        for stage in self.stages:
            x = F.max_pool2d(stage(x), 2)
            maps.append(x)
        scores = self.scores[0](self.classifier(x))
        finer = zip(list(self.scores)[1:], self.enlarge, reversed(maps[:-1]), strict=False)
        for score, enlarge, finer_map in finer:
            scores = enlarge(scores) + score(finer_map)
        return to_size(F.interpolate(scores, framed, mode="bilinear"), size)


def begin_as_bilinear(weight: Tensor) -> Tensor:
    """Fill the weight (K, K, n, n) of a transposed convolution of stride s = n/2, padding s/2, in place.

    Channel k of the result is channel k bilinearly enlarged by s (n a multiple of 4; at the border, where
    interpolation repeats the outermost pixel, the convolution fades to zero):

        weight[k, k, i, j] = t(i) t(j),  t(i) = 1 − |i − (n − 1)/2| / s;  0 between different channels
    """
    n = weight.shape[-1]
    tent = 1 - np.abs(np.arange(n) - (n - 1) / 2) / (n / 2)
    own = np.eye(weight.shape[0], weight.shape[1])[:, :, np.newaxis, np.newaxis]
    weight.data[...] = own * np.outer(tent, tent)
    weight.bump_version()
    return weight
