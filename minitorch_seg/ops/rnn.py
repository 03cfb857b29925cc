"""rnn: the source text's recurrence.

    h_t = f(W_hh h_{t−1} + W_xh x_t + b_h),      t = 1 … T

x is (T, N, C) for T steps of N sequences, h_0 (N, H), W_xh (H, C), W_hh (H, H), b_h (H,), and f any
differentiable function.  The source leaves h_0 open (zeros, unless given), and what is read from h_t (a model
adds y_t = W_hy h_t + b_y).

Forward.  The part that does not wait for the past, u_t = W_xh x_t + b_h, is one matrix product over all
steps.

Backward through time.  h_t acts on the loss L directly, with the gradient g_t, and through h_{t+1}.  Let
a_t = u_t + W_hh h_{t−1} and δ_t = dL/da_t; then

    δ_t = f'(a_t) ⊙ ( g_t + W_hhᵀ δ_{t+1} ),        δ_{T+1} = 0

    dL/dx_t = W_xhᵀ δ_t        dL/dW_xh = Σ_t δ_t x_tᵀ        dL/db_h = Σ_t δ_t
    dL/dh_0 = W_hhᵀ δ_1        dL/dW_hh = Σ_t δ_t h_{t−1}ᵀ

For tanh f' = 1 − h_t², for relu it is 1 where h_t > 0, else 0.  The carried term W_hhᵀ δ_{t+1} is all the
memory a recurrent network has; the product of many W_hhᵀ and f' is why gradients vanish or explode.

For tanh and relu all of this is one kernel forward and one backward, with `rnn_composed` as its twin; any
other f runs through `rnn_composed` itself.

Elman, "Finding structure in time", 1990; Werbos, "Backpropagation through time", 1990.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.activation import relu, tanh
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.cat import split, stack
from minitorch_seg.ops.matmul import linear, matmul
from minitorch_seg.ops.typed import typed

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": tanh, "relu": relu}


def each_step(u: Tensor) -> tuple[Tensor, ...]:
    """u_1 … u_T of (T, N, C).  The gradients of T indexings would add up in T arrays of zeros."""
    return split(u.reshape(-1, u.shape[2]), u.shape[1]) if u.shape[0] and u.shape[1] else tuple(u)


def rnn_composed(
    x: Tensor,
    h0: Tensor,
    W_xh: Tensor,
    W_hh: Tensor,
    b_h: Tensor | None,
    f: Callable[[Tensor], Tensor] | str,
) -> Tensor:
    """The twin: one step after the other, in operators."""
    step = ACTIVATIONS[f] if isinstance(f, str) else f
    u = linear(x, W_xh, b_h)
    h, states = h0, []
    for u_t in each_step(u):
        h = step(u_t + matmul(h, W_hh.transpose(0, 1)))
        states.append(h)
    return stack(states) if states else u


class Recurrence(Function):
    """h_t = f(W_hh h_{t−1} + W_xh x_t + b_h) for all t."""

    twin = staticmethod(rnn_composed)

    @staticmethod
    def forward(ctx, x, h0, W_xh, W_hh, b_h, f):
        b = None if b_h is None else b_h.data
        h = dispatch.get("rnn", x.data).rnn(x.data, h0.data, W_xh.data, W_hh.data, b, f)
        ctx.f = f
        ctx.save_for_backward(x, h, h0, W_xh, W_hh)
        return h

    @staticmethod
    def backward(ctx, grad):
        saved = (t.data for t in ctx.saved_tensors)
        gradients = dispatch.get("rnn", grad).rnn_gradient(grad, *saved, ctx.f, ctx.needs_input_grad[0])
        return *gradients, None


@typed
def rnn(
    x: Any,
    h0: Any,
    W_xh: Tensor,
    W_hh: Tensor,
    b_h: Tensor | None = None,
    f: str | Callable[[Tensor], Tensor] = "tanh",
) -> Tensor:
    """All states h_1 … h_T of h_t = f(W_hh h_{t−1} + W_xh x_t + b_h).

    Args:
        x: (T, N, C), or (T, C) for a single sequence.
        h0: (N, H) (or (H,)); None for zeros.
        W_xh: (H, C).
        W_hh: (H, H).
        b_h: (H,), or None.
        f: "tanh", "relu", or any differentiable function of a tensor.

    Returns: (T, N, H) (or (T, H)).

    Raises: ShapeError where shapes do not fit, naming the argument; ValueError for another name of f;
        DTypeError unless all operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> one = ms.ones(1, 1)
    >>> ms.functional.rnn(ms.ones(3, 1, 1), None, one, one, f="relu").reshape(-1)
    tensor([1., 2., 3.])
    """
    x = as_tensor(x)
    if x.ndim == 2:
        first = None if h0 is None else as_tensor(h0).unsqueeze(0)
        return rnn(x.unsqueeze(1), first, W_xh, W_hh, b_h, f).squeeze(1)
    if x.ndim != 3:
        raise ShapeError(f"rnn: x has shape {x.shape}, expected (T, N, C), or (T, C) for a single sequence")
    if isinstance(f, str) and f not in ACTIVATIONS:
        raise ValueError(f"rnn: f={f!r} is unknown: use 'tanh', 'relu' or a function")
    _, batch, channels = x.shape
    hidden = W_hh.shape[0] if W_hh.ndim else 0
    for name, t, expected in (
        ("W_xh", W_xh, (hidden, channels)),
        ("W_hh", W_hh, (hidden, hidden)),
        ("b_h", b_h, (hidden,)),
    ):
        if t is not None and t.shape != expected:
            raise ShapeError(
                f"rnn: {name} has shape {t.shape}, expected {expected} for x {x.shape} and H = {hidden}"
            )
    start = Tensor(np.zeros((batch, hidden), x.dtype, like=x.data)) if h0 is None else as_tensor(h0)
    if start.shape != (batch, hidden):
        raise ShapeError(f"rnn: h0 has shape {start.shape}, expected {(batch, hidden)} (N, H)")
    same_float_dtype("rnn", x=x, h0=start, W_xh=W_xh, W_hh=W_hh, b_h=b_h)
    run = Recurrence.apply if isinstance(f, str) else rnn_composed
    return run(x, start, W_xh, W_hh, b_h, f)
