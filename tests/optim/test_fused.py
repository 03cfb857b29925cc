"""The kernels of the update rules against the formulas in optim/, which run where kernels are not used."""

import os
import subprocess
import sys

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.kernels import dispatch, parallel
from tests.helpers import close

RULES = {
    "SGD": [
        {},
        {"weight_decay": 0.1},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "dampening": 0.3, "maximize": True},
    ],
    "Adam": [{}, {"weight_decay": 0.1}, {"amsgrad": True, "betas": (0.5, 0.6)}, {"maximize": True}],
    "AdamW": [{}, {"weight_decay": 0.3, "amsgrad": True}],
    "RMSprop": [
        {},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"centered": True},
        {"centered": True, "momentum": 0.5},
    ],
}
CASES = [(name, options) for name, many in RULES.items() for options in many]
every_rule = pytest.mark.parametrize(("name", "options"), CASES, ids=str)
SHAPE = (7, 31, 200)  # three chunks, the last one not full


def gradients(dtype, steps=4, shape=SHAPE):
    rng = np.random.default_rng(3)
    sizes = (10 ** rng.uniform(-3, 1, shape) for _ in range(steps))
    return [(rng.standard_normal(shape) * size).astype(dtype) for size in sizes]


def run(name, options, given, start=None):
    """The parameter and the optimiser's state after a step with each of the gradients."""
    first = np.linspace(-2, 2, given[0].size, dtype=given[0].dtype).reshape(given[0].shape)
    w = ms.Tensor(first if start is None else start, True)
    optimizer = getattr(ms.optim, name)([w], lr=0.01, **options)
    with dispatch.explain() as calls:
        for gradient in given:
            w.grad = ms.Tensor(gradient)
            optimizer.step()
    return w.data, optimizer.state[0], calls


@every_rule
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_is_the_formula(name, options, dtype):
    given = gradients(dtype)
    found, state, calls = run(name, options, given)
    with dispatch.use("reference"):
        expected, other, none = run(name, options, given)
    assert {call.file for call in calls} == {f"kernels/fast/{name.lower().removesuffix('w')}.py"} and not none
    assert found.dtype == expected.dtype == dtype and state.keys() == other.keys()
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    close(found, expected, tolerance=tolerance)
    for key, value in state.items():
        close(value, other[key], key, tolerance=tolerance)


@every_rule
def test_one_two_and_seven_threads_give_the_same_bits(name, options):
    before, results = parallel.get_num_threads(), []
    try:
        for threads in (1, 2, 7):
            parallel.set_num_threads(threads)
            results.append(run(name, options, gradients("float32"))[0].tobytes())
    finally:
        parallel.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@every_rule
def test_nan_and_infinity_are_seen_and_stay_at_their_place(name, options):
    given = gradients("float32")
    clean = run(name, options, given)[0]
    for i, value in enumerate((np.nan, np.inf, -np.inf)):
        given[1][0, 0, i] = value
    found = run(name, options, given)[0]
    with dispatch.use("reference"), np.errstate(all="ignore"):
        expected = run(name, options, given)[0]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
    assert np.isnan(found[0, 0, 0])
    np.testing.assert_array_equal(found.reshape(-1)[3:], clean.reshape(-1)[3:])


@every_rule
def test_the_gradient_may_lie_in_memory_in_any_way(name, options):
    given = gradients("float32")
    expected = run(name, options, given)[0]
    for change in (np.asfortranarray, lambda g: g.astype(">f4"), lambda g: np.flip(np.flip(g).copy())):
        np.testing.assert_array_equal(run(name, options, [change(g) for g in given])[0], expected)
    frozen = [g.copy() for g in given]
    for g in frozen:
        g.flags.writeable = False
    np.testing.assert_array_equal(run(name, options, frozen)[0], expected)


@every_rule
def test_a_parameter_with_gaps_in_memory_is_left_to_the_formula(name, options):
    given = gradients("float64")
    start = np.linspace(-2, 2, given[0].size).reshape(SHAPE)
    expected = run(name, options, given, start.copy())[0]
    wide = np.full((*SHAPE[:2], 2 * SHAPE[2]), 7.0)
    wide[..., ::2] = start
    found, _, calls = run(name, options, given, wide[..., ::2])
    assert not calls and found.base is wide and (wide[..., 1::2] == 7).all()
    close(found, expected)


def test_a_parameter_whose_array_was_replaced_goes_on_with_its_state():
    given = gradients("float32")
    expected = run("Adam", {}, given)[0]
    w = ms.Tensor(np.linspace(-2, 2, given[0].size, dtype="float32").reshape(SHAPE), True)
    optimizer = ms.optim.Adam([w], lr=0.01)
    for gradient in given:
        w.data = w.data.copy()
        w.grad = ms.Tensor(gradient)
        optimizer.step()
    np.testing.assert_array_equal(w.data, expected)


def test_arrays_that_do_not_fit_never_reach_a_kernel():
    """Another shape or dtype of a gradient or a state, or an array that must not be written."""
    a, row = np.zeros((50, 60), "float32"), np.zeros(3000, "float32")
    frozen = a.copy()
    frozen.flags.writeable = False
    assert dispatch.fused("adam", a, a, a, a, None).__name__.endswith("fast.adam")
    for wrong in (row, a[:40], frozen, a.T, a.astype("float64"), a.astype(">f4")):
        assert dispatch.fused("adam", a, a, a, wrong, None) is None
        assert dispatch.fused("adam", a, wrong, a, a, None) is None
    assert dispatch.fused("adam", row, a, a, a, None) is None
    assert dispatch.fused("adam", a.astype("float16"), a.astype("float16")) is None
    assert dispatch.fused("lion", a, a) is None
    assert dispatch.fused("sgd", a[:1], a[:1].copy()) is None  # few numbers
    for name in ("cpu", "reference"):
        with dispatch.use(name):
            assert dispatch.fused("adam", a, a, a, a, None) is None


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_step_in_a_forked_child():
    program = """
import os
from tests.optim.test_fused import *
parallel.set_num_threads(3)
expected = run("Adam", {}, gradients("float32"))[0]
child = os.fork()
if child == 0:
    os._exit(int((run("Adam", {}, gradients("float32"))[0] != expected).any()))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ})
    assert done.stdout.strip() == "0", done.stderr
