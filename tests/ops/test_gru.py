"""gru and lstm against the formulas in NumPy; gradients; refusals.  (PyTorch: tests/nn/test_rnn.py.)"""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.ops.gru import GatedRecurrence, Memory
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    as_list,
    close,
    differentiable,
    draw,
    gradients_agree,
    refuses,
    same_in_every_layout,
    twin_agrees,
)

GRU = [(4, 2, 3), (2, 2), (6, 3), (6, 2), (6,), (6,)]
LSTM = [(4, 2, 3), (2, 2), (2, 2), (8, 3), (8, 2), (8,), (8,)]


def gru_loop(x, h, w_ih, w_hh, b_ih, b_hh):
    expit = pytest.importorskip("scipy.special").expit
    states = []
    for step in x:
        u_r, u_z, u_n = np.split(step @ w_ih.T + b_ih, 3, axis=1)
        v_r, v_z, v_n = np.split(h @ w_hh.T + b_hh, 3, axis=1)
        z = expit(u_z + v_z)
        h = (1 - z) * np.tanh(u_n + expit(u_r + v_r) * v_n) + z * h
        states.append(h)
    return np.stack(states)


def lstm_loop(x, h, c, w_ih, w_hh, b_ih, b_hh):
    expit = pytest.importorskip("scipy.special").expit
    states = []
    for step in x:
        i, f, g, o = np.split(step @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=1)
        c = expit(f) * c + expit(i) * np.tanh(g)
        h = expit(o) * np.tanh(c)
        states.append(h)
    return np.stack(states), c


def test_numpy():
    against_numpy(GRU, lambda L, *a: L.gru(*a), gru_loop)
    against_numpy(LSTM, lambda L, *a: L.lstm(*a), lstm_loop)


def test_twins():
    u, h, c = (4, 2, 6), (2, 2), (2, 2)
    twin_agrees(GatedRecurrence, *draw([u, h, (6, 2), (6,)]))
    twin_agrees(GatedRecurrence, *draw([u, h, (6, 2)]), None)
    twin_agrees(Memory, *draw([(4, 2, 8), h, c, (8, 2)]))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(2, 1, 2), (1, 1), (3, 2), (3, 1), (3,), (3,)], lambda L, *a: L.gru(*a), order)
    differentiable([(2, 1, 2), (1, 1), (1, 1), (4, 2), (4, 1), (4,), (4,)], lambda L, *a: L.lstm(*a), order)


def test_the_kernels_gradients_are_the_twins():
    gradients_agree(GRU, lambda L, *a: L.gru(*a))
    gradients_agree([*GRU[:4], (6,)], lambda L, *a: L.gru(*a, None))
    gradients_agree(LSTM, lambda L, *a: L.lstm(*a))
    gradients_agree(LSTM[:5], lambda L, *a: L.lstm(*a)[0])
    gradients_agree(LSTM[:5], lambda L, *a: L.lstm(*a)[1])
    gradients_agree(LSTM[:6], lambda L, *a: L.lstm(*a))


def test_without_states_and_steps():
    weights = ms.ones(6, 3), ms.ones(6, 2)
    assert OURS.gru(ms.ones(4, 2, 3), None, *weights).shape == (4, 2, 2)
    assert OURS.gru(ms.ones(0, 2, 3), None, *weights).shape == (0, 2, 2)


def test_refuses():
    def call(name, *sizes):
        return lambda L: getattr(L, name)(*(None if s is None else L.zeros(s) for s in sizes))

    refuses(
        ShapeError, "gru W_ih (6, 2) (6, 3)", call("gru", (4, 2, 3), None, (6, 2), (6, 2)), torch_too=False
    )
    refuses(
        ShapeError, "gru h0 (1, 2) (2, 2)", call("gru", (4, 2, 3), (1, 2), (6, 3), (6, 2)), torch_too=False
    )
    refuses(ShapeError, "lstm x (4,)", call("lstm", (4,), None, None, (8, 2), (8, 2)), torch_too=False)
    refuses(
        ShapeError,
        "lstm W_hh (6, 2) (8, 2)",
        call("lstm", (4, 2, 3), None, None, (8, 3), (6, 2)),
        torch_too=False,
    )


def torch_cell(name):
    """PyTorch's own cell, step by step."""

    def call(L, x, *rest):
        if L is OURS:
            return getattr(L, name)(x, *rest)
        *states, w_ih, w_hh, b_ih, b_hh = rest
        outputs = []
        for step in x:
            if name == "gru":
                states = [L.gru_cell(step, states[0], w_ih, w_hh, b_ih, b_hh)]
            else:
                states = L.lstm_cell(step, states, w_ih, w_hh, b_ih, b_hh)
            outputs.append(states[0])
        return L.stack(outputs) if name == "gru" else (L.stack(outputs), states[1])

    return call


@pytest.mark.parametrize("name, specs", [("gru", GRU), ("lstm", LSTM)])
def test_torch(name, specs):
    against_torch(specs, torch_cell(name))
    against_torch([(1, *specs[0][1:]), *specs[1:]], torch_cell(name))


def test_a_gru_needs_two_biases():
    """b_hn stands inside the bracket that r multiplies: moved to b_in it gives other states."""
    x, h, w_ih, w_hh, b_ih, b_hh = (ms.tensor(a) for a in draw(GRU))
    whole = OURS.gru(x, h, w_ih, w_hh, b_ih, b_hh).data
    folded = OURS.gru(x, h, w_ih, w_hh, b_ih + b_hh, None).data
    assert np.abs(whole - folded).max() > 0.01
    both = np.concatenate([b_hh.data[:4], np.zeros(2)])  # r and z add up, n does not
    rest = ms.tensor(b_hh.data - both)
    np.testing.assert_allclose(OURS.gru(x, h, w_ih, w_hh, b_ih + ms.tensor(both), rest).data, whole)


def test_a_closed_gate_keeps_the_state():
    big = 1e3
    x, h0, c0 = ms.randn(5, 1, 1), ms.tensor([[0.25]]), ms.tensor([[0.75]])
    ones = ms.ones(3, 1), ms.ones(3, 1)
    update = ms.tensor([0.0, big, 0.0])
    np.testing.assert_allclose(OURS.gru(x, h0, *ones, update, None).data, 0.25, rtol=1e-6)
    gates = ms.tensor([-big, big, 0.0, big])  # nothing in, nothing forgotten, everything shown
    h, c = OURS.lstm(x, h0, c0, ms.ones(4, 1), ms.ones(4, 1), gates, None)
    assert c.item() == 0.75
    np.testing.assert_allclose(h.data, np.tanh(0.75), rtol=1e-6)


def test_single_biases_missing_states_and_empty_batches():
    x, h, w_ih, w_hh, b_ih, b_hh = (ms.tensor(a) for a in draw(GRU))
    zero = ms.zeros(6, dtype="float64")
    close(OURS.gru(x, h, w_ih, w_hh, b_ih).data, OURS.gru(x, h, w_ih, w_hh, b_ih, zero).data)
    close(OURS.gru(x, h, w_ih, w_hh, None, b_hh).data, OURS.gru(x, h, w_ih, w_hh, zero, b_hh).data)
    close(OURS.gru(x, None, w_ih, w_hh).data, OURS.gru(x, h * 0, w_ih, w_hh).data)
    assert OURS.gru(x[:, :0], None, w_ih, w_hh).shape == (4, 0, 2)
    states, cell = OURS.lstm(ms.zeros(0, 2, 3), None, None, ms.zeros(8, 3), ms.zeros(8, 2))
    assert states.shape == (0, 2, 2) and cell.shape == (2, 2)


def test_layouts():
    same_in_every_layout(GRU, lambda L, *a: L.gru(*a))
    same_in_every_layout(LSTM, lambda L, *a: L.lstm(*a))


def test_refuses_unlike_dtypes_and_biases():
    x, w_ih, w_hh = ms.zeros(4, 2, 3), ms.zeros(6, 3), ms.zeros(6, 2)
    with pytest.raises(DTypeError, match=r"gru.*W_hh float64"):
        OURS.gru(x, None, w_ih, w_hh.to("float64"))
    with pytest.raises(ShapeError, match=r"gru: b_hh has shape \(2,\), expected \(6,\)"):
        OURS.gru(x, None, w_ih, w_hh, None, ms.zeros(2))
    with pytest.raises(ShapeError, match=r"lstm: c0 has shape \(1, 2\), expected \(2, 2\)"):
        OURS.lstm(x, None, ms.zeros(1, 2), ms.zeros(8, 3), ms.zeros(8, 2))


def test_no_steps_give_no_states_in_the_dtype_of_x():
    for dtype in ("float32", "float64"):
        x, w, v = (ms.ones(*s, dtype=dtype) for s in ((0, 2, 3), (16, 3), (16, 4)))
        states, cell = ms.functional.lstm(x, None, None, w, v)
        assert states.shape == (0, 2, 4) and states.dtype == cell.dtype == np.dtype(dtype)
        w, v = ms.ones(12, 3, dtype=dtype), ms.ones(12, 4, dtype=dtype)
        states = ms.functional.gru(x, None, w, v)
        assert states.shape == (0, 2, 4) and states.dtype == np.dtype(dtype)


@pytest.mark.parametrize("name", ["gru", "lstm"])
@pytest.mark.parametrize("given", [True, False])
def test_a_single_sequence_is_a_batch_of_one(name, given):
    gates, states = (3, 1) if name == "gru" else (4, 2)
    x, *rest = draw([(4, 3), *[(5,)] * states, (gates * 5, 3), (gates * 5, 5), (gates * 5,), (gates * 5,)])
    starts, weights = rest[:states], [ms.tensor(w) for w in rest[states:]]

    def run(batch):
        first = [ms.tensor(s[None] if batch else s) if given else None for s in starts]
        return as_list(getattr(OURS, name)(ms.tensor(x[:, None] if batch else x), *first, *weights))

    for alone, batched, axis in zip(run(False), run(True), (1, 0), strict=False):
        np.testing.assert_array_equal(alone.data, batched.data.squeeze(axis))
