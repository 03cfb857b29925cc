"""Conv2d and ConvTranspose2d: the operators of the same names, with weight and bias as parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError, explained_sizes
from minitorch_seg.nn import init
from minitorch_seg.nn.module import Module, Parameter
from minitorch_seg.ops.arguments import Pair, pair
from minitorch_seg.ops.conv2d import frame
from minitorch_seg.ops.conv_transpose2d import transposed_size
from minitorch_seg.ops.typed import typed


class _Convolution(Module):
    """What both have in common: sizes, and parameters drawn uniformly from ±1/√fan_in as in PyTorch."""

    transposed = False
    padding_modes: tuple[str, ...] = ("zeros",)

    @explained_sizes("a convolution")
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        output_padding: Any = 0,
    ):
        super().__init__()
        name = type(self).__name__
        if min(in_channels, out_channels, groups) < 1 or in_channels % groups or out_channels % groups:
            raise ShapeError(
                f"{name}: in_channels={in_channels} and out_channels={out_channels} "
                f"must be positive and divisible by groups={groups}"
            )
        if padding_mode not in self.padding_modes:
            raise ValueError(
                f"{name}: padding_mode {padding_mode!r} is unknown: use {' or '.join(self.padding_modes)}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair(name, "kernel_size", kernel_size, 1)
        self.stride, self.dilation = pair(name, "stride", stride, 1), pair(name, "dilation", dilation, 1)
        self.padding: Any = padding if isinstance(padding, str) else pair(name, "padding", padding, 0)
        self.output_padding, self.padding_mode = pair(name, "output_padding", output_padding, 0), padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(np.empty((first, second // groups, *self.kernel_size), np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_channels, np.float32)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        fan_in, _ = init.fans(self.weight.shape)
        init.default_uniform_(self.weight, fan_in)
        if self.bias is not None:
            init.default_uniform_(self.bias, fan_in)

    def extra_repr(self) -> str:
        usual = {"padding": (0, 0), "dilation": (1, 1), "output_padding": (0, 0), "groups": 1}
        usual["padding_mode"] = "zeros"
        told = {name: getattr(self, name) for name, value in usual.items() if getattr(self, name) != value}
        told |= {"bias": False} if self.bias is None else {}
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        return ", ".join([text, *(f"{name}={value}" for name, value in told.items())])


class Conv2d(_Convolution):
    """y = conv2d(x, weight, bias); weight (out_channels, in_channels/groups, kh, kw).

    Arguments as functional.conv2d; bias=False does without one; padding_mode says what stands in the frame:
    "zeros", or the image continued as functional.pad does by "reflect", "replicate" or "circular".

    >>> import minitorch_seg as ms
    >>> ms.nn.Conv2d(3, 8, kernel_size=3, padding=1)(ms.zeros(2, 3, 10, 12)).shape
    (2, 8, 10, 12)
    """

    padding_modes = ("zeros", "reflect", "replicate", "circular")

    @typed
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ):
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        )
        self._frame()  # refuses a padding at once that it cannot be

    def _frame(self) -> tuple[Pair, Pair]:
        return frame(self.padding, self.kernel_size, self.stride, self.dilation)

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            rows, columns = self._frame()
            input, padding = F.pad(input, (*columns, *rows), self.padding_mode), (0, 0)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose2d(_Convolution):
    """y = conv_transpose2d(x, weight, bias); weight (in_channels, out_channels/groups, kh, kw).

    Arguments as functional.conv_transpose2d; bias=False does without one; padding_mode is "zeros".
    Call: conv(input, output_size=None); a size (height, width) takes the place of output_padding.

    >>> import minitorch_seg as ms
    >>> conv = ms.nn.ConvTranspose2d(8, 4, kernel_size=2, stride=2)
    >>> conv(ms.zeros(1, 8, 5, 6)).shape, conv(ms.zeros(1, 8, 5, 6), (11, 12)).shape
    ((1, 4, 10, 12), (1, 4, 11, 12))
    """

    transposed = True

    @typed
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        output_padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, int] = 1,
        padding_mode: str = "zeros",
    ):
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            output_padding,
        )

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self.output_padding
        if output_size is not None:
            smallest = transposed_size(
                input.shape[-2:], self.stride, self.padding, self.dilation, self.kernel_size, (0, 0)
            )
            extra = tuple(n - m for n, m in zip(output_size[-2:], smallest, strict=True))
        return F.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )
