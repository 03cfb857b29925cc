"""NumPy's functions for CUDA arrays: the list of those that the operators call.  Any other raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels.cuda import elementwise
from minitorch_seg.kernels.cuda.array import CudaArray, copy_into
from minitorch_seg.kernels.cuda.elementwise import constant, convert
from minitorch_seg.kernels.cuda.formulas import COMPUTED, TESTS, formulas

TABLE: dict[str, Callable[..., Any]] = {}


def ufunc(function: np.ufunc, method: str, inputs: Sequence[Any], options: dict[str, Any]) -> Any:
    """What NumPy calls for one of its element-wise functions when a CUDA array is among the arguments."""
    name = function.__name__ if method == "__call__" else f"{function.__name__}.{method}"
    out = options.pop("out", None)
    options = {k: v for k, v in options.items() if not (k == "where" and v is True)}
    if method != "__call__" or options:
        return _missing(name, options)
    if function is np.matmul:
        return TABLE["matmul"](*inputs)
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
    name, dtypes = function.__name__, [_weak(x) for x in inputs]
    wanted, *_ = resolved = _resolve(function, dtypes)
    result = resolved[-1]
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
    return type(x) if isinstance(x, int | float) and not isinstance(x, np.generic) else x.dtype


def refuse_host(name: str, x: Any) -> None:
    """Arrays on both devices in one call: say how to bring them together."""
    if isinstance(x, np.ndarray) and x.ndim:
        raise TypeError(
            f"{name}: one array lies on the GPU and another, of shape {x.shape}, in the CPU's memory: move "
            "one with .to('cuda') or .to('cpu')"
        )


def listed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Puts a function into the list, under its own name."""
    TABLE[function.__name__] = function
    return function


@listed
def copyto(dst: CudaArray, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    refuse_host("copyto", src)
    if where is not True:
        src = np.where(where, src, dst)
    copy_into(dst, src)
