"""Number types: the default, PyTorch's promotion rule, and the conversion of anything to an array.

NumPy and PyTorch disagree on one point that matters here: int64 with float32 is float64 in NumPy and float32
in PyTorch.  A framework that trains in float32 must not turn to float64 in silence, so PyTorch's rule holds:
bool < integer < float; within the highest kind, tensors with dimensions decide first, then 0-d tensors, then
Python numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.errors import DTypeError

DEFAULT_FLOAT = np.dtype(np.float32)
_KIND_ORDER = {"b": 0, "i": 1, "u": 1, "f": 2}


def kind_order(dtype: np.dtype) -> int:
    """0 for bool, 1 for integers, 2 for floats; anything else is refused."""
    try:
        return _KIND_ORDER[dtype.kind]
    except KeyError:
        raise DTypeError(f"a tensor holds bool, integer or float numbers, not {dtype}") from None


def as_dtype(value: Any) -> np.dtype:
    """A NumPy dtype, from one or from its name."""
    try:
        return np.dtype(value)
    except (TypeError, ValueError):
        raise DTypeError(
            f"{value!r} is no dtype and no device: use a name as float32, int64 or bool, or 'cpu', 'cuda'"
        ) from None


def is_float(dtype: np.dtype) -> bool:
    return dtype.kind == "f"


def promote_types(a: np.dtype, b: np.dtype) -> np.dtype:
    """The smallest type that holds both, where a float beside an integer stays the float it is."""
    if kind_order(a) == kind_order(b):
        return np.promote_types(a, b)
    return a if kind_order(a) > kind_order(b) else b


def python_number_dtype(value: bool | int | float) -> np.dtype:
    if isinstance(value, bool):
        return np.dtype(np.bool_)
    return np.dtype(np.int64) if isinstance(value, int) else DEFAULT_FLOAT


def result_type(*operands: Any) -> np.dtype:
    """The dtype of the result of an operation on tensors, arrays and Python numbers.

    >>> import numpy as np
    >>> result_type(np.ones(3, np.int64), np.ones(3, np.float32))
    dtype('float32')
    >>> result_type(np.ones(3, np.int64), 2.5)
    dtype('float32')
    >>> result_type(np.ones(3, np.float32), np.array(2.0, np.float64))   # a 0-d operand does not widen
    dtype('float32')
    """
    levels: list[np.dtype | None] = [None, None, None]  # with dimensions, 0-d, Python numbers
    for operand in operands:
        if isinstance(operand, bool | int | float) and not isinstance(operand, np.generic):
            level, dtype = 2, python_number_dtype(operand)
        else:
            level, dtype = (0 if operand.ndim else 1), operand.dtype
        previous = levels[level]
        levels[level] = dtype if previous is None else promote_types(previous, dtype)
    result: np.dtype | None = None
    # From the strongest level to the weakest: a weaker one counts only if its kind is higher.
    for candidate in levels:
        if result is None:
            result = candidate
        elif candidate is not None and kind_order(candidate) > kind_order(result):
            result = promote_types(result, candidate)
    assert result is not None
    return result


def to_array(value: Any, dtype: Any = None, copy: bool = False) -> np.ndarray:
    """`value` as an array in this machine's byte order; Python floats become float32 unless `dtype` says
    otherwise."""
    dtype = dtype if dtype is None else as_dtype(dtype)
    if getattr(value, "device", None) == "cuda":
        return value.astype(value.dtype if dtype is None else dtype, copy=copy)
    if dtype is None and not hasattr(value, "dtype"):
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(DEFAULT_FLOAT)
    else:
        array = np.array(value, dtype=dtype, copy=True, order="K") if copy else np.asarray(value, dtype=dtype)
    kind_order(array.dtype)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
