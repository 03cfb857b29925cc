"""Copies of maps: the fast kernel against NumPy, with gaps between the pixels and without."""

import numpy as np
import pytest

from minitorch_seg.kernels import parallel
from minitorch_seg.kernels.fast import copy as fast
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import copy as reference
from tests.kernels.helpers import LAYOUTS, lay_out

LARGE = (2, 24, 60, 51)  # half its channels are more than the kernel's smallest map


def numbers(shape, dtype="float32"):
    return (100 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [LARGE, (2, 3, 4, 5), (1, 50000, 1, 1), (0, 3, 4, 4), (7,), ()])
def test_the_numbers_are_the_same_and_the_memory_is_another(layout, dtype, shape):
    x = numbers(shape, dtype)
    x = lay_out(x, layout) if x.ndim else x
    found, expected = fast.copy(x), reference.copy(x)
    assert found.dtype == x.dtype and found.flags.writeable
    order = [[s for s, n in zip(a.strides, a.shape, strict=True) if n > 1] for a in (found, expected)]
    assert order[0] == order[1]
    np.testing.assert_array_equal(found, x)
    assert not np.may_share_memory(found, x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [(0, 12), (12, 24), (3, 20), (23, 24)])
def test_some_channels_of_a_map_become_a_map_without_gaps(dtype, channels):
    whole = lay_out(numbers((2, 24, 130, 140), dtype), "channels-last")
    whole[0, channels[0], 0, 0], whole[1, channels[1] - 1, -1, -1] = np.nan, np.inf
    part = whole[:, channels[0] : channels[1]]
    found = fast.copy(part)
    assert is_map(found)
    np.testing.assert_array_equal(found, part)


def test_one_two_and_seven_threads_give_the_same_bits():
    part = lay_out(numbers(LARGE), "channels-last")[:, 5:17]
    before, results = parallel.get_num_threads(), []
    try:
        for threads in (1, 2, 7):
            parallel.set_num_threads(threads)
            results.append(fast.copy(part).tobytes())
    finally:
        parallel.set_num_threads(before)
    assert results[0] == results[1] == results[2]
