"""The recurrence and its gradient through time: the reference against PyTorch and finite differences, the
fast kernel against the reference.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels import parallel
from minitorch_seg.kernels.fast import rnn as fast
from minitorch_seg.kernels.reference import rnn as reference
from tests.kernels.helpers import LAYOUTS, GuardedMemory, close, lay_out, surrounded

ACTIVATIONS = pytest.mark.parametrize("activation", ["tanh", "relu"])


def arrays(steps, batch, channels, hidden, dtype="float64", seed=0):
    """x, h0, w_xh, w_hh, b and a gradient of h; the weights as small as those of a layer."""
    rng = np.random.default_rng(seed)
    shapes = (
        (steps, batch, channels), (batch, hidden), (hidden, channels), (hidden, hidden), (hidden,),
        (steps, batch, hidden),
    )  # fmt: skip
    scale = 1, 1, hidden**-0.5, hidden**-0.5, 1, 1
    return [(s * rng.standard_normal(shape)).astype(dtype) for s, shape in zip(scale, shapes, strict=True)]


def both(kernels, x, h0, w_xh, w_hh, b, grad, activation, need_dx=True):
    """h and all gradients."""
    h = kernels.rnn(x, h0, w_xh, w_hh, b, activation)
    return h, *kernels.rnn_gradient(grad, x, h, h0, w_xh, w_hh, activation, need_dx)


@ACTIVATIONS
@pytest.mark.parametrize("kernels", [reference, fast])
def test_forward_and_gradient_agree_with_pytorch(kernels, activation):
    torch = pytest.importorskip("torch")
    x, h0, w_xh, w_hh, b, grad = arrays(6, 3, 4, 5)
    module = torch.nn.RNN(4, 5, nonlinearity=activation, dtype=torch.float64)
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in {"weight_ih": w_xh, "weight_hh": w_hh, "bias_ih": b, "bias_hh": 0 * b}.items():
            parameters[f"{name}_l0"].copy_(torch.from_numpy(value))
    inputs = [torch.from_numpy(a).requires_grad_() for a in (x, h0[None])]
    expected, _ = module(*inputs)
    wanted = [*inputs, *(parameters[f"{n}_l0"] for n in ("weight_ih", "weight_hh", "bias_ih"))]
    expected_gradients = torch.autograd.grad(expected, wanted, torch.from_numpy(grad))
    h, *gradients = both(kernels, x, h0, w_xh, w_hh, b, grad, activation)
    close(h, expected.detach().numpy())
    for found, other in zip(gradients, expected_gradients, strict=True):
        close(found, other.numpy().reshape(found.shape))


@ACTIVATIONS
def test_the_gradient_is_that_of_finite_differences(activation):
    x, h0, w_xh, w_hh, b, grad = arrays(4, 2, 2, 3, seed=1)
    direction = arrays(4, 2, 2, 3, seed=2)[0]
    _, dx, *_ = both(reference, x, h0, w_xh, w_hh, b, grad, activation)
    e = 1e-6
    ahead, back = (
        np.vdot(grad, reference.rnn(x + s * e * direction, h0, w_xh, w_hh, b, activation)) for s in (1, -1)
    )
    assert np.vdot(dx, direction) == pytest.approx((ahead - back) / (2 * e), rel=1e-7)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_fast_kernel_agrees_with_the_reference(data):
    sizes = [data.draw(st.integers(0, most), name) for name, most in zip("TNC", (4, 130, 40), strict=True)]
    hidden = data.draw(st.integers(1, 70), "H")
    dtype = data.draw(st.sampled_from(["float32", "float64"]), "dtype")
    activation = data.draw(st.sampled_from(["tanh", "relu"]), "activation")
    need_dx, with_bias = data.draw(st.booleans(), "dx"), data.draw(st.booleans(), "bias")
    inputs = arrays(*sizes, hidden, dtype, data.draw(st.integers(0, 99)))
    if not with_bias:
        inputs[4] = None
    expected = both(reference, *inputs, activation, need_dx)
    laid = [a if a is None else lay_out(a, data.draw(st.sampled_from(LAYOUTS))) for a in inputs]
    found = both(fast, *laid, activation, need_dx)
    assert (found[1] is None) == (not need_dx)
    for a, b in zip(found, expected, strict=True):
        if b is not None:
            close(a, b, 5.0 * max(1.0, float(np.abs(b).max(initial=0))))


def test_float16_and_other_byte_orders():
    inputs = arrays(3, 5, 2, 4)
    expected = both(reference, *inputs, "tanh")
    for a, b in zip(both(fast, *(a.astype(">f8") for a in inputs), "tanh"), expected, strict=True):
        close(a.astype("float64"), b)
    half = both(fast, *(a.astype("float16") for a in inputs), "tanh")
    assert half[0].dtype == "float16" and np.abs(half[0] - expected[0]).max() < 0.02


@ACTIVATIONS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_two_and_seven_threads_give_the_same_bits(activation, dtype):
    before, results = parallel.get_num_threads(), []
    try:
        for threads in (1, 2, 7):
            parallel.set_num_threads(threads)
            found = both(fast, *arrays(5, 500, 7, 19, dtype), activation)
            results.append([a.tobytes() for a in found])
    finally:
        parallel.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@ACTIVATIONS
@pytest.mark.parametrize("sizes", [(3, 53, 5, 17), (1, 1, 1, 1), (2, 97, 20, 33)])
def test_nothing_outside_the_arrays_is_read_or_written(sizes, activation, monkeypatch):
    inputs = arrays(*sizes, "float32")
    expected = both(fast, *inputs, activation)
    guarded = [surrounded(a) for a in inputs]
    memory = GuardedMemory(monkeypatch)
    found = both(fast, *guarded, activation)
    memory.check()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@ACTIVATIONS
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_stay_in_their_sequence_and_are_seen(value, activation):
    """From the step where it enters, and in no other sequence of the batch."""
    x, h0, w_xh, w_hh, b, grad = arrays(5, 60, 3, 6, "float32")
    clean = both(fast, x, h0, w_xh, w_hh, b, grad, activation)
    x[2, 50, 1] = value
    h, dx, _, dw_xh, _, _ = both(fast, x, h0, w_xh, w_hh, b, grad, activation)
    others = np.arange(60) != 50
    np.testing.assert_array_equal(h[:, others], clean[0][:, others])
    np.testing.assert_array_equal(dx[:, others], clean[1][:, others])
    np.testing.assert_array_equal(h[:2], clean[0][:2])
    with np.errstate(invalid="ignore"):
        expected = reference.rnn(x, h0, w_xh, w_hh, b, activation)
    np.testing.assert_array_equal(np.isnan(h), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(h), np.isinf(expected))
    if np.isnan(value):
        assert np.isnan(h[2:, 50]).all() and (activation == "relu" or np.isnan(dw_xh).all())
    if activation == "tanh" and not np.isnan(value):
        assert set(np.abs(h[2, 50])) == {1.0}


def test_no_step_and_no_sequence():
    for kernels in (reference, fast):
        for steps, batch in ((0, 2), (4, 0)):
            inputs = arrays(steps, batch, 2, 3, "float32")
            h, dx, dh0, *weights = both(kernels, *inputs, "tanh")
            assert h.shape == (steps, batch, 3) and dx.shape == (steps, batch, 2) and dh0.shape == (batch, 3)
            assert not dh0.any() and not any(w.any() for w in weights)


def run(program, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


COMPARE = """
from tests.kernels.test_rnn import *
for activation in ("tanh", "relu"):
    inputs = arrays(2, 50, 2, 3, "float32")
    for a, b in zip(both(fast, *inputs, activation), both(reference, *inputs, activation), strict=True):
        close(a, b, 5.0 * max(1.0, float(np.abs(b).max())))
print("all agree")
"""


def test_the_same_in_plain_python():
    assert "all agree" in run(COMPARE, NUMBA_DISABLE_JIT="1", NUMBA_NUM_THREADS="1")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_the_fast_kernel_works_in_a_forked_child():
    out = run("""
from tests.kernels.test_rnn import *
parallel.set_num_threads(3)
inputs = arrays(4, 300, 5, 9, "float32")
before = [a.tobytes() for a in both(fast, *inputs, "tanh")]
child = os.fork()
if child == 0:
    os._exit([a.tobytes() for a in both(fast, *inputs, "tanh")] != before)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert out.strip() == "0"
