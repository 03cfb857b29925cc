"""What the convolutional models share: two convolutions, their first weights, a frame for images of any size.

    (N, C, H, W) ─ 3×3 convolution, batch norm, relu ─► (N, O, H, W) ─ the same again ─► (N, O, H, W)

`DoubleConv` is this pair.  It is written in unet.py, so that the U-Net can be read in one file.
"""

from __future__ import annotations

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.models.unet import DoubleConv

__all__ = ["DoubleConv", "begin_as_he", "check_images", "check_sizes", "to_multiple", "to_size"]


def begin_as_he(model: nn.Module) -> None:
    """Give all convolutions of more than one pixel the random weights that He et al. (2015) derived for relu.

    >>> import minitorch_seg as ms
    >>> _ = ms.manual_seed(0)
    >>> block = DoubleConv(3, 64)
    >>> begin_as_he(block)
    >>> round(float(block[3].weight.data.var()) * 64 * 9, 1)  # the variance is 2 / fan_in
    2.0
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


def check_sizes(model: str, **sizes: int) -> None:
    """Raise a ShapeError unless all sizes that a model is built with are at least 1."""
    if min(sizes.values()) < 1:
        found = ", ".join(f"{name}={value}" for name, value in sizes.items())
        raise ShapeError(f"{model}: sizes must be positive, found {found}")


def check_images(model: str, x: Tensor, in_channels: int) -> None:
    """Raise a ShapeError unless x is (N, in_channels, H, W)."""
    if x.ndim != 4 or x.shape[1] != in_channels:
        raise ShapeError(f"{model}: input has shape {x.shape}, expected (N, {in_channels}, H, W)")


def to_multiple(model: str, x: Tensor, in_channels: int, multiple: int) -> Tensor:
    """Images (N, in_channels, H, W), the last row and column repeated until `multiple` divides both sides.

    >>> import minitorch_seg as ms
    >>> to_multiple("UNet", ms.zeros(1, 3, 8, 9), 3, 4).shape
    (1, 3, 8, 12)
    """
    check_images(model, x, in_channels)
    bottom, right = (-side % multiple for side in x.shape[2:])
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


def to_size(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """The upper left (height, width) = `size` of maps: what undoes `to_multiple`."""
    return x if x.shape[2:] == size else x[:, :, : size[0], : size[1]]
