"""The recurrence of a simple recurrent network (Elman, 1990), after the inputs have been projected for all
steps at once:

    h_t = f(u_t + h_{t−1} W_hhᵀ),      u_t = x_t W_xhᵀ + b_h,      f = tanh or relu

There is no kernels/cpu/rnn.py: nearly all the time goes into matrix products, which NumPy already hands to
BLAS.
"""

import numpy as np


def rnn(u: np.ndarray, h0: np.ndarray, w_hh: np.ndarray, activation: str) -> np.ndarray:
    """u (T, N, H), h0 (N, H), w_hh (H, H), activation "tanh" or "relu" -> h (T, N, H)."""
    h = np.empty(u.shape, u.dtype)
    before = h0
    for t in range(len(u)):
        h[t] = u[t] + before @ w_hh.T
        h[t] = np.tanh(h[t]) if activation == "tanh" else np.maximum(h[t], 0)
        before = h[t]
    return h


def rnn_gradient(
    grad: np.ndarray, h: np.ndarray, h0: np.ndarray, w_hh: np.ndarray, activation: str
) -> tuple[np.ndarray, np.ndarray]:
    """(du, dh0) from grad = ∂L/∂h of all steps, going backwards through time:

    du_t = (grad_t + du_{t+1} W_hh)·f'(h_t),      dh0 = du_0 W_hh,      f' = 1 − h²  or  h > 0
    """
    du = np.empty(h.shape, h.dtype)
    carry = np.zeros(h0.shape, h.dtype)
    for t in reversed(range(len(h))):
        slope = 1 - h[t] * h[t] if activation == "tanh" else (h[t] > 0).astype(h.dtype)
        du[t] = (grad[t] + carry) * slope
        carry = du[t] @ w_hh
    return du, carry
