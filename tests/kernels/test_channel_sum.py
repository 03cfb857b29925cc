"""Channel sums: exact where sums are exact, and accurate where they are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.cpu import channel_sum as cpu
from minitorch_seg.kernels.fast import channel_sum as fast
from minitorch_seg.kernels.reference import channel_sum as reference
from tests.kernels.helpers import LAYOUTS, lay_out

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, fast], ids=["reference", "cpu", "fast"])


@settings(max_examples=50, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(0, 40), st.integers(1, 40)),
    layout=st.sampled_from(LAYOUTS),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_whole_numbers_add_up_exactly(shape, layout, dtype):
    x = np.random.default_rng(0).integers(-9, 10, shape)
    expected = x.sum(axis=(0, 2, 3)).astype(dtype)
    for kernels in (fast, cpu, reference):
        found = kernels.channel_sum(lay_out(x.astype(dtype), layout))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@KERNELS
def test_a_million_numbers(kernels):
    x = np.random.default_rng(1).random((4, 3, 300, 300)).astype("float32")
    exact = x.astype("float64").sum(axis=(0, 2, 3))
    np.testing.assert_allclose(kernels.channel_sum(lay_out(x, "channels-last")), exact, rtol=3e-7)


@KERNELS
def test_nan_and_infinity(kernels):
    x = np.ones((1, 3, 2, 2))
    x[0, 0, 0, 0], x[0, 1, 0, 0] = np.nan, np.inf
    np.testing.assert_array_equal(kernels.channel_sum(x), [np.nan, np.inf, 4])
