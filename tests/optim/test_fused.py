"""The kernels of the update rules against the formulas in optim/, which run where kernels are not used."""

import copy
import os
import pickle
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


def left_over(calls):
    """How many arrays of each call were left to the formula: "1 of 50", say, or nothing."""
    return [call.algorithm.partition(" arrays")[0] for call in calls]


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
    assert left_over(calls) == ["1 of 1"] * len(given) and found.base is wide and (wide[..., 1::2] == 7).all()
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
    """Another shape or dtype of a gradient or a state, an array that must not be written, or overlaps."""
    frozen, memory = np.zeros((50, 60), "float32"), np.zeros(9000, "float32")
    frozen.flags.writeable = False
    a, b = (memory[i : i + 3000].reshape(50, 60) for i in (0, 2999))
    with dispatch.explain() as calls:
        kernel = dispatch.fused("adam")

        def takes(*arrays, numbers=(1.0, 0.0, 0.1, 0.9, 0.001, 1e-8, 0.01, 0.1)):
            return not kernel.adam(owner, [(arrays, numbers)])

        owner = ms.zeros(1)  # anything that a weak reference can lead to
        for known in (False, True):  # before the arrays have a table, and after
            g, theta, m, v = (np.ones((50, 60), "float32") for _ in range(4))
            for _ in range(2 if known else 0):
                assert takes(theta, g, m, v, None)
            for wrong in (np.zeros(3000, "float32"), g[:40], g.astype("float64")):
                assert not takes(theta, wrong, m, v, None) and not takes(theta, g, m, wrong, None)
                assert not takes(theta, g, m, v, wrong)
            for wrong in (
                frozen,
                g.astype(">f4"),
                np.zeros((60, 50), "float32").T,
                np.ones((50, 120), "f")[:, ::2],
            ):
                assert not takes(wrong, g, m, v, None) and not takes(theta, g, m, wrong, None)
            assert (
                not takes(a, b, m, v, None)
                and not takes(theta, g, a, b, None)
                and not takes(a, a, m, v, None)
            )
            assert takes(theta, frozen, m, v, None)
        few = [np.ones(100, "float32") for _ in range(4)]
        assert not takes(*few, None) and not takes(*(x.astype("float16") for x in (theta, g, m, v)), None)
    assert set(left_over(calls)) == {"", "1 of 1"}
    assert dispatch.fused("lion") is None
    for name in ("cpu", "reference"):
        with dispatch.use(name):
            assert dispatch.fused("adam") is None


MANY = [(3, 4), (), (1,), (40, 1000), (0, 5), (5, 7), (17000,), (2, 3, 3, 3)]


def train(name, options, dtypes=("float32",), threads=2, change=lambda parameters, optimizer, step: None):
    """Parameters of many shapes, in two groups, after five steps; one has no gradient in the second step."""
    rng, before = np.random.default_rng(1), parallel.get_num_threads()
    parameters = [
        ms.Tensor(rng.standard_normal(shape).astype(dtypes[i % len(dtypes)]), True)
        for i, shape in enumerate(MANY)
    ]
    groups = [{"params": parameters[:5]}, {"params": parameters[5:], "lr": 0.05, "weight_decay": 0.2}]
    optimizer = getattr(ms.optim, name)(groups, lr=0.01, **options)
    parallel.set_num_threads(threads)
    try:
        for step in range(5):
            change(parameters, optimizer, step)
            for i, p in enumerate(parameters):
                gradient = ms.Tensor(np.asarray(rng.standard_normal(p.shape), p.dtype))
                p.grad = None if (step, i) == (1, 2) else gradient
            optimizer.step()
    finally:
        parallel.set_num_threads(before)
    return parameters, optimizer


@every_rule
@pytest.mark.parametrize("dtypes", [("float32",), ("float32", "float64")])
def test_many_parameters_in_one_pass_are_the_formula(name, options, dtypes):
    with dispatch.explain() as calls:
        found, one = train(name, options, dtypes)
    with dispatch.use("reference"):
        expected, other = train(name, options, dtypes)
    assert len(calls) == 5 and not any(left_over(calls))  # one call a step
    assert [s.get("step") for s in one.state.values()] == [s.get("step") for s in other.state.values()]
    for a, b in zip(found, expected, strict=True):
        close(a.data, b.data, tolerance=1e-12 if a.dtype == "float64" else 1e-5)
    for threads in (1, 7):
        again, _ = train(name, options, dtypes, threads)
        assert [p.data.tobytes() for p in again] == [p.data.tobytes() for p in found]


def test_what_a_user_does_between_steps():
    """A new array for a parameter or a state, a copied or loaded optimiser: a step sees what is there."""

    def replace(parameters, optimizer, step):
        if step:
            parameters[3].data = parameters[3].data.copy()
            optimizer.state[6]["exp_avg"] = optimizer.state[6]["exp_avg"].copy()
            parameters[5].data[:] = parameters[5].data  # in place

    def reload(parameters, optimizer, step):
        if step == 3:
            state = optimizer.state_dict()
            optimizer.state.clear()
            optimizer.load_state_dict(state)

    def duplicate(parameters, optimizer, step):
        twin = pickle.loads(pickle.dumps(optimizer)) if step % 2 else copy.deepcopy(optimizer)
        if step:
            before = [p.data.copy() for p in parameters]
            for group in twin.param_groups:
                for p in group["params"]:
                    p.grad = ms.ones(*p.shape)
            twin.step()  # moves its own parameters alone
            assert all((p.data == b).all() for p, b in zip(parameters, before, strict=True))

    expected, _ = train("Adam", {})
    for change in (replace, reload, duplicate):
        found, _ = train("Adam", {}, change=change)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a.data, b.data, change.__name__)


def test_two_parameters_in_the_same_memory_are_moved_one_after_the_other():
    def run_shared():
        memory = np.linspace(-1, 1, 6000, dtype="float32")
        ws = [ms.Tensor(memory, True), ms.Tensor(memory[1000:5000], True)]
        optimizer = ms.optim.SGD(ws, lr=0.1, weight_decay=0.5)
        for w in ws:
            w.grad = ms.Tensor(np.ones_like(w.data))
        optimizer.step()
        return memory

    with dispatch.use("reference"):
        expected = run_shared()
    np.testing.assert_array_equal(run_shared(), expected)


def test_an_array_that_became_read_only_is_not_written():
    w = ms.Tensor(np.zeros(SHAPE, "float32"), True)
    optimizer = ms.optim.SGD([w], lr=1.0)
    for _ in range(2):  # the second step uses the first one's table
        w.grad = ms.ones(*SHAPE)
        optimizer.step()
    w.data.flags.writeable = False
    before = w.data
    with pytest.raises(ValueError, match="read-only"):
        optimizer.step()
    assert (before == -2).all()


def test_a_view_of_a_parameter_stays_one():
    """Parameters are not moved into memory of their own."""
    model = ms.nn.Linear(60, 50)
    state, array, version = model.state_dict(), model.weight.data, model.weight.version
    optimizer = ms.optim.AdamW(model.parameters(), lr=0.1)
    model(ms.ones(2, 60)).sum().backward()
    optimizer.step()
    assert model.weight.data is array and state["weight"].data is array
    assert state["weight"].version == model.weight.version == version + 1


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
