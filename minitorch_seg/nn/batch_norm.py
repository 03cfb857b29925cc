"""BatchNorm2d: batch_norm with learned scale and shift, and running statistics for evaluation."""

from __future__ import annotations

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.nn.module import Module, Parameter


class BatchNorm2d(Module):
    """Normalise each channel of (N, C, H, W): in training by the batch's statistics, else by running ones.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics; None averages all batches alike.
        affine: learn `weight` (γ) and `bias` (β).
        track_running_stats: keep `running_mean` and `running_var`; without them every mode uses the batch.

    Formula and derivation: ops/batch_norm.py (Ioffe and Szegedy, 2015).

    >>> import minitorch_seg as ms
    >>> norm = ms.nn.BatchNorm2d(1)
    >>> norm(ms.tensor([[[[1.0, 3.0]]]])).detach(), norm.running_mean
    (tensor([[[[-1.,  1.]]]]), tensor([0.2]))
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.register_parameter("weight", Parameter(np.ones(num_features, np.float32)) if affine else None)
        self.register_parameter("bias", Parameter(np.zeros(num_features, np.float32)) if affine else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", Tensor(np.zeros(num_features, np.float32)) if tracked else None)
        self.register_buffer("running_var", Tensor(np.ones(num_features, np.float32)) if tracked else None)
        self.register_buffer("num_batches_tracked", Tensor(np.zeros((), np.int64)) if tracked else None)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            raise ShapeError(f"BatchNorm2d: input has shape {x.shape}, expected (N, C, H, W)")
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.data[...] += 1
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked.data)
        use_batch = self.training or self.running_mean is None
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, use_batch, momentum, self.eps
        )

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"
