"""conv2d: what every framework calls convolution, a cross-correlation of an image with a bank of kernels.

    y[n, o, Y, X] = b[o] + Σ_{c,i,j} w[o, c, i, j] · x[n, c, s·Y + d·i − p, s·X + d·j − p]

    x  input    (N, C, H, W), zero outside the image
    w  weight   (O, C/groups, kh, kw)
    b  bias     (O,)
    s  stride, p  padding, d  dilation

Output size: Ho = ⌊(H + 2p − d·(kh − 1) − 1) / s⌋ + 1, and Wo alike.  With groups, output channel o sees only
the C/groups input channels of its group.

Backward, with g = dL/dy.  Each product w·x above belongs to one y, so

  * dL/dw[o, c, i, j] = Σ_{n,Y,X} g[n, o, Y, X] · x[n, c, s·Y + d·i − p, s·X + d·j − p]:
    the input correlated with the gradient (`Conv2dWeightGradient`);

  * dL/dx[n, c, y, x] = Σ g[n, o, Y, X] · w[o, c, i, j]
    over all (o, Y, X, i, j) with  s·Y + d·i − p = y  and  s·X + d·j − p = x:
    each output hands its gradient back along the same weights, a transposed convolution of g with w;

  * dL/db[o] = Σ_{n,Y,X} g[n, o, Y, X].

All three are operators, so gradients of gradients come by themselves.

LeCun et al., "Gradient-based learning applied to document recognition", 1998; Dumoulin and Visin, "A guide
to convolution arithmetic for deep learning", 2016.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError, channels_hint
from minitorch_seg.kernels import dispatch, layout
from minitorch_seg.ops.arguments import Pair, as_batch, pair, window_output_size
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.pad import pad
from minitorch_seg.ops.typed import typed


class Conv2d(Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride, padding, dilation, groups):
        need_x, need_weight = ctx.needs_input_grad[:2]
        if not (need_x or layout.is_map(x.data)):  # an image: one copy serves both passes
            x = Tensor(layout.as_map(x.data))
        ctx.save_for_backward(x if need_weight else None, weight if need_x else None)
        ctx.input_size, ctx.kernel_size = x.shape[2:], weight.shape[2:]
        ctx.options = stride, padding, dilation, groups
        return dispatch.get("conv2d", x.data).conv2d(
            x.data, weight.data, None if bias is None else bias.data, stride, padding, dilation, groups
        )

    @staticmethod
    def backward(ctx, grad):
        from minitorch_seg.ops.conv_transpose2d import ConvTranspose2d

        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad[:3]
        grad_x = ConvTranspose2d.apply(grad, weight, None, ctx.input_size, *ctx.options) if need_x else None
        grad_weight = (
            Conv2dWeightGradient.apply(x, grad, ctx.kernel_size, *ctx.options) if need_weight else None
        )
        grad_bias = grad.sum((0, 2, 3)) if need_bias else None
        return grad_x, grad_weight, grad_bias, None, None, None, None


class Conv2dWeightGradient(Function):
    """dw[o, c, i, j] = Σ_{n,Y,X} g[n, o, Y, X] · x[n, c, s·Y + d·i − p, s·X + d·j − p].

    It is linear in x and in g.  With v = dL/d(dw), the gradient with respect to g is conv2d(x, v), that with
    respect to x conv_transpose2d(g, v).
    """

    @staticmethod
    def forward(ctx, x, grad, kernel_size, stride, padding, dilation, groups):
        ctx.save_for_backward(x, grad)
        ctx.options = stride, padding, dilation, groups
        return dispatch.get("conv2d", x.data).conv2d_weight_gradient(
            x.data, grad.data, kernel_size, stride, padding, dilation, groups
        )

    @staticmethod
    def backward(ctx, v):
        from minitorch_seg.ops.conv_transpose2d import ConvTranspose2d

        x, grad = ctx.saved_tensors
        need_x, need_grad = ctx.needs_input_grad[:2]
        for_x = ConvTranspose2d.apply(grad, v, None, x.shape[2:], *ctx.options) if need_x else None
        for_grad = None
        if need_grad:
            for_grad = first_windows(Conv2d.apply(x, v, None, *ctx.options), grad.shape[2:])
        return for_x, for_grad, None, None, None, None, None


def first_windows(y: Tensor, size: tuple[int, int]) -> Tensor:
    """The first `size` windows of y; there are more where an output_padding reaches the stride."""
    return y if y.shape[2:] == size else y[:, :, : size[0], : size[1]]


@typed
def conv2d(
    input: Any,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | str = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlate a batch of images with a bank of kernels (not flipped; `convolve2d` flips).

    Args:
        input: (N, C, H, W), or (C, H, W) for a single image.
        weight: (O, C/groups, kh, kw).
        bias: (O,) or None.
        stride, dilation: an int or a pair (vertical, horizontal).
        padding: the same; or "valid" (none), or "same" (the output has the input's size; stride 1 only;
            where an even kernel needs one more row or column, it comes after the image).
        groups: input and output channels are divided into so many separate convolutions.

    Returns: (N, O, Ho, Wo) in the input's dtype, Ho = ⌊(H + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1.

    Raises:
        ShapeError: where sizes do not fit, with the numbers filled in.
        DTypeError: for mixed or integer dtypes.

    >>> import minitorch_seg as ms
    >>> edge = ms.tensor([[[[-1.0, 1.0]]]])
    >>> ms.functional.conv2d(ms.tensor([[[[0.0, 0.0, 5.0, 5.0]]]]), edge)
    tensor([[[[0., 5., 0.]]]])
    """
    x, single = as_batch("conv2d", as_tensor(input))
    same_float_dtype("conv2d", input=x, weight=weight, bias=bias)
    _check_weight(x.shape[1:] if single else x.shape, weight, bias, groups)
    stride = pair("conv2d", "stride", stride, 1)
    dilation = pair("conv2d", "dilation", dilation, 1)
    kernel = weight.shape[2:]
    rows, columns = frame(padding, kernel, stride, dilation)
    if rows[0] != rows[1] or columns[0] != columns[1]:
        x, rows, columns = pad(x, (*columns, *rows)), (0, 0), (0, 0)
    frame_width = rows[0], columns[0]
    window_output_size("conv2d", x.shape[2:], kernel, stride, frame_width, dilation)
    y = Conv2d.apply(x, weight, bias, stride, frame_width, dilation, groups)
    return y.squeeze(0) if single else y


def frame(padding: Any, kernel: tuple[int, ...], stride: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """What a padding means: rows above and below the image, columns left and right of it."""
    if not isinstance(padding, str):
        vertical, horizontal = pair("conv2d", "padding", padding, 0)
        return (vertical, vertical), (horizontal, horizontal)
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        raise ValueError(f"conv2d: padding {padding!r} is unknown: use an int, a pair, 'valid' or 'same'")
    if stride != (1, 1):
        raise ValueError(
            f"conv2d: padding='same' needs stride 1, found {stride}: with a stride the output is smaller"
        )
    tall, wide = (d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    return (tall // 2, tall - tall // 2), (wide // 2, wide - wide // 2)


def _check_weight(shape: tuple[int, ...], weight: Tensor, bias: Tensor | None, groups: int) -> None:
    if weight.ndim != 4:
        raise ShapeError(f"conv2d: weight has shape {weight.shape}, expected (O, C/groups, kh, kw)")
    out_channels, per_group = weight.shape[:2]
    channels = shape[-3]
    if 0 in weight.shape:
        raise ShapeError(f"conv2d: weight of shape {weight.shape} is empty")
    if groups < 1:
        raise ShapeError(f"conv2d: groups must be positive, found {groups}")
    if channels != per_group * groups:
        hint = channels_hint(shape, per_group * groups)
        if not hint and groups == 1 and channels == out_channels:
            hint = "; the weight's first size is the output's: did you mean weight.transpose(0, 1)?"
        elif groups > 1 and channels == per_group:
            hint = "; with groups the weight's second size is C/groups"
        raise ShapeError(
            f"conv2d: input of shape {shape} has {channels} channels, but weight of shape {weight.shape} "
            f"with groups={groups} expects {per_group}·{groups} = {per_group * groups}{hint}"
        )
    if out_channels % groups:
        raise ShapeError(f"conv2d: {out_channels} output channels cannot be divided into groups={groups}")
    if bias is not None and bias.shape != (out_channels,):
        raise ShapeError(
            f"conv2d: bias has shape {bias.shape}, expected ({out_channels},), one number an output channel"
        )
