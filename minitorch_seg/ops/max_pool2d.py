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

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch, layout
from minitorch_seg.ops.arguments import LARGEST, Pair, as_batch, met_taps, pair, window_output_size
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.typed import typed


class MaxPool2d(Function):
    """The maxima, and the taps of the winners: a tap numbers the elements of a window, ky·kw + kx."""

    @staticmethod
    def forward(ctx, x, kernel_size, stride, padding, dilation, output_size):
        y, ctx.taps = dispatch.get("max_pool2d", x.data).max_pool2d(
            x.data, kernel_size, stride, padding, dilation, output_size
        )
        ctx.options = x.shape[2:], kernel_size, stride, padding, dilation
        ctx.mark_non_differentiable(ctx.taps)
        return y, ctx.taps

    @staticmethod
    def backward(ctx, grad, _):
        return MaxPool2dGradient.apply(grad, ctx.taps, *ctx.options), None, None, None, None, None


class MaxPool2dGradient(Function):
    """dx[i] = Σ g[Y] over the windows whose winner is i."""

    @staticmethod
    def forward(ctx, grad, taps, *options):
        ctx.taps, ctx.options = taps, options
        return dispatch.get("max_pool2d", grad.data).max_pool2d_gradient(grad.data, taps, *options)

    @staticmethod
    def backward(ctx, v):
        return MaxPool2dPick.apply(v, ctx.taps, *ctx.options), None, *(None for _ in ctx.options)


class MaxPool2dPick(Function):
    """y[Y] = v[winner of window Y]."""

    @staticmethod
    def forward(ctx, v, taps, *options):
        ctx.taps, ctx.options = taps, options
        n, c = v.shape[:2]
        places = np.maximum(winner_places(taps, *options), 0)
        flat = np.take_along_axis(np.reshape(v.data, (n, c, -1)), np.reshape(places, (n, c, -1)), axis=2)
        y = layout.empty_map(taps.shape, v.dtype, v.data)
        y[...] = np.where(taps >= 0, np.reshape(flat, taps.shape), 0)
        return y

    @staticmethod
    def backward(ctx, grad):
        return MaxPool2dGradient.apply(grad, ctx.taps, *ctx.options), None, *(None for _ in ctx.options)


def winner_places(
    taps: np.ndarray,
    input_size: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> np.ndarray:
    """Where each winner stands in the input: row·W + column, int64; −1 where a window had no winner."""
    y, x = np.arange(taps.shape[2], like=taps)[:, None], np.arange(taps.shape[3], like=taps)
    ky, kx = np.divmod(taps, taps.dtype.type(kernel_size[1]))
    row = y * stride[0] - padding[0] + ky.astype(np.int64) * dilation[0]
    column = x * stride[1] - padding[1] + kx.astype(np.int64) * dilation[1]
    return np.where(taps >= 0, row * input_size[1] + column, -1)


@typed
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

    Raises: ShapeError where no window fits, a size or step is too small, or the padding more than half the
        kernel size; DTypeError unless the input is float32 or float64.

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
    kernel, frame = zip(*map(met_taps, x.shape[2:], size, kernel, steps, frame, spread), strict=True)
    if kernel[0] * kernel[1] > LARGEST:
        raise ShapeError(f"{name}: a window of {kernel} pixels is too large: use a smaller kernel or stride")
    y, taps = MaxPool2d.apply(x, kernel, steps, frame, spread, size)
    y = y.squeeze(0) if single else y
    if not return_indices:
        return y
    places = Tensor(winner_places(taps.data, x.shape[2:], kernel, steps, frame, spread))
    return y, places.squeeze(0) if single else places
