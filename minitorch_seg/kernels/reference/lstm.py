"""A long short-term memory over all steps and its gradient through time; `ops/gru.py` says what the gates do.

u_t = W_ih x_t + b_ih + b_hh is given; W_hh h_{t−1} is added here, for one step after the other.  There is no
kernels/cpu/lstm.py: most of the time goes into matrix products, which NumPy already hands to BLAS.
"""

import numpy as np


def lstm(
    u: np.ndarray, h0: np.ndarray, c0: np.ndarray, w_hh: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """u (T, N, 4H), h0 and c0 (N, H), w_hh (4H, H) -> h and c (T, N, H); i, f, g, o, tanh(c) (T, 5, N, H)."""
    steps, batch, hidden = *u.shape[:2], h0.shape[1]
    h, c = (np.empty((steps, batch, hidden), u.dtype) for _ in range(2))
    kept = np.empty((steps, 5, batch, hidden), u.dtype)
    h_before, c_before = h0, c0
    for t in range(steps):
        a = u[t] + h_before @ w_hh.T
        g = np.tanh(a[:, 2 * hidden : 3 * hidden])
        gates = 1 / (1 + np.exp(-a))
        i, f, o = (gates[:, k * hidden : (k + 1) * hidden] for k in (0, 1, 3))
        c_before = c[t] = f * c_before + i * g
        kept[t] = i, f, g, o, np.tanh(c_before)
        h_before = h[t] = o * kept[t, 4]
    return h, c, kept


def lstm_gradient(
    grad: np.ndarray,
    grad_c: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    kept: np.ndarray,
    h0: np.ndarray,
    c0: np.ndarray,
    w_hh: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(du, dh0, dc0, dw_hh) from grad = ∂L/∂h of all steps and grad_c = ∂L/∂c_T.

    Backwards through time, with what reaches h_t and c_t by all ways:

    G_t = grad_t + W_hhᵀ du_{t+1}
    C_t = G_t ⊙ o ⊙ (1 − tanh²(c_t)) + f_{t+1} ⊙ C_{t+1},      C_T has grad_c besides

    du_i = C_t ⊙ g ⊙ i (1 − i)              du_g = C_t ⊙ i ⊙ (1 − g²)
    du_f = C_t ⊙ c_{t−1} ⊙ f (1 − f)        du_o = G_t ⊙ tanh(c_t) ⊙ o (1 − o)

    dw_hh = Σ_t du_t h_{t−1}ᵀ
    """
    h_before, c_before = (np.concatenate([first[None], a])[:-1] for first, a in ((h0, h), (c0, c)))
    du = np.empty((*h.shape[:2], 4 * h0.shape[1]), h.dtype)
    carry, carry_c = np.zeros(h0.shape, h.dtype), grad_c
    for t in reversed(range(len(h))):
        (i, f, g, o, tanh_c), total = kept[t], grad[t] + carry
        d_c = carry_c + total * o * (1 - tanh_c * tanh_c)
        parts = (
            d_c * g * i * (1 - i),
            d_c * c_before[t] * f * (1 - f),
            d_c * i * (1 - g * g),
            total * tanh_c * o * (1 - o),
        )
        du[t] = np.concatenate(parts, axis=1)
        carry, carry_c = du[t] @ w_hh, d_c * f
    rows, states = (a.reshape(h.shape[0] * h.shape[1], a.shape[2]) for a in (du, h_before))
    return du, carry, carry_c, rows.T @ states
