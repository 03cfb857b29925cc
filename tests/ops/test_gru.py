"""gru and lstm against the formulas in NumPy; gradients; refusals.  (PyTorch: tests/nn/test_rnn.py.)"""

import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import OURS, against_numpy, differentiable, refuses

GRU = [(4, 2, 3), (2, 2), (6, 3), (6, 2), (6,), (6,)]
LSTM = [(4, 2, 3), (2, 2), (2, 2), (8, 3), (8, 2), (8,), (8,)]


def gru_loop(x, h, w_ih, w_hh, b_ih, b_hh):
    expit, np = pytest.importorskip("scipy.special").expit, pytest.importorskip("numpy")
    states = []
    for step in x:
        u_r, u_z, u_n = np.split(step @ w_ih.T + b_ih, 3, axis=1)
        v_r, v_z, v_n = np.split(h @ w_hh.T + b_hh, 3, axis=1)
        z = expit(u_z + v_z)
        h = (1 - z) * np.tanh(u_n + expit(u_r + v_r) * v_n) + z * h
        states.append(h)
    return np.stack(states)


def lstm_loop(x, h, c, w_ih, w_hh, b_ih, b_hh):
    expit, np = pytest.importorskip("scipy.special").expit, pytest.importorskip("numpy")
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


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(2, 1, 2), (1, 1), (3, 2), (3, 1), (3,), (3,)], lambda L, *a: L.gru(*a), order)
    differentiable([(2, 1, 2), (1, 1), (1, 1), (4, 2), (4, 1), (4,), (4,)], lambda L, *a: L.lstm(*a), order)


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
    refuses(ShapeError, "lstm x (4, 2)", call("lstm", (4, 2), None, None, (8, 2), (8, 2)), torch_too=False)
    refuses(
        ShapeError,
        "lstm W_hh (6, 2) (8, 2)",
        call("lstm", (4, 2, 3), None, None, (8, 3), (6, 2)),
        torch_too=False,
    )
