"""LayerNorm, GroupNorm, InstanceNorm2d: normalisations that look at one image at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.nn.batch_norm import BatchNorm2d
from minitorch_seg.nn.module import Module, Parameter


def _affine(module: Module, shape: tuple[int, ...], weight: bool, bias: bool) -> None:
    module.register_parameter("weight", Parameter(np.ones(shape, np.float32)) if weight else None)
    module.register_parameter("bias", Parameter(np.zeros(shape, np.float32)) if bias else None)


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
        _affine(self, shape, elementwise_affine, elementwise_affine and bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


class GroupNorm(Module):
    """Standardise each group of channels of each image, then scale and shift each channel.

    Args:
        num_groups: must divide num_channels.
        num_channels: C of (N, C, …).
        eps: added to the variance.
        affine: learn `weight` (γ) and `bias` (β), (C,).

    >>> import minitorch_seg as ms
    >>> ms.nn.GroupNorm(2, 4)(ms.zeros(1, 4, 5, 6)).shape
    (1, 4, 5, 6)
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True):
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ShapeError(
                f"GroupNorm: num_groups={num_groups} does not divide num_channels={num_channels}"
            )
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        _affine(self, (num_channels,), affine, affine)

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}"


class InstanceNorm2d(BatchNorm2d):
    """Standardise each channel of each image; PyTorch's defaults: nothing learned, no running statistics."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4) or x.shape[-3] != self.num_features:
            raise ShapeError(
                f"InstanceNorm2d: input has shape {x.shape}, expected (N, {self.num_features}, H, W)"
            )
        single = x.ndim == 3
        use_input = self.training or self.running_mean is None
        y = F.instance_norm(
            x.unsqueeze(0) if single else x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            use_input,
            0.0 if self.momentum is None else self.momentum,  # None keeps the statistics, as in PyTorch
            self.eps,
        )
        return y.squeeze(0) if single else y
