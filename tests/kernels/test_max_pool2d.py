"""Max-pooling: the reference against SciPy and PyTorch, the CPU and the fast kernels against the reference,
ties, NaN, −inf.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels import parallel
from minitorch_seg.kernels.cpu import max_pool2d as cpu
from minitorch_seg.kernels.fast import max_pool2d as fast
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import max_pool2d as reference
from minitorch_seg.kernels.sizes import window_counts
from minitorch_seg.ops.max_pool2d import winner_places
from tests.kernels.helpers import LAYOUTS, close, lay_out

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, fast], ids=["reference", "cpu", "fast"])
CASES = [
    ((2, 2), (2, 2), (0, 0), (1, 1)),
    ((3, 3), (2, 2), (1, 1), (1, 1)),
    ((3, 2), (1, 3), (1, 1), (2, 1)),
    ((2, 3), (3, 1), (0, 0), (1, 3)),
]


@KERNELS
@pytest.mark.parametrize("window", CASES)
def test_values_indices_and_gradient_agree_with_pytorch(kernels, window):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, (2, 3, 11, 12)).astype("float64")  # many ties
    x[0, 0, 3, 4], x[1, 2, 0, 0], x[1, 1, 5:9] = np.nan, np.inf, -np.inf
    tx = torch.from_numpy(x).requires_grad_()
    expected, places = torch.nn.functional.max_pool2d(tx, *window, return_indices=True)
    y, taps = kernels.max_pool2d(x, *window, tuple(expected.shape[2:]))
    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_array_equal(winner_places(taps, x.shape[2:], *window), places.numpy())
    grad = rng.standard_normal(y.shape)
    (dx,) = torch.autograd.grad(expected, tx, torch.from_numpy(grad))
    close(kernels.max_pool2d_gradient(grad, taps, x.shape[2:], *window), dx.numpy())


@KERNELS
def test_stride_one_is_scipys_maximum_filter(kernels):
    from scipy.ndimage import maximum_filter

    x = np.random.default_rng(1).standard_normal((1, 1, 9, 13))
    y, _ = kernels.max_pool2d(x, (3, 3), (1, 1), (1, 1), (1, 1), (9, 13))
    np.testing.assert_array_equal(y[0, 0], maximum_filter(x[0, 0], size=3, mode="constant", cval=-np.inf))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kernels", [cpu, fast], ids=["cpu", "fast"])
def test_the_kernels_agree_with_the_reference(kernels, data):
    def pair(low, high):
        return data.draw(st.integers(low, high)), data.draw(st.integers(low, high))

    kernel, stride, dilation = pair(1, 4), pair(1, 4), pair(1, 3)
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    if data.draw(st.booleans(), "2×2 windows side by side"):
        kernel, stride, dilation, padding = (2, 2), (2, 2), (1, 1), (0, 0)
    shape = (data.draw(st.integers(0, 2)), data.draw(st.integers(1, 20)), *pair(1, 14))
    size = window_counts(shape[2:], kernel, stride, padding, dilation)
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.integers(-3, 4, shape).astype(dtype)
    x[rng.random(shape) < 0.05] = np.nan
    window = (kernel, stride, padding, dilation)
    layout = data.draw(st.sampled_from(LAYOUTS))
    expected, places = reference.max_pool2d(x, *window, size)
    y, taps = kernels.max_pool2d(lay_out(x, layout), *window, size)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(taps, places)
    assert is_map(y) and is_map(taps) and taps.dtype == np.int8 and y.dtype == x.dtype
    grad = rng.standard_normal(y.shape).astype(dtype)
    dx = kernels.max_pool2d_gradient(lay_out(grad, layout), lay_out(taps, layout), shape[2:], *window)
    close(dx, reference.max_pool2d_gradient(grad, taps, shape[2:], *window))
    assert is_map(dx)


@KERNELS
def test_a_window_outside_the_image_is_minus_infinity_and_sends_no_gradient(kernels):
    x = np.ones((1, 2, 4, 4))
    window = ((2, 2), (1, 1), (1, 1), (5, 5))  # taps at −1 and 4
    y, taps = kernels.max_pool2d(x, *window, (1, 1))
    assert (y == -np.inf).all() and (taps == -1).all()
    assert not kernels.max_pool2d_gradient(np.ones_like(y), taps, (4, 4), *window).any()


@KERNELS
def test_a_window_of_more_than_127_taps(kernels):
    x = np.arange(13.0 * 12).reshape(1, 1, 13, 12)
    window = ((13, 12), (1, 1), (0, 0), (1, 1))
    y, taps = kernels.max_pool2d(x, *window, (1, 1))
    assert y.item() == 155 and taps.item() == 155
    dx = kernels.max_pool2d_gradient(np.ones_like(y), taps, (13, 12), *window)
    assert dx[0, 0, 12, 11] == 1 and dx.sum() == 1


@pytest.mark.parametrize("window, size", [(CASES[0], (30, 35)), (CASES[1], (31, 35))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_two_and_seven_threads_give_the_same_bits(dtype, window, size):
    x = lay_out(np.random.default_rng(0).standard_normal((3, 10, 61, 70)).astype(dtype), "channels-last")
    before, results = parallel.get_num_threads(), []
    try:
        for threads in (1, 2, 7):
            parallel.set_num_threads(threads)
            y, taps = fast.max_pool2d(x, *window, size)
            dx = fast.max_pool2d_gradient(y, taps, (61, 70), *window)
            results.append([a.tobytes() for a in (y, taps, dx)])
    finally:
        parallel.set_num_threads(before)
    assert results[0] == results[1] == results[2]
