"""NumPy's functions for CUDA arrays that make, shape, join and copy them: almost all are views and copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from minitorch_seg.kernels.cuda import array, elementwise
from minitorch_seg.kernels.cuda.array import CudaArray, copy_into
from minitorch_seg.kernels.cuda.reduce import reduced_axes

#: The functions that NumPy hands over, by name.
TABLE: dict[str, Callable[..., Any]] = {}


def refuse_host(name: str, x: Any) -> None:
    """Arrays on both devices in one call: say how to bring them together."""
    if isinstance(x, np.ndarray) and x.ndim:
        raise TypeError(
            f"{name}: one array lies on the GPU and another, of shape {x.shape}, in the CPU's memory: move "
            "one with .to('cuda') or .to('cpu')"
        )


def listed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Puts a function into the list, under its own name (without a last _ that keeps Python's function)."""
    TABLE[function.__name__.rstrip("_")] = function
    return function


# -- making arrays ------------------------------------------------------------------------------------------
@listed
def empty(shape: Any, dtype: Any = float) -> CudaArray:
    return array.empty(shape, dtype)


@listed
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", device: Any = None) -> CudaArray:
    made = array.empty(shape, np.asarray(fill_value).dtype if dtype is None else dtype)
    elementwise.fill(made, fill_value)
    return made


@listed
def zeros(shape: Any, dtype: Any = float) -> CudaArray:
    return full(shape, 0, dtype)


@listed
def ones(shape: Any, dtype: Any = float, order: str = "C", device: Any = None) -> CudaArray:
    return full(shape, 1, dtype)


@listed
def full_like(a: CudaArray, fill_value: Any, dtype: Any = None) -> CudaArray:
    made = array.empty_ordered(a, dtype)
    copy_into(made, fill_value if np.ndim(fill_value) == 0 else asarray(fill_value, made.dtype))
    return made


@listed
def zeros_like(a: CudaArray, dtype: Any = None) -> CudaArray:
    return full_like(a, 0, dtype)


@listed
def ones_like(a: CudaArray, dtype: Any = None) -> CudaArray:
    return full_like(a, 1, dtype)


@listed
def empty_like(prototype: CudaArray, dtype: Any = None) -> CudaArray:
    return array.empty_ordered(prototype, dtype)


@listed
def arange(*bounds: Any, dtype: Any = None) -> CudaArray:
    return array.to_device(np.arange(*bounds, dtype=dtype))


@listed
def eye(
    N: int, M: int | None = None, k: int = 0, dtype: Any = float, order: str = "C", device: Any = None
) -> CudaArray:
    return array.to_device(np.eye(N, M, k, dtype=dtype))


@listed
def asarray(a: Any, dtype: Any = None) -> CudaArray:
    """np.asarray(a, like=x): a number or an array, also of the host, on the device."""
    if isinstance(a, CudaArray):
        return a if dtype is None else a.astype(dtype, copy=False)
    return array.to_device(np.asarray(a, dtype))


@listed
def copy(a: CudaArray) -> CudaArray:
    return a.copy()


@listed
def copyto(dst: CudaArray, src: Any, casting: str = "same_kind") -> None:
    source = np.dtype(src.dtype if hasattr(src, "dtype") else np.asarray(src).dtype)
    if not np.can_cast(source, dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"cannot copy {source} into {dst.dtype} by the rule {casting!r}: convert it first")
    copy_into(dst, src)


@listed
def array2string(a: CudaArray, **options: Any) -> str:
    return np.array2string(a.to_host(), **options)


# -- shapes -------------------------------------------------------------------------------------------------
@listed
def shape(a: CudaArray) -> tuple[int, ...]:
    return a.shape


@listed
def ndim(a: CudaArray) -> int:
    return a.ndim


@listed
def may_share_memory(a: Any, b: Any) -> bool:
    return isinstance(a, CudaArray) and isinstance(b, CudaArray) and a.storage is b.storage


@listed
def reshape(a: CudaArray, shape: Any) -> CudaArray:
    return a.reshape(shape)


@listed
def ravel(a: CudaArray, order: str = "C", device: Any = None) -> CudaArray:
    axes = a.order() if order == "K" else None
    return (a if axes is None else a.transpose(*axes)).reshape((a.size,))


@listed
def transpose(a: CudaArray, axes: Any = None) -> CudaArray:
    order = tuple(reversed(range(a.ndim))) if axes is None else reduced_axes(a, axes)
    if len(order) != a.ndim:
        raise ValueError(f"axes {tuple(axes)} do not name the {a.ndim} axes of the array")
    return a.transpose(*order)


@listed
def swapaxes(a: CudaArray, axis1: int, axis2: int) -> CudaArray:
    axes = list(range(a.ndim))
    one, other = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    axes[one], axes[other] = other, one
    return a.transpose(*axes)


@listed
def expand_dims(a: CudaArray, axis: Any) -> CudaArray:
    total = a.ndim + (1 if np.ndim(axis) == 0 else len(axis))
    new = normalize_axis_tuple(axis, total)
    return a[tuple(None if d in new else slice(None) for d in range(total))]


@listed
def squeeze(a: CudaArray, axis: Any = None) -> CudaArray:
    gone = [d for d, n in enumerate(a.shape) if n == 1] if axis is None else reduced_axes(a, axis)
    if any(a.shape[d] != 1 for d in gone):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return a[tuple(0 if d in gone else slice(None) for d in range(a.ndim))]


@listed
def broadcast_to(array: CudaArray, shape: Any) -> CudaArray:
    return elementwise.broadcast(array, tuple(shape))


@listed
def flip(m: CudaArray, axis: Any = None) -> CudaArray:
    turned = reduced_axes(m, axis)
    return m[tuple(slice(None, None, -1) if d in turned else slice(None) for d in range(m.ndim))]


@listed
def roll(a: CudaArray, shift: Any, axis: Any = None) -> CudaArray:
    if axis is None:
        return roll(a.reshape((a.size,)), shift, 0).reshape(a.shape)
    shifts = (shift,) if isinstance(shift, int) else tuple(shift)
    for d, by in zip(normalize_axis_tuple(axis, a.ndim, allow_duplicate=True), shifts, strict=True):
        split = -by % max(a.shape[d], 1)
        before = (slice(None),) * d
        a = concatenate([a[(*before, slice(split, None))], a[(*before, slice(split))]], d)
    return a


# -- joining ------------------------------------------------------------------------------------------------
@listed
def concatenate(arrays: Sequence[CudaArray], axis: int = 0) -> CudaArray:
    for part in arrays:
        refuse_host("concatenate", part)
    if not len(arrays):
        raise ValueError("concatenate: there is no array to join")
    first, axis = arrays[0], normalize_axis_index(axis, arrays[0].ndim)
    sizes = list(first.shape)
    for part in arrays:
        if part.ndim != first.ndim or any(
            m != n for d, (m, n) in enumerate(zip(part.shape, sizes, strict=True)) if d != axis
        ):
            raise ValueError(
                f"concatenate: the sizes of {first.shape} and {part.shape} must agree but for axis {axis}"
            )
    sizes[axis] = sum(part.shape[axis] for part in arrays)
    order = sorted(range(first.ndim), key=lambda d: (-first.strides[d], d))
    dtype = np.result_type(*(part.dtype for part in arrays))
    made = array.empty([sizes[d] for d in order], dtype).transpose(*np.argsort(order).tolist())
    start = 0
    for part in arrays:
        stop = start + part.shape[axis]
        copy_into(made[(slice(None),) * axis + (slice(start, stop),)], part)
        start = stop
    return made


@listed
def stack(arrays: Sequence[CudaArray], axis: int = 0) -> CudaArray:
    if len({part.shape for part in arrays}) > 1:
        raise ValueError(f"stack: the shapes {', '.join(str(p.shape) for p in arrays)} must be the same")
    return concatenate([expand_dims(part, axis) for part in arrays], axis)
