"""Size formulas against counting, index tables against their definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minitorch_seg.kernels.sizes import linear_indices, nearest_indices, window_count


@given(st.integers(0, 30), st.integers(1, 5), st.integers(1, 4), st.integers(0, 4), st.integers(1, 4))
def test_window_count_counts_the_windows(size, kernel, stride, padding, dilation):
    last = dilation * (kernel - 1)
    starts = [s for s in range(-padding, size + padding, stride) if s + last < size + padding]
    assert window_count(size, kernel, stride, padding, dilation) == len(starts)


@given(st.integers(1, 60), st.integers(1, 60), st.booleans(), st.sampled_from([None, 0.3, 1.1, 2.0]))
def test_tables_stay_inside_and_never_decrease(inputs, outputs, align_corners, scale):
    index = nearest_indices(inputs, outputs, scale)
    low, high, fraction = linear_indices(inputs, outputs, align_corners, scale, "float32")
    for table in (index, low, high):
        assert len(table) == outputs and table.min() >= 0 and table.max() < inputs
        assert (np.diff(table) >= 0).all()
    assert ((fraction >= 0) & (fraction <= 1)).all() and ((high == low) | (high == low + 1)).all()
    assert fraction.dtype == np.float32


def test_double_size_repeats_each_pixel_whatever_the_scale():
    """PyTorch's rule for sizes that a scale of 2.4, say, rounds down to."""
    assert nearest_indices(2, 4, 2.46).tolist() == [0, 0, 1, 1]
    assert nearest_indices(2, 5, 2.9).tolist() == [0, 0, 0, 1, 1]
