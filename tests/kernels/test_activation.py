"""Kernels of activations: against their formulas in float64, at every size of number, on any number of
threads.
"""

import numpy as np
import pytest

from minitorch_seg.kernels import dispatch, parallel
from minitorch_seg.kernels.fast import activation as fast
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import activation as reference
from tests.kernels.helpers import LAYOUTS, GuardedMemory, lay_out, surrounded

OPTIONS = {"LeakyRelu": (0.2,), "Elu": (1.5,), "Softplus": (2.0, 20.0)}
OF_RESULT = ("Sigmoid", "Tanh")
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


def numbers(dtype):
    """Ordinary ones, tiny ones, and such whose exponential is too small for a normal number; shuffled."""
    rng = np.random.default_rng(0)
    limit = 104 if dtype == "float32" else 740
    parts = [
        rng.standard_normal(5000) * 3,
        rng.uniform(-limit, limit, 3000),
        rng.standard_normal(1000) * 1e-6,
    ]
    special = [0.0, -0.0, limit, -limit, 1e4, -1e4, 1e-30, -1e-30]
    return rng.permutation(np.concatenate([*parts, special])).astype(dtype)


def both(kernels, name, x, grad, options=None):
    options = OPTIONS.get(name, ()) if options is None else options
    with np.errstate(all="ignore"):
        y = kernels.activation(name, x, *options)
        return y, kernels.activation_gradient(name, grad, y if name in OF_RESULT else x, *options)


@pytest.mark.parametrize(
    "dtype, name", [*(("float32", n) for n in fast.NAMES), ("float64", "Softplus"), ("float64", "Tanh")]
)
def test_the_error_is_a_few_units_in_the_last_place(dtype, name):
    """Against the formulas in a wider type: the result within four units of its last place, the gradient,
    which is a sum, within six of 1.  An exponential below the smallest normal number has that one's units.
    """
    x = numbers(dtype)
    found = both(fast, name, x, np.ones_like(x))
    wider = np.float64 if dtype == "float32" or name == "Gelu" else np.longdouble
    expected = both(reference, name, x.astype(wider), np.ones(x.shape, wider))
    unit = EPS[dtype] * np.maximum(np.abs(expected[0]), np.finfo(dtype).tiny * np.maximum(np.abs(x), 1))
    assert found[0].dtype == found[1].dtype == dtype
    assert np.max(np.abs(found[0] - expected[0]) / unit) <= 4
    assert np.max(np.abs(found[1] - expected[1])) <= 6 * EPS[dtype]


@pytest.mark.parametrize("name", fast.NAMES)
def test_what_is_not_finite_stands_where_the_formula_has_it(name):
    x, grad = np.ones((2, 5000), "float32")
    x[::7], x[1::7], x[2::7], grad[3::7], grad[4::7] = np.nan, np.inf, -np.inf, np.nan, np.inf
    x[5::14] = -1
    for f, e in zip(both(fast, name, x, grad), both(reference, name, x, grad), strict=True):
        np.testing.assert_array_equal(np.isnan(f), np.isnan(e))
        np.testing.assert_allclose(f, e, rtol=1e-6)


@pytest.mark.parametrize("name", fast.NAMES)
def test_softplus_without_threshold_and_every_layout(name):
    rng = np.random.default_rng(1)
    x, grad = rng.standard_normal((2, 3, 5, 24, 26)).astype("float32")
    options = (1.0, np.inf) if name == "Softplus" else None
    expected = both(reference, name, x, grad, options)
    for layout in LAYOUTS:
        found = both(fast, name, lay_out(x, layout), grad, options)
        for f, e in zip(found, expected, strict=True):
            np.testing.assert_allclose(f, e, rtol=2e-5, atol=1e-6)
            assert is_map(f)


@pytest.mark.parametrize("name", ["Silu", "Gelu", "Tanh"])
def test_threads_and_memory(name, monkeypatch):
    """The same bits on 1, 2 and 7 threads; nothing outside the arrays is read or written."""
    rng = np.random.default_rng(2)
    x, grad = rng.standard_normal((2, 3 * fast.CHUNK + 77)).astype("float32")
    before, results = parallel.get_num_threads(), []
    try:
        for threads in (1, 2, 7):
            parallel.set_num_threads(threads)
            results.append([a.tobytes() for a in both(fast, name, x, grad)])
    finally:
        parallel.set_num_threads(before)
    assert results[0] == results[1] == results[2]
    memory = GuardedMemory(monkeypatch)
    found = both(fast, name, surrounded(x), surrounded(grad))
    memory.check()
    assert [a.tobytes() for a in found] == results[0]


def test_few_numbers_and_other_types_are_left_to_numpy():
    for x in (np.ones(fast.FEWEST - 1, "float32"), np.ones(9000, "float16"), np.ones(9000, ">f4")):
        y = fast.activation("Silu", x)
        np.testing.assert_array_equal(y, reference.activation("Silu", x))
        assert y.dtype == x.dtype.newbyteorder("=") or y.dtype == x.dtype


def test_the_formula_that_serves_is_said():
    with dispatch.explain() as calls:
        dispatch.get("activation").activation("Silu", np.ones(9000, "float32"))
    assert "kernels/fast/activation.py, Silu, because one pass" in str(calls)
