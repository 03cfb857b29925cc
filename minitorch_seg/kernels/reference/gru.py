"""A gated recurrent unit over all steps, and its gradient through time; `ops/gru.py` says what the gates do.

u_t = W_ih x_t + b_ih is given; v_t = W_hh h_{t−1} + b_hh is made here, one step after the other.  There is no
kernels/cpu/gru.py: most of the time goes into matrix products, which NumPy already hands to BLAS.
"""

import numpy as np


def gru(
    u: np.ndarray, h0: np.ndarray, w_hh: np.ndarray, b_hh: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """u (T, N, 3H), h0 (N, H), w_hh (3H, H), b_hh (3H,) or None -> h (T, N, H); r, z, n, v_n (T, 4, N, H)."""
    steps, batch, hidden = *u.shape[:2], h0.shape[1]
    h, kept = np.empty((steps, batch, hidden), u.dtype), np.empty((steps, 4, batch, hidden), u.dtype)
    before = h0
    for t in range(steps):
        v = before @ w_hh.T if b_hh is None else before @ w_hh.T + b_hh
        both = 1 / (1 + np.exp(-(u[t, :, : 2 * hidden] + v[:, : 2 * hidden])))
        r, z, v_n = both[:, :hidden], both[:, hidden:], v[:, 2 * hidden :]
        n = np.tanh(u[t, :, 2 * hidden :] + r * v_n)
        kept[t] = r, z, n, v_n
        before = h[t] = n + z * (before - n)
    return h, kept


def gru_gradient(
    grad: np.ndarray, h: np.ndarray, kept: np.ndarray, h0: np.ndarray, w_hh: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(du, dh0, dw_hh, db_hh) from grad = ∂L/∂h of all steps.

    Backwards through time, with what reaches h_t by all ways:

    G_t = grad_t + z_{t+1} ⊙ G_{t+1} + W_hhᵀ dv_{t+1}

    du_r = dv_r = du_n ⊙ v_n ⊙ r (1 − r)           du_n = G_t ⊙ (1 − z) ⊙ (1 − n²)
    du_z = dv_z = G_t ⊙ (h_{t−1} − n) ⊙ z (1 − z)  dv_n = du_n ⊙ r

    dw_hh = Σ_t dv_t h_{t−1}ᵀ,      db_hh = Σ_t dv_t
    """
    hidden = h0.shape[1]
    before = np.concatenate([h0[None], h])[:-1]
    du, dv = (np.empty((*h.shape[:2], 3 * hidden), h.dtype) for _ in range(2))
    carry = np.zeros(h0.shape, h.dtype)
    for t in reversed(range(len(h))):
        (r, z, n, v_n), total = kept[t], grad[t] + carry
        d_n = total * (1 - z) * (1 - n * n)
        du[t, :, :hidden] = d_n * v_n * r * (1 - r)
        du[t, :, hidden : 2 * hidden] = total * (before[t] - n) * z * (1 - z)
        du[t, :, 2 * hidden :] = d_n
        dv[t] = du[t]
        dv[t, :, 2 * hidden :] *= r
        carry = total * z + dv[t] @ w_hh
    rows, states = (a.reshape(h.shape[0] * h.shape[1], a.shape[2]) for a in (dv, before))
    return du, carry, rows.T @ states, rows.sum(axis=0)
