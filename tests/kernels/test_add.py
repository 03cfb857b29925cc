"""Sums of maps: the fast kernel against NumPy, with gaps between the pixels and without."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.fast import add as fast
from minitorch_seg.kernels.layout import is_map
from tests.kernels.helpers import LAYOUTS, lay_out


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_it_is_numpys_sum(data):
    shape = (
        data.draw(st.integers(1, 3)),
        data.draw(st.sampled_from([1, 3, 16, 40])),
        *[data.draw(st.sampled_from([1, 2, 33, 60])) for _ in range(2)],
    )
    rng = np.random.default_rng(0)

    def operand():
        dtype = data.draw(st.sampled_from(["float32", "float32", "float64"]))
        whole = lay_out(
            rng.standard_normal((shape[0], 2 * shape[1], *shape[2:])).astype(dtype),
            data.draw(st.sampled_from(LAYOUTS)),
        )
        start = data.draw(st.integers(0, shape[1]))
        part = whole[:, start : start + shape[1]]
        return data.draw(st.sampled_from([part, lay_out(part, "channels-last")]))

    a, b = operand(), operand()
    found = fast.add(a, b)
    assert found.dtype == (a + b).dtype
    np.testing.assert_array_equal(found, a + b)


def test_large_maps_become_a_map_and_nan_stays():
    whole = lay_out(np.random.default_rng(1).standard_normal((2, 24, 60, 50)), "channels-last")
    whole[0, 0, 0, 0], whole[1, 23, 59, 49] = np.nan, np.inf
    a, b = whole[:, :16], lay_out(whole[:, 8:], "channels-last")
    found = fast.add(a, b)
    assert is_map(found)
    np.testing.assert_array_equal(found, a + b)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (1, 0, 4, 4), (5,), ()])
def test_other_arrays_are_left_to_numpy(shape):
    a = np.ones(shape)
    np.testing.assert_array_equal(fast.add(a, a), a + a)
    np.testing.assert_array_equal(fast.add(a, np.ones(1)), a + 1)
