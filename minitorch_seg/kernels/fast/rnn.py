"""The recurrence and its whole backward pass, each in one kernel; `reference/rnn.py` has the formulas.

The sequences of a batch do not know each other, so a thread takes a few of them through all steps.  Then the
states, the carried gradients and the weights stay in its cache from the first step to the last, and the large
arrays are read or written once.  At each step a register tile makes the products for all sequences of the
chunk:

    forward       x_t W_xhᵀ + b,  h_{t−1} W_hhᵀ              then  h_t = f(sum of both)
    backward      δ_t = (grad_t + carry) ⊙ f'(h_t)           then  dx_t = δ_t W_xh,  carry = δ_t W_hh
                  dW_xh += δ_tᵀ x_t,  dW_hh += δ_tᵀ h_{t−1},  db += sum of the rows of δ_t

Each chunk has its own sums of weight gradients; they are added in the order of the chunks.
"""

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.fast.panels import (
    OUTER_SPARE,
    SPARE_ROWS,
    fill_up,
    multiply_panels,
    outer_panels,
    pack,
    padded,
)
from minitorch_seg.kernels.fast.tanh import FRACTIONS, tanh
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous, read_only
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.reference import rnn as reference

MOST = 48  # sequences of a chunk: a multiple of the tiles' rows, and what it needs fits the cache


def rnn(
    x: np.ndarray, h0: np.ndarray, w_xh: np.ndarray, w_hh: np.ndarray, b: np.ndarray | None, activation: str
) -> np.ndarray:
    """x (T, N, C), h0 (N, H), w_xh (H, C), w_hh (H, H), b (H,) or None, "tanh" or "relu" -> h (T, N, H)."""
    if _is_left_to_numpy(x):
        return reference.rnn(x, h0, w_xh, w_hh, b, activation)
    x, h0, w_xh, w_hh = (contiguous(a) for a in (x, h0, w_xh, w_hh))
    h = buffers.empty((*x.shape[:2], len(w_hh)), x.dtype)
    weights = pack(np.concatenate([w_xh.T, w_hh.T]))
    bias = fill_up(np.zeros(0, x.dtype) if b is None else contiguous(b), padded(len(w_hh), x.dtype))
    sequences, chunks = _chunks(x.shape[1])
    inputs = x, h0, read_only(weights), read_only(bias)
    sizes = *x.shape, len(w_hh), sequences
    parallel_for(_forward, chunks, *inputs, h.reshape(-1), sizes, activation == "tanh", FRACTIONS[x.dtype])
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
    """(dx, or None where it is not needed, dh0, dw_xh, dw_hh, db) from grad = ∂L/∂h of all steps."""
    if _is_left_to_numpy(x):
        return reference.rnn_gradient(grad, x, h, h0, w_xh, w_hh, activation, need_dx)
    grad, x, h, h0, w_xh, w_hh = (contiguous(a) for a in (grad, x, h, h0, w_xh, w_hh))
    hidden, channels = w_xh.shape
    rows, wide = hidden + OUTER_SPARE, [padded(size, x.dtype) for size in (channels, hidden)]
    weights, bias = np.concatenate([pack(w_xh), pack(w_hh)]), np.zeros(max(wide), x.dtype)
    sequences, chunks = _chunks(x.shape[1])
    dx, dh0 = buffers.empty(x.shape if need_dx else (0,), x.dtype), np.empty(h0.shape, x.dtype)
    dw, db = np.zeros((chunks, rows * sum(wide)), x.dtype), np.zeros((chunks, hidden), x.dtype)
    inputs = [read_only(a.reshape(-1)) for a in (grad, x, h, h0, weights, bias)]
    results = dx.reshape(-1), dh0.reshape(-1), dw, db
    sizes = *x.shape, hidden, sequences
    parallel_for(_backward, chunks, *inputs, *results, sizes, tuple(wide), activation == "tanh")
    of_x, of_h = np.split(dw.sum(axis=0), [rows * wide[0]])
    dw_xh = np.ascontiguousarray(of_x.reshape(rows, -1)[:hidden, :channels])
    dw_hh = np.ascontiguousarray(of_h.reshape(rows, -1)[:hidden, :hidden])
    return (dx if need_dx else None), dh0, dw_xh, dw_hh, db.sum(axis=0)


def _is_left_to_numpy(x: np.ndarray) -> bool:
    return 0 in x.shape or x.dtype.newbyteorder("=") not in FRACTIONS


def _chunks(batch: int) -> tuple[int, int]:
    """(sequences of a chunk, chunks)"""
    sequences = -(-batch // -(-batch // MOST))
    return sequences, -(-batch // sequences)


@kernel
def _forward(first, last, x, h0, weights, bias, h, sizes, is_tanh, fraction):
    steps, batch, channels, hidden, sequences = sizes
    width = channels + hidden
    seen = np.empty((sequences, width), h.dtype)  # x_t and h_(t-1) side by side: both products are one
    a_rows, c_rows = np.empty(sequences + SPARE_ROWS, np.int64), np.empty(sequences + SPARE_ROWS, np.int64)
    taps = np.zeros(1, np.int64)
    for chunk in range(first, last):
        begin = chunk * sequences
        count = min(sequences, batch - begin)
        for i in range(len(a_rows)):  # rows behind the last are the last one once more
            a_rows[i], c_rows[i] = min(i, count - 1) * width, min(i, count - 1) * hidden
        reach = 0, a_rows[count - 1], 0, c_rows[count - 1]
        for n in range(count):
            seen[n, channels:] = h0[begin + n]
        for t in range(steps):
            for n in range(count):
                source, target = x[t, begin + n], seen[n]
                for i in range(len(source)):
                    target[i] = source[i]
            here = (t * batch + begin) * hidden
            multiply_panels(
                seen.reshape(-1), a_rows, h, c_rows, reach,
                (0, 0, 0, here, 0, 0, 0), taps, width, weights, bias, count, hidden, 1,
                weights, h, (0, 0, 0, 0),
            )  # fmt: skip
            state = h[here : here + count * hidden]
            for i in range(len(state)):
                if is_tanh:
                    state[i] = tanh(state[i], fraction)
                else:
                    state[i] = 0 if state[i] <= 0 else state[i]  # NaN <= 0 is false
            for n in range(count):
                source, target = state[n * hidden : (n + 1) * hidden], seen[n, channels:]
                for i in range(len(source)):
                    target[i] = source[i]


@kernel
def _backward(first, last, grad, x, h, h0, weights, bias, dx, dh0, dw, db, sizes, wide, is_tanh):
    steps, batch, channels, hidden, sequences = sizes
    rows = np.empty((2, sequences + SPARE_ROWS), np.int64)
    columns = np.minimum(np.arange(hidden + OUTER_SPARE), hidden - 1)
    taps = np.zeros(1, np.int64)
    delta = np.empty(sequences * hidden, h.dtype)
    for chunk in range(first, last):
        begin = chunk * sequences
        count = min(sequences, batch - begin)
        for i in range(rows.shape[1]):
            rows[0, i], rows[1, i] = min(i, count - 1) * channels, min(i, count - 1) * hidden
        carry, sums = dh0[begin * hidden : (begin + count) * hidden], db[chunk]
        carry[:] = 0
        for t in range(steps - 1, -1, -1):
            here = (t * batch + begin) * hidden
            given, state = grad[here : here + count * hidden], h[here : here + count * hidden]
            for i in range(len(state)):
                total = given[i] + carry[i]
                if is_tanh:
                    delta[i] = total - total * state[i] * state[i]
                else:
                    delta[i] = total if state[i] > 0 else 0
            for term in range(2):  # 0: x_t and dx_t, 1: h_(t-1) and carry
                source, b, target, c = x, (t * batch + begin) * channels, dx, (t * batch + begin) * channels
                if term == 1:
                    source, b, target, c = h0, begin * hidden, dh0, begin * hidden
                    if t > 0:
                        source, b = h, here - batch * hidden
                width = hidden if term == 1 else channels
                last_row, last_state = rows[term, count - 1], rows[1, count - 1]
                outer_panels(
                    delta, columns, hidden, rows[1], source, rows[term],
                    (0, hidden - 1, 0, last_state, 0, last_row), 0, count, dw[chunk],
                    (0, b, term * len(columns) * wide[0], 0, 0), wide[term], width, 1,
                )  # fmt: skip
                if len(target):
                    multiply_panels(
                        delta, rows[1], target, rows[term], (0, last_state, 0, last_row),
                        (0, term * hidden * wide[0], 0, c, 0, 0, 0), taps, hidden, weights, bias,
                        count, width, 1, weights, target, (0, 0, 0, 0),
                    )  # fmt: skip
            left = count  # rows of delta are added in pairs, which is also more exact than one after another
            while left > 1:
                half, odd = left // 2 * hidden, left % 2 * hidden
                upper, lower = delta[odd : odd + half], delta[odd + half : odd + 2 * half]
                for i in range(half):
                    upper[i] += lower[i]
                left -= left // 2
            for j in range(len(sums)):
                sums[j] += delta[j]
