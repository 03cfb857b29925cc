"""The recurrence of a simple recurrent network (Elman, 1990) and its gradient through time:

    h_t = f(u_t + W_hh h_{t−1}),      u_t = W_xh x_t + b,      f = tanh or relu

Whatever does not wait for another step is one product over all steps.  There is no kernels/cpu/rnn.py: nearly
all the time goes into matrix products, which NumPy already hands to BLAS.
"""

import numpy as np


def rnn(
    x: np.ndarray, h0: np.ndarray, w_xh: np.ndarray, w_hh: np.ndarray, b: np.ndarray | None, activation: str
) -> np.ndarray:
    """x (T, N, C), h0 (N, H), w_xh (H, C), w_hh (H, H), b (H,) or None, "tanh" or "relu" -> h (T, N, H)."""
    h = x @ w_xh.T if b is None else x @ w_xh.T + b
    before = h0
    for t in range(len(h)):
        h[t] += before @ w_hh.T
        h[t] = np.tanh(h[t]) if activation == "tanh" else np.maximum(h[t], 0)
        before = h[t]
    return h


def rnn_gradient(
    grad: np.ndarray,
    x: np.ndarray,
    h: np.ndarray,
    h0: np.ndarray,
    w_xh: np.ndarray,
    w_hh: np.ndarray,
    activation: str,
    need_dx: bool,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(dx, or None where it is not needed, dh0, dw_xh, dw_hh, db) from grad = ∂L/∂h of all steps.

    Backwards through time, with f' = 1 − h² or h > 0:

    δ_t = (grad_t + W_hhᵀ δ_{t+1}) ⊙ f'(h_t),      dh0 = W_hhᵀ δ_1

    dx_t = W_xhᵀ δ_t,      dw_xh = Σ_t δ_t x_tᵀ,      dw_hh = Σ_t δ_t h_{t−1}ᵀ,      db = Σ_t δ_t
    """
    delta = np.empty(h.shape, h.dtype)
    carry = np.zeros(h0.shape, h.dtype)
    for t in reversed(range(len(h))):
        total = grad[t] + carry
        delta[t] = total * (1 - h[t] * h[t]) if activation == "tanh" else np.where(h[t] > 0, total, 0)
        carry = delta[t] @ w_hh
    before = np.concatenate([h0[None], h])[:-1]
    rows, inputs, states = (a.reshape(h.shape[0] * h.shape[1], a.shape[2]) for a in (delta, x, before))
    return delta @ w_xh if need_dx else None, carry, rows.T @ inputs, rows.T @ states, rows.sum(axis=0)
