"""Linear, the dense layer; Flatten, the door to it; and Identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import explained_sizes
from minitorch_seg.nn import init
from minitorch_seg.nn.applied import Applied
from minitorch_seg.nn.module import Module, Parameter
from minitorch_seg.ops.shape import flatten
from minitorch_seg.ops.typed import typed


class Linear(Module):
    """y = x Wᵀ + b; weight (out_features, in_features).

    >>> import minitorch_seg as ms
    >>> ms.nn.Linear(4, 3)(ms.zeros(5, 4)).shape
    (5, 3)
    """

    @explained_sizes("Linear")
    @typed
    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_features, np.float32)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.default_uniform_(self.weight, self.in_features)
        if self.bias is not None:
            init.default_uniform_(self.bias, self.in_features)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class Flatten(Applied):
    """Dimensions start_dim … end_dim joined, in C, H, W order.

    >>> import minitorch_seg as ms
    >>> ms.nn.Flatten()(ms.zeros(2, 3, 4, 5)).shape
    (2, 60)
    """

    operator = staticmethod(flatten)

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__(start_dim=start_dim, end_dim=end_dim)


class Identity(Module):
    """Gives back what it gets; arguments of any kind are accepted, as in PyTorch, and have no effect.

    >>> import minitorch_seg as ms
    >>> ms.nn.Identity()(ms.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input
