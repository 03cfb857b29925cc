"""Frames of zeros, of a constant, mirrored, repeated, circular, as modules (ops/pad.py)."""

from __future__ import annotations

from typing import Any

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.nn.module import Module


class ZeroPad2d(Module):
    """A frame of zeros.

    Args:
        padding: its width, or the four widths (left, right, top, bottom); negative ones crop.

    The input has the shape (N, C, H, W) or (C, H, W).

    >>> import minitorch_seg as ms
    >>> ms.nn.ZeroPad2d((1, 0, 0, 0))(ms.ones(1, 1, 2)).tolist()
    [[[0.0, 1.0, 1.0]]]
    """

    mode = "constant"
    value: float | None = 0.0

    def __init__(self, padding: Any):
        super().__init__()
        self.padding = (padding,) * 4 if isinstance(padding, int) else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad2d(ZeroPad2d):
    """A frame of one number, `value`; padding as ZeroPad2d.

    >>> import minitorch_seg as ms
    >>> ms.nn.ConstantPad2d((1, 0, 0, 0), 7.0)(ms.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[7., 1., 2.]]]])
    """

    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value


class ReflectionPad2d(ZeroPad2d):
    """A frame that mirrors the image, without repeating its edge; padding as ZeroPad2d.

    >>> import minitorch_seg as ms
    >>> ms.nn.ReflectionPad2d((1, 0, 0, 0))(ms.tensor([[[[1.0, 2.0, 3.0]]]]))
    tensor([[[[2., 1., 2., 3.]]]])
    """

    mode, value = "reflect", None


class ReplicationPad2d(ZeroPad2d):
    """A frame that repeats the edge; padding as ZeroPad2d.

    >>> import minitorch_seg as ms
    >>> ms.nn.ReplicationPad2d((1, 0, 0, 0))(ms.tensor([[[[1.0, 2.0, 3.0]]]]))
    tensor([[[[1., 1., 2., 3.]]]])
    """

    mode, value = "replicate", None


class CircularPad2d(ZeroPad2d):
    """A frame that goes on at the opposite edge; padding as ZeroPad2d.

    >>> import minitorch_seg as ms
    >>> ms.nn.CircularPad2d((1, 0, 0, 0))(ms.tensor([[[[1.0, 2.0, 3.0]]]]))
    tensor([[[[3., 1., 2., 3.]]]])
    """

    mode, value = "circular", None
