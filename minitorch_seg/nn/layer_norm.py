"""LayerNorm, GroupNorm, InstanceNorm1d, InstanceNorm2d: normalisations that look at one image at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError, explained_sizes
from minitorch_seg.nn.batch_norm import ChannelNorm, learn_affine
from minitorch_seg.nn.module import Module
from minitorch_seg.ops.typed import typed


class LayerNorm(Module):
    """Standardise over the last dimensions, then scale and shift.

    Args:
        normalized_shape: the sizes of those dimensions, an int for one.
        eps: added to the variance.
        elementwise_affine: learn `weight` (γ) and, with `bias`, `bias` (β), of normalized_shape.

    >>> import minitorch_seg as ms
    >>> ms.nn.LayerNorm(2, elementwise_affine=False)(ms.tensor([[1.0, 3.0]]))
    tensor([[-1.,  1.]])
    """

    @explained_sizes("LayerNorm")
    @typed
    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ):
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        learn_affine(self, shape, elementwise_affine, elementwise_affine and bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


class GroupNorm(Module):
    """Standardise each group of channels of each image, then scale and shift each channel.

    Args:
        num_groups: must divide num_channels.
        num_channels: C of (N, C, …).
        eps: added to the variance.
        affine: learn `weight` (γ) and, with `bias`, `bias` (β), (C,).

    >>> import minitorch_seg as ms
    >>> ms.nn.GroupNorm(2, 4)(ms.zeros(1, 4, 5, 6)).shape
    (1, 4, 5, 6)
    """

    @explained_sizes("GroupNorm")
    @typed
    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
    ):
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ShapeError(
                f"GroupNorm: num_groups={num_groups} does not divide num_channels={num_channels}"
            )
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        learn_affine(self, (num_channels,), affine, affine and bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}"


class InstanceNorm2d(ChannelNorm):
    """Standardise each channel of each image (N, C, H, W) or (C, H, W).

    Arguments as ChannelNorm; PyTorch's defaults learn nothing and keep no running statistics.

    >>> import minitorch_seg as ms
    >>> ms.nn.InstanceNorm2d(1)(ms.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[-1.,  1.]]]])
    """

    shapes: ClassVar[dict[int, str]] = {3: "(C, H, W)", 4: "(N, C, H, W)"}

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        single = input.ndim == min(self.shapes)
        x = input.unsqueeze(0) if single else input
        if x.shape[1] != self.num_features:
            raise ShapeError(
                f"{type(self).__name__}: input of shape {input.shape} has {x.shape[1]} channels, "
                f"expected num_features={self.num_features}"
            )
        y = F.instance_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            0.0 if self.momentum is None else self.momentum,  # None keeps the statistics, as in PyTorch
            self.eps,
        )
        return y.squeeze(0) if single else y


class InstanceNorm1d(InstanceNorm2d):
    """InstanceNorm2d for sequences (N, C, L) or (C, L).

    >>> import minitorch_seg as ms
    >>> ms.nn.InstanceNorm1d(1)(ms.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.,  1.]]])
    """

    shapes: ClassVar[dict[int, str]] = {2: "(C, L)", 3: "(N, C, L)"}
