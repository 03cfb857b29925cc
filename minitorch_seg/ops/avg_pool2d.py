"""avg_pool2d and adaptive_avg_pool2d: the mean of each window.

    y[n, c, Y, X] = (1/m) Σ_{i,j} x[n, c, s·Y + i − p, s·X + j − p]

s is the stride, p the padding; i < kh and j < kw run over the window.  m is the number of elements of the
window: all kh·kw of them with count_include_pad (where the frame's zeros count), else those that lie inside
the image; or what divisor_override says.

It is linear in x, y = A x, so  dL/dx = Aᵀ g  with g = dL/dy: each output gives g/m to every element of its
window, and the gradient of that is the mean again.

Adaptive: the output size Ho × Wo is given, and window Y reaches from row ⌊Y·H/Ho⌋ up to, but not including,
row ⌈(Y + 1)·H/Ho⌉.  Rows and columns are averaged one after the other, y = R x Cᵀ, with matrices R (Ho×H) and
C (Wo×W) whose rows add up to 1.

LeCun et al., "Handwritten digit recognition with a back-propagation network", 1990 (sub-sampling layers);
He et al., "Spatial pyramid pooling in deep convolutional networks", 2014 (adaptive windows).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.arguments import as_batch, met_taps, pair, window_output_size
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.matmul import matmul
from minitorch_seg.ops.typed import typed


class AvgPool2d(Function):
    @staticmethod
    def forward(ctx, x, divisor, kernel_size, stride, padding):
        ctx.input_size, ctx.divisor, ctx.options = x.shape[2:], divisor, (kernel_size, stride, padding)
        return dispatch.get("avg_pool2d", x.data).avg_pool2d(x.data, divisor, *ctx.options)

    @staticmethod
    def backward(ctx, grad):
        return (
            AvgPool2dGradient.apply(grad, ctx.input_size, ctx.divisor, *ctx.options),
            None,
            None,
            None,
            None,
        )


class AvgPool2dGradient(Function):
    """dx[i] = Σ g[Y] / m[Y] over the windows that hold i."""

    @staticmethod
    def forward(ctx, grad, input_size, divisor, kernel_size, stride, padding):
        ctx.arguments = divisor, kernel_size, stride, padding
        return dispatch.get("avg_pool2d", grad.data).avg_pool2d_gradient(
            grad.data, input_size, divisor, kernel_size, stride, padding
        )

    @staticmethod
    def backward(ctx, v):
        return AvgPool2d.apply(v, *ctx.arguments), None, None, None, None, None


def _covered(
    size: int, outputs: int, kernel: int, stride: int, padding: int, include_pad: bool
) -> np.ndarray:
    """How many elements of each window count along one axis."""
    start = np.arange(outputs) * stride - padding
    end = np.minimum(start + kernel, size + padding)  # beyond the right frame (ceil_mode) nothing counts
    if not include_pad:
        start, end = np.maximum(start, 0), np.minimum(end, size)
    return end - start


@typed
def avg_pool2d(
    input: Any,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window.

    Args:
        input: (N, C, H, W), or (C, H, W) for a single image.
        kernel_size, stride, padding: an int or a pair (vertical, horizontal); stride defaults to the kernel
            size; padding is a frame of zeros, at most half the kernel size.
        ceil_mode: let a last window hang over the edge, if it begins inside the input or its left padding.
        count_include_pad: the frame's zeros count in the divisor.
        divisor_override: divide by this number instead.

    Returns: (N, C, Ho, Wo), Ho = ⌊(H + 2·padding − kernel_size) / stride⌋ + 1 (⌈…⌉ with ceil_mode).

    Raises: ShapeError where no window fits, a size or step is too small, or the padding more than half the
        kernel size; ValueError for divisor_override=0; DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.avg_pool2d(ms.tensor([[[[1.0, 3.0, 5.0, 7.0]]]]), (1, 2))
    tensor([[[[2., 6.]]]])
    """
    name = "avg_pool2d"
    x, single = as_batch(name, as_tensor(input))
    same_float_dtype(name, input=x)
    kernel = pair(name, "kernel_size", kernel_size, 1)
    steps = kernel if stride is None else pair(name, "stride", stride, 1)
    frame = pair(name, "padding", padding, 0)
    if any(2 * p > k for p, k in zip(frame, kernel, strict=True)):
        raise ShapeError(f"{name}: padding {frame} is more than half the kernel size {kernel}")
    if divisor_override == 0:
        raise ValueError(f"{name}: divisor_override must not be zero")
    size = window_output_size(name, x.shape[2:], kernel, steps, frame, (1, 1), ceil_mode)
    if divisor_override is None:
        rows, columns = (
            _covered(*axis, count_include_pad)
            for axis in zip(x.shape[2:], size, kernel, steps, frame, strict=True)
        )
        divisor = np.asarray(rows[:, None] * columns, x.dtype, like=x.data)
    else:
        divisor = np.full(size, divisor_override, x.dtype, like=x.data)
    kernel, frame = zip(*map(met_taps, x.shape[2:], size, kernel, steps, frame, (1, 1)), strict=True)
    y = AvgPool2d.apply(x, divisor, kernel, steps, frame)
    return y.squeeze(0) if single else y


def _averaging_matrix(inputs: int, outputs: int, like: np.ndarray) -> Tensor:
    matrix = np.zeros((outputs, inputs), like.dtype)
    for i in range(outputs):
        start, end = i * inputs // outputs, -(-(i + 1) * inputs // outputs)
        matrix[i, start:end] = 1 / (end - start)
    return Tensor(np.asarray(matrix, like=like))


def _average(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """R x Cᵀ for each channel, as products with channels-last maps, so that the result is one too."""
    n, c, h, w = x.shape
    height, width = rows.shape[0], columns.shape[0]
    pixels = x.permute(0, 2, 3, 1).reshape(n, h, w * c)
    averaged = matmul(rows, pixels).reshape(n, height, w, c)
    return matmul(columns, averaged).reshape(n, height, width, c).permute(0, 3, 1, 2)


@typed
def adaptive_avg_pool2d(input: Any, output_size: int | tuple[int | None, int | None]) -> Tensor:
    """Means of windows that together cover the image, so many that the output has the size asked for.

    Args:
        input: (N, C, H, W), or (C, H, W).
        output_size: an int or a pair (height, width); None keeps the input's.  1 is global average pooling.

    Returns: (N, C, height, width).

    Raises: ShapeError for an input without pixels or a negative size; DTypeError unless the input is float32
        or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.adaptive_avg_pool2d(ms.tensor([[[[1.0, 2.0, 6.0]]]]), (1, 2))
    tensor([[[[1.5, 4. ]]]])
    """
    x, single = as_batch("adaptive_avg_pool2d", as_tensor(input))
    same_float_dtype("adaptive_avg_pool2d", input=x)
    given = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    if len(given) != 2:
        raise ShapeError(f"adaptive_avg_pool2d: output_size must be an int or a pair, found {output_size}")
    filled = [n if o is None else o for n, o in zip(x.shape[2:], given, strict=True)]
    wanted = pair("adaptive_avg_pool2d", "output_size", filled, 0)
    if wanted == (1, 1):
        y = x.mean((2, 3), keepdim=True)
    else:
        y = _average(x, *(_averaging_matrix(n, o, x.data) for n, o in zip(x.shape[2:], wanted, strict=True)))
    return y.squeeze(0) if single else y
