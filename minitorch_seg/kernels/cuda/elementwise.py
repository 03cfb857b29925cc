"""Element-wise maps with broadcasting: y[i, j, …] = f(a[i, j, …], b[i, j, …], …).

A broadcast axis has stride 0, so a kernel needs the strides of each array and nothing else.  Axes that lie
one after the other in all arrays count as one; mostly a single axis is left, and the *flat* kernel walks it:
element i of an array lies at first + i · step.  Where up to four are left, the *strided* kernel finds the
four indices of i by divisions in uint32; it exists for the functions in STRIDED, and the arguments of others
are copied first.  Both kernels loop over the grid, so a few blocks serve any size.

    a function of one number 1 operation (exp about 10) for 8 bytes, of two numbers 1 for 12, in float32:
    about 0.1 operations a byte (exp 1)

The limit is the memory: 3.35 TB/s on an H100 (where arithmetic becomes the limit from 20 operations a byte
on), 0.256 TB/s on an RTX 4060 laptop (from 50 on): 4.2·10¹¹ and 3.2·10¹⁰ numbers/s of one argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels.cuda.array import CudaArray, Shape, empty, empty_ordered, to_device
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, device, integer, launch, spread, types
from minitorch_seg.kernels.cuda.formulas import COMPUTED, TESTS, formulas

THREADS, SIMULATED, RESIDENT = (256,), (4,), 4
STORED = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
STRIDED = ("add", "subtract", "multiply", "divide", "where")
AXES = 4


def typed(dtype: Any) -> str:
    """The name of a dtype that a CUDA array can hold."""
    name = np.dtype(dtype).name
    if name not in STORED:
        raise DTypeError(f"a CUDA array holds {', '.join(STORED)}, not {name}: convert it first")
    return name


def numba_type(dtype: str) -> str:
    return {"bool": "boolean"}.get(dtype, dtype)


# -- kernels ------------------------------------------------------------------------------------------------
FLAT = """
def kernel(n, {parameters}):
    i = cuda.grid(1)
    while i < n:
        y[{y}] = {value}
        i += cuda.gridsize(1)
"""
STRIDING = """
def kernel(n, n1, n2, n3, {parameters}):
    m1, m2, m3 = uint32(n1), uint32(n2), uint32(n3)
    i = cuda.grid(1)
    while i < n:
        rest = uint32(i)
        i3 = uint32(rest % m3)
        rest = uint32(rest // m3)
        i2 = uint32(rest % m2)
        rest = uint32(rest // m2)
        i1 = uint32(rest % m1)
        i0 = uint32(rest // m1)
        y[{y}] = {value}
        i += cuda.gridsize(1)
"""


def truncated(dtype: str, output: str) -> Any:
    """For kernels: a float of `dtype` without its fraction, as an int64 whose lowest bits `output` keeps.

    NaN and what does not fit become −2⁶³ for int64 and −2³¹ for all others, as NumPy has it on x86-64.  A
    device's own conversion makes NaN 0, which is a class of its own, and stops at the largest integer.
    """
    bits = 63 if output == "int64" else 31
    limit, lowest = getattr(types, dtype)(2.0**bits), types.int64(-(2**bits))
    whole = integer("int64")
    return device(lambda a: whole(a) if a > -limit and a < limit else lowest)


@cache
def mapping(name: str, inputs: tuple[str, ...], output: str, strided: bool) -> Kernel:
    """The kernel of a function for arrays of these dtypes; `copy` converts.

    A number becomes a narrow integer by way of a wider one, whose lowest bits are kept: see `truncated`.
    """
    letters = "abc"[: len(inputs)]
    axes = AXES if strided else 1
    steps = {x: [f"{x}s{d}" for d in range(axes)] for x in "y" + letters}
    indices = [f"i{d}" for d in range(axes)] if strided else ["i"]
    place = {
        x: " + ".join([f"{x}0", *(f"{i} * {s}" for i, s in zip(indices, steps[x], strict=True))])
        for x in steps
    }
    value = ", ".join(f"{x}[{place[x]}]" for x in letters)
    made: dict[str, Any] = {"cuda": cuda, "uint32": types.uint32}
    if name != "copy":
        made["f"], value = formulas(inputs[-1])[name], f"f({value})"
    elif "int" in output:
        made["narrow"] = integer(output)
        made["whole"] = truncated(inputs[0], output) if "float" in inputs[0] else integer("int64")
        value = f"narrow(whole({value}))"
    parameters = ", ".join(f"{x}, {x}0, {', '.join(steps[x])}" for x in steps)
    template = STRIDING if strided else FLAT
    exec(template.format(parameters=parameters, y=place["y"], value=value), made)
    numbers = ("int32",) * (1 + axes)
    signature = ("int32",) * (AXES if strided else 1) + tuple(
        part for dtype in (output, *inputs) for part in (f"{numba_type(dtype)}[::1]", *numbers)
    )
    kind = " strided" if strided else ""
    title = f"{name} {' '.join(inputs)} to {output}{kind}"
    return Kernel(title, made["kernel"], signature, THREADS, RESIDENT, SIMULATED)


@cache
def filling(dtype: str) -> Kernel:
    """y[:n] = value."""

    def kernel(n, y, first, value):
        i = cuda.grid(1)
        while i < n:
            y[first + i] = value
            i += cuda.gridsize(1)

    signature = ("int32", f"{numba_type(dtype)}[::1]", "int32", numba_type(dtype))
    return Kernel(f"fill {dtype}", kernel, signature, THREADS, RESIDENT, SIMULATED)


def variants() -> Iterator[Kernel]:
    """Every kernel that this file can launch."""
    for source in STORED:
        yield filling(source)
        yield mapping("copy", (source,), source, True)
        for target in STORED:
            if source == target or source in COMPUTED or target in COMPUTED:
                yield mapping("copy", (source,), target, False)
    for dtype in COMPUTED:
        for name in formulas(dtype):
            inputs = _inputs(name, dtype)
            for strided in (False, True) if name in STRIDED and dtype != "bool" else (False,):
                yield mapping(name, inputs, "bool" if name in TESTS else dtype, strided)


#: How many arguments a function takes.
UNARY = frozenset(
    ("logical_not", "invert", "negative", "positive", "absolute", "square", "sign", "reciprocal", "sqrt")
) | {"exp", "expm1", "log", "log1p", "tanh", "ndtr", "isnan", "isfinite"}


def _inputs(name: str, dtype: str) -> tuple[str, ...]:
    return ("bool", dtype, dtype) if name == "where" else (dtype,) * (1 if name in UNARY else 2)


# -- arrays -------------------------------------------------------------------------------------------------
def fill(target: CudaArray, value: Any) -> None:
    """target[...] = value."""
    if target.is_contiguous():
        kernel = filling(typed(target.dtype))
        launch(kernel, spread(kernel, target.size), target.size, *target.memory(), value)
    else:
        copy_into(target, constant(value, target.dtype))


@lru_cache(maxsize=256)
def _constant(value: Any, dtype: str, backend: Any) -> CudaArray:
    made = empty((), dtype)
    fill(made, value)
    return made


def constant(value: Any, dtype: Any) -> CudaArray:
    """A number on the device; those used last are kept."""
    from minitorch_seg.kernels.cuda import driver

    name = typed(dtype)
    number = np.dtype(name).type(value).item()
    if number != number:  # NaN is not equal to itself, so it would never be found again
        made = empty((), name)
        fill(made, number)
        return made
    return _constant(number, name, (driver.backend, np.signbit(number)))


def convert(x: CudaArray, dtype: Any) -> CudaArray:
    """`x` where it is of that dtype, else a converted copy."""
    return x if x.dtype == dtype else x.astype(dtype)


def copy_into(target: CudaArray, source: Any) -> None:
    """target[...] = source, with broadcasting and conversion; also from the host."""
    refuse_repeated(target)
    if not isinstance(source, CudaArray):  # also an array of the host: copying is how they meet
        source = to_device(source) if np.ndim(source) else constant(source, target.dtype)
    target_type, source_type = typed(target.dtype), typed(source.dtype)
    source = broadcast(source, target.shape)
    shape, steps = collapse(target.shape, [target.strides, source.strides])
    if overlapping(target, source):
        source = source.copy()
        shape, steps = collapse(target.shape, [target.strides, source.strides])
    if source_type not in COMPUTED and target_type not in (source_type, *COMPUTED):
        source, source_type = convert(source, "int64"), "int64"
        shape, steps = collapse(target.shape, [target.strides, source.strides])
    if len(shape) > 1 and source_type != target_type:  # in two steps: the strided copy does not convert
        dense = empty_ordered(source)
        copy_into(dense, source)
        converted = empty_ordered(dense, target.dtype)
        copy_into(converted, dense)
        copy_into(target, converted)
        return
    _run("copy", (source_type,), target, [source], shape, steps)


def refuse_repeated(target: CudaArray) -> None:
    """Several threads would write to one place."""
    if target.size and any(s == 0 and n > 1 for n, s in zip(target.shape, target.strides, strict=True)):
        raise ValueError("this array repeats its numbers (expand) and cannot be written: clone it first")


def broadcast(x: CudaArray, shape: Shape) -> CudaArray:
    """A view of `x` with that shape: repeated axes have stride 0."""
    extra = len(shape) - x.ndim
    if extra < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[extra:], strict=True)):
        raise ValueError(f"could not broadcast input array from shape {x.shape} into shape {shape}")
    strides = [0 if n != m else s for n, m, s in zip(x.shape, shape[extra:], x.strides, strict=True)]
    return x.alias(tuple(shape), (0,) * extra + tuple(strides))


def overlapping(target: CudaArray, source: CudaArray) -> bool:
    """May writing to `target` change a number of `source` that is read later?"""
    if target.storage is not source.storage:
        return False
    same = target.offset == source.offset and target.strides == source.strides
    return not same and target.size > 0 and source.size > 0


def collapse(shape: Shape, strides: Sequence[Shape]) -> tuple[list[int], list[list[int]]]:
    """The same elements with as few axes as possible, the fastest of the first array last."""
    axes = [d for d, n in enumerate(shape) if n != 1]
    axes.sort(key=lambda d: (-abs(strides[0][d]), d))
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for d in axes:
        outer = [s[-1] if s else 0 for s in steps]
        if sizes and all(o == s[d] * shape[d] for o, s in zip(outer, strides, strict=True)):
            sizes[-1] *= shape[d]
            for step, s in zip(steps, strides, strict=True):
                step[-1] = s[d]
        else:
            sizes.append(shape[d])
            for step, s in zip(steps, strides, strict=True):
                step.append(s[d])
    return sizes, steps


def _run(
    name: str,
    inputs: tuple[str, ...],
    target: CudaArray,
    sources: Sequence[CudaArray],
    shape: list[int],
    steps: list[list[int]],
) -> None:
    """Launches the kernel of `name` for collapsed axes; more than four are walked here, the first first."""
    arrays = [target, *sources]
    output = typed(target.dtype)
    strided = len(shape) > 1
    outer = [range(n) for n in shape[:-AXES]]
    rest = AXES if strided else 1
    sizes = [1] * max(rest - len(shape), 0) + shape[-rest:]
    padded = [[0] * (rest - len(s[-rest:])) + s[-rest:] for s in steps]
    kernel = mapping(name, inputs, output, strided)
    count = int(np.prod(sizes))
    memory = [array.memory() for array in arrays]
    for place in np.ndindex(*map(len, outer)):
        arguments: list[Any] = [count, *(sizes[1:] if strided else [])]
        for (row, first), step, inner in zip(memory, steps, padded, strict=True):
            arguments += [row, first + sum(i * s for i, s in zip(place, step, strict=False)), *inner]
        launch(kernel, spread(kernel, count), *arguments)


def apply(name: str, inputs: Sequence[CudaArray], dtype: str, out: CudaArray | None = None) -> CudaArray:
    """The function `name` computed in `dtype`; the arguments are of that dtype (a condition is bool)."""
    shape = np.broadcast_shapes(*(x.shape for x in inputs))
    if out is not None:
        refuse_repeated(out)
        if np.broadcast_shapes(shape, out.shape) != out.shape:
            raise ValueError(f"a result of shape {shape} does not fit in place into one of shape {out.shape}")
        shape = out.shape
    result_type = np.dtype("bool" if name in TESTS else dtype)
    target = out if out is not None and out.dtype == result_type else _result(inputs, shape, result_type)
    sources = [broadcast(x, shape) for x in inputs]
    sources = [x.copy() if overlapping(target, x) else x for x in sources]
    sizes, steps = collapse(shape, [target.strides, *(x.strides for x in sources)])
    if len(sizes) > 1 and (name not in STRIDED or dtype == "bool"):
        work = target if target.order() is not None else empty_ordered(target)
        sources = [_like(x, work) for x in sources]
        sizes, steps = collapse(shape, [work.strides, *(x.strides for x in sources)])
        _run(name, _inputs(name, dtype), work, sources, sizes, steps)
        if work is not target:
            copy_into(target, work)
    else:
        _run(name, _inputs(name, dtype), target, sources, sizes, steps)
    if out is not None and target is not out:
        copy_into(out, target)
        return out
    return target


def _result(inputs: Sequence[CudaArray], shape: Shape, dtype: np.dtype) -> CudaArray:
    """Memory for the result, its axes in the order of the first argument that has its shape."""
    alike = [x for x in inputs if x.shape == shape and (x.size < 2 or 0 not in x.strides)]
    return empty_ordered(alike[0], dtype) if alike else empty(shape, dtype)


def _like(x: CudaArray, target: CudaArray) -> CudaArray:
    """`x` itself where its numbers lie as those of `target`, else a copy that lies so."""
    if x.strides == target.strides or all(s == 0 for s in x.strides):
        return x
    made = empty_ordered(target, x.dtype)
    copy_into(made, x)
    return made
