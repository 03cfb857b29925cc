"""U-Net: down to see what is there, up to say where it is, and bridges that carry the detail across.

    image (N, C, H, W)                                                           logits (N, K, H, W)
      │ two convolutions                                                           ▲ 1×1 convolution
    (N, B, H, W) ──────────────── skip ────────────────► cat ─► two conv. ─► (N, B, H, W)
      │ max-pool 2, two convolutions                      ▲ transposed convolution
    (N, 2B, H/2, W/2) ─────── skip ──────► cat ─► two conv. ─► (N, 2B, H/2, W/2)
      │ max-pool 2, two convolutions        ▲ transposed convolution
    (N, 4B, H/4, W/4) ─ skip ─► cat ─► two conv. ─► (N, 4B, H/4, W/4)
      │ max-pool 2, two conv.    ▲ transposed convolution
    (N, 8B, H/8, W/8) ───────────┘

(here with depth = 3; B = base_channels).  "Two convolutions" (two conv.) are twice: 3×3 without bias (batch
norm has one), batch norm, relu.  The transposed convolution is 2×2 with stride 2 and halves the channels;
`cat` joins them with those of the skip.  Every level down doubles the channels and halves the sides.  An
image whose sides are not multiples of 2^depth is padded by repeating its border, and the logits are cropped
again.

Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation", 2015
(without its unpadded convolutions; with batch norm).
"""

from __future__ import annotations

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.cat import cat


class DoubleConv(nn.Sequential):
    """(N, C, H, W) → (N, O, H, W): twice a 3×3 convolution, batch norm, relu."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """What nn.Sequential would do; each relu runs within the batch norm before it, in one operator."""
        first, first_norm, _, second, second_norm, _ = self
        return second_norm(second(first_norm(first(x), relu=True)), relu=True)


class UNet(nn.Module):
    """U-Net with `depth` poolings: images (N, in_channels, H, W) of any size → logits (N, num_classes, H, W).

    Args:
        in_channels: C, of the image; 1 for grey, 3 for colour.
        num_classes: K.
        base_channels: B, the channels of the first level; each level below has twice as many.
        depth: how many times the map is halved.

    The weights of the 3×3 convolutions begin as He et al. (2015) derived for relu, the others as in PyTorch.

    >>> import minitorch_seg as ms
    >>> model = ms.models.UNet(1, 2, base_channels=4, depth=2)
    >>> model(ms.zeros(1, 1, 30, 21)).shape
    (1, 2, 30, 21)
    """

    def __init__(self, in_channels: int, num_classes: int, base_channels: int = 16, depth: int = 3):
        super().__init__()
        if min(in_channels, num_classes, base_channels) < 1 or depth < 0:
            raise ShapeError(
                "UNet: sizes must be positive, "
                f"found {in_channels=}, {num_classes=}, {base_channels=}, {depth=}"
            )
        self.in_channels, self.depth = in_channels, depth
        widths = [base_channels * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            DoubleConv(a, b) for a, b in zip([in_channels, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.merge = nn.ModuleList(DoubleConv(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(base_channels, num_classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module is not self.head:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(f"UNet: input has shape {x.shape}, expected (N, {self.in_channels}, H, W)")
        height, width = x.shape[2:]
        bottom, right = (-height % 2**self.depth, -width % 2**self.depth)
        if bottom or right:
            x = F.pad(x, (0, right, 0, bottom), mode="replicate")
        skips = []
        for level, double_conv in enumerate(self.down):
            x = double_conv(x)
            if level < self.depth:
                skips.append(x)
                x = F.max_pool2d(x, 2)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(cat([skips.pop(), up(x)], 1))
        x = self.head(x)
        return x[:, :, :height, :width] if bottom or right else x
