"""Indexing: x[...], x[...] = y and np.add.at, along NumPy's rules.

Integers, slices, None and ... give a view; nothing is copied.  Arrays of integers or bools are *places*: for
each the host or the device works out how far it lies from the first number, and a kernel reads or writes
there.  Bool masks come to the host, since the size of the result depends on them.

Where places repeat, the sum of np.add.at has a fixed order: the host sorts the places, and one thread adds
up what arrives at its own.

    reading and writing: no operation, for 8 bytes a number and 8 bytes a place; np.add.at 1 operation for 12
    bytes a number and 24 bytes a place

The limit is the memory, 3.35 TB/s on an H100 and 0.256 TB/s on an RTX 4060 laptop, where neighbours follow
a place (rows of pixels, of embeddings); single numbers from anywhere cost 32 bytes each, a sector, of which
4 are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minitorch_seg.kernels.cuda.array import CudaArray, Shape, contiguous, copy_into, empty, to_device
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, device, launch, spread, types
from minitorch_seg.kernels.cuda.elementwise import (
    RESIDENT,
    SIMULATED,
    STORED,
    THREADS,
    broadcast,
    constant,
    convert,
    numba_type,
    refuse_repeated,
    typed,
)


# -- kernels ------------------------------------------------------------------------------------------------
@device
def apart(i, inner):
    """(row, column) of number i, with `inner` numbers in a row."""
    k = types.uint32(types.uint32(i) // types.uint32(inner))
    return k, types.uint32(types.uint32(i) - k * types.uint32(inner))


@cache
def taking(dtype: str) -> Kernel:
    """y[k, b] = x[places[k] + b · step]."""

    def kernel(count, inner, x, first, places, step, y):
        i = cuda.grid(1)
        while i < count:
            k, b = apart(i, inner)
            y[i] = x[first + places[k] + b * step]
            i += cuda.gridsize(1)

    row = f"{numba_type(dtype)}[::1]"
    signature = ("int32", "int32", row, "int32", "int64[::1]", "int32", row)
    return Kernel(f"take {dtype}", kernel, signature, THREADS, RESIDENT, SIMULATED)


@cache
def putting(dtype: str) -> Kernel:
    """y[places[k] + b · step] = x[k, b], where no place comes twice."""

    def kernel(count, inner, y, first, places, step, x):
        i = cuda.grid(1)
        while i < count:
            k, b = apart(i, inner)
            y[first + places[k] + b * step] = x[i]
            i += cuda.gridsize(1)

    row = f"{numba_type(dtype)}[::1]"
    signature = ("int32", "int32", row, "int32", "int64[::1]", "int32", row)
    return Kernel(f"put {dtype}", kernel, signature, THREADS, RESIDENT, SIMULATED)


@cache
def adding(dtype: str) -> Kernel:
    """y[places[d] + b · step] += x[order[j], b] for j from starts[d] to starts[d + 1], in this order."""

    def kernel(count, inner, y, first, places, starts, order, step, x):
        i = cuda.grid(1)
        while i < count:
            d, b = apart(i, inner)
            place = first + places[d] + b * step
            total = y[place]
            for j in range(starts[d], starts[d + 1]):
                total = total + x[order[j] * inner + b]
            y[place] = total
            i += cuda.gridsize(1)

    row, places = f"{numba_type(dtype)}[::1]", "int64[::1]"
    signature = ("int32", "int32", row, "int32", places, places, places, "int32", row)
    return Kernel(f"add at {dtype}", kernel, signature, THREADS, RESIDENT, SIMULATED)


def variants() -> Iterator[Kernel]:
    """Every kernel that this file can launch."""
    for dtype in STORED:
        yield taking(dtype)
        yield putting(dtype)
    for dtype in ("float32", "float64", "int64"):
        yield adding(dtype)


# -- what NumPy calls ---------------------------------------------------------------------------------------
def get(x: CudaArray, index: Any) -> CudaArray:
    """x[index]."""
    entries, dots = _entries(x, index)
    if not any(map(_lists, entries)):
        return view(x, entries)
    found = _located(x, entries, dots)
    y = empty((*found.lead, *found.rest), x.dtype)
    kernel = taking(typed(x.dtype))
    launch(
        kernel, spread(kernel, y.size), y.size, found.inner, *found.memory, found.places, found.step, _row(y)
    )
    lead, front = len(found.lead), found.front  # NumPy has the axes of the places at `front`
    order = (*range(lead, lead + front), *range(lead), *range(lead + front, y.ndim))
    return y.transpose(*order) if front else y


def put(x: CudaArray, index: Any, value: Any) -> None:
    """x[index] = value; of several values for one place the last stays."""
    entries, dots = _entries(x, index)
    if not any(map(_lists, entries)):
        copy_into(view(x, entries), value)
        return
    found = _located(x, entries, dots)
    places, rows = found.places, _rows(x, found, value)
    if places.size > 1:
        listed = places.to_host()[::-1]
        unique, last = np.unique(listed, return_index=True)
        if unique.size < listed.size:
            places, rows = to_device(unique), get(rows, listed.size - 1 - last)
    kernel = putting(typed(x.dtype))
    launch(
        kernel,
        spread(kernel, rows.size),
        rows.size,
        found.inner,
        *found.memory,
        places,
        found.step,
        _row(rows),
    )


def add_at(x: CudaArray, index: Any, value: Any) -> None:
    """x[index] += value, where a place that comes several times gets all of its values."""
    entries, dots = _entries(x, index)
    if not any(map(_lists, entries)):
        part = view(x, entries)
        copy_into(part, part + value)
        return
    found = _located(x, entries, dots)
    rows, listed = _rows(x, found, value), found.places.to_host()
    order = np.argsort(listed, kind="stable")
    unique, starts = np.unique(listed[order], return_index=True)
    sorting = (to_device(unique), to_device(np.append(starts, listed.size)), to_device(order))
    kernel, count = adding(typed(x.dtype)), unique.size * found.inner
    launch(kernel, spread(kernel, count), count, found.inner, *found.memory, *sorting, found.step, _row(rows))


def along(index: Any, axis: int) -> tuple[Any, ...]:
    """The index that takes x[i, …, index[i, j, …], …]: np.take_along_axis."""
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    grid[axis] = index
    return tuple(grid)


# -- the index ----------------------------------------------------------------------------------------------
def _lists(entry: Any) -> bool:
    return isinstance(entry, CudaArray | np.ndarray)


def _is_mask(entry: Any) -> bool:
    return _lists(entry) and entry.dtype == np.bool_


def _entries(x: CudaArray, index: Any) -> tuple[list[Any], int]:
    """The index with its ... written out, lists as arrays and masks as arrays of places: one entry for each
    axis, and for each None.  And where the ... stood, be it for no axis at all (−1: there was none).
    """
    given: list[Any] = [
        (np.asarray(e) if len(e) else np.zeros(0, np.int64)) if isinstance(e, list | range) else e
        for e in (index if isinstance(index, tuple) else (index,))
    ]
    dots = [i for i, e in enumerate(given) if e is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can have one ellipsis ('...') only")
    used = sum(e.ndim if _is_mask(e) else 1 for e in given if e is not None and e is not Ellipsis)
    if used > x.ndim:
        raise IndexError(f"too many indices: the array has {x.ndim} dimensions, {used} were indexed")
    place = dots[0] if dots else len(given)
    given[place : place + len(dots)] = [slice(None)] * (x.ndim - used)
    entries: list[Any] = []
    before = -1
    for number, entry in enumerate(given):
        if dots and number == place:
            before = len(entries)
        if isinstance(entry, bool | np.bool_) or (_is_mask(entry) and not entry.ndim):
            raise IndexError("a single bool is no place on the GPU: use an index, or ms.where")
        if _is_mask(entry):
            axis = sum(e is not None for e in entries)
            if entry.shape != x.shape[axis : axis + entry.ndim]:
                raise IndexError(
                    f"a mask of shape {entry.shape} was used on axes of shape {x.shape[axis:]} from {axis} on"
                )
            entries.extend(np.nonzero(entry.to_host() if isinstance(entry, CudaArray) else entry))
        elif _lists(entry) and entry.dtype.kind not in "iu":
            raise IndexError(f"arrays used as indices must be of integer or bool type, not {entry.dtype}")
        else:
            entries.append(int(entry) if _lists(entry) and not entry.ndim else entry)
    return entries, before


def view(x: CudaArray, entries: list[Any]) -> CudaArray:
    """x[index] for integers, slices, None and ...: a view."""
    shape, strides, offset, axis = [], [], 0, 0
    for entry in entries:
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
            raise IndexError(f"a CUDA array cannot be indexed with {type(entry).__name__}")
        axis += 1
    return x.alias(tuple(shape), tuple(strides), offset)


class Places(NamedTuple):
    """Where arrays of places lead: number b of row k lies at first + places[k] + b · step."""

    memory: tuple[CudaArray, int]  # a row of it, and `first`
    places: CudaArray
    inner: int  # numbers in a row
    step: int
    lead: Shape  # of the arrays of places, broadcast
    rest: Shape  # of the other axes
    front: int  # how many of these NumPy puts before the places' axes in the result


def _located(x: CudaArray, entries: list[Any], dots: int) -> Places:
    chosen = [isinstance(e, int | np.integer) or _lists(e) for e in entries]
    where = [i for i, yes in enumerate(chosen) if yes]
    together = where == list(range(where[0], where[-1] + 1)) and not where[0] < dots <= where[-1]
    plain = view(x, [slice(None) if yes else e for e, yes in zip(entries, chosen, strict=True)])
    lead = np.broadcast_shapes(*(entries[i].shape for i in where if _lists(entries[i])))
    places: Any = 0
    for i in where:
        places = places + _distances(entries[i], plain.shape[i], plain.strides[i], i)
    rest = [i for i in range(plain.ndim) if not chosen[i]]
    shape = tuple(plain.shape[i] for i in rest)
    inner, step = _as_row(shape, [plain.strides[i] for i in rest])
    if not inner:  # they form no row: each number becomes a place of its own
        inner, step = 1, 0
        places = broadcast(places, lead).reshape((*lead, *(1,) * len(rest)))
        for axis, i in enumerate(rest):
            distances = np.arange(plain.shape[i], dtype=np.int64) * plain.strides[i]
            places = places + to_device(distances.reshape([-1 if a == axis else 1 for a in range(len(rest))]))
        wide: Shape = (*lead, *shape)
    else:
        wide = lead
    row = _row(contiguous(broadcast(places, wide)))
    return Places(plain.memory(), row, inner, step, lead, shape, where[0] if together else 0)


def _distances(entry: Any, size: int, stride: int, axis: int) -> Any:
    """How far the places on one axis lie from its beginning; those outside it are refused."""
    if isinstance(entry, int | np.integer):
        entry = np.array([int(entry)])
    if entry.size and not (int(entry.min()) >= -size and int(entry.max()) < size):
        raise IndexError(f"an index is out of bounds for axis {axis} with size {size}")
    entry = convert(entry, np.int64) if isinstance(entry, CudaArray) else entry.astype(np.int64)
    distances = np.where(entry < 0, entry + size, entry) * stride
    return distances if isinstance(distances, CudaArray) else to_device(distances)


def _as_row(shape: Shape, strides: list[int]) -> tuple[int, int]:
    """The axes as a single one, (size, stride); (0, 0) where they do not lie so."""
    size, step = 1, 1
    for n, s in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and size != 1 and s != step * size:
            return 0, 0
        step = s if n != 1 and size == 1 else step
        size *= n
    return size, step


def _rows(x: CudaArray, found: Places, value: Any) -> CudaArray:
    """`value` broadcast to what is addressed in x, one row for each place, C-contiguous; of memory that x
    has no part in, since all places are written at once.
    """
    refuse_repeated(x)
    dtype = x.dtype
    if not isinstance(value, CudaArray):
        value = constant(value, dtype) if np.ndim(value) == 0 else to_device(np.asarray(value, dtype))
    front, lead = found.front, len(found.lead)
    shape = (*found.rest[:front], *found.lead, *found.rest[front:])
    wide = broadcast(convert(value, dtype), shape)
    order = (*range(front, front + lead), *range(front), *range(front + lead, wide.ndim))
    rows = contiguous(wide.transpose(*order)).reshape((found.places.size, found.inner))
    return rows.copy() if rows.storage is x.storage else rows


def _row(x: CudaArray) -> CudaArray:
    return x.reshape((x.size,))
