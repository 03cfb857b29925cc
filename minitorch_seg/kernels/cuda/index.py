"""Indexing: x[...] and x[...] = y.

Integers, slices, None and ... give a view; nothing is copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.kernels.cuda.array import CudaArray, copy_into


def get(x: CudaArray, index: Any) -> CudaArray:
    """x[index]."""
    return view(x, index)


def put(x: CudaArray, index: Any, value: Any) -> None:
    """x[index] = value."""
    copy_into(view(x, index), value)


def full_index(x: CudaArray, index: Any) -> list[Any]:
    """The index with its ... written out, one entry for each axis (and each None)."""
    entries = list(index) if isinstance(index, tuple) else [index]
    used = sum(e is not None and e is not Ellipsis for e in entries)
    dots = [i for i, e in enumerate(entries) if e is Ellipsis]
    if used > x.ndim:
        raise IndexError(f"too many indices: the array has {x.ndim} dimensions, {used} were indexed")
    place = dots[0] if dots else len(entries)
    return entries[:place] + [slice(None)] * (x.ndim - used) + entries[place + len(dots) :]


def view(x: CudaArray, index: Any) -> CudaArray:
    """x[index] for integers, slices, None and ...: a view."""
    shape, strides, offset, axis = [], [], 0, 0
    for entry in full_index(x, index):
        if entry is None:
            shape.append(1)
            strides.append(0)
            continue
        size, stride = x.shape[axis], x.strides[axis]
        if isinstance(entry, slice):
            start, stop, step = entry.indices(size)
            count = len(range(start, stop, step))
            shape.append(count)
            strides.append(stride * step)
            offset += start * stride if count else 0
        elif isinstance(entry, int | np.integer):
            if not -size <= entry < size:
                raise IndexError(f"index {entry} is out of bounds for axis {axis} with size {size}")
            offset += int(entry) % size * stride
        else:
            raise TypeError(f"a CUDA array cannot be indexed with {type(entry).__name__}")
        axis += 1
    return x.view(tuple(shape), tuple(strides), offset)
