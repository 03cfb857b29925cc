"""The vectorised tanh against a wider type: its error in units in the last place, its ends, NaN."""

import numpy as np
import pytest

from minitorch_seg.kernels.fast.tanh import FRACTIONS, tanh
from minitorch_seg.kernels.jit import kernel


@kernel
def _each(x, y, fraction):
    for i in range(len(x)):
        y[i] = tanh(x[i], fraction)


def computed(x):
    y = np.empty_like(x)
    _each(x, y, FRACTIONS[x.dtype])
    return y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_error_is_a_few_units_in_the_last_place(dtype):
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [
            np.linspace(-20, 20, 200_001),
            rng.standard_normal(100_000),
            rng.standard_normal(20_000) * 10.0 ** rng.integers(-36, 2, 20_000),
        ]
    ).astype(dtype)
    exact = np.tanh(x.astype(np.longdouble))
    error = np.abs(computed(x) - exact) / np.spacing(np.abs(exact).astype(dtype))
    assert error.max() <= (6 if dtype == "float32" else 8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_ends(dtype):
    x = np.array([np.inf, 1e30, 20.0, 0.0], dtype)
    np.testing.assert_array_equal(computed(x), [1, 1, 1, 0])
    np.testing.assert_array_equal(computed(-x), [-1, -1, -1, 0])
    assert np.isnan(computed(np.array([np.nan], dtype))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_never_beyond_one_and_odd(dtype):
    x = np.linspace(0, 25, 300_001).astype(dtype)
    y = computed(x)
    assert y.max() == 1
    np.testing.assert_array_equal(computed(-x), -y)
