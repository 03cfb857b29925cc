"""batch_norm: each channel brought to mean 0 and variance 1 over the batch, then scaled and shifted; and
batch_norm_relu, which lets relu follow in the same operator.

    μ = (1/m) Σ x        σ² = (1/m) Σ (x − μ)²        over the m = N·H·W numbers of a channel
    x̂ = (x − μ) / √(σ² + ε)
    y = γ x̂ + β

Backward, with g = dL/dy:

    dL/dβ = Σ g
    dL/dγ = Σ g x̂
    dL/dx = γ / √(σ² + ε) · ( g  −  (1/m) Σ g  −  x̂ · (1/m) Σ g x̂ )

In the last line the second term comes through μ and the third through σ, because both depend on every x.
Leaving them out, as if the statistics were constants, is the classic mistake.

Derivation, with ĝ = dL/dx̂ = γ g and s = 1/√(σ² + ε):

    dL/dσ² = −½ s³ Σ ĝ (x − μ)
    dL/dμ  = −s Σ ĝ                    (what comes through σ² is zero, because Σ (x − μ) = 0)
    dL/dx  = s ĝ + dL/dσ² · 2 (x − μ)/m + dL/dμ · 1/m

and putting in x̂ = s (x − μ) gives the line above.

In evaluation mode μ and σ² are the running statistics, constants: y is a straight line in x, and the second
and the third term are gone.

batch_norm_relu is max(y, 0).  Where y ≤ 0 no gradient passes, so g stands for (g where y > 0, else 0) in all
of the above.  That y is computed again from x in the backward pass: between a convolution and the next one
the network then keeps one map where it would keep two, and memory is passed through once where it was twice.

Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
shift", 2015.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError, channels_hint
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.activation import relu
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.typed import typed


def batch_norm_composed(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    rectified: bool,
    statistics: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[Tensor, ...]:
    """The twin: the formula, operator by operator."""
    shape = (1, -1, 1, 1)
    if statistics is None:
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = ((x - mean) * (x - mean)).mean((0, 2, 3), keepdim=True)
    else:
        mean, variance = (Tensor(values.reshape(shape)) for values in statistics)
    y = (x - mean) / (variance + eps).sqrt()
    if weight is not None:
        y = y * weight.reshape(shape)
    if bias is not None:
        y = y + bias.reshape(shape)
    return relu(y) if rectified else y, mean.detach().reshape(-1), variance.detach().reshape(-1)


class BatchNorm(Function):
    """y and the mean and variance of the batch; or with the `statistics` (mean, variance) that are given."""

    twin = staticmethod(batch_norm_composed)

    @staticmethod
    def forward(ctx, x, weight, bias, eps, rectified, statistics):
        kernel = dispatch.get("batch_norm", x.data)
        mean, variance = kernel.channel_moments(x.data) if statistics is None else statistics
        inv_std = (1 / np.sqrt(variance + eps)).astype(x.dtype, copy=False)
        y = kernel.normalize(x.data, mean, inv_std, *_arrays(weight, bias), rectified)
        ctx.options = rectified, statistics is not None
        ctx.save_for_backward(x, weight, bias, mean, inv_std)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx, grad, _mean, _variance):
        x, weight, bias, mean, inv_std = ctx.saved_tensors
        dx, dweight, dbias = dispatch.get("batch_norm", grad).batch_norm_gradient(
            grad, *_arrays(x, mean, inv_std, weight, bias), *ctx.options
        )
        return dx, dweight, dbias, None, None, None


def _arrays(*tensors: Tensor | None) -> list[np.ndarray | None]:
    return [None if t is None else t.data for t in tensors]


@typed
def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of `input`.

    Args:
        input: (N, C, H, W); (N, C) and (N, C, L) work too.
        running_mean, running_var: (C,); in training they are moved in place towards this batch's statistics,
            r ← (1 − momentum)·r + momentum·(batch statistic), the variance with correction m/(m − 1); in
            evaluation they are used.
        weight, bias: γ and β, (C,).
        training: use this batch's statistics.
        eps: ε, added to the variance.

    Returns: the input's shape and dtype.

    Raises: ShapeError for another shape, and in training for one value a channel, which has no variance;
        ValueError unless eps is positive (0 will do in evaluation), and for evaluation without running
        statistics; DTypeError unless all operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([[[[1.0, 3.0]]]])
    >>> ms.functional.batch_norm(x, None, None, training=True, eps=1e-20)
    tensor([[[[-1.,  1.]]]])
    """
    statistics = running_mean, running_var
    return _batch_norm(as_tensor(input), *statistics, weight, bias, training, momentum, eps, False)


@typed
def batch_norm_relu(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """relu(batch_norm(...)) in one operator: the same numbers, in less time and memory.

    All arguments are those of batch_norm.  PyTorch has no function of this name; its compiler makes the like.

    Arguments, result and errors as batch_norm.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([[[[1.0, 3.0]]]])
    >>> ms.functional.batch_norm_relu(x, None, None, training=True, eps=1e-20)
    tensor([[[[0., 1.]]]])
    """
    statistics = running_mean, running_var
    return _batch_norm(as_tensor(input), *statistics, weight, bias, training, momentum, eps, True)


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    rectified: bool,
) -> Tensor:
    if not 2 <= x.ndim <= 4:
        raise ShapeError(f"batch_norm: input has shape {x.shape}, expected (N, C), (N, C, L) or (N, C, H, W)")
    if not (eps > 0 if training else eps >= 0):
        raise ValueError(f"batch_norm: eps must be positive (0 at least in evaluation), found {eps}")
    check_channels("batch_norm", x, weight, bias, running_mean, running_var, needed=not training)
    shape, count, statistics = x.shape, x.data.size // max(x.shape[1], 1), None
    if training and count == 1:
        raise ShapeError(
            f"batch_norm: one value a channel (input {shape}) has no variance: "
            "use a larger batch or image, or eval()"
        )
    if not training and running_mean is not None and running_var is not None:
        statistics = np.copy(running_mean.data), np.copy(running_var.data)
    maps = x if x.ndim == 4 else x.reshape(*shape, *[1] * (4 - x.ndim))
    y, mean, variance = BatchNorm.apply(maps, weight, bias, eps, rectified, statistics)
    if training and count:
        move_running(running_mean, mean.data, momentum)
        move_running(running_var, variance.data * (count / (count - 1)), momentum)
    return y if x.ndim == 4 else y.reshape(shape)


def check_channels(
    operator: str,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    needed: bool = False,
) -> None:
    """Refuse what is not of the input's dtype or not one number a channel, and half of the statistics."""
    tensors = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    same_float_dtype(operator, input=x, **tensors)
    for name, t in tensors.items():
        if t is not None and t.shape != x.shape[1:2]:
            raise ShapeError(
                f"{operator}: {name} has shape {t.shape}, expected {x.shape[1:2]}: the input has "
                f"{x.shape[1]} channels{channels_hint(x.shape, *t.shape) if t.ndim == 1 else ''}"
            )
    if (running_mean is None) != (running_var is None) or (needed and running_mean is None):
        raise ValueError(
            f"{operator}: running_mean and running_var are given both or neither, "
            "and both where the statistics of the input are not used (in evaluation)"
        )


def move_running(running: Tensor | None, statistic: np.ndarray, momentum: float) -> None:
    """r ← (1 − momentum)·r + momentum·statistic, in place."""
    if running is not None:
        np.copyto(running.data, (1 - momentum) * running.data + momentum * statistic, casting="same_kind")
        running.bump_version()
