"""max_pool2d: the largest number in each window.

    y[n, c, Y, X] = max_{i,j} x[n, c, s·Y + d·i − p, s·X + d·j − p],      outside the image −∞

s is the stride, p the padding, d the dilation; i < kh and j < kw run over the window.  The form of the source
text, y(x, y) = max of x(i, j) over the neighbourhood N(x, y), is the case of stride 1: a grey dilation.  The
smaller map that it promises needs the stride.

Backward, with g = dL/dy: y depends only on the winner of its window, so the winner receives the whole
gradient:

    dL/dx[i] = Σ g[Y] over the windows Y whose winner is i

Windows that overlap can have one winner: their gradients add up.  Where two numbers are equally large the
maximum has no derivative; the first in row-major order is declared the winner (any choice is a sub-gradient).

The gradient is linear in g, and its adjoint picks the winners' numbers again (`MaxPool2dPick`), which gives
derivatives of any order.

Zhou and Chellappa, "Computation of optical flow using a neural network", 1988; Scherer, Müller and Behnke,
"Evaluation of pooling operations in convolutional architectures for object recognition", 2010.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch, layout
from minitorch_seg.ops.arguments import as_batch, pair, window_output_size
from minitorch_seg.ops.cast import as_tensor, same_float_dtype


class MaxPool2d(Function):
    @staticmethod
    def forward(ctx, x, kernel_size, stride, padding, dilation, output_size):
        y, indices = dispatch.get("max_pool2d").max_pool2d(
            x.data, kernel_size, stride, padding, dilation, output_size
        )
        ctx.indices, ctx.input_size = indices, x.shape[2:]
        ctx.options = kernel_size, stride, padding, dilation
        ctx.mark_non_differentiable(indices)
        return y, indices

    @staticmethod
    def backward(ctx, grad, _):
        return (
            MaxPool2dGradient.apply(grad, ctx.indices, ctx.input_size, *ctx.options),
            None,
            None,
            None,
            None,
            None,
        )


class MaxPool2dGradient(Function):
    """dx[i] = Σ g[Y] over the windows whose winner is i."""

    @staticmethod
    def forward(ctx, grad, indices, input_size, kernel_size, stride, padding, dilation):
        ctx.indices = indices
        ctx.options = input_size, kernel_size, stride, padding, dilation
        return dispatch.get("max_pool2d").max_pool2d_gradient(grad.data, indices, *ctx.options)

    @staticmethod
    def backward(ctx, v):
        return MaxPool2dPick.apply(v, ctx.indices, *ctx.options), None, None, None, None, None, None


class MaxPool2dPick(Function):
    """y[Y] = v[winner of window Y]."""

    @staticmethod
    def forward(ctx, v, indices, *options):
        ctx.indices, ctx.options = indices, options
        n, c = v.shape[:2]
        flat = np.take_along_axis(
            np.reshape(v.data, (n, c, -1)), np.reshape(np.maximum(indices, 0), (n, c, -1)), axis=2
        )
        y = layout.empty_map(indices.shape, v.dtype)
        y[...] = np.where(indices >= 0, np.reshape(flat, indices.shape), 0)
        return y

    @staticmethod
    def backward(ctx, grad):
        return MaxPool2dGradient.apply(grad, ctx.indices, *ctx.options), None, *(None for _ in ctx.options)


def max_pool2d(
    input: Any,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number of each window.

    Args:
        input: (N, C, H, W), or (C, H, W) for a single image.
        kernel_size, stride, padding, dilation: an int or a pair (vertical, horizontal); stride defaults to
            the kernel size; padding is −∞ and at most half the kernel size.
        ceil_mode: let a last window hang over the edge, if it begins inside the input or its left padding.
        return_indices: also return where each winner stood, as row·W + column (int64).

    Returns: (N, C, Ho, Wo), Ho = ⌊(H + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1; NaN where a
        window holds a NaN.  With return_indices the pair (that, indices of the same shape).

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 8.0, 7.0]]]])
    >>> ms.functional.max_pool2d(x, 2)
    tensor([[[[5., 8.]]]])
    """
    name = "max_pool2d"
    x, single = as_batch(name, as_tensor(input))
    same_float_dtype(name, input=x)
    kernel = pair(name, "kernel_size", kernel_size, 1)
    steps = kernel if stride is None else pair(name, "stride", stride, 1)
    frame, spread = pair(name, "padding", padding, 0), pair(name, "dilation", dilation, 1)
    if any(2 * p > k for p, k in zip(frame, kernel, strict=True)):
        raise ShapeError(
            f"{name}: padding {frame} is more than half the kernel size {kernel}: a window could lie outside"
        )
    size = window_output_size(name, x.shape[2:], kernel, steps, frame, spread, ceil_mode)
    y, indices = MaxPool2d.apply(x, kernel, steps, frame, spread, size)
    if single:
        y, indices = y.squeeze(0), indices.squeeze(0)
    return (y, indices) if return_indices else y
