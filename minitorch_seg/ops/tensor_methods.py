"""The operators as methods and signs of Tensor: `a + b`, `t.sum(dim=1)`, `t[1:]`.

The engine knows no operator (autograd/tensor.py); this table tells it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor, is_grad_enabled
from minitorch_seg.kernels import devices
from minitorch_seg.ops import (
    activation,
    arithmetic,
    comparison,
    exponential,
    indexing,
    reduction,
    selection,
    shape,
    softmax,
)
from minitorch_seg.ops import cat as joining
from minitorch_seg.ops import matmul as matrix
from minitorch_seg.ops.cast import Clone, Move, cast, is_number, refuse_bool

#: Functions that become methods of the same name.
METHODS: dict[Any, str] = {
    arithmetic: "abs add sub mul div floor_divide remainder neg pow",
    exponential: "exp log log1p sqrt",
    comparison: "eq ne lt le gt ge logical_and logical_or logical_not isnan isfinite any all",
    selection: "masked_fill clamp maximum minimum",
    reduction: "sum sum_to_size mean var std amax amin argmax argmin logsumexp cumsum",
    shape: "reshape flatten permute transpose squeeze unsqueeze expand broadcast_to flip roll",
    indexing: "gather index_select",
    joining: "split chunk",
    matrix: "matmul",
    activation: "relu sigmoid tanh",
    softmax: "softmax log_softmax",
}


def _comparable(other: Any) -> bool:
    """Only numbers are compared element by element; `tensor == None` is simply False."""
    return isinstance(other, Tensor | np.ndarray | np.generic | bool | int | float | list | tuple)


#: What Python calls for the signs.
SIGNS = {
    "__add__": arithmetic.add,
    "__radd__": lambda a, b: arithmetic.add(b, a),
    "__sub__": arithmetic.sub,
    "__rsub__": lambda a, b: arithmetic.sub(b, a),
    "__mul__": arithmetic.mul,
    "__rmul__": lambda a, b: arithmetic.mul(b, a),
    "__truediv__": arithmetic.div,
    "__rtruediv__": lambda a, b: arithmetic.div(b, a),
    "__floordiv__": arithmetic.floor_divide,
    "__rfloordiv__": lambda a, b: arithmetic.floor_divide(b, a),
    "__mod__": arithmetic.remainder,
    "__rmod__": lambda a, b: arithmetic.remainder(b, a),
    "__divmod__": lambda a, b: (arithmetic.floor_divide(a, b), arithmetic.remainder(a, b)),
    "__rdivmod__": lambda a, b: (arithmetic.floor_divide(b, a), arithmetic.remainder(b, a)),
    "__pow__": arithmetic.pow,
    "__rpow__": lambda a, b: arithmetic.pow(b, a),
    "__matmul__": matrix.matmul,
    "__rmatmul__": lambda a, b: matrix.matmul(b, a),
    "__neg__": arithmetic.neg,
    "__pos__": lambda a: refuse_bool("pos", a),
    "__abs__": arithmetic.abs,
    "__eq__": lambda a, b: comparison.eq(a, b) if _comparable(b) else NotImplemented,
    "__ne__": lambda a, b: comparison.ne(a, b) if _comparable(b) else NotImplemented,
    "__lt__": comparison.lt,
    "__le__": comparison.le,
    "__gt__": comparison.gt,
    "__ge__": comparison.ge,
    "__and__": comparison.bitwise_and,
    "__or__": comparison.bitwise_or,
    "__xor__": comparison.bitwise_xor,
    "__rand__": lambda a, b: comparison.bitwise_and(b, a),
    "__ror__": lambda a, b: comparison.bitwise_or(b, a),
    "__rxor__": lambda a, b: comparison.bitwise_xor(b, a),
    "__invert__": comparison.bitwise_not,
    "__getitem__": indexing.getitem,
    "__setitem__": indexing.setitem,
}


def _max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """t.max(): the largest element; t.max(dim): (values, indices) along it; t.max(other): as maximum."""
    return selection.maximum(input, dim) if isinstance(dim, Tensor) else reduction.max(input, dim, keepdim)


def _min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """t.min(): the smallest element; t.min(dim): (values, indices) along it; t.min(other): as minimum."""
    return selection.minimum(input, dim) if isinstance(dim, Tensor) else reduction.min(input, dim, keepdim)


def destination(targets: tuple, dtype: Any, device: str | None) -> tuple[Any, str | None]:
    """(dtype, device) that the arguments of `to` mean: a device, a dtype, or a tensor that has both."""
    for target in targets:
        if devices.is_device(target):
            device = target
        else:
            dtype, device = (target.dtype, target.device) if isinstance(target, Tensor) else (target, device)
    return dtype, device


def _to(input: Tensor, *targets: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """With another dtype or on another device: t.to("float64"), t.to("cuda"), t.to(other)."""
    dtype, device = destination(targets, dtype, device)
    if device is not None and device != input.device and devices.checked(device) != input.device:
        input = Move.apply(input, device)
    return input if dtype is None else cast(input, dtype)


def _clone(input: Tensor) -> Tensor:
    """A copy of the numbers, still in the graph."""
    return Clone.apply(input)


def _where(input: Tensor, condition: Any, other: Any) -> Tensor:
    """The input where condition is true, other elsewhere."""
    return selection.where(condition, input, other)


def _contiguous(input: Tensor) -> Tensor:
    """The same numbers; kernels bring arrays into the order they need, so nothing has to be done."""
    return input


def _in_place(ufunc: Any, operator: Any) -> Any:
    """`a += b`: in place for a tensor outside the graph, a new tensor where the graph must be kept."""

    def change(self: Tensor, other: Any) -> Tensor:
        recorded = is_grad_enabled() and (
            self.requires_grad or (isinstance(other, Tensor) and other.requires_grad)
        )
        if recorded:
            if self.is_leaf and self.requires_grad:
                raise RuntimeError(
                    "a leaf that requires a gradient cannot be changed in place while operations are "
                    "recorded: wrap the change in no_grad()"
                )
            return operator(self, other)
        value = other.data if isinstance(other, Tensor) else other if is_number(other) else np.asarray(other)
        ufunc(self.data, value, out=self.data, casting="same_kind")
        self.bump_version()
        return self

    return change


def install() -> None:
    """Give Tensor its methods (called once, when `minitorch_seg` is imported)."""
    methods: dict[str, Any] = {
        n: getattr(module, n) for module, names in METHODS.items() for n in names.split()
    }
    methods |= SIGNS
    methods |= {
        "view": shape.reshape,
        "max": _max,
        "min": _min,
        "to": _to,
        "cpu": lambda self: _to(self, "cpu"),
        "cuda": lambda self: _to(self, "cuda"),
        "clone": _clone,
        "where": _where,
        "contiguous": _contiguous,
        "T": property(lambda self: self.permute(*reversed(range(self.ndim)))),
        "__iadd__": _in_place(np.add, arithmetic.add),
        "__isub__": _in_place(np.subtract, arithmetic.sub),
        "__imul__": _in_place(np.multiply, arithmetic.mul),
        "__itruediv__": _in_place(np.true_divide, arithmetic.div),
    }
    for name, dtype in {
        "float": "float32",
        "double": "float64",
        "long": "int64",
        "int": "int32",
        "bool": "bool",
    }.items():
        methods[name] = lambda self, dtype=dtype: cast(self, dtype)
    for name, method in methods.items():
        setattr(Tensor, name, method)
