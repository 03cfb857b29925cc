"""Joining and parting: cat, stack, split, chunk.

    y = cat(x₁, x₂, …)     dL/dxᵢ = the part of g = dL/dy where xᵢ stands

    y₁, y₂, … = split(x)   dL/dx  = cat(g₁, g₂, …), where a part that nobody used has g = 0

stack is cat along a new dimension, chunk a split into so many equal parts.
A U-Net joins the map that comes up with the one kept from the way down, along the channels (dim=1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from minitorch_seg.autograd import Function, Tensor, is_grad_enabled
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.arguments import normalize_dim
from minitorch_seg.ops.cast import as_tensor, promote
from minitorch_seg.ops.typed import typed


class Cat(Function):
    @staticmethod
    def forward(ctx, dim, *tensors):
        ctx.dim, ctx.sizes = dim, [t.shape[dim] for t in tensors]
        return dispatch.get("cat", tensors[0].data).cat([t.data for t in tensors], dim)

    @staticmethod
    def backward(ctx, grad):
        source = grad if is_grad_enabled() else grad.data  # arrays make views
        places = zip(ctx.needs_input_grad[1:], _places(ctx.dim, ctx.sizes), strict=True)
        return None, *(source[place] if needed else None for needed, place in places)


class Split(Function):
    @staticmethod
    def forward(ctx, x, dim, sizes):
        ctx.dim = dim
        return tuple([x.data[place] for place in _places(dim, sizes)])

    @staticmethod
    def backward(ctx, *grads):
        return Cat.apply(ctx.dim, *grads), None, None


def _places(dim: int, sizes: list[int]) -> list[tuple[slice, ...]]:
    """The indices of pieces of these sizes, one after the other along `dim`."""
    starts = accumulate(sizes, initial=0)
    return [(slice(None),) * dim + (slice(*ends),) for ends in pairwise(starts)]


@typed
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along `dim`; all other sizes must agree.

    Returns: the promoted dtype, and the sum of the sizes along `dim`.

    Raises: ShapeError where other sizes differ; ValueError for no tensor at all; IndexError for such a `dim`.

    >>> import minitorch_seg as ms
    >>> ms.cat([ms.tensor([1, 2]), ms.tensor([3])])
    tensor([1, 2, 3])
    """
    if not tensors:
        raise ValueError("cat: at least one tensor expected")
    parts = promote(*tensors)
    dim = normalize_dim("cat", dim, parts[0].ndim)
    for number, part in enumerate(parts):
        same = part.ndim == parts[0].ndim and part.ndim > 0
        if not same or any(d != dim and n != parts[0].shape[d] for d, n in enumerate(part.shape)):
            raise ShapeError(
                f"cat: tensor {number} has shape {part.shape}, tensor 0 {parts[0].shape}: "
                f"sizes may differ only in dim {dim}"
                + (" (stack joins 0-d tensors)" if not part.ndim else "")
            )
    return Cat.apply(dim, *parts)


@typed
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension.

    Returns: the promoted dtype, and one more dimension, as long as the list.

    Raises: ShapeError where shapes differ; ValueError for no tensor at all; IndexError for such a `dim`.

    >>> import minitorch_seg as ms
    >>> ms.stack([ms.tensor([1, 2]), ms.tensor([3, 4])], dim=1).tolist()
    [[1, 3], [2, 4]]
    """
    if not tensors:
        raise ValueError("stack: at least one tensor expected")
    tensors = [as_tensor(t) for t in tensors]
    shapes = {t.shape for t in tensors}
    if len(shapes) > 1:
        raise ShapeError(f"stack: tensors of one shape expected, found {sorted(shapes)}")
    dim = normalize_dim("stack", dim, tensors[0].ndim + 1)
    return cat([t.unsqueeze(dim) for t in tensors], dim)


@typed
def split(input: Tensor, split_size: int | tuple[int, ...] | list[int], dim: int = 0) -> tuple[Tensor, ...]:
    """The input cut along `dim` into pieces of split_size (the last may be smaller), or of the given sizes.

    Returns: a tuple of views, in the input's dtype.

    Raises: ShapeError for sizes that are not positive or do not add up; IndexError for a dimension that is
        not there.

    >>> import minitorch_seg as ms
    >>> ms.split(ms.tensor([1, 2, 3, 4, 5]), 2)
    (tensor([1, 2]), tensor([3, 4]), tensor([5]))
    """
    if not input.ndim:
        raise ShapeError("split: a 0-d tensor cannot be cut")
    dim = normalize_dim("split", dim, input.ndim)
    n = input.shape[dim]
    if isinstance(split_size, int):
        if split_size <= 0:
            raise ShapeError(f"split: split_size must be positive, found {split_size}")
        sizes = [min(split_size, n - start) for start in range(0, n, split_size)] or [0]
    else:
        sizes = list(split_size)
        if sum(sizes) != n or min(sizes, default=0) < 0:
            raise ShapeError(
                f"split: sizes {sizes} add up to {sum(sizes)}, expected {n}, the size of dim {dim}"
            )
    return Split.apply(input, dim, sizes)


@typed
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """The input cut along `dim` into at most `chunks` pieces of equal size (the last may be smaller).

    Returns: a tuple of views, in the input's dtype.

    Raises: ShapeError unless chunks is positive; IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.chunk(ms.tensor([1, 2, 3, 4, 5]), 2)
    (tensor([1, 2, 3]), tensor([4, 5]))
    """
    if chunks <= 0 or not input.ndim:
        raise ShapeError(f"chunk: {chunks} chunks of shape {input.shape}: at least one, and no 0-d input")
    dim = normalize_dim("chunk", dim, input.ndim)
    return split(input, -(-input.shape[dim] // chunks) or [0] * chunks, dim)
