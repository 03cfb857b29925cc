"""softmax and log_softmax over one dimension (over the classes: dim=1 of (N, K, H, W)).

With g = dL/dy, and δ_kj = 1 for k = j, else 0.

Softmax:

    p_k = e^{x_k} / Σ_j e^{x_j}
    ∂p_k/∂x_j = p_k (δ_kj − p_j),    hence   dL/dx_j = Σ_k g_k p_k (δ_kj − p_j) = p_j (g_j − Σ_k g_k p_k)

Adding a number to every x changes nothing, so the largest one is subtracted first and no exponential
overflows.

Log-softmax:

    y_k = x_k − log Σ_j e^{x_j} = log p_k
    ∂y_k/∂x_j = δ_kj − p_j,          hence   dL/dx_j = g_j − p_j Σ_k g_k

Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
"""

from __future__ import annotations

import warnings
from typing import Any

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.arguments import normalize_dim
from minitorch_seg.ops.cast import float_tensor
from minitorch_seg.ops.reduction import logsumexp


def softmax_composed(x: Tensor, dim: int) -> Tensor:
    """The twin of `softmax`: exponentials, divided by their sum (subtracted in the exponent)."""
    return (x - logsumexp(x, dim, keepdim=True)).exp()


def log_softmax_composed(x: Tensor, dim: int) -> Tensor:
    """The twin of `log_softmax`."""
    return x - logsumexp(x, dim, keepdim=True)


class Softmax(Function):
    twin = staticmethod(softmax_composed)

    @staticmethod
    def forward(ctx, x, dim):
        y = dispatch.get("softmax", x.data).softmax(x.data, dim)
        ctx.dim = dim
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return dispatch.get("softmax", grad).softmax_gradient(grad, y.data, ctx.dim), None


class LogSoftmax(Function):
    twin = staticmethod(log_softmax_composed)

    @staticmethod
    def forward(ctx, x, dim):
        y = dispatch.get("softmax", x.data).log_softmax(x.data, dim)
        ctx.dim = dim
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return dispatch.get("softmax", grad).log_softmax_gradient(grad, y.data, ctx.dim), None


def _checked(operator: str, input: Any, dim: int | None) -> tuple[Tensor, int]:
    """The input, and the dimension that is meant."""
    x = float_tensor(operator, input)
    if dim is None:
        dim = 0 if x.ndim in (0, 1, 3) else 1
        warnings.warn(f"{operator}: dim={dim} is guessed for shape {x.shape}: give it", stacklevel=3)
    return x, normalize_dim(operator, dim, x.ndim)


def softmax(input: Any, dim: int | None = None) -> Tensor:
    """e^x / Σ e^x over `dim`: scores become probabilities that add up to 1.

    Without `dim` PyTorch's old choice is taken, with a warning: 0 for 0, 1 or 3 dimensions, else 1.

    Returns: the input's shape and dtype.

    Raises: DTypeError unless the input is float32 or float64; IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.functional.softmax(ms.tensor([0.0, 0.0, 1000.0]), dim=0)
    tensor([0., 0., 1.])
    """
    x, dim = _checked("softmax", input, dim)
    return Softmax.apply(x, dim) if x.ndim else (x - x).exp()


def log_softmax(input: Any, dim: int | None = None) -> Tensor:
    """log softmax(input, dim), accurate also where the probability underflows.

    Returns: the input's shape and dtype.

    Raises: DTypeError unless the input is float32 or float64; IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.functional.log_softmax(ms.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    x, dim = _checked("log_softmax", input, dim)
    return LogSoftmax.apply(x, dim) if x.ndim else x - x
