"""cast: the same numbers in another dtype; and the helpers that bring operands to one dtype.

    y = x, rounded to the new type          dL/dx = dL/dy, in the type of x

Rounding is treated as if it were the identity.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor, result_type
from minitorch_seg.autograd.dtypes import as_dtype, to_array
from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels import devices, dispatch

FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}


class Cast(Function):
    @staticmethod
    def forward(ctx, x, dtype):
        ctx.dtype = x.dtype
        return x.data.astype(dtype, copy=False)

    @staticmethod
    def backward(ctx, grad):
        return cast(grad, ctx.dtype), None


class Move(Function):
    """y = x on another device; its gradient comes back."""

    @staticmethod
    def forward(ctx, x, device):
        ctx.device = x.device
        return devices.move(x.data, device)

    @staticmethod
    def backward(ctx, grad):
        return Move.apply(grad, ctx.device), None


class Clone(Function):
    """y = x in new memory; dL/dx = dL/dy."""

    @staticmethod
    def forward(ctx, x):
        return dispatch.get("copy", x.data).copy(x.data)

    @staticmethod
    def backward(ctx, grad):
        return grad


def cast(x: Tensor, dtype: Any) -> Tensor:
    """`x` with another dtype; `x` itself where it has that dtype already.

    >>> import minitorch_seg as ms
    >>> ms.tensor([1, 2]).to("float64").dtype
    dtype('float64')
    """
    dtype = as_dtype(dtype)
    return x if dtype == x.dtype else Cast.apply(x, dtype)


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """`data` as a tensor, sharing its memory where that is possible.

    Returns: a Tensor; `data` itself where it is one of that dtype.

    Raises: DTypeError for what holds no numbers.

    >>> as_tensor([1.5, 2.5]).dtype
    dtype('float32')
    """
    if isinstance(data, Tensor):
        return data if dtype is None else cast(data, dtype)
    return Tensor(to_array(data, dtype))


def promote(*operands: Any) -> list[Tensor]:
    """The operands as tensors of one dtype, by PyTorch's rule (autograd/dtypes.py)."""
    raw = [o.data if isinstance(o, Tensor) else o if is_number(o) else to_array(o) for o in operands]
    dtype = result_type(*raw)
    for o in raw:
        if is_number(o) and dtype.kind in "iu" and not np.iinfo(dtype).min <= o <= np.iinfo(dtype).max:
            raise ValueError(f"the number {o} does not fit into the other operand's dtype, {dtype}")
    return [
        cast(o, dtype) if isinstance(o, Tensor) else Tensor(np.asarray(r, dtype=dtype))
        for o, r in zip(operands, raw, strict=True)
    ]


def is_number(value: Any) -> bool:
    """A Python number, whose dtype is weaker than any tensor's."""
    return isinstance(value, bool | int | float) and not isinstance(value, np.generic)


@np.errstate(over="raise", invalid="raise")
def fitting(operator: str, value: Any, dtype: np.dtype) -> np.ndarray:
    """The number, or a list of numbers, as an array of `dtype`; refused where that cannot hold it."""
    try:
        numbers = np.asarray(value)
        if numbers.dtype.kind in "US" or value is None:
            raise TypeError(f"{operator}: {value!r:.60} is no number")
        return np.asarray(numbers.tolist(), dtype)  # Python's numbers: NumPy's would wrap around
    except (ArithmeticError, ValueError):
        raise ValueError(
            f"{operator}: {value!r:.60} does not fit into {dtype}: convert the tensor first"
        ) from None


def to_float(x: Any) -> Tensor:
    """`x` as a float tensor: integers and bools become float32, as in PyTorch."""
    x = as_tensor(x)
    return x if x.dtype.kind == "f" else cast(x, np.float32)


def float_tensor(operator: str, input: Any) -> Tensor:
    """`input` as a tensor; refused where it is not of a float type."""
    x = as_tensor(input)
    same_float_dtype(operator, input=x)
    return x


def refuse_bool(operator: str, x: Tensor) -> Tensor:
    """`x`; refused where it is of bools, which operators of arithmetic do not take."""
    if x.dtype == np.bool_:
        raise DTypeError(f"{operator}: input is bool, expected numbers: convert it with .int() or .float()")
    return x


def same_float_dtype(operator: str, **tensors: Tensor | None) -> None:
    """Refuse operands of different float types, as PyTorch does for layers."""
    for name, t in tensors.items():
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(
                f"{operator}: {name} is a {type(t).__name__}, expected a Tensor: use ms.tensor({name})"
            )
    found = {name: t.dtype for name, t in tensors.items() if t is not None}
    if not FLOATS.issuperset(found.values()):
        name = next(n for n, d in found.items() if d not in FLOATS)
        raise DTypeError(f"{operator}: {name} is {found[name]}, expected float32 or float64: use .float()")
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{name} {dtype}" for name, dtype in found.items())
        raise DTypeError(
            f"{operator}: operands of one float type expected, found {listed}: convert one with .to(dtype)"
        )
