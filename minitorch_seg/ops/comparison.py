"""Comparisons and logic: eq, ne, lt, le, gt, ge, logical_and/or/xor/not, isnan, isfinite, any, all.

The results are bool and piecewise constant: their derivative is zero wherever it exists, so nothing is
recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.ops.arguments import normalize_dims
from minitorch_seg.ops.cast import as_tensor, is_number, promote
from minitorch_seg.ops.typed import typed


def _compare(ufunc: Callable) -> Callable[[Any, Any], Tensor]:
    def compare(input: Any, other: Any) -> Tensor:
        if is_number(input) or is_number(other):  # also with a number that the dtype cannot hold
            a, b = (o.data if isinstance(o, Tensor) else o for o in (input, other))
        else:
            a, b = (t.data for t in promote(input, other))
        return Tensor(np.asarray(ufunc(a, b)))

    compare.__name__ = compare.__qualname__ = ufunc.__name__
    compare.__doc__ = f"numpy.{ufunc.__name__} of two tensors, elementwise: a bool tensor."
    return compare


eq = _compare(np.equal)
ne = _compare(np.not_equal)
lt = _compare(np.less)
le = _compare(np.less_equal)
gt = _compare(np.greater)
ge = _compare(np.greater_equal)


def _logic(ufunc: Callable, bitwise: Callable) -> Callable[[Any, Any], Tensor]:
    def combine(input: Any, other: Any) -> Tensor:
        a, b = promote(input, other)
        if a.dtype.kind == "f":
            raise TypeError(f"{ufunc.__name__}: floats have no truth: compare first, as in (a > 0)")
        return Tensor(np.asarray((ufunc if a.dtype == np.bool_ else bitwise)(a.data, b.data)))

    combine.__name__ = combine.__qualname__ = ufunc.__name__
    combine.__doc__ = f"{ufunc.__name__} of bools, elementwise; {bitwise.__name__} of integers."
    return combine


logical_and = _logic(np.logical_and, np.bitwise_and)
logical_or = _logic(np.logical_or, np.bitwise_or)
logical_xor = _logic(np.logical_xor, np.bitwise_xor)


def logical_not(input: Any) -> Tensor:
    """Not, elementwise, for bools; the bitwise complement of integers.

    >>> import minitorch_seg as ms
    >>> ~(ms.tensor([1.0, 3.0]) > 2)
    tensor([ True, False])
    """
    x = as_tensor(input)
    if x.dtype.kind == "f":
        raise TypeError("logical_not: floats have no truth: compare first, as in ~(a > 0)")
    return Tensor(np.asarray(np.invert(x.data)))


def isnan(input: Any) -> Tensor:
    """True where input is NaN, not a number.

    >>> import minitorch_seg as ms
    >>> ms.isnan(ms.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return Tensor(np.asarray(np.isnan(as_tensor(input).data)))


def isfinite(input: Any) -> Tensor:
    """True where input is neither infinite nor NaN.

    >>> import minitorch_seg as ms
    >>> ms.isfinite(ms.tensor([1.0, float("inf"), float("nan")]))
    tensor([ True, False, False])
    """
    return Tensor(np.asarray(np.isfinite(as_tensor(input).data)))


@typed
def any(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    """True where any element along `dim` is true; of all dimensions for None.

    >>> import minitorch_seg as ms
    >>> (ms.tensor([[1, 2], [3, 4]]) > 2).any(dim=1)
    tensor([False,  True])
    """
    dims = normalize_dims("any", dim, input.ndim)
    return Tensor(np.asarray(np.any(input.data, axis=dims, keepdims=keepdim)))


@typed
def all(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    """True where all elements along `dim` are true; of all dimensions for None.

    >>> import minitorch_seg as ms
    >>> (ms.tensor([[1, 2], [3, 4]]) > 1).all(dim=1)
    tensor([False,  True])
    """
    dims = normalize_dims("all", dim, input.ndim)
    return Tensor(np.asarray(np.all(input.data, axis=dims, keepdims=keepdim)))
