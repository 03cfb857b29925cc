"""Conv2d and ConvTranspose2d: the operators of the same names, with weight and bias as parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.nn import init
from minitorch_seg.nn.module import Module, Parameter
from minitorch_seg.ops.arguments import pair


class _Convolution(Module):
    """What both have in common: sizes, and parameters drawn uniformly from ±1/√fan_in as in PyTorch."""

    transposed = False

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, groups: int, bias: bool):
        super().__init__()
        name = type(self).__name__
        if min(in_channels, out_channels, groups) < 1 or in_channels % groups or out_channels % groups:
            raise ShapeError(
                f"{name}: in_channels={in_channels} and out_channels={out_channels} "
                f"must be positive and divisible by groups={groups}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair(name, "kernel_size", kernel_size, 1)
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(np.empty((first, second // groups, *self.kernel_size), np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_channels, np.float32)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        fan_in, _ = init.fans(self.weight.shape)
        init.default_uniform_(self.weight, fan_in)
        if self.bias is not None:
            init.default_uniform_(self.bias, fan_in)


class Conv2d(_Convolution):
    """y = conv2d(x, weight, bias); weight (out_channels, in_channels/groups, kh, kw).

    Arguments as functional.conv2d; bias=False does without one.

    >>> import minitorch_seg as ms
    >>> ms.nn.Conv2d(3, 8, kernel_size=3, padding=1)(ms.zeros(2, 3, 10, 12)).shape
    (2, 8, 10, 12)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
    ):
        super().__init__(in_channels, out_channels, kernel_size, groups, bias)
        self.stride, self.padding, self.dilation = stride, padding, dilation

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        text += f", padding={self.padding}" if self.padding not in (0, (0, 0)) else ""
        text += f", dilation={self.dilation}" if self.dilation not in (1, (1, 1)) else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + (", bias=False" if self.bias is None else "")


class ConvTranspose2d(_Convolution):
    """y = conv_transpose2d(x, weight, bias); weight (in_channels, out_channels/groups, kh, kw).

    Arguments as functional.conv_transpose2d; bias=False does without one.

    >>> import minitorch_seg as ms
    >>> ms.nn.ConvTranspose2d(8, 4, kernel_size=2, stride=2)(ms.zeros(1, 8, 5, 6)).shape
    (1, 4, 10, 12)
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
    ):
        super().__init__(in_channels, out_channels, kernel_size, groups, bias)
        self.stride, self.padding, self.output_padding, self.dilation = (
            stride,
            padding,
            output_padding,
            dilation,
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
