"""Joining: the fast kernel against NumPy, for maps and for what it leaves to NumPy."""

import numpy as np
import pytest

from minitorch_seg.kernels import parallel
from minitorch_seg.kernels.fast import cat as fast
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import cat as reference
from tests.kernels.helpers import LAYOUTS, lay_out


def parts(shape, channels, dtype="float32"):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((shape[0], c, *shape[1:])).astype(dtype) for c in channels]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("channels", [(16, 16), (3, 1), (5, 10), (2, 3, 4), (7,), (1,) * 9])
@pytest.mark.parametrize("dim", [1, 3])
def test_the_fast_kernel_is_concatenation(layout, dtype, channels, dim):
    arrays = parts((2, 5, 7), channels if dim == 1 else (4,) * len(channels), dtype)
    found = fast.cat([lay_out(a, layout) for a in arrays], dim)
    expected = reference.cat(arrays, dim)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("more", [(), (5,)])
def test_maps_become_a_map_and_nan_stays(more):
    arrays = [lay_out(p, "channels-last") for p in parts((3, 61, 70), (16, *more, 24))]
    arrays[0][0, 0, 0, 0], arrays[-1][2, 23, 60, 69] = np.nan, np.inf
    found = fast.cat(arrays, 1)
    assert is_map(found)
    np.testing.assert_array_equal(found, np.concatenate(arrays, axis=1))


@pytest.mark.parametrize("shape", [(0, 4, 4), (2, 0, 4)])
def test_empty_maps(shape):
    a, b = (lay_out(p, "channels-last") for p in parts(shape, (3, 2)))
    assert fast.cat([a, b], 1).shape == (shape[0], 5, *shape[1:])
    assert fast.cat([a, b[:, :0]], 1).shape == a.shape


@pytest.mark.parametrize("channels", [(16, 24), (16, 24, 5)])
def test_one_two_and_seven_threads_give_the_same_bits(channels):
    arrays = [lay_out(p, "channels-last") for p in parts((3, 61, 70), channels)]
    before, results = parallel.get_num_threads(), []
    try:
        for threads in (1, 2, 7):
            parallel.set_num_threads(threads)
            results.append(fast.cat(arrays, 1).tobytes())
    finally:
        parallel.set_num_threads(before)
    assert results[0] == results[1] == results[2]
