"""BatchNorm1d, BatchNorm2d: batch_norm with learned scale and shift, and running statistics to evaluate with.

What they share with InstanceNorm1d and InstanceNorm2d (nn/layer_norm.py) is their parameters: `ChannelNorm`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError, explained_sizes
from minitorch_seg.nn.module import Module, Parameter
from minitorch_seg.ops.typed import typed


def learn_affine(module: Module, shape: tuple[int, ...], weight: bool, bias: bool) -> None:
    """Give a module γ = 1 and β = 0 of this shape as parameters `weight` and `bias`, or None for either."""
    module.register_parameter("weight", Parameter(np.ones(shape, np.float32)) if weight else None)
    module.register_parameter("bias", Parameter(np.zeros(shape, np.float32)) if bias else None)


class ChannelNorm(Module):
    """Learned scale and shift of each channel, and running statistics of it.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics.
        affine: learn `weight` (γ) and, with `bias`, `bias` (β).
        track_running_stats: keep `running_mean` and `running_var`; without them every mode uses the batch.
    """

    shapes: ClassVar[dict[int, str]]  #: the input's possible shapes, by their number of dimensions

    @explained_sizes("a norm of channels")
    @typed
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        learn_affine(self, (num_features,), affine, affine and bias)
        tracked = track_running_stats
        self.register_buffer("running_mean", Tensor(np.zeros(num_features, np.float32)) if tracked else None)
        self.register_buffer("running_var", Tensor(np.ones(num_features, np.float32)) if tracked else None)
        self.register_buffer("num_batches_tracked", Tensor(np.zeros((), np.int64)) if tracked else None)

    def check(self, input: Tensor) -> None:
        """Refuse an input of another number of dimensions."""
        if input.ndim not in self.shapes:
            raise ShapeError(
                f"{type(self).__name__}: input has shape {input.shape}, "
                f"expected {' or '.join(self.shapes.values())}"
            )

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"


class BatchNorm2d(ChannelNorm):
    """Normalise each channel of (N, C, H, W): in training by the batch's statistics, else by running ones.

    Arguments as ChannelNorm; with momentum=None all batches count alike in the running statistics.
    Formula and derivation: ops/batch_norm.py (Ioffe and Szegedy, 2015).

    >>> import minitorch_seg as ms
    >>> norm = ms.nn.BatchNorm2d(1)
    >>> norm(ms.tensor([[[[1.0, 3.0]]]])).detach(), norm.running_mean
    (tensor([[[[-1.,  1.]]]]), tensor([0.2]))
    """

    shapes: ClassVar[dict[int, str]] = {4: "(N, C, H, W)"}

    def forward(self, input: Tensor, relu: bool = False) -> Tensor:
        """With relu=True relu follows in the same operator, `batch_norm_relu` (PyTorch has no such thing)."""
        self.check(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        tracked, running_mean = self.num_batches_tracked, self.running_mean
        if self.training and tracked is not None:
            tracked.data += 1
            if self.momentum is None:
                momentum = 1.0 / float(tracked.data)
        normalized = F.batch_norm_relu if relu else F.batch_norm
        return normalized(
            input,
            running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or running_mean is None,
            momentum,
            self.eps,
        )


class BatchNorm1d(BatchNorm2d):
    """BatchNorm2d for vectors (N, C) and sequences (N, C, L).

    >>> import minitorch_seg as ms
    >>> ms.nn.BatchNorm1d(1)(ms.tensor([[1.0], [3.0]])).detach().reshape(-1)
    tensor([-1.,  1.])
    """

    shapes: ClassVar[dict[int, str]] = {2: "(N, C)", 3: "(N, C, L)"}
