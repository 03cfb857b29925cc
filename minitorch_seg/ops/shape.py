"""Shape: reshape, flatten, permute, transpose, squeeze, unsqueeze, expand, broadcast_to, flip, roll.

Nothing is computed; numbers only change places (or are seen several times), so the gradient g = dL/dy goes
back the same way:

    y = reshape(x)        dL/dx = reshape(g) to x's shape      (flatten, squeeze and unsqueeze are reshapes)
    y = permute(x, p)     dL/dx = permute(g, p⁻¹)              (transpose is one permutation)
    y = expand(x)         dL/dx = g summed over the repeated dimensions
    y = flip(x)           dL/dx = flip(g)
    y = roll(x, s)        dL/dx = roll(g, −s)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.arguments import normalize_dim, normalize_dims, sizes_of
from minitorch_seg.ops.typed import typed


class Reshape(Function):
    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return np.reshape(x.data, shape)

    @staticmethod
    def backward(ctx, grad):
        return grad.reshape(ctx.shape), None


def reshape(input: Tensor, *sizes: Any, shape: Any = ()) -> Tensor:
    """The same numbers in row-major order in another shape; one size may be −1.

    The sizes are given one by one, as a tuple, or as `shape=`.

    Returns: a view where the memory allows it.

    Raises: ShapeError where the numbers do not fit in.

    >>> import minitorch_seg as ms
    >>> ms.tensor([1, 2, 3, 4, 5, 6]).reshape(2, -1).tolist()
    [[1, 2, 3], [4, 5, 6]]
    """
    sizes = sizes_of(sizes or (shape,))
    known = math.prod(n for n in sizes if n != -1)
    whole = sizes.count(-1) == 0 and known == input.data.size
    fits = sizes.count(-1) == 1 and known > 0 and input.data.size % known == 0
    if not (whole or fits) or min(sizes, default=0) < -1:
        raise ShapeError(
            f"reshape: {input.data.size} numbers of shape {input.shape} do not fit into shape {sizes}"
        )
    return Reshape.apply(input, sizes)  # never the input itself: a hook or a flag set on it is its own


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions start_dim … end_dim joined into one, in row-major order (C, H, W for a feature map).

    Returns: the input's dtype; a view where the memory allows it.

    Raises: ShapeError where start_dim comes after end_dim; IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.zeros(2, 3, 4, 5).flatten(1).shape
    (2, 60)
    """
    start, end = (
        normalize_dim("flatten", start_dim, input.ndim),
        normalize_dim("flatten", end_dim, input.ndim),
    )
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = input.shape
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


class Permute(Function):
    @staticmethod
    def forward(ctx, x, dims):
        ctx.back = tuple(int(i) for i in np.argsort(dims))
        return np.transpose(x.data, dims)

    @staticmethod
    def backward(ctx, grad):
        return grad.permute(ctx.back), None


def permute(input: Tensor, *order: Any, dims: Any = ()) -> Tensor:
    """Dimension i of the result is dimension dims[i] of the input (a view).

    The dimensions are given one by one, as a tuple, or as `dims=`.

    Returns: a view.

    Raises: ShapeError unless dims holds each dimension once; IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.zeros(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    given = sizes_of(order or (dims,))
    order = tuple(normalize_dim("permute", d, input.ndim) for d in given)
    if sorted(order) != list(range(input.ndim)):
        raise ShapeError(
            f"permute: dims {given} is no order of the {input.ndim} dimensions of shape {input.shape}"
        )
    return Permute.apply(input, order)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """The input with two dimensions swapped (a view).

    Returns: a view.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1, 2], [3, 4]]).transpose(0, 1).tolist()
    [[1, 3], [2, 4]]
    """
    order = list(range(input.ndim))
    a, b = normalize_dim("transpose", dim0, input.ndim), normalize_dim("transpose", dim1, input.ndim)
    if order:
        order[a], order[b] = order[b], order[a]
    return permute(input, order)


def squeeze(input: Tensor, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """The input without the dimensions of size 1 (all of them, or those in `dim`).

    Returns: a view where the memory allows it.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.zeros(1, 3, 1).squeeze().shape, ms.zeros(1, 3, 1).squeeze(0).shape
    ((3,), (3, 1))
    """
    dims = () if dim == () else normalize_dims("squeeze", dim, input.ndim)
    return reshape(input, [n for d, n in enumerate(input.shape) if n != 1 or d not in dims])


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """The input with a new dimension of size 1 at `dim`.

    Returns: a view where the memory allows it.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.zeros(2, 3).unsqueeze(1).shape
    (2, 1, 3)
    """
    dim = normalize_dim("unsqueeze", dim, input.ndim + 1)
    return reshape(input, (*input.shape[:dim], 1, *input.shape[dim:]))


class Expand(Function):
    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return np.broadcast_to(x.data, shape)

    @staticmethod
    def backward(ctx, grad):
        return grad.sum_to_size(ctx.shape), None


def expand(input: Tensor, *sizes: Any, size: Any = ()) -> Tensor:
    """Dimensions of size 1 repeated to the given sizes, without a copy; −1 keeps a size.

    The sizes are given one by one, as a tuple, or as `size=`.

    Returns: a view, in which the repeated numbers share memory.

    Raises: ShapeError where a size other than 1 would have to grow.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1], [2]]).expand(2, 3).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    wanted = sizes_of(sizes or (size,))
    extra = len(wanted) - input.ndim
    shape = tuple(input.shape[d - extra] if n == -1 and d >= extra else n for d, n in enumerate(wanted))
    matching = extra >= 0 and all(a in (1, b) for a, b in zip(input.shape, shape[extra:], strict=True))
    if not matching or -1 in shape:
        raise ShapeError(
            f"expand: shape {input.shape} cannot be expanded to {wanted}: only sizes of 1 can grow"
        )
    return Expand.apply(input, shape)


def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """The input expanded to `size`: the same as expand.

    Returns: a view, in which the repeated numbers share memory.

    Raises: ShapeError where a size other than 1 would have to grow.

    >>> import minitorch_seg as ms
    >>> ms.broadcast_to(ms.tensor([1, 2]), (2, 2)).tolist()
    [[1, 2], [1, 2]]
    """
    return expand(input, *sizes_of((size,)))


class Flip(Function):
    @staticmethod
    def forward(ctx, x, dims):
        ctx.dims = dims
        return np.copy(np.flip(x.data, dims))  # a copy: as a view it would change when x is changed in place

    @staticmethod
    def backward(ctx, grad):
        return grad.flip(ctx.dims), None


def flip(input: Tensor, *axes: Any, dims: Any = ()) -> Tensor:
    """The input with the order of the elements along `dims` reversed.

    The dimensions are given one by one, as a tuple, or as `dims=`.

    Returns: the input's shape and dtype, in new memory.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1, 2], [3, 4]]).flip(1).tolist()
    [[2, 1], [4, 3]]
    """
    given = sizes_of(axes or (dims,))
    return Flip.apply(input, normalize_dims("flip", given, input.ndim) if given else ())


class Roll(Function):
    @staticmethod
    def forward(ctx, x, shifts, dims):
        ctx.shifts, ctx.dims = shifts, dims
        return np.roll(x.data, shifts, dims)

    @staticmethod
    def backward(ctx, grad):
        return Roll.apply(grad, tuple(-s for s in ctx.shifts), ctx.dims), None, None


@typed
def roll(input: Tensor, shifts: int | tuple[int, ...], dims: int | tuple[int, ...] | None = None) -> Tensor:
    """Elements moved by `shifts` along `dims`; what leaves at one end enters at the other.

    Without dims, all elements are moved by one shift in row-major order.

    Returns: the input's shape and dtype.

    Raises: ValueError unless there are as many shifts as dims; IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.tensor([1, 2, 3, 4]).roll(1, 0)
    tensor([4, 1, 2, 3])
    """
    steps = sizes_of((shifts,))
    if dims is None or dims == ():
        return roll(input.reshape(-1), shifts, 0).reshape(input.shape)
    axes = sizes_of((dims,))
    if len(steps) != len(axes):
        raise ValueError(f"roll: {len(steps)} shifts for {len(axes)} dims: give one each")
    return Roll.apply(input, steps, tuple(normalize_dim("roll", d, input.ndim) for d in axes))
