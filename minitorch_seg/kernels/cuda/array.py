"""CudaArray: an array of numbers in a GPU's memory, with NumPy's shape, strides and views.

It answers NumPy's protocols (`__array_ufunc__`, `__array_function__`) for the functions that the operators
call, so that one text of an operator serves both devices:

    np.exp(x), x * y, np.sum(x, axis=1), np.zeros((2, 3), like=x), x[:, 1:]

`elementwise.py`, `reduce.py`, `index.py` and `functions.py` compute them; any other function raises.  An
array is a piece of `Storage` (memory.py): an offset, a shape and strides, which count numbers, not bytes.
Slices, transpositions and repetitions are views of the same storage.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from minitorch_seg.kernels import devices
from minitorch_seg.kernels.cuda.driver import LARGEST
from minitorch_seg.kernels.cuda.memory import Storage

Shape = tuple[int, ...]


class Flags(NamedTuple):
    """What kernels/layout.py asks an array for."""

    c_contiguous: bool
    carray: bool
    aligned: bool = True


class CudaArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the GPU.  Made by `empty`, `to_device`, NumPy's functions, and views of other arrays."""

    __slots__ = ("__weakref__", "base", "dtype", "offset", "shape", "storage", "strides")
    device = "cuda"

    def __init__(
        self,
        storage: Storage,
        shape: Shape,
        strides: Shape | None = None,
        offset: int = 0,
        base: CudaArray | None = None,
    ) -> None:
        self.storage, self.dtype = storage, storage.dtype
        self.shape, self.offset, self.base = shape, offset, base
        self.strides = plain_strides(shape) if strides is None else strides

    # -- what it is -------------------------------------------------------------------------------------
    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def is_contiguous(self) -> bool:
        """True where the numbers lie in C order without gaps."""
        step = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != step:
                return self.size == 0
            step *= size
        return True

    def order(self) -> list[int] | None:
        """The axes from the slowest to the fastest, where that order has no gaps; else None."""
        axes = sorted(range(self.ndim), key=lambda d: (-self.strides[d], d))
        return axes if self.transpose(*axes).is_contiguous() else None

    @property
    def flags(self) -> Flags:
        plain = self.is_contiguous()
        return Flags(plain, plain)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without dimensions")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"CudaArray(shape={self.shape}, dtype={self.dtype})"

    # -- views ------------------------------------------------------------------------------------------
    def alias(self, shape: Shape, strides: Shape, offset: int = 0) -> CudaArray:
        """The same memory, `offset` numbers further, with another shape and other strides."""
        base = self if self.base is None else self.base
        return CudaArray(self.storage, shape, strides, self.offset + offset, base)

    def memory(self) -> tuple[CudaArray, int]:
        """A row that holds all numbers of the array, and where in it the first lies, for kernels that get
        places and strides as numbers: the whole storage, or as much as is needed of one that is longer than
        kernels count to.
        """
        if self.storage.count <= LARGEST:
            return CudaArray(self.storage, (self.storage.count,), (1,), 0, self), self.offset
        ways = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True) if self.size]
        before, behind = sum(-w for w in ways if w < 0), sum(w for w in ways if w > 0)
        start = self.offset - before
        return CudaArray(self.storage, (before + behind + 1,), (1,), start, self), before

    def transpose(self, *axes: int) -> CudaArray:
        axes = axes or tuple(reversed(range(self.ndim)))
        return self.alias(tuple(self.shape[a] for a in axes), tuple(self.strides[a] for a in axes))

    @property
    def T(self) -> CudaArray:
        return self.transpose()

    def reshape(self, *shape: Any) -> CudaArray:
        """A view where the numbers lie so that one is possible, else a copy."""
        if len(shape) == 1 and not isinstance(shape[0], int | np.integer):
            shape = tuple(shape[0])
        wanted = _filled(self, tuple(int(n) for n in shape))
        if wanted == self.shape:
            return self.alias(self.shape, self.strides)
        strides = _strides_of(self, wanted)
        if strides is None:
            copy = contiguous(self)
            return CudaArray(copy.storage, wanted, None, copy.offset)
        return self.alias(wanted, strides)

    def __getitem__(self, index: Any) -> CudaArray:
        from minitorch_seg.kernels.cuda import index as indexing

        return indexing.get(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from minitorch_seg.kernels.cuda import index as indexing

        indexing.put(self, index, value)

    # -- to the host ------------------------------------------------------------------------------------
    def to_host(self) -> np.ndarray:
        """A NumPy array with the same numbers, in the same order in memory (channels-last stays so)."""
        axes = self.order()
        if axes is None:
            return contiguous(self).to_host()
        if not self.size:
            return np.empty(self.shape, self.dtype)
        flat = self.storage.backend.to_host(self.storage.memory, self.offset, self.size)
        ordered = np.reshape(flat, [self.shape[a] for a in axes])
        return ordered.transpose(np.argsort(axes)) if axes else ordered

    def item(self) -> Any:
        return self.to_host().item()

    def tolist(self) -> Any:
        return self.to_host().tolist()

    def __bool__(self) -> bool:
        return bool(self.to_host())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self.to_host().__index__()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("this array lies on the GPU: use t.cpu(), or t.to('cpu'), before NumPy reads it")

    def __reduce__(self) -> tuple:
        return devices.move, (self.to_host(), "cuda")

    # -- NumPy's functions ------------------------------------------------------------------------------
    def astype(self, dtype: Any, copy: bool = True) -> CudaArray:
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        result = empty_ordered(self, dtype)
        copy_into(result, self)
        return result

    def copy(self) -> CudaArray:
        return self.astype(self.dtype)

    def sum(self, *args: Any, **options: Any) -> CudaArray:
        return np.sum(self, *args, **options)

    def min(self, *args: Any, **options: Any) -> CudaArray:
        return np.min(self, *args, **options)

    def max(self, *args: Any, **options: Any) -> CudaArray:
        return np.max(self, *args, **options)

    def any(self, *args: Any, **options: Any) -> CudaArray:
        return np.any(self, *args, **options)

    def all(self, *args: Any, **options: Any) -> CudaArray:
        return np.all(self, *args, **options)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        from minitorch_seg.kernels.cuda import functions

        return functions.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        from minitorch_seg.kernels.cuda import functions

        return functions.call(function, args, kwargs)


def plain_strides(shape: Shape) -> Shape:
    """The strides of a C-contiguous array."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def _filled(x: CudaArray, shape: Shape) -> Shape:
    """`shape` with its −1 worked out; NumPy says what cannot be."""
    known = prod(n for n in shape if n != -1)
    if -1 in shape and known and shape.count(-1) == 1 and x.size % known == 0:
        shape = tuple(x.size // known if n == -1 else n for n in shape)
    if -1 in shape or prod(shape) != x.size:
        raise ValueError(f"cannot reshape array of size {x.size} into shape {shape}")
    return shape


def _strides_of(x: CudaArray, shape: Shape) -> Shape | None:
    """The strides that give `x` another shape without a copy, or None.

    Axes of `x` that follow one another in memory form runs; each run must be cut by whole new axes.
    """
    if x.size == 0:
        return plain_strides(shape)
    runs: list[list[int]] = []  # [numbers, stride of the fastest]
    for size, stride in zip(x.shape, x.strides, strict=True):
        if size != 1:
            if runs and runs[-1][1] == size * stride:
                runs[-1] = [runs[-1][0] * size, stride]
            else:
                runs.append([size, stride])
    strides: list[int] = []
    left, step = runs.pop() if runs else (1, 1)
    for size in reversed(shape):
        if size != 1 and left == 1 and runs:
            left, step = runs.pop()
        if left % size:
            return None
        strides.append(step)
        left, step = left // size, step * size
    return None if runs or left != 1 else tuple(reversed(strides))


# -- making arrays ------------------------------------------------------------------------------------------
def empty(shape: Any, dtype: Any) -> CudaArray:
    """An uninitialised C-contiguous array."""
    shape = (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape)
    if min(shape, default=0) < 0:
        raise ValueError("negative dimensions are not allowed")
    return CudaArray(Storage(prod(shape), np.dtype(dtype)), shape)


def empty_ordered(x: CudaArray, dtype: Any = None) -> CudaArray:
    """An uninitialised array of the shape of `x`, its axes in the same order in memory, without gaps."""
    axes = sorted(range(x.ndim), key=lambda d: (-x.strides[d], d))
    made = empty([x.shape[a] for a in axes], x.dtype if dtype is None else dtype)
    return made.transpose(*np.argsort(axes).tolist()) if axes else made


def to_device(array: np.ndarray) -> CudaArray:
    """A copy on the GPU; channels-last stays channels-last."""
    axes = sorted(range(array.ndim), key=lambda d: (-abs(array.strides[d]), d))
    flat = np.ascontiguousarray(array.transpose(axes), array.dtype.newbyteorder("=")).reshape(-1)
    made = empty([array.shape[a] for a in axes], flat.dtype)
    if flat.size:
        made.storage.backend.from_host(flat, made.storage.memory)
    return made.transpose(*np.argsort(axes).tolist()) if axes else made


def to_host(x: CudaArray) -> np.ndarray:
    """A copy in NumPy's memory."""
    return x.to_host()


def copy_into(target: CudaArray, source: Any) -> None:
    """target[...] = source, with broadcasting and conversion."""
    from minitorch_seg.kernels.cuda import elementwise

    elementwise.copy_into(target, source)


def contiguous(x: CudaArray) -> CudaArray:
    """`x` where it is C-contiguous, else a copy that is."""
    if x.is_contiguous():
        return x
    copy = empty(x.shape, x.dtype)
    copy_into(copy, x)
    return copy


# -- feature maps: the functions of kernels/layout.py -------------------------------------------------------
def empty_map(shape: Shape, dtype: Any) -> CudaArray:
    """An uninitialised map of logical shape (N, C, H, W), channels-last in memory."""
    n, c, h, w = shape
    return empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)


def is_map(x: CudaArray) -> bool:
    """True where `x` is 4-D and channels-last without gaps."""
    return x.ndim == 4 and x.transpose(0, 2, 3, 1).is_contiguous()


def as_map(x: CudaArray) -> CudaArray:
    """`x` itself where it is channels-last, else a channels-last copy."""
    return x if is_map(x) else pixels(x).transpose(0, 3, 1, 2)


def pixels(x: CudaArray) -> CudaArray:
    """The map `x` (N, C, H, W) as a C-contiguous array (N, H, W, C)."""
    return contiguous(x.transpose(0, 2, 3, 1))
