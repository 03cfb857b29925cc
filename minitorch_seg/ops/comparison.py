"""Comparisons and logic: eq, ne, lt, le, gt, ge, logical_and/or/xor/not, isnan, isfinite, any, all.

The results are bool and piecewise constant: their derivative is zero wherever it exists, so nothing is
recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import explained_sizes
from minitorch_seg.ops.arguments import broadcastable, normalize_dims
from minitorch_seg.ops.cast import as_tensor, is_number, promote
from minitorch_seg.ops.typed import typed


def _compare(name: str, ufunc: Callable, sign: str, example: str) -> Callable[[Any, Any], Tensor]:
    def compare(input: Any, other: Any) -> Tensor:
        if is_number(input) or is_number(other):  # also with a number that the dtype cannot hold
            a, b = (o.data if isinstance(o, Tensor) else o for o in (input, other))
        else:
            tensors = promote(input, other)
            broadcastable(name, *tensors)
            a, b = (t.data for t in tensors)
        with explained_sizes(name):
            return Tensor(ufunc(a, b))

    compare.__name__ = compare.__qualname__ = name
    compare.__doc__ = f"""True where input {sign} other, elementwise.

    Returns: bools of the broadcast shape.

    {BROADCAST}

    >>> import minitorch_seg as ms
    >>> ms.{name}(ms.tensor([1.0, 2.0, 3.0]), ms.tensor(2.0))
    tensor({example})
    """
    return compare


BROADCAST = "Raises: ShapeError where the shapes cannot be broadcast."
eq = _compare("eq", np.equal, "=", "[False,  True, False]")
ne = _compare("ne", np.not_equal, "≠", "[ True, False,  True]")
lt = _compare("lt", np.less, "<", "[ True, False, False]")
le = _compare("le", np.less_equal, "≤", "[ True,  True, False]")
gt = _compare("gt", np.greater, ">", "[False, False,  True]")
ge = _compare("ge", np.greater_equal, "≥", "[False,  True,  True]")


def _logic(name: str, ufunc: Callable, words: str, example: str) -> Callable[[Any, Any], Tensor]:
    def combine(input: Any, other: Any) -> Tensor:
        a, b = promote(input, other)
        broadcastable(name, a, b)
        return Tensor(ufunc(a.data, b.data))  # NaN is not 0, so it counts as true

    combine.__name__ = combine.__qualname__ = name
    combine.__doc__ = f"""True where {words}, elementwise; a number is true where it is not 0.

    Returns: bools of the broadcast shape.

    {BROADCAST}

    >>> import minitorch_seg as ms
    >>> ms.{name}(ms.tensor([False, False, True, True]), ms.tensor([False, True, False, True]))
    tensor({example})
    """
    return combine


logical_and = _logic("logical_and", np.logical_and, "both are", "[False, False, False,  True]")
logical_or = _logic("logical_or", np.logical_or, "one is, or both", "[False,  True,  True,  True]")
logical_xor = _logic("logical_xor", np.logical_xor, "just one is", "[False,  True,  True, False]")


def _bits(sign: str, ufunc: Callable) -> Callable[[Any, Any], Tensor]:
    """What stands behind a sign: the logic of bools, and of integers bit by bit."""

    def combine(input: Any, other: Any) -> Tensor:
        a, b = promote(input, other)
        broadcastable(sign, a, b)
        if a.dtype.kind == "f":
            raise TypeError(f"{sign}: floats have no bits: compare first, as in (a > 0) {sign} (b > 0)")
        return Tensor(ufunc(a.data, b.data))

    return combine


bitwise_and = _bits("&", np.bitwise_and)
bitwise_or = _bits("|", np.bitwise_or)
bitwise_xor = _bits("^", np.bitwise_xor)


def logical_not(input: Any) -> Tensor:
    """True where input is false, or 0.

    Returns: bools of the input's shape.

    >>> import minitorch_seg as ms
    >>> ms.logical_not(ms.tensor([0.0, 3.0]))
    tensor([ True, False])
    """
    return Tensor(as_tensor(input).data == 0)


def bitwise_not(input: Tensor) -> Tensor:
    """Behind the sign ~: not, for bools; the complement of integers, bit by bit."""
    if input.dtype.kind == "f":
        raise TypeError("~: floats have no bits: compare first, as in ~(a > 0)")
    return Tensor(np.invert(input.data))


def isnan(input: Any) -> Tensor:
    """True where input is NaN, not a number.

    Returns: bools of the input's shape.

    >>> import minitorch_seg as ms
    >>> ms.isnan(ms.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return Tensor(np.isnan(as_tensor(input).data))


def isfinite(input: Any) -> Tensor:
    """True where input is neither infinite nor NaN.

    Returns: bools of the input's shape.

    >>> import minitorch_seg as ms
    >>> ms.isfinite(ms.tensor([1.0, float("inf"), float("nan")]))
    tensor([ True, False, False])
    """
    return Tensor(np.isfinite(as_tensor(input).data))


@typed
def any(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    """True where any element along `dim` is true; of all dimensions for None.

    Returns: a bool for each place of the other dimensions.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> (ms.tensor([[1, 2], [3, 4]]) > 2).any(dim=1)
    tensor([False,  True])
    """
    dims = normalize_dims("any", dim, input.ndim)
    return Tensor(np.any(input.data, axis=dims, keepdims=keepdim))


@typed
def all(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    """True where all elements along `dim` are true; of all dimensions for None.

    Returns: a bool for each place of the other dimensions.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> (ms.tensor([[1, 2], [3, 4]]) > 1).all(dim=1)
    tensor([False,  True])
    """
    dims = normalize_dims("all", dim, input.ndim)
    return Tensor(np.all(input.data, axis=dims, keepdims=keepdim))
