"""gru and lstm: recurrences with gates, which decide what is kept and what is forgotten.

σ is the sigmoid, ⊙ the product of elements; x_t is the input and h_t the state of step t = 1 … T.

GRU, with the gates r (reset) and z (update) and the new state n:

    r_t = σ(W_ir x_t + b_ir + W_hr h_{t−1} + b_hr)
    z_t = σ(W_iz x_t + b_iz + W_hz h_{t−1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t ⊙ (W_hn h_{t−1} + b_hn))
    h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}

b_hn stands inside the bracket that r_t multiplies, so unlike the other biases it cannot be added to its
partner b_in: two bias vectors are needed.  (Cho et al.'s paper resets h before the product; this is the form
of cuDNN and PyTorch.)

LSTM, with the gates i (input), f (forget) and o (output), the candidate g and a cell c:

    i_t = σ(W_ii x_t + b_ii + W_hi h_{t−1} + b_hi)
    f_t = σ(W_if x_t + b_if + W_hf h_{t−1} + b_hf)
    g_t = tanh(W_ig x_t + b_ig + W_hg h_{t−1} + b_hg)
    o_t = σ(W_io x_t + b_io + W_ho h_{t−1} + b_ho)
    c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t
    h_t = o_t ⊙ tanh(c_t)

Backward: kernels/reference/gru.py and lstm.py, from the last step to the first, with the composed formula as
the twin, which also serves projections (W_hr) and a GPU.  Along c the gradient is only multiplied by f_t,
and along the direct way from h_t to h_{t−1} of the GRU by z_t: where a gate is near 1 it neither vanishes nor
explodes.  That is what gates are for.

Shapes: x (T, N, C), h_0 (N, H).  The weights of the gates lie on top of each other in PyTorch's order: W_ih
is (3H, C) for r, z, n and (4H, C) for i, f, g, o; W_hh is (3H, H) or (4H, H); biases are (3H,) or (4H,).

Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014; Hochreiter and Schmidhuber,
"Long short-term memory", 1997; Gers, Schmidhuber and Cummins, "Learning to forget", 2000.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.activation import sigmoid, tanh
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.cat import chunk, stack
from minitorch_seg.ops.matmul import linear
from minitorch_seg.ops.rnn import each_step
from minitorch_seg.ops.typed import typed


def _check(
    operator: str, gates: int, x: Tensor, states: dict[str, Tensor | None], **weights: Tensor | None
) -> list[Tensor]:
    """The initial states, after every shape was checked."""
    if x.ndim != 3:
        raise ShapeError(f"{operator}: x has shape {x.shape}, expected (T, N, C), or (T, C) for one sequence")
    _, batch, channels = x.shape
    w_hh, w_hr = weights["W_hh"], weights.get("W_hr")
    assert w_hh is not None
    size = (w_hh.shape or (0,))[-1]  # of h; gates and c are larger where W_hr projects them to h
    hidden = size if w_hr is None else (w_hr.shape or (0,))[-1]
    expected: dict[str, tuple[int, ...]] = {
        "W_ih": (gates * hidden, channels),
        "W_hh": (gates * hidden, size),
    }
    expected |= {"b_ih": (gates * hidden,), "b_hh": (gates * hidden,), "W_hr": (size, hidden)}
    for name, t in weights.items():
        if t is not None and t.shape != expected[name]:
            raise ShapeError(
                f"{operator}: {name} has shape {t.shape}, "
                f"expected {expected[name]} for x {x.shape} and H = {hidden}"
            )
    initial = []
    for name, state in states.items():
        shape = batch, hidden if name == "c0" else size
        start = Tensor(np.zeros(shape, x.dtype, like=x.data)) if state is None else as_tensor(state)
        if start.shape != shape:
            raise ShapeError(f"{operator}: {name} has shape {start.shape}, expected {shape} (N, H)")
        initial.append(start)
    same_float_dtype(operator, x=x, **dict(zip(states, initial, strict=True)), **weights)
    return initial


def gru_composed(u: Tensor, h: Tensor, W_hh: Tensor, b_hh: Tensor | None) -> Tensor:
    """The twin: one step after the other, in operators; u = W_ih x + b_ih of all steps."""
    states = []
    for u_t in each_step(u):
        u_r, u_z, u_n = chunk(u_t, 3, 1)
        v_r, v_z, v_n = chunk(linear(h, W_hh, b_hh), 3, 1)
        r, z = sigmoid(u_r + v_r), sigmoid(u_z + v_z)
        n = tanh(u_n + r * v_n)
        h = n + z * (h - n)
        states.append(h)
    return stack(states)


class GatedRecurrence(Function):
    """The states h_t of a GRU from u_t, for all t."""

    twin = staticmethod(gru_composed)

    @staticmethod
    def forward(ctx, u, h0, W_hh, b_hh):
        b = None if b_hh is None else b_hh.data
        h, kept = dispatch.get("gru", u.data).gru(u.data, h0.data, W_hh.data, b)
        ctx.save_for_backward(h, kept, h0, W_hh)
        return h

    @staticmethod
    def backward(ctx, grad):
        return dispatch.get("gru", grad).gru_gradient(grad, *(t.data for t in ctx.saved_tensors))


def lstm_composed(
    u: Tensor, h: Tensor, c: Tensor, W_hh: Tensor, b_hh: Tensor | None = None, W_hr: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The twin: one step after the other, in operators; u = W_ih x + b_ih of all steps."""
    states = []
    for u_t in each_step(u):
        i, f, g, o = chunk(u_t + linear(h, W_hh, b_hh), 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        h = h if W_hr is None else linear(h, W_hr)
        states.append(h)
    return stack(states), c


class Memory(Function):
    """The states h_t of an LSTM from u_t, for all t, and its last cell."""

    twin = staticmethod(lstm_composed)

    @staticmethod
    def forward(ctx, u, h0, c0, W_hh):
        h, c, kept = dispatch.get("lstm", u.data).lstm(u.data, h0.data, c0.data, W_hh.data)
        ctx.save_for_backward(h, c, kept, h0, c0, W_hh)
        return h, c[-1]

    @staticmethod
    def backward(ctx, grad, grad_c):
        return dispatch.get("lstm", grad).lstm_gradient(grad, grad_c, *(t.data for t in ctx.saved_tensors))


@typed
def gru(
    x: Any,
    h0: Tensor | None,
    W_ih: Tensor,
    W_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """All states h_1 … h_T of a gated recurrent unit, (T, N, H), or (T, H) for a single sequence.

    Args:
        x: (T, N, C), or (T, C).
        h0: (N, H), or (H,); None for zeros.
        W_ih: (3H, C), W_hh: (3H, H): the weights of the gates r, z, n, in this order.
        b_ih, b_hh: (3H,), or None.

    Returns: (T, N, H), or (T, H).

    Raises: ShapeError where shapes do not fit, naming the argument; DTypeError unless all operands are
        float32 or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.gru(ms.ones(2, 1, 4), None, ms.zeros(9, 4), ms.zeros(9, 3)).shape
    (2, 1, 3)
    """
    x = as_tensor(x)
    if x.ndim == 2:
        first = None if h0 is None else h0.unsqueeze(0)
        return gru(x.unsqueeze(1), first, W_ih, W_hh, b_ih, b_hh).squeeze(1)
    (h,) = _check("gru", 3, x, {"h0": h0}, W_ih=W_ih, W_hh=W_hh, b_ih=b_ih, b_hh=b_hh)
    u = linear(x, W_ih, b_ih)  # what does not wait for the past, for all steps at once
    if x.shape[0] == 0:
        return Tensor(np.zeros((0, *h.shape), x.dtype, like=x.data))
    along = GatedRecurrence.apply if x.device == "cpu" else gru_composed
    return along(u, h, W_hh, b_hh)


@typed
def lstm(
    x: Any,
    h0: Tensor | None,
    c0: Tensor | None,
    W_ih: Tensor,
    W_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    W_hr: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """All states h_1 … h_T of a long short-term memory (T, N, H), and the last cell c_T (N, H).

    Args:
        x: (T, N, C), or (T, C) for a single sequence: then the results are (T, H) and (H,).
        h0, c0: (N, H), or (H,); None for zeros.
        W_ih: (4H, C), W_hh: (4H, H): the weights of the gates i, f, g, o, in this order.
        b_ih, b_hh: (4H,), or None.
        W_hr: (P, H), or None; it projects each state to P numbers, h_t = W_hr (o_t ⊙ tanh(c_t)) (Sak, Senior
            and Beaufays, 2014); then h0 is (N, P) and W_hh (4H, P).

    Returns: the states (T, N, H) and the cell (N, H), both without N for a single sequence.

    Raises: ShapeError where shapes do not fit, naming the argument; DTypeError unless all operands are
        float32 or all float64.

    >>> import minitorch_seg as ms
    >>> h, c = ms.functional.lstm(ms.ones(2, 1, 4), None, None, ms.zeros(12, 4), ms.zeros(12, 3))
    >>> h.shape, c.shape
    ((2, 1, 3), (1, 3))
    """
    x = as_tensor(x)
    if x.ndim == 2:
        first = [None if s is None else s.unsqueeze(0) for s in (h0, c0)]
        h, c = lstm(x.unsqueeze(1), first[0], first[1], W_ih, W_hh, b_ih, b_hh, W_hr)
        return h.squeeze(1), c.squeeze(0)
    h, c = _check("lstm", 4, x, {"h0": h0, "c0": c0}, W_ih=W_ih, W_hh=W_hh, b_ih=b_ih, b_hh=b_hh, W_hr=W_hr)
    if x.shape[0] == 0:
        return Tensor(np.zeros((0, *h.shape), x.dtype, like=x.data)), c
    if W_hr is not None or x.device != "cpu":
        return lstm_composed(linear(x, W_ih, b_ih), h, c, W_hh, b_hh, W_hr)
    bias = b_ih if b_hh is None else b_hh if b_ih is None else b_ih + b_hh
    return Memory.apply(linear(x, W_ih, bias), h, c, W_hh)
