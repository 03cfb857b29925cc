"""Creation: zeros, ones, full, their _like forms, arange, eye, rand, randn, from_numpy.

Four-dimensional ones are feature maps (N, C, H, W) and lie channels-last in memory.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitorch_seg.autograd import Generator, Tensor, default_generator
from minitorch_seg.autograd.dtypes import DEFAULT_FLOAT, as_dtype, python_number_dtype
from minitorch_seg.errors import DTypeError, explained_sizes
from minitorch_seg.kernels import devices, layout
from minitorch_seg.ops.arguments import sizes_of
from minitorch_seg.ops.cast import fitting
from minitorch_seg.ops.typed import typed


def _empty(shape: tuple[int, ...], dtype: Any, device: str | None = "cpu") -> np.ndarray:
    like = None if device == "cpu" else devices.move(np.empty((), as_dtype(dtype)), device or "cpu")
    return (layout.empty_map if len(shape) == 4 else np.empty)(shape, as_dtype(dtype), like=like)


@explained_sizes("zeros, ones, full")
def full(
    size: Any, fill_value: float, dtype: Any = None, requires_grad: bool = False, device: str = "cpu"
) -> Tensor:
    """A tensor of `size` filled with one number.

    Args:
        size: the sizes, in a tuple.
        fill_value: the number; it decides the dtype (int64, float32 or bool) where `dtype` does not.

    >>> full((2,), 7)
    tensor([7, 7])
    """
    array = _empty(sizes_of((size,)), dtype or python_number_dtype(fill_value), device)
    array[...] = fitting("full", fill_value, array.dtype)
    return Tensor(array, requires_grad)


def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False, device: str = "cpu") -> Tensor:
    """Zeros of the given sizes; float32 unless dtype says otherwise.

    Raises: TypeError for sizes that are no ints.

    >>> zeros(2, 3).shape, zeros((2, 3), dtype="int64").dtype
    ((2, 3), dtype('int64'))
    """
    return full(sizes_of(size), 0, dtype or DEFAULT_FLOAT, requires_grad, device)


def ones(*size: Any, dtype: Any = None, requires_grad: bool = False, device: str = "cpu") -> Tensor:
    """Ones of the given sizes; float32 unless dtype says otherwise.

    Raises: TypeError for sizes that are no ints.

    >>> ones(3)
    tensor([1., 1., 1.])
    """
    return full(sizes_of(size), 1, dtype or DEFAULT_FLOAT, requires_grad, device)


@explained_sizes("full_like")
def full_like(input: Tensor, fill_value: float, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the input's shape, dtype and memory order, filled with one number.

    >>> full_like(ones(2), 7)
    tensor([7., 7.])
    """
    like = as_dtype(dtype or input.dtype)
    return Tensor(np.full_like(input.data, fitting("full_like", fill_value, like), like), requires_grad)


def zeros_like(input: Tensor, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the input's shape and dtype.

    >>> import minitorch_seg as ms
    >>> ms.zeros_like(ms.tensor([1.5, 2.5]))
    tensor([0., 0.])
    """
    return full_like(input, 0, dtype, requires_grad)


def ones_like(input: Tensor, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the input's shape and dtype.

    >>> import minitorch_seg as ms
    >>> ms.ones_like(ms.tensor([3, 4]))
    tensor([1, 1])
    """
    return full_like(input, 1, dtype, requires_grad)


@explained_sizes("arange")
@typed
def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    dtype: Any = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """start, start + step, … below end; int64 for ints, float32 for floats.

    Raises: ValueError for a step of 0, or one that leads away from end; TypeError for what is no number.

    >>> arange(3).tolist()
    [0, 1, 2]
    """
    bounds: tuple[float, ...] = (0, start, step) if end is None else (start, end, step)
    wanted = as_dtype(dtype or (DEFAULT_FLOAT if any(isinstance(v, float) for v in bounds) else np.int64))
    finite = all(abs(v) < (2**63 if isinstance(v, int) else math.inf) for v in bounds)
    if finite and wanted.kind != "f":
        bounds = tuple(int(v) for v in bounds)
    if not finite or not bounds[2] or (bounds[1] - bounds[0]) * bounds[2] < 0 or wanted.kind == "b":
        raise ValueError(
            f"arange: steps of {step} do not lead from {bounds[0]} to {bounds[1]} in {wanted}: "
            "change one of them"
        )
    # the steps are those of float64 or int64
    return Tensor(np.arange(*bounds).astype(wanted)).to(device=device).requires_grad_(requires_grad)


@explained_sizes("eye")
def eye(
    n: int, m: int | None = None, dtype: Any = None, requires_grad: bool = False, device: str = "cpu"
) -> Tensor:
    """The n×m matrix with ones on the diagonal (m = n unless given), float32.

    >>> eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    like = _empty((), dtype or DEFAULT_FLOAT, device)
    return Tensor(np.eye(n, m, dtype=like.dtype, like=like), requires_grad)


@explained_sizes("rand")
def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Uniform numbers in [0, 1), from `generator` or the one that ms.manual_seed seeds; float32.

    >>> x = rand(100, generator=Generator(0))
    >>> 0 <= x.min().item() and x.max().item() < 1
    True
    """
    return _random("uniform", sizes_of(size), generator, dtype, requires_grad, device)


@explained_sizes("randn")
def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Normal numbers of mean 0 and variance 1; generator and dtype as for rand.

    >>> bool((randn(3, generator=Generator(0)) == randn(3, generator=Generator(0))).all())
    True
    """
    return _random("normal", sizes_of(size), generator, dtype, requires_grad, device)


def _random(
    kind: str,
    shape: tuple[int, ...],
    generator: Generator | None,
    dtype: Any,
    requires_grad: bool,
    device: str,
) -> Tensor:
    array = _empty(shape, dtype or DEFAULT_FLOAT)
    if array.dtype.kind != "f":
        raise DTypeError(f"{kind} random numbers are floats, not {array.dtype}: use dtype='float32'")
    array[...] = getattr(generator or default_generator, kind)(shape, dtype=array.dtype)
    return Tensor(array).to(device=device).requires_grad_(requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory.

    Raises: TypeError for anything else, and for an array in a foreign byte order.

    >>> array = np.zeros(2); t = from_numpy(array); array[0] = 5; t
    tensor([5., 0.], dtype=float64)
    """
    if not isinstance(array, np.ndarray) or not array.dtype.isnative:
        raise TypeError(
            f"from_numpy: expected a numpy.ndarray in this machine's byte order, found "
            f"{array.dtype if isinstance(array, np.ndarray) else type(array).__name__}: ms.tensor copies"
        )
    return Tensor(array)
