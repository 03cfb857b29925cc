"""max_unpool2d: each number goes back to where max_pool2d found it; zeros elsewhere.

    y[indices[Y]] = x[Y]          dL/dx[Y] = g[indices[Y]],  g = dL/dy

SegNet keeps the indices of its pooling layers and hands them to the decoder: no weights, and borders stay
where they were.  Where pooling windows overlap, one place can receive several numbers, and the last in
row-major order stays (PyTorch leaves it open).  The formula of the gradient is for places that occur once;
where one occurs twice, the overwritten number is sent g as well, as in PyTorch.

Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014; Badrinarayanan, Kendall and
Cipolla, "SegNet", 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import DTypeError, RangeError, ShapeError
from minitorch_seg.kernels import layout
from minitorch_seg.ops.arguments import as_batch, pair, sizes_of
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.indexing import gather
from minitorch_seg.ops.typed import typed


class MaxUnpool2d(Function):
    @staticmethod
    def forward(ctx, x, indices, size):
        ctx.indices = indices.data
        n, c, h, w = x.shape
        flat = np.zeros((n, c, size[0] * size[1]), x.dtype, like=x.data)
        places = np.reshape(indices.data, (n, c, h * w))
        np.put_along_axis(flat, places, np.reshape(x.data, (n, c, h * w)), axis=2)
        y = layout.empty_map((n, c, *size), x.dtype, x.data)
        y[...] = np.reshape(flat, y.shape)
        return y

    @staticmethod
    def backward(ctx, grad):
        n, c, h, w = ctx.indices.shape
        height, width = grad.shape[2:]
        places = Tensor(np.reshape(ctx.indices, (n, c, h * w)))
        picked = gather(grad.reshape(n, c, height * width), 2, places)
        return picked.reshape(ctx.indices.shape), None, None


@typed
def max_unpool2d(
    input: Any,
    indices: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    output_size: tuple[int, ...] | None = None,
) -> Tensor:
    """Undo max_pool2d's change of size with the indices it returned.

    Args:
        input, indices: (N, C, H, W) or (C, H, W), as max_pool2d(..., return_indices=True) gave them.
        kernel_size, stride, padding: those of the pooling.
        output_size: the size before the pooling, where several were possible; default (H − 1)·stride −
            2·padding + kernel_size.

    Returns: (N, C, height, width), in the input's dtype.

    Raises: ShapeError where shapes do not fit; IndexError for an index outside the output; DTypeError unless
        the indices are int64 and the input float32 or float64.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([[[[1.0, 5.0, 2.0, 3.0]]]])
    >>> y, where = ms.functional.max_pool2d(x, (1, 2), return_indices=True)
    >>> ms.functional.max_unpool2d(y, where, (1, 2))
    tensor([[[[0., 5., 0., 3.]]]])
    """
    name = "max_unpool2d"
    x, single = as_batch(name, as_tensor(input))
    same_float_dtype(name, input=x)
    index = indices.unsqueeze(0) if single else indices
    if index.dtype != np.int64:
        raise DTypeError(f"{name}: indices are {index.dtype}, expected int64, as max_pool2d returns them")
    if index.shape != x.shape:
        raise ShapeError(f"{name}: indices have shape {index.shape}, expected the input's, {x.shape}")
    kernel = pair(name, "kernel_size", kernel_size, 1)
    steps = kernel if stride is None else pair(name, "stride", stride, 1)
    frame = pair(name, "padding", padding, 0)
    usual = tuple(
        (n - 1) * s - 2 * p + k for n, s, p, k in zip(x.shape[2:], steps, frame, kernel, strict=True)
    )
    if output_size is not None and len(output_size) not in (2, 4):
        raise ShapeError(
            f"{name}: output_size must be (height, width) or (N, C, height, width), found {output_size}"
        )
    size = usual if output_size is None else sizes_of((tuple(output_size[-2:]),))
    if any(n < 0 or not u - s < n < u + s for n, u, s in zip(size, usual, steps, strict=True)):
        raise ShapeError(
            f"{name}: output_size {size} cannot have been pooled to {x.shape[2:]}: expected about {usual}"
        )
    if index.data.size and (index.data.min() < 0 or index.data.max() >= size[0] * size[1]):
        raise RangeError(
            f"{name}: an index is outside 0 … {size[0] * size[1] - 1}, the places of output size {size}"
        )
    y = MaxUnpool2d.apply(x, index, size)
    return y.squeeze(0) if single else y
