"""Every public operator, by one table (tests/ops/table): random shapes, strides, paddings, dilations, groups
and options, in both float types, with arguments that lie in memory in any way.

For each random call: the value is the oracle's; value and gradient do not depend on the layout of arguments
and cotangent; the gradient is that of finite differences; no argument was changed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minitorch_seg as ms
from minitorch_seg.cli.show import operators
from minitorch_seg.ops import creation
from tests.helpers import as_list, close, pull_back
from tests.ops.table.layouts import LAYOUTS, lay_out
from tests.ops.table.whole import TABLE, Case, Draw

EXAMPLES = 40
CALLS: dict[str, int] = {}
#: float32: the oracle computes in float64; sums, products and exponentials of some tens of numbers.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


def test_no_public_operator_is_missing():
    """An operator takes a tensor: what makes one from nothing is tested in test_creation.py."""
    created = {n for n, f in operators().items() if getattr(f, "__module__", "") == creation.__name__}
    assert set(operators()) - created - set(TABLE) == {"as_tensor"}
    assert set(TABLE) - set(operators()) == {"clone", "to"}  # methods of Tensor alone


def is_differentiated(case: Case, number: int, array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and number not in case.constants


def run(case: Case, arrays: list[np.ndarray], cotangents: list[np.ndarray]) -> tuple[list, list]:
    """Values, and the gradients of all arguments that have one."""
    tensors = [ms.Tensor(a, is_differentiated(case, i, a)) for i, a in enumerate(arrays)]
    outputs = as_list(case.call(*tensors))
    for number, output in enumerate(outputs):
        carries = case.recorded and output.dtype.kind == "f" and number not in case.buffers
        assert output.requires_grad == carries, f"output {number}: the graph is cut, or should be"
    grads = pull_back(outputs, tensors, cotangents, ms.grad)
    return [o.data for o in outputs], [None if g is None else g.data for g in grads]


def without_buffers(case: Case) -> Callable[..., tuple]:
    return lambda *t: tuple(o for i, o in enumerate(as_list(case.call(*t))) if i not in case.buffers)


def compare(found: list, expected: list, what: str, dtype: str) -> None:
    """Equal values; a float result has the arguments' float type, any other the oracle's kind of numbers."""
    for f, e in zip(found, expected, strict=True):
        assert (f is None) == (e is None), f"{what}: {f} and {e}"
        if f is None:
            continue
        e = (
            e.astype(dtype if f.dtype.kind == "f" else f.dtype)
            if e.dtype.kind == f.dtype.kind or not e.size
            else e
        )
        close(f, e, what, TOLERANCE[dtype])


def check(name: str, case: Case, dtype: str, kinds: list[str], seed: int) -> None:
    """The call with arguments (and, last, a cotangent) in the given layouts."""
    typed = [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.arrays]
    laid = [lay_out(a, kind) for a, kind in zip(typed, kinds, strict=False)]
    plain = [np.array(a, a.dtype.newbyteorder("="), order="C") for a in laid]
    before = [a.copy() for a in plain]

    expected = as_list(case.oracle(*(a.astype(np.float64) if a.dtype.kind == "f" else a for a in plain)))
    expected = [np.asarray(e) for e in expected]
    rng = np.random.default_rng(seed)
    us = [lay_out(np.asarray(rng.standard_normal(e.shape), dtype), kinds[-1]) for e in expected]
    values, grads = run(case, laid, us)
    compare(values, expected, "value", dtype)
    plain_values, plain_grads = run(case, plain, [np.array(u, dtype, order="C") for u in us])
    compare(values, plain_values, "value in another layout", dtype)
    compare(grads, plain_grads, "gradient in another layout", dtype)
    for number, (a, b) in enumerate(zip(laid, before, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f"argument {number} was changed")
    if case.recorded:
        inputs = [ms.Tensor(a, is_differentiated(case, i, a)) for i, a in enumerate(case.arrays)]
        ms.gradcheck(without_buffers(case), inputs, max_jacobian=0, directions=2, name=name)


@pytest.mark.parametrize("name", sorted(TABLE))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_value_gradient_and_layout(name: str, data: Any):
    case = TABLE[name](Draw(data))
    dtype = data.draw(st.sampled_from(["float64", "float32"]), "dtype")
    kinds = [data.draw(st.sampled_from(LAYOUTS), f"layout {i}") for i in range(len(case.arrays) + 1)]
    check(name, case, dtype, kinds, data.draw(st.integers(0, 99), "cotangent"))
    CALLS[name] = CALLS.get(name, 0) + 1


def exponential(value=np.exp, slope=lambda grad, y: grad * y):
    """exp, with a mistake planted."""

    class Exponential(ms.Function):
        @staticmethod
        def forward(ctx, x):
            y = np.asarray(value(x.data))
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, grad):
            return slope(grad, *ctx.saved_tensors)

    return Exponential.apply


def changing(x):
    y = np.exp(x)
    x += 1
    return y


@pytest.mark.parametrize(
    "call, words",
    [
        (exponential(lambda x: np.exp(x) * 1.001), "value"),
        (exponential(lambda x: np.exp(x.ravel(order="K").reshape(x.shape))), "value"),
        (exponential(lambda x: np.exp(x).astype(np.float64)), "dtype float64, expected float32"),
        (exponential(slope=lambda grad, y: grad * y * 1.01), "central differences"),
        (exponential(slope=lambda g, y: ms.Tensor(g.data.ravel(order="K").reshape(g.shape)) * y), "layout"),
        (exponential(changing), "argument 0 was changed"),
        (lambda x: ms.exp(x.detach()), "the graph is cut"),
    ],
    ids=["value", "layout", "dtype", "gradient", "cotangent's layout", "argument", "graph"],
)
def test_planted_mistakes_are_caught(call, words):
    arrays = [np.linspace(-1, 1, 6).reshape(2, 3)]
    for kinds in (["transposed", "contiguous"], ["contiguous", "transposed"]):
        check("exp", Case(arrays, ms.exp, np.exp), "float32", kinds, 0)
    with pytest.raises(AssertionError, match=words):
        for kinds in (["transposed", "contiguous"], ["contiguous", "transposed"]):
            check("exp", Case(arrays, call, np.exp), "float32", kinds, 0)


#: These may leave a number out, or have a result whatever the number is (x⁰ = 1).
CHOOSING = {"masked_fill", "pow", "setitem", "where"}
#: Every dilated window may have all its taps in the frame, or lay its numbers there: the oracle decides.
DILATED = {"conv2d", "conv_transpose2d", "fold", "max_pool2d", "unfold"}


@pytest.mark.parametrize("name", sorted(set(TABLE) - CHOOSING))
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_nan_is_never_fixed_in_silence(name: str, data: Any):
    """A first argument full of NaN leaves NaN in the result, and in what is given back to the others."""
    case = TABLE[name](Draw(data))
    arrays = list(case.arrays)
    spoilt = next((i for i, a in enumerate(arrays) if a.dtype.kind == "f"), None)
    if spoilt is None or not case.recorded:
        return  # of bools, or a comparison: there is no NaN
    arrays[spoilt] = np.full(arrays[spoilt].shape, np.nan)
    try:
        outputs = as_list(case.call(*[ms.Tensor(a) for a in arrays]))
    except ValueError as refusal:
        assert "between 0 and 1" in str(refusal)  # NaN is no probability
        return
    for number, output in enumerate(outputs):
        if output.dtype.kind != "f" or number in case.buffers or 0 in (output.data.size, arrays[spoilt].size):
            continue
        if name in DILATED and not np.isnan(as_list(case.oracle(*arrays))[number]).any():
            continue
        assert np.isnan(output.data).any(), f"output {number} hides a NaN"


def test_how_many_calls_were_compared():
    print(f"\nproperty tests: {sum(CALLS.values())} random calls of {len(CALLS)} operators")
