"""conv_transpose2d: the adjoint of conv2d, used to make maps larger.

conv2d is linear in its input; written as a matrix it is y = A x.  The transposed convolution is x ↦ Aᵀ x:

    y[n, o, Y, X] = b[o] + Σ x[n, c, u, v] · w[c, o, i, j]
                    over all (c, u, v, i, j) with  s·u + d·i − p = Y  and  s·v + d·j − p = X

s is the stride, p the padding, d the dilation.  The weight w, of shape (C, O/groups, kh, kw), is that of the
conv2d whose adjoint this is, so its first size is the number of *input* channels here.  Each input number
lays the kernel, times itself, onto the output, s pixels apart; overlaps add.  It does not invert the
convolution: Aᵀ A is not the identity.

Output size: Ho = (H − 1)·s − 2p + d·(kh − 1) + output_padding + 1, and Wo alike, where output_padding chooses
among the sizes that conv2d's floor maps to the same H.

Backward, with g = dL/dy:

    dL/dx = conv2d(g, w)        dL/db[o] = Σ g
    dL/dw = conv2d's weight gradient with the roles of image and gradient exchanged

Zeiler et al., "Deconvolutional networks", 2010; Long, Shelhamer and Darrell, "Fully convolutional networks
for semantic segmentation", 2015.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError, channels_hint
from minitorch_seg.kernels import dispatch, layout
from minitorch_seg.ops.arguments import Pair, as_batch, pair
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.conv2d import Conv2d, Conv2dWeightGradient, first_windows
from minitorch_seg.ops.typed import typed


class ConvTranspose2d(Function):
    @staticmethod
    def forward(ctx, x, weight, bias, output_size, stride, padding, dilation, groups):
        need_x, need_weight = ctx.needs_input_grad[:2]
        ctx.save_for_backward(x if need_weight else None, weight if need_x else None)
        ctx.input_size, ctx.kernel_size = x.shape[2:], weight.shape[2:]
        ctx.options = stride, padding, dilation, groups
        return dispatch.get("conv_transpose2d", x.data).conv_transpose2d(
            x.data,
            weight.data,
            None if bias is None else bias.data,
            output_size,
            stride,
            padding,
            dilation,
            groups,
        )

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad[:3]
        if not layout.is_map(grad.data):  # a part of cat's gradient: three readers below share one copy
            grad = grad.clone()
        grad_x = None
        if need_x:
            grad_x = first_windows(Conv2d.apply(grad, weight, None, *ctx.options), ctx.input_size)
        grad_weight = (
            Conv2dWeightGradient.apply(grad, x, ctx.kernel_size, *ctx.options) if need_weight else None
        )
        grad_bias = grad.sum((0, 2, 3)) if need_bias else None
        return grad_x, grad_weight, grad_bias, None, None, None, None, None


@typed
def conv_transpose2d(
    input: Any,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    output_padding: int | tuple[int, int] = 0,
    groups: int = 1,
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """The adjoint of conv2d with the same weight, stride, padding, dilation and groups.

    Args:
        input: (N, C, H, W), or (C, H, W) for a single image.
        weight: (C, O/groups, kh, kw).
        bias: (O,) or None.
        stride, padding, output_padding, dilation: an int or a pair (vertical, horizontal); output_padding
            must be smaller than the stride or the dilation.
        groups: input and output channels are divided into so many separate convolutions.

    Returns: (N, O, Ho, Wo), Ho = (H − 1)·stride − 2·padding + dilation·(kh − 1) + output_padding + 1.

    Raises: ShapeError where sizes do not fit, with the numbers filled in; DTypeError unless all operands are
        float32 or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.conv_transpose2d(ms.tensor([[[[1.0, 2.0]]]]), ms.ones(1, 1, 1, 3), stride=2)
    tensor([[[[1., 1., 3., 2., 2.]]]])
    """
    name = "conv_transpose2d"
    x, single = as_batch(name, as_tensor(input))
    same_float_dtype(name, input=x, weight=weight, bias=bias)
    stride, dilation = pair(name, "stride", stride, 1), pair(name, "dilation", dilation, 1)
    padding, output_padding = (
        pair(name, "padding", padding, 0),
        pair(name, "output_padding", output_padding, 0),
    )
    if weight.ndim != 4 or 0 in weight.shape:
        raise ShapeError(f"{name}: weight has shape {weight.shape}, expected (C, O/groups, kh, kw)")
    if groups < 1 or x.shape[1] % groups:
        raise ShapeError(
            f"{name}: groups={groups} must be positive and divide the {x.shape[1]} input channels"
        )
    if x.shape[1] != weight.shape[0]:
        given = x.shape[1:] if single else x.shape
        swapped = "; did you mean weight.transpose(0, 1)?" if x.shape[1] == weight.shape[1] else ""
        raise ShapeError(
            f"{name}: input of shape {given} has {x.shape[1]} channels, but weight of shape {weight.shape} "
            f"expects {weight.shape[0]} (here the input channels come first)"
            + (swapped or channels_hint(given, weight.shape[0]))
        )
    out_channels = weight.shape[1] * groups
    if bias is not None and bias.shape != (out_channels,):
        raise ShapeError(f"{name}: bias has shape {bias.shape}, expected ({out_channels},)")
    if any(o >= max(s, d) for o, s, d in zip(output_padding, stride, dilation, strict=True)):
        raise ShapeError(
            f"{name}: output_padding {output_padding} must be smaller than "
            f"stride {stride} or dilation {dilation}"
        )
    size = transposed_size(x.shape[2:], stride, padding, dilation, weight.shape[2:], output_padding)
    y = ConvTranspose2d.apply(x, weight, bias, size, stride, padding, dilation, groups)
    return y.squeeze(0) if single else y


def transposed_size(
    size: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    kernel: tuple[int, ...],
    output_padding: Pair,
) -> Pair:
    """(size − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1 for height and width."""
    result = []
    for n, s, p, d, k, o in zip(size, stride, padding, dilation, kernel, output_padding, strict=True):
        result.append((n - 1) * s - 2 * p + d * (k - 1) + o + 1)
        if result[-1] < 1:
            raise ShapeError(
                f"conv_transpose2d: output size ({n} − 1)·{s} − 2·{p} + {d}·({k} − 1) + {o} + 1 < 1: "
                "use less padding"
            )
    return result[0], result[1]
