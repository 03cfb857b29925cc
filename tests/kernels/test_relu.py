"""The rectifier: values where it matters, NaN, layouts, and the CPU kernels against the reference."""

import numpy as np
import pytest

from minitorch_seg.kernels.cpu import relu as cpu
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import relu as reference
from tests.kernels.helpers import LAYOUTS, lay_out

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("kernels", [cpu, reference])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_formula_holds_for_nan_and_infinity_too(kernels, dtype):
    x = np.array([-INF, -1, 0, 2, INF, NAN], dtype)
    y = kernels.relu(x)
    np.testing.assert_array_equal(y, np.array([0, 0, 0, 2, INF, NAN], dtype))
    assert y.dtype == dtype
    for grad in (NAN, INF, -3):
        dx = kernels.relu_gradient(np.full(6, grad, dtype), y)
        np.testing.assert_array_equal(dx, np.array([0, 0, 0, grad, grad, 0], dtype))
        assert dx.dtype == dtype


@pytest.mark.parametrize("kernels", [cpu, reference])
def test_integers_stay_integers(kernels):
    y = kernels.relu(np.array([-3, 0, 4]))
    assert y.tolist() == [0, 0, 4] and y.dtype.kind == "i"


@pytest.mark.parametrize("shape", [(), (5,), (40, 3, 700), (2, 3, 130, 90), (0, 3, 4, 4), (2, 1, 1, 1, 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_cpu_kernels_agree_with_the_reference(shape, layout):
    if not shape and layout in ("reversed", "sliced"):
        pytest.skip("a number has no axis to reverse")
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal(shape).astype("float32") for _ in range(2))
    x, grad = np.asarray(x), np.asarray(grad)
    y = cpu.relu(lay_out(x, layout))
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    np.testing.assert_array_equal(y, reference.relu(x))
    dx = cpu.relu_gradient(lay_out(grad, layout), y)
    np.testing.assert_array_equal(dx, grad * (x > 0))
    np.testing.assert_array_equal(dx, reference.relu_gradient(grad, y))
    assert y.shape == dx.shape == shape
    if len(shape) == 4:
        assert is_map(y) and is_map(dx) and is_map(reference.relu(x))
