"""matmul and linear: products of matrices.

    Y = A B             dL/dA = G Bᵀ          dL/dB = Aᵀ G            (G = dL/dY)
    y = x Wᵀ + b        dL/dx = g W           dL/dW = Σ gᵀ x          dL/db = Σ g

Derivation of the first: Y_ik = Σ_j A_ij B_jk, so ∂Y_ik/∂A_ij = B_jk, and

    dL/dA_ij = Σ_k G_ik B_jk = (G Bᵀ)_ij

Leading dimensions of A and B are a batch and are broadcast.  In the second line x and g = dL/dy are rows, and
the sums run over all of them.

Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.cast import as_tensor, refuse_bool, same_float_dtype
from minitorch_seg.ops.typed import typed


class MatMul(Function):
    broadcasts = True  # of the leading (batch) dimensions

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return dispatch.get("matmul", a.data).matmul(a.data, b.data)

    @staticmethod
    def backward(ctx, grad):
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        grad_a = matmul(grad, b.transpose(-1, -2)) if need_a else None
        return grad_a, matmul(a.transpose(-1, -2), grad) if need_b else None


def matmul(input: Any, other: Any) -> Tensor:
    """The matrix product over the last two dimensions: (..., n, k) · (..., k, m) → (..., n, m).

    A vector counts as a row on the left and as a column on the right; that extra dimension is dropped again.

    Returns: the operands' dtype.

    Raises: ShapeError where sizes do not fit; DTypeError for unlike dtypes.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 2.0]]) @ ms.tensor([[3.0], [4.0]])
    tensor([[11.]])
    """
    a, b = refuse_bool("matmul", as_tensor(input)), as_tensor(other)
    if a.dtype != b.dtype:
        raise DTypeError(
            f"matmul: operands of one dtype expected, found {a.dtype} and {b.dtype}: "
            "convert one with .to(dtype)"
        )
    if not a.ndim or not b.ndim:
        raise ShapeError("matmul: both operands need at least one dimension; use * for a number")
    row, column = a.ndim == 1, b.ndim == 1
    a2 = a.unsqueeze(0) if row else a
    b2 = b.unsqueeze(1) if column else b
    if a2.shape[-1] != b2.shape[-2]:
        raise ShapeError(
            f"matmul: shapes {a.shape} and {b.shape}: the last size of the first ({a2.shape[-1]}) "
            f"must equal the last but one of the second ({b2.shape[-2]}); is a transpose missing?"
        )
    try:
        np.broadcast_shapes(a2.shape[:-2], b2.shape[:-2])
    except ValueError:
        raise ShapeError(
            f"matmul: the batch dimensions of {a.shape} and {b.shape} cannot be broadcast together"
        ) from None
    y = MatMul.apply(a2, b2)
    if row:
        y = y.squeeze(-2)
    return y.squeeze(-1) if column else y


@typed
def linear(input: Any, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x Wᵀ + b, for each vector x along the last dimension of the input.

    Args:
        input: (..., in).
        weight: W, (out, in).
        bias: b, (out,), or None.

    Returns: (..., out).

    Raises: ShapeError where sizes do not fit; DTypeError unless all operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> w = ms.tensor([[1.0, 10.0], [100.0, 0.0]])
    >>> ms.functional.linear(ms.tensor([[2.0, 3.0]]), w)
    tensor([[ 32., 200.]])
    """
    x = as_tensor(input)
    same_float_dtype("linear", input=x, weight=weight, bias=bias)
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"linear: input of shape {x.shape} and weight of shape {weight.shape}: "
            "the input's last size must equal the weight's last size (weight is (out, in))"
            + _linear_hint(x.shape, weight.shape)
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError(f"linear: bias has shape {bias.shape}, expected {weight.shape[:1]}")
    # One long matrix, not a batch of them: the weight's gradient then is one product, not a sum of many.
    rows = x if x.ndim <= 2 else x.reshape(-1, x.shape[-1]) if x.data.size else x
    y = matmul(rows, weight.transpose(0, 1))
    if bias is not None:
        y = y + bias
    return y if rows is x else y.reshape(*x.shape[:-1], weight.shape[0])


def _linear_hint(shape: tuple[int, ...], weight: tuple[int, ...]) -> str:
    if len(weight) == 2 and shape[1:] and math.prod(shape[1:]) == weight[1]:
        return ": x.flatten(1) makes each map one row"
    return ": did you mean weight.T?" if len(weight) == 2 and shape[-1:] == weight[:1] else ""
