"""The recurrences with gates and their gradients through time: against PyTorch, finite differences, and what
must stay apart.  (The operators and their twins: tests/ops/test_gru.py.)
"""

import numpy as np
import pytest

from minitorch_seg.kernels.reference import gru as gru_kernel
from minitorch_seg.kernels.reference import lstm as lstm_kernel
from tests.kernels.helpers import close

KINDS = pytest.mark.parametrize("kind", ["gru", "lstm"])
GATES = {"gru": 3, "lstm": 4}


def arrays(kind, steps=6, batch=3, hidden=5, seed=0):
    """u, h0, (c0,) w_hh and gradients of the results."""
    rng = np.random.default_rng(seed)
    draw = rng.standard_normal
    state = [draw((batch, hidden)) for _ in range(1 if kind == "gru" else 2)]
    wide = GATES[kind] * hidden
    inputs = [draw((steps, batch, wide)), *state, hidden**-0.5 * draw((wide, hidden))]
    return inputs, [draw((steps, batch, hidden)), draw((batch, hidden))]


def both(kind, inputs, grads, b_hh=None):
    """The states, the last cell of an LSTM, and the gradients of all inputs."""
    if kind == "gru":
        u, h0, w_hh = inputs
        h, kept = gru_kernel.gru(u, h0, w_hh, b_hh)
        return [h], gru_kernel.gru_gradient(grads[0], h, kept, h0, w_hh)
    u, h0, c0, w_hh = inputs
    h, c, kept = lstm_kernel.lstm(u, h0, c0, w_hh)
    return [h, c[-1]], lstm_kernel.lstm_gradient(*grads, h, c, kept, h0, c0, w_hh)


@KINDS
def test_forward_and_gradient_agree_with_pytorch(kind):
    torch = pytest.importorskip("torch")
    inputs, grads = arrays(kind)
    wide, hidden = inputs[-1].shape
    b_hh = np.linspace(-1, 1, wide) if kind == "gru" else np.zeros(wide)
    # u is their input, through a matrix that changes nothing
    module = getattr(torch.nn, kind.upper())(wide, hidden, dtype=torch.float64)
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        values = {"weight_ih": np.eye(wide), "weight_hh": inputs[-1], "bias_ih": 0 * b_hh, "bias_hh": b_hh}
        for name, value in values.items():
            parameters[f"{name}_l0"].copy_(torch.from_numpy(value))
    u, *state = (torch.from_numpy(a).requires_grad_() for a in inputs[:-1])
    first = [s[None] for s in state]
    expected, last = module(u, first[0] if kind == "gru" else tuple(first))
    results = [expected] if kind == "gru" else [expected, last[1][0]]
    wanted = [u, *state, parameters["weight_hh_l0"], *([parameters["bias_hh_l0"]] if kind == "gru" else [])]
    theirs = torch.autograd.grad(results, wanted, [torch.from_numpy(g) for g in grads[: len(results)]])
    found, gradients = both(kind, inputs, grads, b_hh)
    for ours, other in zip([*found, *gradients], [*results, *theirs], strict=True):
        close(ours, other.detach().numpy())


@KINDS
def test_the_gradient_is_that_of_finite_differences(kind):
    inputs, grads = arrays(kind, 4, 2, 3, seed=1)
    directions, _ = arrays(kind, 4, 2, 3, seed=2)
    gradients = both(kind, inputs, grads)[1][: len(inputs)]
    e = 1e-6
    values = []
    for sign in (1, -1):
        moved = [a + sign * e * d for a, d in zip(inputs, directions, strict=True)]
        results = both(kind, moved, grads)[0]
        values.append(sum(np.vdot(g, r) for g, r in zip(grads, results, strict=False)))
    slope = sum(np.vdot(g, d) for g, d in zip(gradients, directions, strict=True))
    assert slope == pytest.approx((values[0] - values[1]) / (2 * e), rel=1e-7)


@KINDS
def test_a_sequence_knows_nothing_of_the_others_nor_of_the_future(kind):
    inputs, grads = arrays(kind)
    clean = both(kind, inputs, grads)[0][0]
    inputs[0][3, 1] = np.nan
    spoilt = both(kind, inputs, grads)[0][0]
    np.testing.assert_array_equal(spoilt[:, [0, 2]], clean[:, [0, 2]])
    np.testing.assert_array_equal(spoilt[:3], clean[:3])
    assert np.isnan(spoilt[3:, 1]).all()


@KINDS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_and_open_gates(kind, dtype):
    """Gates far beyond what e^x can hold are 0 or 1, without a warning that becomes an error."""
    inputs, grads = ([a.astype(dtype) for a in part] for part in arrays(kind))
    inputs[0] *= 1e4
    with np.errstate(over="ignore"):
        found, gradients = both(kind, inputs, grads)
    assert all(a.dtype == dtype and np.isfinite(a).all() for a in [*found, *gradients])


@KINDS
def test_an_empty_batch(kind):
    found, gradients = both(kind, *arrays(kind, batch=0))
    assert found[0].shape == (6, 0, 5) and not gradients[-1 if kind == "lstm" else -2].any()
