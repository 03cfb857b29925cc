"""Selection: where, masked_fill, maximum, minimum, clamp, all elementwise (g = dL/dy).

    y = where(c, a, b)      dL/da = g where c, else 0       dL/db = 0 where c, else g
    y = maximum(a, b)       g goes to the larger one; half to each at a tie, as in PyTorch (minimum alike)
    y = clamp(x, lo, hi)    dL/dx = g where lo ≤ x ≤ hi, else 0

masked_fill is where, with a single number for a.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.ops.arguments import broadcastable
from minitorch_seg.ops.cast import as_tensor, cast, fitting, promote, refuse_bool
from minitorch_seg.ops.comparison import ge, isnan, le, logical_or
from minitorch_seg.ops.typed import typed


class Where(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx, condition, a, b):
        ctx.save_for_backward(condition)
        return np.where(condition.data, a.data, b.data)

    @staticmethod
    def backward(ctx, grad):
        (condition,) = ctx.saved_tensors
        _, need_a, need_b = ctx.needs_input_grad
        zero = Tensor(np.zeros((), grad.dtype))
        grad_a = Where.apply(condition, grad, zero) if need_a else None
        return None, grad_a, Where.apply(condition, zero, grad) if need_b else None


def where(condition: Any, input: Any, other: Any) -> Tensor:
    """input where condition is true, other elsewhere; all three are broadcast.

    Returns: the broadcast shape, in the promoted dtype (`ms.result_type`).

    Raises: ShapeError where the shapes cannot be broadcast; DTypeError unless the condition is bool.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([-1.0, 2.0])
    >>> ms.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    chosen = as_tensor(condition)
    if chosen.dtype != np.bool_:
        raise DTypeError(f"where: condition is {chosen.dtype}, expected bool: compare, as in x > 0")
    a, b = promote(input, other)
    broadcastable("where", chosen, a, b)
    return Where.apply(chosen, a, b)


@typed
def masked_fill(input: Tensor, mask: Any, value: float | Tensor) -> Tensor:
    """input with the one number `value` where mask is true, in the input's dtype.

    Returns: the broadcast shape.

    Raises: ShapeError where the shapes cannot be broadcast, and unless value is one number; ValueError where
        the dtype cannot hold it.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([1.0, 2.0, 3.0])
    >>> x.masked_fill(x > 2, 0)
    tensor([1., 2., 0.])
    """
    number = (
        cast(value, input.dtype) if isinstance(value, Tensor) else fitting("masked_fill", value, input.dtype)
    )
    if number.ndim:
        raise ShapeError(f"masked_fill: value must be a single number, found shape {number.shape}: use where")
    return where(mask, number, input)


def maximum(input: Any, other: Any) -> Tensor:
    """The larger of the two, elementwise; NaN where either is NaN.

    Returns: the broadcast shape, in the promoted dtype (`ms.result_type`).

    Raises: ShapeError where the shapes cannot be broadcast.

    >>> import minitorch_seg as ms
    >>> ms.maximum(ms.tensor([1.0, 5.0]), ms.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    return _extreme("maximum", input, other, np.maximum)


def minimum(input: Any, other: Any) -> Tensor:
    """The smaller of the two, elementwise; NaN where either is NaN.

    Returns: the broadcast shape, in the promoted dtype (`ms.result_type`).

    Raises: ShapeError where the shapes cannot be broadcast.

    >>> import minitorch_seg as ms
    >>> ms.minimum(ms.tensor([1.0, 5.0]), ms.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return _extreme("minimum", input, other, np.minimum)


class Extreme(Function):
    """maximum or minimum, as `pick` says; written once for both."""

    broadcasts = True

    @staticmethod
    def forward(ctx, a, b, pick):
        y = pick(a.data, b.data)
        # the share of a: 1 where it was picked, ½ at a tie
        ctx.share = 0.5 * np.equal(a.data, y) + 0.5 * np.not_equal(b.data, y)
        return y

    @staticmethod
    def backward(ctx, grad):
        share = Tensor(ctx.share.astype(grad.dtype, copy=False))
        return grad * share, grad * (1 - share), None


def _extreme(operator: str, input: Any, other: Any, pick: np.ufunc) -> Tensor:
    a, b = promote(input, other)
    broadcastable(operator, a, b)
    return Extreme.apply(a, b, pick)


class Clamp(Function):
    @staticmethod
    def forward(ctx, x, low, high):
        y = np.clip(x.data, low, high)
        ctx.inside = np.equal(x.data, y)
        return y

    @staticmethod
    def backward(ctx, grad):
        return where(Tensor(ctx.inside), grad, 0.0), None, None


@typed
def clamp(input: Any, min: float | Tensor | None = None, max: float | Tensor | None = None) -> Tensor:
    """input, limited to [min, max]; a limit of None does not limit, limits of tensors are broadcast.

    Returns: the input's shape and dtype.

    Raises: ValueError without any limit.

    >>> import minitorch_seg as ms
    >>> ms.tensor([-2.0, 0.5, 3.0]).clamp(min=0, max=1)
    tensor([0. , 0.5, 1. ])
    """
    if min is None and max is None:
        raise ValueError("clamp: give min, max or both")
    x, *_ = promote(input, *(limit for limit in (min, max) if limit is not None))
    refuse_bool("clamp", x)
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        for limit, inside in ((min, ge), (max, le)):
            if limit is not None:  # a NaN on either side stays
                x = where(logical_or(inside(x, limit), isnan(x)), x, limit)
        return x
    low, high = (None if limit is None else x.dtype.type(limit) for limit in (min, max))
    return Clamp.apply(x, low, high)
