"""unfold and fold: every window of an image as a column, and the adjoint.

    unfold    y[n, (c, i, j), l] = x[n, c, s·Y + d·i − p, s·X + d·j − p],      l = Y·Wo + X
    fold      x[n, c, y, x] = Σ of the entries of all columns that unfold would have read from (y, x)

s is the stride, p the padding, d the dilation, Ho × Wo the number of windows; outside the image x is zero.

unfold turns a convolution into one matrix product ("im2col"): conv2d(x, w) = w.reshape(O, −1) @ unfold(x).
It copies every pixel kh·kw times, which is why the kernels of this framework do it a little at a time.

Backward: fold is the transpose of unfold, so each is the other's gradient.  fold(unfold(x)) is not x: a pixel
in several windows is added up several times.

Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import layout
from minitorch_seg.ops.arguments import Pair, as_batch, pair, window_output_size
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.typed import typed


def _tap(framed: np.ndarray, offset: Pair, outputs: Pair, stride: Pair, dilation: Pair) -> np.ndarray:
    """A view of the element (i, j) of every window of the framed image."""
    rows, columns = (
        slice(d * k, d * k + s * (m - 1) + 1, s)
        for k, m, s, d in zip(offset, outputs, stride, dilation, strict=True)
    )
    return framed[:, :, rows, columns]


class Unfold(Function):
    @staticmethod
    def forward(ctx, x, kernel_size, stride, padding, dilation, outputs):
        ctx.size, ctx.options = x.shape[2:], (kernel_size, stride, padding, dilation, outputs)
        (n, c, h, w), (p, q) = x.shape, padding
        framed = np.zeros((n, c, h + 2 * p, w + 2 * q), x.dtype, like=x.data)
        framed[:, :, p : p + h, q : q + w] = x.data
        y = np.empty((n, c, *kernel_size, *outputs), x.dtype, like=x.data)
        for i, j in np.ndindex(*kernel_size):
            y[:, :, i, j] = _tap(framed, (i, j), outputs, stride, dilation)
        return np.reshape(y, (n, c * kernel_size[0] * kernel_size[1], outputs[0] * outputs[1]))

    @staticmethod
    def backward(ctx, grad):
        return Fold.apply(grad, ctx.size, *ctx.options), None, None, None, None, None


class Fold(Function):
    @staticmethod
    def forward(ctx, x, size, kernel_size, stride, padding, dilation, outputs):
        ctx.options = kernel_size, stride, padding, dilation, outputs
        (h, w), (p, q) = size, padding
        n, channels = x.shape[0], x.shape[1] // (kernel_size[0] * kernel_size[1])
        columns = np.reshape(x.data, (n, channels, *kernel_size, *outputs))
        framed = np.zeros((n, channels, h + 2 * p, w + 2 * q), x.dtype, like=x.data)
        for i, j in np.ndindex(*kernel_size):
            place = _tap(framed, (i, j), outputs, stride, dilation)
            place += columns[:, :, i, j]  # windows overlap: add
        y = layout.empty_map((n, channels, h, w), x.dtype, x.data)
        y[...] = framed[:, :, p : p + h, q : q + w]
        return y

    @staticmethod
    def backward(ctx, grad):
        return Unfold.apply(grad, *ctx.options), None, None, None, None, None, None


def _options(
    name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[Pair, Pair, Pair, Pair]:
    return (
        pair(name, "kernel_size", kernel_size, 1),
        pair(name, "dilation", dilation, 1),
        pair(name, "padding", padding, 0),
        pair(name, "stride", stride, 1),
    )


@typed
def unfold(
    input: Any,
    kernel_size: int | tuple[int, int],
    dilation: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    stride: int | tuple[int, int] = 1,
) -> Tensor:
    """All windows as columns: (N, C, H, W) → (N, C·kh·kw, Ho·Wo), without N for a single image.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size, dilation, padding, stride: an int or a pair (vertical, horizontal), as in conv2d.

    Returns: the input's dtype.

    Raises: ShapeError where no window fits; DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.unfold(ms.tensor([[[[1.0, 2.0, 3.0]]]]), (1, 2)).tolist()
    [[[1.0, 2.0], [2.0, 3.0]]]
    """
    x, single = as_batch("unfold", as_tensor(input))
    same_float_dtype("unfold", input=x)
    kernel, spread, frame, steps = _options("unfold", kernel_size, dilation, padding, stride)
    outputs = window_output_size("unfold", x.shape[2:], kernel, steps, frame, spread)
    y = Unfold.apply(x, kernel, steps, frame, spread, outputs)
    return y.squeeze(0) if single else y


@typed
def fold(
    input: Any,
    output_size: int | tuple[int, int],
    kernel_size: int | tuple[int, int],
    dilation: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    stride: int | tuple[int, int] = 1,
) -> Tensor:
    """Columns added up to an image: (N, C·kh·kw, Ho·Wo) → (N, C, H, W), the adjoint of unfold.

    Args:
        input: (N, C·kh·kw, Ho·Wo), or (C·kh·kw, Ho·Wo).
        output_size: H and W of the image, an int or a pair.
        kernel_size, dilation, padding, stride: those of the unfold whose adjoint this is.

    Returns: the input's dtype.

    Raises: ShapeError where the columns are not those of such windows; DTypeError unless the input is float32
        or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.fold(ms.tensor([[[1.0, 2.0], [20.0, 30.0]]]), (1, 3), (1, 2)).tolist()
    [[[[1.0, 22.0, 30.0]]]]
    """
    x = as_tensor(input)
    same_float_dtype("fold", input=x)
    if x.ndim not in (2, 3) or 0 in x.shape[-2:]:
        raise ShapeError(f"fold: input has shape {x.shape}, expected (N, C·kh·kw, L) or (C·kh·kw, L)")
    single = x.ndim == 2
    x = x.unsqueeze(0) if single else x
    size = pair("fold", "output_size", output_size, 1)
    kernel, spread, frame, steps = _options("fold", kernel_size, dilation, padding, stride)
    outputs = window_output_size("fold", size, kernel, steps, frame, spread)
    area, columns = kernel[0] * kernel[1], outputs[0] * outputs[1]
    if x.shape[1] % area or x.shape[2] != columns:
        raise ShapeError(
            f"fold: input of shape {x.shape}: the second size must be a multiple of {kernel[0]}·{kernel[1]}, "
            f"the last {outputs[0]}·{outputs[1]} = {columns} for output_size {size}"
        )
    y = Fold.apply(x, size, kernel, steps, frame, spread, outputs)
    return y.squeeze(0) if single else y
