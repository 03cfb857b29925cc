"""Pooling, unpooling, resizing, windows as columns: maps made smaller and larger, without parameters."""

from __future__ import annotations

from typing import Any

from minitorch_seg import functional as F
from minitorch_seg.nn.applied import Applied


class MaxPool2d(Applied):
    """The largest number of each window; arguments as functional.max_pool2d.

    >>> import minitorch_seg as ms
    >>> ms.nn.MaxPool2d(2)(ms.zeros(1, 3, 8, 6)).shape
    (1, 3, 4, 3)
    """

    operator = staticmethod(F.max_pool2d)

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            dilation=dilation,
            return_indices=return_indices,
            ceil_mode=ceil_mode,
        )


class MaxUnpool2d(Applied):
    """Each number back to where MaxPool2d(return_indices=True) found it.

    Call: unpool(input, indices, output_size=None); arguments as functional.max_unpool2d.

    >>> import minitorch_seg as ms
    >>> pool = ms.nn.MaxPool2d((1, 2), return_indices=True)
    >>> ms.nn.MaxUnpool2d((1, 2))(*pool(ms.tensor([[[[1.0, 5.0, 2.0, 3.0]]]])))
    tensor([[[[0., 5., 0., 3.]]]])
    """

    operator = staticmethod(F.max_unpool2d)

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        super().__init__(
            kernel_size=kernel_size, stride=kernel_size if stride is None else stride, padding=padding
        )


class AvgPool2d(Applied):
    """The mean of each window; arguments as functional.avg_pool2d.

    >>> import minitorch_seg as ms
    >>> ms.nn.AvgPool2d((1, 2))(ms.tensor([[[[1.0, 3.0, 5.0, 7.0]]]]))
    tensor([[[[2., 6.]]]])
    """

    operator = staticmethod(F.avg_pool2d)

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            divisor_override=divisor_override,
        )


class AdaptiveAvgPool2d(Applied):
    """Means over windows that cover the image; output_size as functional.adaptive_avg_pool2d.

    >>> import minitorch_seg as ms
    >>> ms.nn.AdaptiveAvgPool2d(1)(ms.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[2.]]]])
    """

    operator = staticmethod(F.adaptive_avg_pool2d)

    def __init__(self, output_size: Any):
        super().__init__(output_size=output_size)


class Upsample(Applied):
    """A map resized; arguments as functional.interpolate.

    >>> import minitorch_seg as ms
    >>> ms.nn.Upsample(scale_factor=2, mode="bilinear")(ms.zeros(1, 3, 4, 3)).shape
    (1, 3, 8, 6)
    """

    operator = staticmethod(F.interpolate)

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        super().__init__(
            size=size,
            scale_factor=scale_factor,
            mode=mode,
            align_corners=align_corners,
            recompute_scale_factor=recompute_scale_factor,
        )


class UpsamplingNearest2d(Upsample):
    """A map resized by nearest neighbour: Upsample under an older name of PyTorch's.

    >>> import minitorch_seg as ms
    >>> ms.nn.UpsamplingNearest2d(scale_factor=2)(ms.tensor([[[[1.0, 3.0]]]])).tolist()
    [[[[1.0, 1.0, 3.0, 3.0], [1.0, 1.0, 3.0, 3.0]]]]
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """A map resized bilinearly, the corners' centres on each other (align_corners=True): an older name.

    >>> import minitorch_seg as ms
    >>> ms.nn.UpsamplingBilinear2d((1, 3))(ms.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[1., 2., 3.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class PixelShuffle(Applied):
    """Channels become pixels: (N, C·r², H, W) → (N, C, r·H, r·W).

    >>> import minitorch_seg as ms
    >>> ms.nn.PixelShuffle(2)(ms.zeros(1, 8, 3, 3)).shape
    (1, 2, 6, 6)
    """

    operator = staticmethod(F.pixel_shuffle)

    def __init__(self, upscale_factor: int):
        super().__init__(upscale_factor=upscale_factor)


class PixelUnshuffle(Applied):
    """Pixels become channels: the inverse of PixelShuffle.

    >>> import minitorch_seg as ms
    >>> ms.nn.PixelUnshuffle(2)(ms.zeros(1, 2, 6, 6)).shape
    (1, 8, 3, 3)
    """

    operator = staticmethod(F.pixel_unshuffle)

    def __init__(self, downscale_factor: int):
        super().__init__(downscale_factor=downscale_factor)


class Unfold(Applied):
    """Every window as a column; arguments as functional.unfold.

    >>> import minitorch_seg as ms
    >>> ms.nn.Unfold((1, 2))(ms.tensor([[[[1.0, 2.0, 3.0]]]])).tolist()
    [[[1.0, 2.0], [2.0, 3.0]]]
    """

    operator = staticmethod(F.unfold)

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)


class Fold(Applied):
    """Columns added up to an image; arguments as functional.fold.

    >>> import minitorch_seg as ms
    >>> ms.nn.Fold((1, 3), (1, 2))(ms.tensor([[[1.0, 2.0], [20.0, 30.0]]])).tolist()
    [[[[1.0, 22.0, 30.0]]]]
    """

    operator = staticmethod(F.fold)

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ):
        super().__init__(
            output_size=output_size,
            kernel_size=kernel_size,
            dilation=dilation,
            padding=padding,
            stride=stride,
        )
