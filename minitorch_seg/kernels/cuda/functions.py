"""NumPy's functions for CUDA arrays: the list of those that the operators call.  Any other raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels.cuda import array, elementwise, index, reduce
from minitorch_seg.kernels.cuda.array import CudaArray
from minitorch_seg.kernels.cuda.einsum import einsum
from minitorch_seg.kernels.cuda.elementwise import constant, convert
from minitorch_seg.kernels.cuda.formulas import COMPUTED, TESTS, formulas
from minitorch_seg.kernels.cuda.reduce import reduced_axes
from minitorch_seg.kernels.cuda.shaping import TABLE, concatenate, full, listed, refuse_host


def ufunc(function: np.ufunc, method: str, inputs: Sequence[Any], options: dict[str, Any]) -> Any:
    """What NumPy calls for one of its element-wise functions when a CUDA array is among the arguments."""
    if function is np.add and method == "at":
        return index.add_at(*inputs)
    name = function.__name__ if method == "__call__" else f"{function.__name__}.{method}"
    out = options.pop("out", None)
    options = {k: v for k, v in options.items() if k != "casting" and not (k == "where" and v is True)}
    if method != "__call__" or options:
        return _missing(name, options)
    if function is np.divmod:
        return np.floor_divide(*inputs), np.remainder(*inputs)
    return _map(function, inputs, None if out is None else out[0])


def call(function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """What NumPy calls for another of its functions."""
    name = function.__name__
    return TABLE[name](*args, **kwargs) if name in TABLE else _missing(name, {})


def _missing(name: str, options: dict[str, Any]) -> Any:
    asked = f" with {', '.join(options)}" if options else ""
    raise TypeError(
        f"np.{name}{asked} is not among the functions of a CUDA array: move it with t.cpu() first, or use "
        "one of ms.functional"
    )


def _map(function: np.ufunc, inputs: Sequence[Any], out: Any) -> CudaArray:
    for x in (*inputs, *(() if out is None else (out,))):
        refuse_host(function.__name__, x)
    name = function.__name__
    if name in TESTS and all(_is_whole(x) for x in inputs):
        inputs = [_beyond(x) for x in inputs]
    dtypes = [_weak(x) for x in inputs]
    wanted, *_ = resolved = _resolve(function, dtypes)
    result = resolved[-1]
    if out is not None and not np.can_cast(result, out.dtype, "same_kind"):
        raise DTypeError(f"np.{name}: {result} does not fit in place into {out.dtype}: write x = … instead")
    for x in inputs:
        if type(x) is int and wanted.kind in "iu" and name not in TESTS:
            wanted.type(x)  # NumPy's OverflowError for a number that the dtype cannot hold
    if name in ("isnan", "isfinite") and wanted.kind in "iub":  # an integer always is a number
        return full(inputs[0].shape, name == "isfinite", "bool")
    if name == "power" and wanted.kind in "iu" and _negative(inputs[1]):
        raise ValueError("integers to negative integer powers are not allowed: convert with .float() first")
    computed = wanted.name if wanted.name in COMPUTED else "int64"
    if wanted.kind not in "fiub" or (wanted.kind == "f" and wanted.name not in COMPUTED):
        raise DTypeError(f"np.{name} on the GPU computes in float32 and float64, not in {wanted}")
    if name not in formulas(computed):
        return _missing(name, {})
    arrays = [convert(x, computed) if isinstance(x, CudaArray) else constant(x, computed) for x in inputs]
    made = elementwise.apply(name, arrays, computed, out)
    return made if out is not None or name in TESTS else convert(made, result)


def _resolve(function: np.ufunc, dtypes: list[Any]) -> tuple[np.dtype, ...]:
    return function.resolve_dtypes((*dtypes, *(None,) * function.nout))


def _weak(x: Any) -> Any:
    """The dtype of an argument; Python's numbers give way to the arrays beside them."""
    if isinstance(x, bool):
        return np.dtype(bool)
    return type(x) if isinstance(x, int | float | complex) and not isinstance(x, np.generic) else x.dtype


def _is_whole(x: Any) -> bool:
    return isinstance(x, int) or getattr(x, "dtype", np.dtype(float)).kind in "iub"


def _beyond(x: Any) -> Any:
    """A Python int that no int64 holds, as an infinity, which is as far beyond all of them."""
    if isinstance(x, int) and not -(2**63) <= x < 2**63:
        return np.inf if x > 0 else -np.inf
    return x


def _negative(x: Any) -> bool:
    return bool(min_(x) < 0) if isinstance(x, CudaArray) and x.size else bool(np.any(np.asarray(x) < 0))


listed(einsum)


# -- choosing -----------------------------------------------------------------------------------------------
@listed
def where(condition: Any, x: Any, y: Any) -> CudaArray:
    for part in (condition, x, y):
        refuse_host("where", part)
    result = np.result_type(*(p.dtype if hasattr(p, "dtype") else p for p in (x, y)))
    computed = result.name if result.name in COMPUTED else "int64"
    parts = [convert(p, computed) if isinstance(p, CudaArray) else constant(p, computed) for p in (x, y)]
    chosen = convert(condition, "bool") if isinstance(condition, CudaArray) else constant(condition, "bool")
    return convert(elementwise.apply("where", [chosen, *parts], computed), result)


@listed
def clip(
    a: CudaArray, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> CudaArray:
    lowest, highest = (min if a_min is None else a_min), (max if a_max is None else a_max)
    a = a if lowest is None else np.maximum(a, lowest)
    return a if highest is None else np.minimum(a, highest)


@listed
def take_along_axis(arr: CudaArray, indices: Any, axis: int = -1) -> CudaArray:
    return arr[index.along(indices, axis)]


@listed
def put_along_axis(arr: CudaArray, indices: Any, values: Any, axis: int) -> None:
    arr[index.along(indices, axis)] = values


@listed
def argsort(a: CudaArray, axis: int = -1, kind: Any = None) -> CudaArray:
    """Sorted by the host: the numbers travel there, their order back."""
    return array.to_device(np.argsort(a.to_host(), axis=axis, kind=kind))


@listed
def diff(a: CudaArray, n: int = 1, axis: int = -1, prepend: Any = None) -> CudaArray:
    """a[i] − a[i − 1] along `axis`, after a number in front."""
    if n != 1 or np.ndim(prepend):
        return _missing("diff", {"n": n} if n != 1 else {"an array as prepend": prepend})
    axis = normalize_axis_index(axis, a.ndim)
    before = (slice(None),) * axis
    if prepend is not None:
        front = full((*a.shape[:axis], 1, *a.shape[axis + 1 :]), prepend)
        a = concatenate([front, a], axis)
    apart: Any = np.not_equal if a.dtype == np.bool_ else np.subtract
    return apart(a[(*before, slice(1, None))], a[(*before, slice(-1))])


# -- reductions ---------------------------------------------------------------------------------------------
def _computed(a: CudaArray) -> CudaArray:
    return a if a.dtype.name in COMPUTED else a.astype(np.int64)


@listed
def sum_(a: CudaArray, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> CudaArray:
    wanted = np.dtype(dtype) if dtype is not None else a.dtype if a.dtype.kind == "f" else np.dtype(np.int64)
    return reduce.reduce("sum", convert(a, wanted), axis, keepdims)


@listed
def mean(a: CudaArray, axis: Any = None, keepdims: bool = False) -> CudaArray:
    count = prod(a.shape[d] for d in reduced_axes(a, axis))
    return sum_(a if a.dtype.kind == "f" else a.astype(np.float64), axis, None, keepdims) / count


@listed
def var(a: CudaArray, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> CudaArray:
    centred = a - mean(a, axis, True)
    count = prod(a.shape[d] for d in reduced_axes(a, axis)) - ddof
    return sum_(centred * centred, axis, None, keepdims) / max(count, 0)


def _extreme(name: str, a: CudaArray, axis: Any, keepdims: bool, initial: Any) -> CudaArray:
    if initial is None:
        return convert(reduce.reduce(name, _numbers(a), axis, keepdims), a.dtype)
    if a.size:
        found = reduce.reduce(name, _numbers(a), axis, keepdims)
    else:
        found = sum_(a, axis, None, keepdims)
        elementwise.fill(found, initial)
    return convert((np.maximum if name == "max" else np.minimum)(found, initial), a.dtype)


def _numbers(a: CudaArray) -> CudaArray:
    return a.astype(np.int64) if a.dtype == np.bool_ else _computed(a)


@listed
def max_(a: CudaArray, axis: Any = None, keepdims: bool = False, initial: Any = None) -> CudaArray:
    return _extreme("max", a, axis, keepdims, initial)


@listed
def min_(a: CudaArray, axis: Any = None, keepdims: bool = False, initial: Any = None) -> CudaArray:
    return _extreme("min", a, axis, keepdims, initial)


@listed
def any_(a: CudaArray, axis: Any = None, keepdims: bool = False) -> CudaArray:
    return reduce.reduce("any", convert(a, "bool"), axis, keepdims)


@listed
def all_(a: CudaArray, axis: Any = None, keepdims: bool = False) -> CudaArray:
    return reduce.reduce("all", convert(a, "bool"), axis, keepdims)


@listed
def argmax(a: CudaArray, axis: Any = None, keepdims: bool = False) -> CudaArray:
    return reduce.find("argmax", _numbers(a), axis, keepdims)


@listed
def argmin(a: CudaArray, axis: Any = None, keepdims: bool = False) -> CudaArray:
    return reduce.find("argmin", _numbers(a), axis, keepdims)


@listed
def cumsum(a: CudaArray, axis: Any = None, dtype: Any = None) -> CudaArray:
    wanted = np.dtype(dtype) if dtype is not None else a.dtype if a.dtype.kind == "f" else np.dtype(np.int64)
    row = a.reshape((a.size,)) if axis is None else a
    return reduce.cumsum(convert(row, wanted), 0 if axis is None else normalize_axis_index(axis, a.ndim))


@listed
def norm(x: CudaArray, ord: float | None = None) -> CudaArray:
    """(Σ |x|^ord)^(1/ord) of one row, by default with 2; the largest of |x| for ∞, the smallest for −∞, for 0
    how many are not 0.
    """
    if ord == np.inf:
        return max_(np.absolute(x), None, False, 0)
    if ord == -np.inf:
        return min_(np.absolute(x), None, False)
    if ord == 0:
        return sum_(convert(x != 0, x.dtype))
    if ord in (None, 2.0):
        return np.sqrt(sum_(x * x))
    return sum_(np.absolute(x) ** ord) ** (1 / ord)
