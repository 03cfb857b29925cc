"""Transposed convolution: the reference against PyTorch and as an adjoint, the CPU kernel against the
reference.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.cpu import conv_transpose2d as cpu
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import conv2d, conv_transpose2d
from tests.kernels.helpers import LAYOUTS, close, lay_out

# (N, C, O/groups, h, w, kernel, stride, padding, output padding, dilation, groups)
CASES = [
    (2, 4, 3, 5, 6, (2, 2), (2, 2), (0, 0), (0, 0), (1, 1), 1),
    (1, 4, 2, 5, 4, (3, 3), (2, 3), (1, 0), (1, 2), (1, 1), 2),
    (2, 3, 2, 4, 5, (3, 2), (1, 2), (1, 1), (0, 1), (2, 3), 1),
    (1, 2, 2, 4, 4, (1, 1), (3, 3), (0, 0), (2, 2), (1, 1), 1),
]


def output_size(size, kernel, stride, padding, extra, dilation):
    return tuple(
        (size[i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + extra[i] + 1
        for i in (0, 1)
    )


@pytest.mark.parametrize("case", CASES)
def test_the_reference_agrees_with_pytorch(case):
    torch = pytest.importorskip("torch")
    n, c, part, h, w, kernel, stride, padding, extra, dilation, groups = case
    rng = np.random.default_rng(0)
    shapes = ((n, c, h, w), (c, part, *kernel), (part * groups,))
    x, weight, bias = (rng.standard_normal(s) for s in shapes)
    expected = torch.nn.functional.conv_transpose2d(
        *map(torch.from_numpy, (x, weight, bias)), stride, padding, extra, groups, dilation
    ).numpy()
    size = output_size((h, w), kernel, stride, padding, extra, dilation)
    close(
        conv_transpose2d.conv_transpose2d(x, weight, bias, size, stride, padding, dilation, groups), expected
    )


def test_it_is_the_adjoint_of_conv2d():
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((2, 4, 11, 9)), rng.standard_normal((6, 2, 3, 2))
    window = ((2, 3), (1, 1), (2, 1), 2)
    y = conv2d.conv2d(x, weight, None, *window)
    grad = rng.standard_normal(y.shape)
    for kernels in (conv_transpose2d, cpu):
        dx = kernels.conv_transpose2d(grad, weight, None, (11, 9), *window)
        assert np.vdot(y, grad) == pytest.approx(np.vdot(x, dx), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_cpu_kernel_agrees_with_the_reference(data):
    groups = data.draw(st.sampled_from([1, 1, 2]), "groups")
    c, part = groups * data.draw(st.integers(1, 5), "C"), data.draw(st.integers(1, 5), "O/groups")
    kernel, stride, dilation = (
        (data.draw(st.integers(1, most)), data.draw(st.integers(1, most))) for most in (4, 3, 3)
    )
    padding, extra = ((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in range(2))
    shape = (
        data.draw(st.integers(0, 2), "N"),
        c,
        data.draw(st.integers(1, 12)),
        data.draw(st.integers(1, 12)),
    )
    size = tuple(max(1, s) for s in output_size(shape[2:], kernel, stride, padding, extra, dilation))
    dtype = data.draw(st.sampled_from(["float32", "float64"]), "dtype")
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    x = rng.standard_normal(shape).astype(dtype)
    weight = rng.standard_normal((c, part, *kernel)).astype(dtype)
    bias = rng.standard_normal(part * groups).astype(dtype) if data.draw(st.booleans(), "bias") else None
    expected = conv_transpose2d.conv_transpose2d(x, weight, bias, size, stride, padding, dilation, groups)
    found = cpu.conv_transpose2d(
        lay_out(x, data.draw(st.sampled_from(LAYOUTS))), weight, bias, size, stride, padding, dilation, groups
    )
    close(found, expected)
    assert is_map(found)


def test_pixels_that_no_stamp_reaches_hold_the_bias():
    x, weight, bias = (
        np.ones((1, 1, 2, 2), "float32"),
        np.ones((1, 1, 1, 1), "float32"),
        np.array([5], "float32"),
    )
    found = cpu.conv_transpose2d(x, weight, bias, (4, 4), (3, 3), (0, 0), (1, 1), 1)
    expected = np.full((4, 4), 5, "float32")
    expected[::3, ::3] = 6
    np.testing.assert_array_equal(found[0, 0], expected)
