"""The CUDA kernels of minitorch_seg: their PTX from NVIDIA's compiler, executed and watched, against the
reference kernels.

What a run looks for beside wrong numbers: accesses outside of arrays, memory that nobody wrote, races,
barriers that not all threads reach. One capability is enough to execute: the small kernels of samples.py are
run for two.

All dtypes and every example of the operators take some minutes and run where PTX_EVERY=1 is set.
"""

import os
import re
from collections import Counter

import numpy as np
import pytest

from tests.ptx.faults import KernelFault
from tests.ptx.nvvm import edited, missing

EVERY = os.environ.get("PTX_EVERY") == "1"
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
if missing():
    OPERATORS = FUNCTIONS = {}
    examples = list
else:
    pytest.importorskip("minitorch_seg.kernels.cuda", reason="without kernels/cuda")
    import minitorch_seg as ms
    from minitorch_seg.examples import examples
    from minitorch_seg.kernels import dispatch
    from minitorch_seg.kernels.cuda import driver
    from minitorch_seg.kernels.cuda.catalogue import variants
    from tests.ptx import cases, planted
    from tests.ptx.backend import Interpreter

    OPERATORS, FUNCTIONS = cases.operators(every=EVERY), cases.functions()

every = pytest.mark.skipif(not EVERY, reason="takes some minutes: run with PTX_EVERY=1")
DTYPES = ["float32", pytest.param("float64", marks=every)]
RUNS: Counter = Counter()  # kernel -> launches, of this whole file
EXECUTED = {"cases": 0, "instructions": 0, "opcodes": set()}


@pytest.fixture(autouse=True)
def tiles_by_their_width(monkeypatch):
    """Small results too take the tile that their channels ask for, so that each tile is run."""
    from minitorch_seg.kernels.cuda import tile

    monkeypatch.setattr(tile, "PROCESSORS", 0)


@pytest.fixture
def interpreter():
    backend = Interpreter()
    with driver.using(backend):
        yield backend
    RUNS.update(backend.runs)
    EXECUTED["cases"] += 1
    EXECUTED["instructions"] += backend.executed
    EXECUTED["opcodes"] |= backend.opcodes


@pytest.mark.parametrize("title", OPERATORS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_operators_are_those_of_the_reference(interpreter, title, dtype):
    cases.agree(*cases.operators(dtype)[title])
    assert interpreter.runs


@pytest.mark.parametrize("title", FUNCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_are_numpys(interpreter, title, dtype):
    call = cases.functions(dtype)[title]
    with np.errstate(all="ignore"):
        expected = np.asarray(call(lambda x: x))
    found = call(cases.on_device).to_host()
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol={"float32": 2e-6, "float64": 1e-14}[dtype], atol=1e-6)


@pytest.mark.parametrize("name", ["conv2d", "linear and cross-entropy"])
def test_training_steps_are_those_of_the_cpu(interpreter, name):
    """From tensors to updated parameters: the same operators' text, on the CPU and on the device."""
    F, rng = ms.functional, np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    optimiser = ms.optim.SGD if name == "conv2d" else ms.optim.Adam
    if name == "conv2d":
        x, parameters = normal(2, 3, 8, 8), [normal(4, 3, 3, 3), normal(4), normal(4), normal(4)]
        target = rng.integers(0, 4, (2, 4, 4))

        def loss(x, target, weight, bias, scale, shift):
            y = F.conv2d(x, weight, bias, padding=1)
            y = F.relu(F.batch_norm(y, None, None, scale, shift, training=True))
            return F.cross_entropy(F.max_pool2d(y, 2), target)
    else:
        x, parameters, target = normal(7, 5), [normal(3, 5), normal(3)], rng.integers(0, 3, 7)

        def loss(x, target, weight, bias):
            return F.cross_entropy(F.linear(x, weight, bias), target)

    def step(device):
        tensors = [ms.nn.Parameter(ms.tensor(p, device=device)) for p in parameters]
        optimizer = optimiser(tensors, lr=0.1)
        values = []
        for _ in range(2):
            optimizer.zero_grad()
            value = loss(ms.tensor(x, device=device), ms.tensor(target, device=device), *tensors)
            value.backward()
            optimizer.step()
            values.append(value.detach().to("cpu").numpy())
        return [*values, *(t.detach().to("cpu").numpy() for t in tensors)]

    with dispatch.use("reference"):
        on_cpu = step("cpu")
    for expected, found in zip(on_cpu, step("cuda"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)
    assert len(interpreter.runs) > 5


def caught(mistake) -> str:
    """As what a mistake is caught: a fault's message, "wrong numbers", or "" where it is not."""
    made = []

    def change(kernel):
        if kernel.name != mistake.kernel:
            return kernel.function
        if not made:
            change = mistake.old, mistake.new, mistake.count, mistake.which, mistake.inside
            made.append(edited(kernel.function, *change))
        return made[0]

    try:
        with driver.using(Interpreter(change=change)):
            cases.agree(*OPERATORS[mistake.case])
    except KernelFault as fault:
        return str(fault)
    except AssertionError:
        return "wrong numbers"
    assert made, f"{mistake.title}: the kernel is not run"
    return ""


def test_planted_mistakes_are_caught():
    results = {mistake.title: caught(mistake) for mistake in [*planted.barriers(), *planted.MISTAKES]}
    missed = [title for title, how in results.items() if not how]
    by_result = "wrong numbers", "uninitialised: the host"
    faults = [how for how in results.values() if how and not how.startswith(by_result)]
    for how in faults:
        assert re.search(r"kernel .*thread \(\d+, .*line \d+ `", how), how
    caught_all = len(results) - len(missed)
    print(f"\nplanted mistakes: {caught_all} of {len(results)} caught in the CUDA kernels' PTX", end="")
    print(f", {len(faults)} of them with the instruction and the thread")
    assert not missed, f"not noticed: {missed}"


@every
@pytest.mark.parametrize("number", range(len(examples())), ids=[e.operator for e in examples()])
def test_every_operators_values_and_gradients(interpreter, number):
    """The examples of the operators in float64, on the CPU and by executed PTX."""

    def results(device):
        example = examples(device)[number]
        arguments = [ms.tensor(a, requires_grad=True, device=device) for a in example.arrays]
        outputs = example.call(*arguments)
        outputs = [y for y in (outputs if isinstance(outputs, tuple) else (outputs,)) if y.dtype.kind == "f"]
        rng = np.random.default_rng(number)
        cotangents = [ms.tensor(rng.standard_normal(y.shape), device=device) for y in outputs]
        found = [*outputs, *ms.grad(outputs, arguments, cotangents, allow_unused=True)]
        return [None if y is None else y.detach().to("cpu").numpy() for y in found]

    with dispatch.use("reference"):
        expected = results("cpu")
    for on_cpu, on_device in zip(expected, results("cuda"), strict=True):
        assert (on_cpu is None) == (on_device is None)
        if on_cpu is not None:
            np.testing.assert_allclose(on_device, on_cpu, rtol=1e-9, atol=1e-9)


RULES = {
    "sgd": lambda p: ms.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: ms.optim.Adam(p, lr=0.1, amsgrad=True),
    "rmsprop": lambda p: ms.optim.RMSprop(p, lr=0.1, momentum=0.9, centered=True),
}


@every
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_optimisers_step_as_on_the_cpu(interpreter, rule, dtype):
    start, ends = np.random.default_rng(0).standard_normal((3, 5)).astype(dtype), []
    for device in ("cpu", "cuda"):
        w = ms.tensor(start, device=device, requires_grad=True)
        optimizer = RULES[rule]([w])
        for _ in range(3):
            optimizer.zero_grad()
            (w * w * w).sum().backward()
            optimizer.step()
        ends.append(w.detach().to("cpu").numpy())
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-5 if dtype == "float32" else 1e-13)
    assert interpreter.runs[f"{rule} {dtype}"] == 3


WHOLE = np.array([[0, 1, 5, 7], [2, 0, 100, 3], [9, 2, 1, 1]])
STORED = ["bool", "int8", "uint8", "int16", "int32", "int64"]


@every
@pytest.mark.parametrize("dtype", ["bool", "int64"])
def test_functions_of_whole_numbers(interpreter, dtype):
    a, b = WHOLE.astype(dtype), WHOLE[::-1].astype(dtype)
    named = {kernel.name.split()[0] for kernel in variants() if f" {dtype} " in kernel.name}
    for name in sorted(named - {"copy", "where", "put", "take", "fill", "add"}):
        function = getattr(np, name, None)
        if isinstance(function, np.ufunc):
            arguments = (
                (a, b + 1)[: function.nin]
                if name in ("remainder", "floor_divide")
                else (a, b)[: function.nin]
            )
            with np.errstate(all="ignore"):
                expected = function(*arguments)
            np.testing.assert_array_equal(function(*cases.on_device(arguments)).to_host(), expected)
    condition, x, y = a > 1, *cases.on_device((a, b))
    where, wide = cases.on_device(condition), cases.on_device(np.arange(12).reshape(4, 3).astype(dtype))
    np.testing.assert_array_equal(np.where(where, x, y).to_host(), np.where(condition, a, b))
    np.testing.assert_array_equal(np.add(x, y).to_host(), a + b)
    for function in () if dtype == "bool" else (np.add, np.subtract, np.multiply):  # of a view
        np.testing.assert_array_equal(function(x, wide.T).to_host(), function(a, wide.to_host().T))
    if dtype == "int64":
        found = np.where(where, x, wide.T).to_host()
        np.testing.assert_array_equal(found, np.where(condition, a, wide.to_host().T))
        changed, expected = np.copy(x), a.copy()
        np.add.at(changed, np.array([2, 0, 2]), y)
        np.add.at(expected, np.array([2, 0, 2]), b)
        np.testing.assert_array_equal(changed.to_host(), expected)
    for name in ("any", "all") if dtype == "bool" else ("sum", "max", "min", "argmax", "argmin", "cumsum"):
        found = getattr(np, name)(x, axis=1).to_host()
        np.testing.assert_array_equal(found, getattr(np, name)(a, axis=1))
    assert len(interpreter.runs) > 10


@every
@pytest.mark.parametrize("source", STORED)
def test_copies_of_whole_numbers(interpreter, source):
    a = WHOLE.astype(source)
    x = cases.on_device(a)
    for target in [*STORED, "float32", "float64"]:
        np.testing.assert_array_equal(x.astype(target).to_host(), a.astype(target))
    for view in (np.s_[:, ::3], np.s_[::2, ::-1]):
        np.testing.assert_array_equal(np.copy(x[view]).to_host(), a[view])
    np.testing.assert_array_equal(x[:, cases.on_device(np.array([3, 0, 3]))].to_host(), a[:, [3, 0, 3]])
    x[cases.on_device(np.array([2, 0]))] = 1
    a[[2, 0]] = 1
    np.testing.assert_array_equal(x.to_host(), a)
    np.testing.assert_array_equal(np.full_like(x, 1).to_host(), np.full_like(a, 1))


@every
@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("target", ["int8", "uint8", "int16", "int32", "int64"])
def test_floats_become_integers_as_numpys_do(interpreter, source, target):
    """Also those that do not fit: their lowest bits are kept. A device's own conversion would stop at 0."""
    a = np.array([0, 0.9, -0.9, -1, 127.5, 128, 255, 256, 300.7, -129, 70_000, -70_000, 2**30]).astype(source)
    np.testing.assert_array_equal(cases.on_device(a).astype(target).to_host(), a.astype(target))
    wild, expected = cases.unrepresentable(source, target)
    np.testing.assert_array_equal(cases.on_device(wild).astype(target).to_host(), expected)


def test_the_smallest_integer_by_minus_one(interpreter):
    """NumPy keeps it; the device's division says nothing of it."""
    a, b = np.array([-(2**63), -(2**63), 7, -7]), np.array([-1, 3, -1, 2])
    x, y = cases.on_device(a), cases.on_device(b)
    assert (x // y).tolist() == [-(2**63), -(2**63) // 3, -7, -4]
    assert (x % y).tolist() == [0, 1, 0, 1]


def test_a_label_that_is_nan_is_no_class(interpreter):
    labels = ms.tensor(np.array([np.nan, 1], "float32"), device="cuda").long()
    assert labels.tolist() == [-(2**63), 1]
    with pytest.raises(ms.errors.ShapeError, match="target holds -9223372036854775808"):
        ms.functional.cross_entropy(ms.zeros(2, 2, device="cuda"), labels)


def test_what_was_executed(request):
    """The figures of this file's tests; with PTX_EVERY=1 no kernel of the catalogue may be left out."""
    names = {kernel.name for kernel in variants()}
    assert RUNS.keys() <= names
    cases, instructions = EXECUTED["cases"], EXECUTED["instructions"]
    launches, kinds = sum(RUNS.values()), len(EXECUTED["opcodes"])
    print(
        f"\nexecuted PTX: {len(RUNS)} of {len(names)} kernels in {cases} cases, {launches} launches", end=", "
    )
    print(f"{instructions} instructions of {kinds} kinds, without a fault")
    if EVERY and not request.config.option.keyword:  # with -k only some cases have run
        assert RUNS.keys() == names, f"not executed: {sorted(names - RUNS.keys())}"
