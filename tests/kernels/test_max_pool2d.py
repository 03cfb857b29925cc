"""Max-pooling: the reference against SciPy and PyTorch, the CPU kernels against the reference, ties, NaN,
−inf.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.cpu import max_pool2d as cpu
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import max_pool2d as reference
from minitorch_seg.kernels.sizes import window_counts
from tests.kernels.helpers import LAYOUTS, close, lay_out

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu], ids=["reference", "cpu"])
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
    y, indices = kernels.max_pool2d(x, *window, tuple(expected.shape[2:]))
    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_array_equal(indices, places.numpy())
    grad = rng.standard_normal(y.shape)
    (dx,) = torch.autograd.grad(expected, tx, torch.from_numpy(grad))
    close(kernels.max_pool2d_gradient(grad, indices, x.shape[2:], *window), dx.numpy())


@KERNELS
def test_stride_one_is_scipys_maximum_filter(kernels):
    from scipy.ndimage import maximum_filter

    x = np.random.default_rng(1).standard_normal((1, 1, 9, 13))
    y, _ = kernels.max_pool2d(x, (3, 3), (1, 1), (1, 1), (1, 1), (9, 13))
    np.testing.assert_array_equal(y[0, 0], maximum_filter(x[0, 0], size=3, mode="constant", cval=-np.inf))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_cpu_kernels_agree_with_the_reference(data):
    def pair(low, high):
        return data.draw(st.integers(low, high)), data.draw(st.integers(low, high))

    kernel, stride, dilation = pair(1, 4), pair(1, 4), pair(1, 3)
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    shape = (data.draw(st.integers(0, 2)), data.draw(st.integers(1, 20)), *pair(1, 14))
    size = window_counts(shape[2:], kernel, stride, padding, dilation)
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.integers(-3, 4, shape).astype(dtype)
    x[rng.random(shape) < 0.05] = np.nan
    window = (kernel, stride, padding, dilation)
    layout = data.draw(st.sampled_from(LAYOUTS))
    expected, places = reference.max_pool2d(x, *window, size)
    y, indices = cpu.max_pool2d(lay_out(x, layout), *window, size)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(indices, places)
    assert is_map(y) and is_map(indices) and indices.dtype == np.int64 and y.dtype == x.dtype
    grad = rng.standard_normal(y.shape).astype(dtype)
    dx = cpu.max_pool2d_gradient(lay_out(grad, layout), lay_out(indices, layout), shape[2:], *window)
    close(dx, reference.max_pool2d_gradient(grad, indices, shape[2:], *window))
    assert is_map(dx)


@KERNELS
def test_a_window_outside_the_image_is_minus_infinity_and_sends_no_gradient(kernels):
    x = np.ones((1, 2, 4, 4))
    window = ((2, 2), (1, 1), (1, 1), (5, 5))  # taps at −1 and 4
    y, indices = kernels.max_pool2d(x, *window, (1, 1))
    assert (y == -np.inf).all() and (indices == -1).all()
    assert not kernels.max_pool2d_gradient(np.ones_like(y), indices, (4, 4), *window).any()
