"""The recurrence on the GPU, forward and backward through time, in one kernel and step by step."""

import numpy as np
import pytest

from minitorch_seg.kernels.cuda import rnn as kernel
from tests.cuda_simulator.agreement import agree, normal


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rnn(activation, whole, dtype, monkeypatch):
    if not whole:
        monkeypatch.setattr(kernel, "HIDDEN", 2)
    steps, batch, channels, hidden = 3, 5, 2, 6
    rng = np.random.default_rng(1)
    x, h0, w_xh, w_hh, b = (
        normal(rng, *shape, dtype=dtype)
        for shape in (
            (steps, batch, channels),
            (batch, hidden),
            (hidden, channels),
            (hidden, hidden),
            (hidden,),
        )
    )
    for bias in (b, None):
        h = agree("rnn", "rnn", x, h0, w_xh, w_hh, bias, activation)
    grad = normal(rng, steps, batch, hidden, dtype=dtype)
    for need_dx in (True, False):
        agree("rnn", "rnn_gradient", grad, x, h, h0, w_xh, w_hh, activation, need_dx)


@pytest.mark.parametrize("steps, batch", [(0, 2), (2, 0), (1, 1)])
def test_empty_and_single(steps, batch):
    rng = np.random.default_rng(2)
    x, h0, w_xh, w_hh = (
        normal(rng, steps, batch, 2),
        normal(rng, batch, 3),
        normal(rng, 3, 2),
        normal(rng, 3, 3),
    )
    h = agree("rnn", "rnn", x, h0, w_xh, w_hh, None, "tanh")
    agree("rnn", "rnn_gradient", normal(rng, *h.shape), x, h, h0, w_xh, w_hh, "tanh", True)


def test_nan_stays_in_its_sequence():
    rng = np.random.default_rng(3)
    x = normal(rng, 2, 3, 2)
    x[0, 1, 0] = np.nan
    for activation in ("tanh", "relu"):
        h = agree("rnn", "rnn", x, normal(rng, 3, 3), normal(rng, 3, 2), normal(rng, 3, 3), None, activation)
        assert np.isnan(h[:, 1]).all() and np.isfinite(h[:, [0, 2]]).all()
