"""Indexing: t[...] in all of NumPy's forms, gather, index_select, and assignment to t[...].

    y = x[index]      dL/dx = zeros, and each number of g = dL/dy added where its element was taken from

An element taken several times receives several gradients: they add up.  (Writing instead of adding is the
classic mistake here.)  Assignment is not recorded: where a gradient would be wrong afterwards, it is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import RangeError, ShapeError
from minitorch_seg.kernels import devices, layout
from minitorch_seg.ops.arguments import normalize_dim
from minitorch_seg.ops.cast import as_tensor, fitting, is_number
from minitorch_seg.ops.typed import typed


def _to_numpy_index(index: Any) -> Any:
    return tuple(_one_index(i) for i in index) if isinstance(index, tuple) else _one_index(index)


def _one_index(index: Any) -> Any:
    """One dimension's index; whatever lists several places becomes an array, so that `_repeats` sees it."""
    if isinstance(index, Tensor):
        return index.data if index.ndim or index.dtype == np.bool_ else index.data.item()
    if isinstance(index, list | tuple | range):
        return np.asarray(index) if len(index) else np.zeros(0, np.int64)
    return index


def _repeats(index: Any) -> bool:
    """Could an element be taken twice?  Only through an array of integers."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(hasattr(i, "dtype") and i.dtype.kind in "iu" for i in parts)


class GetItem(Function):
    @staticmethod
    def forward(ctx, x, index):
        ctx.index, ctx.shape, ctx.is_map = _to_numpy_index(index), x.shape, layout.is_map(x.data)
        y = x.data[ctx.index]
        # with an array of places NumPy puts the results into an order of its own
        return layout.as_map(y) if ctx.is_map and y.ndim == 4 and _repeats(ctx.index) else y

    @staticmethod
    def backward(ctx, grad):
        return PutItem.apply(grad, ctx.index, ctx.shape, ctx.is_map), None


class PutItem(Function):
    """The adjoint of GetItem: zeros of `shape`, with the numbers of x added at `index`."""

    @staticmethod
    def forward(ctx, x, index, shape, is_map):
        ctx.index = index
        y = (layout.empty_map if is_map else np.empty)(shape, x.dtype, like=x.data)
        y[...] = 0
        if _repeats(index):
            np.add.at(y, index, x.data)
        else:
            y[index] = x.data
        return y

    @staticmethod
    def backward(ctx, grad):
        return grad[ctx.index], None, None, None


def getitem(input: Tensor, index: Any) -> Tensor:
    """input[index], with all that NumPy knows: slices, ints, arrays or tensors of ints or bools, ..., None.

    Returns: the input's dtype; a view for slices and ints alone, else a copy.

    Raises: IndexError for a place that is not there.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> x[1, ::2], x[x > 4]
    (tensor([4., 6.]), tensor([5., 6.]))
    """
    try:
        return GetItem.apply(input, index)
    except (IndexError, ValueError, OverflowError) as error:  # also for a slice with a step of 0
        raise RangeError(f"indexing a tensor of shape {input.shape}: {error}") from None


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """input[index] = value, in place.  Refused where the graph would be wrong afterwards.

    Raises: RuntimeError where a gradient would be lost; IndexError for a place that is not there; ShapeError
        for a value of another shape; ValueError for a number that the dtype cannot hold.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([1, 2, 3]); x[1:] = 0; x
    tensor([1, 0, 0])
    """
    from minitorch_seg.autograd import is_grad_enabled

    recorded = input.requires_grad or (isinstance(value, Tensor) and value.requires_grad)
    if is_grad_enabled() and recorded:
        raise RuntimeError(
            "item assignment is not recorded, so the gradient would be wrong: use ms.where or ms.cat, "
            "or assign under no_grad()"
        )
    digits = is_number(value) or isinstance(value, list | tuple)  # all of them count, more than float32 has
    given = (
        fitting("setitem", value, input.dtype)
        if digits
        else devices.move(as_tensor(value).data, input.device)
    )
    try:
        input.data[_to_numpy_index(index)] = given
    except (IndexError, ValueError, TypeError, OverflowError):
        raise ShapeError(  # or getitem says what is wrong with the index
            f"setitem: a value of shape {given.shape} does not fit into places of shape "
            f"{getitem(input, index).shape}: give one of that shape, or one number"
        ) from None
    input.bump_version()


class Gather(Function):
    """y[i, j, …] = x[i, …, index[i, j, …], …], which is x at places written out by `_grid`."""

    @staticmethod
    def forward(ctx, x, dim, index):
        ctx.dim, ctx.index, ctx.shape = dim, index.data, x.shape
        return x.data[_grid(index.data, dim)]

    @staticmethod
    def backward(ctx, grad):
        return PutItem.apply(grad, _grid(ctx.index, ctx.dim), ctx.shape, False), None, None


def _grid(index: np.ndarray, dim: int) -> tuple[np.ndarray, ...]:
    """Index arrays for x[i, index[i, j, …], k, …]."""
    grid = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    grid[dim] = index
    return tuple(grid)


@typed
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """y[i, j, …] = input[i, …, index[i, j, …], …], the index standing in dimension `dim`.

    Args:
        input: of any shape.
        dim: the dimension to pick from; may be negative.
        index: int64, with the input's number of dimensions, and no size larger except in `dim`.

    Returns: the shape of `index`, in the input's dtype.

    Raises: ShapeError where the shapes do not fit; IndexError for an index that is out of range; TypeError
        unless the index holds integers.

    >>> import minitorch_seg as ms
    >>> ms.gather(ms.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, ms.tensor([[0], [1]])).tolist()
    [[1.0], [4.0]]
    """
    dim = normalize_dim("gather", dim, input.ndim)
    if index.dtype.kind not in "iu":
        raise TypeError(f"gather: index is {index.dtype}, expected integers")
    fits = index.ndim == input.ndim and all(
        d == dim or n <= m for d, (n, m) in enumerate(zip(index.shape, input.shape, strict=True))
    )
    if not fits:
        raise ShapeError(
            f"gather: index of shape {index.shape} for an input of shape {input.shape}: "
            f"as many dimensions expected, and no size larger than the input's except in dim {dim}"
        )
    if not input.ndim:
        return input[...]
    if index.data.size and (index.data.min() < 0 or index.data.max() >= input.shape[dim]):
        raise RangeError(f"gather: an index is outside 0 … {input.shape[dim] - 1}")
    return Gather.apply(input, dim, index)


def index_select(input: Tensor, dim: int, index: Tensor | np.ndarray) -> Tensor:
    """The slices number index[0], index[1], … of dimension `dim`; the index is a vector of integers.

    Returns: the input's shape, but as long as the index in `dim`.

    Raises: IndexError for an index or a dimension that is out of range; TypeError unless the index is a
        vector of integers.

    >>> import minitorch_seg as ms
    >>> ms.index_select(ms.tensor([[1, 2, 3], [4, 5, 6]]), 1, ms.tensor([2, 0])).tolist()
    [[3, 1], [6, 4]]
    """
    dim = normalize_dim("index_select", dim, input.ndim)
    places = as_tensor(index)
    if places.ndim > 1 or places.dtype.kind not in "iu":
        raise TypeError(
            f"index_select: index must be a vector of integers, found {places.dtype} of shape {places.shape}"
        )
    if not input.ndim:
        raise RangeError("index_select: a 0-d input has no dimension to select from")
    if places.data.size and (places.data.min() < 0 or places.data.max() >= input.shape[dim]):
        raise RangeError(f"index_select: an index is outside 0 … {input.shape[dim] - 1}")
    return GetItem.apply(input, (*[slice(None)] * dim, places.reshape(-1)))
