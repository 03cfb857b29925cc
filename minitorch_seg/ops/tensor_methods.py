"""The operators as methods and signs of Tensor: `a + b`, `t.sum(dim=1)`, `t[1:]`.

The engine knows no operator (autograd/tensor.py); this table tells it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor, is_grad_enabled
from minitorch_seg.autograd.tensor import check_device
from minitorch_seg.ops import activation, arithmetic, comparison, exponential, indexing, reduction, selection, shape, softmax
from minitorch_seg.ops import cat as joining
from minitorch_seg.ops import matmul as matrix
from minitorch_seg.ops.cast import cast


def _comparable(other: Any) -> bool:
    """Only numbers are compared element by element; `tensor == None` is simply False."""
    return isinstance(other, Tensor | np.ndarray | np.generic | bool | int | float | list | tuple)


METHODS = {
    "abs": arithmetic.abs, "add": arithmetic.add, "sub": arithmetic.sub, "mul": arithmetic.mul, "div": arithmetic.div,
    "neg": arithmetic.neg, "pow": arithmetic.pow,
    "exp": exponential.exp, "log": exponential.log, "log1p": exponential.log1p, "sqrt": exponential.sqrt,
    "eq": comparison.eq, "ne": comparison.ne, "lt": comparison.lt, "le": comparison.le, "gt": comparison.gt,
    "ge": comparison.ge, "logical_and": comparison.logical_and, "logical_or": comparison.logical_or,
    "logical_not": comparison.logical_not, "isnan": comparison.isnan, "isfinite": comparison.isfinite,
    "any": comparison.any, "all": comparison.all,
    "masked_fill": selection.masked_fill, "clamp": selection.clamp, "maximum": selection.maximum, "minimum": selection.minimum,
    "sum": reduction.sum, "sum_to_size": reduction.sum_to_size, "mean": reduction.mean, "var": reduction.var,
    "std": reduction.std, "amax": reduction.amax, "amin": reduction.amin, "argmax": reduction.argmax,
    "argmin": reduction.argmin, "logsumexp": reduction.logsumexp, "cumsum": reduction.cumsum,
    "reshape": shape.reshape, "view": shape.reshape, "flatten": shape.flatten, "permute": shape.permute,
    "transpose": shape.transpose, "squeeze": shape.squeeze, "unsqueeze": shape.unsqueeze, "expand": shape.expand,
    "broadcast_to": shape.broadcast_to, "flip": shape.flip, "roll": shape.roll,
    "gather": indexing.gather, "index_select": indexing.index_select,
    "split": joining.split, "chunk": joining.chunk, "matmul": matrix.matmul,
    "relu": activation.relu, "sigmoid": activation.sigmoid, "tanh": activation.tanh,
    "softmax": softmax.softmax, "log_softmax": softmax.log_softmax,
    # signs
    "__add__": arithmetic.add, "__sub__": arithmetic.sub, "__mul__": arithmetic.mul, "__truediv__": arithmetic.div,
    "__pow__": arithmetic.pow, "__neg__": arithmetic.neg, "__abs__": arithmetic.abs, "__matmul__": matrix.matmul,
    "__radd__": lambda a, b: arithmetic.add(b, a), "__rsub__": lambda a, b: arithmetic.sub(b, a),
    "__rmul__": lambda a, b: arithmetic.mul(b, a), "__rtruediv__": lambda a, b: arithmetic.div(b, a),
    "__rpow__": lambda a, b: arithmetic.pow(b, a), "__rmatmul__": lambda a, b: matrix.matmul(b, a),
    "__eq__": lambda a, b: comparison.eq(a, b) if _comparable(b) else NotImplemented,
    "__ne__": lambda a, b: comparison.ne(a, b) if _comparable(b) else NotImplemented, "__lt__": comparison.lt, "__le__": comparison.le,
    "__gt__": comparison.gt, "__ge__": comparison.ge, "__and__": comparison.logical_and, "__or__": comparison.logical_or,
    "__xor__": comparison.logical_xor, "__invert__": comparison.logical_not,
    "__getitem__": indexing.getitem, "__setitem__": indexing.setitem,
}  # fmt: skip


def _max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; with an int the pair (values, indices) along it; with a tensor the larger of the two."""
    return selection.maximum(input, dim) if isinstance(dim, Tensor) else reduction.max(input, dim, keepdim)


def _min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; with an int the pair (values, indices) along it; with a tensor the smaller of the two."""
    return selection.minimum(input, dim) if isinstance(dim, Tensor) else reduction.min(input, dim, keepdim)


def _to(input: Tensor, *targets: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """The tensor with another dtype or on another device: t.to("float64"), t.to("cpu"), t.to(other.dtype)."""
    for target in targets:
        if isinstance(target, str) and target.split(":")[0] in ("cpu", "cuda"):
            device = target
        else:
            dtype = target.dtype if isinstance(target, Tensor) else target
    if device is not None:
        check_device(device)
    return input if dtype is None else cast(input, dtype)


def _clone(input: Tensor) -> Tensor:
    """A copy of the numbers, still in the graph."""
    return cast_copy(input)


def cast_copy(input: Tensor) -> Tensor:
    return arithmetic.Mul.apply(input, Tensor(np.ones((), input.dtype)))


def _contiguous(input: Tensor) -> Tensor:
    """The same numbers; kernels bring arrays into the order they need, so nothing has to be done."""
    return input


def _in_place(ufunc: Any, operator: Any) -> Any:
    """`a += b`: in place for a tensor outside the graph, a new tensor where the graph must be kept."""

    def change(self: Tensor, other: Any) -> Tensor:
        recorded = is_grad_enabled() and (self.requires_grad or (isinstance(other, Tensor) and other.requires_grad))
        if recorded:
            if self.is_leaf and self.requires_grad:
                raise RuntimeError(
                    "a leaf that requires a gradient cannot be changed in place while operations are recorded: "
                    "wrap the change in no_grad()"
                )
            return operator(self, other)
        value = other.data if isinstance(other, Tensor) else other
        ufunc(self.data, value, out=self.data, casting="same_kind")
        self.bump_version()
        return self

    return change


def install() -> None:
    """Give Tensor its methods (called once, when `minitorch_seg` is imported)."""
    for name, function in METHODS.items():
        setattr(Tensor, name, function)
    for name, ufunc, operator in (
        ("__iadd__", np.add, arithmetic.add), ("__isub__", np.subtract, arithmetic.sub),
        ("__imul__", np.multiply, arithmetic.mul), ("__itruediv__", np.true_divide, arithmetic.div),
    ):  # fmt: skip
        setattr(Tensor, name, _in_place(ufunc, operator))
    for name, dtype in (("float", np.float32), ("double", np.float64), ("long", np.int64), ("int", np.int32), ("bool", np.bool_)):
        setattr(Tensor, name, lambda self, dtype=dtype: cast(self, dtype))
    Tensor.max, Tensor.min, Tensor.to, Tensor.clone = _max, _min, _to, _clone  # type: ignore[attr-defined]
    Tensor.contiguous = _contiguous  # type: ignore[attr-defined]
    Tensor.T = property(lambda self: shape.transpose(self, 0, 1) if self.ndim == 2 else self.permute(range(self.ndim)[::-1]))  # type: ignore[attr-defined]
