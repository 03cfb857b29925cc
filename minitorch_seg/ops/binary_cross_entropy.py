"""binary_cross_entropy, from probabilities and from logits: how surprising a truth t between 0 and 1 is.

    from probabilities p   ℓ = −( t log p + (1 − t) log (1 − p) )
    from logits x          ℓ = (1 − t) x + softplus(−x)                 with p = sigmoid(x)

The second follows from the first with

    log sigmoid(x) = −softplus(−x)        and        log(1 − sigmoid(x)) = −x − softplus(−x).

It never takes the logarithm of a probability that has underflown, and its gradient is simply (g = dL/dℓ)

    dL/dx = g (sigmoid(x) − t).

From probabilities the gradient is  dL/dp = g (p − t) / (p (1 − p)).  A saturated p, exactly 0 or 1, would
divide by zero; as in PyTorch the denominator is at least 10⁻¹² and the logarithms at least −100.

A weight a for the positive class (pos_weight):  ℓ = (1 − t) x + (1 + (a − 1) t) softplus(−x).

Cox, "The regression analysis of binary sequences", 1958.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.activation import Softplus
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.loss_reduction import check_reduction, reduce_loss
from minitorch_seg.ops.typed import typed


class BinaryCrossEntropy(Function):
    """The loss of each probability, without reduction."""

    @staticmethod
    def forward(ctx, p, t):
        ctx.save_for_backward(p, t)
        log_p, log_not_p = np.maximum(np.log(p.data), -100), np.maximum(np.log1p(-p.data), -100)
        return -(t.data * log_p + (1 - t.data) * log_not_p)

    @staticmethod
    def backward(ctx, grad):
        p, t = ctx.saved_tensors
        need_p, need_t = ctx.needs_input_grad
        grad_p = grad * (p - t) / (p * (1 - p)).clamp(min=1e-12) if need_p else None
        grad_t = grad * ((-p).log1p().clamp(min=-100) - p.log().clamp(min=-100)) if need_t else None
        return grad_p, grad_t


def _check(operator: str, x: Tensor, target: Tensor, reduction: str, **weights: Tensor | None) -> None:
    check_reduction(operator, reduction)
    same_float_dtype(operator, input=x, target=target, **weights)
    if x.shape != target.shape:
        raise ShapeError(
            f"{operator}: target has shape {target.shape}, expected the input's {x.shape}"
            + (": give it a channel axis with target.unsqueeze(1)" if x.ndim == target.ndim + 1 else "")
        )
    for name, w in weights.items():
        sizes = () if w is None else w.shape
        if len(sizes) > x.ndim or any(
            n not in (1, m) for n, m in zip(sizes[::-1], x.shape[::-1], strict=False)
        ):
            raise ShapeError(
                f"{operator}: {name} has shape {sizes}, which cannot be expanded to the input's {x.shape}"
            )


@typed
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Sigmoid and binary cross-entropy in one, from logits.

    Args:
        input: logits of any shape.
        target: probabilities of the input's shape and dtype (0 and 1 for labels).
        weight: factors, broadcast to the input's shape.
        reduction: "mean", "sum" or "none".
        pos_weight: factors of the positive term, broadcast to the input's shape.

    Returns: one number, or with "none" the input's shape.

    Raises: ShapeError unless the shapes agree; ValueError for another reduction; DTypeError unless all
        operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.binary_cross_entropy_with_logits(ms.tensor([0.0, 100.0]), ms.tensor([1.0, 1.0]))
    tensor(0.3466)
    """
    x, t = as_tensor(input), as_tensor(target)
    _check("binary_cross_entropy_with_logits", x, t, reduction, weight=weight, pos_weight=pos_weight)
    surprise = Softplus.apply(-x, 1.0, math.inf)  # the function softplus would cut e^x off below −20
    if pos_weight is not None:
        surprise = surprise * ((pos_weight.expand(t.shape) - 1) * t + 1)
    loss = (1 - t) * x + surprise
    if weight is not None:
        loss = loss * weight.expand(loss.shape)
    return reduce_loss(loss, reduction)


@typed
def binary_cross_entropy(
    input: Any, target: Any, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Binary cross-entropy from probabilities (for logits take binary_cross_entropy_with_logits).

    Args:
        input: probabilities between 0 and 1, of any shape.
        target: probabilities of the input's shape and dtype (0 and 1 for labels).
        weight: factors, broadcast to the input's shape.
        reduction: "mean", "sum" or "none".

    Logarithms are at least −100, as in PyTorch, so that p = 0 with t = 1 is a large loss and not an infinite
    one.

    Returns: one number, or with "none" the input's shape.

    Raises: ShapeError unless the shapes agree; ValueError for numbers that are no probabilities and for
        another reduction; DTypeError unless all operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> p, t = ms.tensor([0.5, 0.0]), ms.tensor([1.0, 1.0])
    >>> ms.functional.binary_cross_entropy(p, t, reduction="none")
    tensor([  0.6931, 100.    ])
    """
    p, t = as_tensor(input), as_tensor(target)
    _check("binary_cross_entropy", p, t, reduction, weight=weight)
    for name, given in (("input", p), ("target", t)):
        if given.data.size and not (given.data.min() >= 0 and given.data.max() <= 1):
            raise ValueError(
                f"binary_cross_entropy: {name} must hold probabilities between 0 and 1: "
                "for logits use binary_cross_entropy_with_logits"
            )
    loss = BinaryCrossEntropy.apply(p, t)
    if weight is not None:
        loss = loss * weight.expand(loss.shape)
    return reduce_loss(loss, reduction)
