"""Convolution: the reference against SciPy and PyTorch, the CPU kernels against the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.cpu import conv2d as cpu
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import conv2d as reference
from minitorch_seg.kernels.sizes import window_counts
from tests.kernels.helpers import LAYOUTS, close, lay_out

ONE = (1, 1)
# (N, C, O, H, W, kernel, stride, padding, dilation, groups)
CASES = [
    (2, 3, 4, 9, 8, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 4, 6, 9, 11, (3, 2), (2, 3), (1, 0), (2, 1), 2),
    (1, 3, 3, 8, 7, (2, 2), (2, 2), (0, 0), (1, 1), 3),
    (2, 5, 2, 6, 6, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 5, 2, 7, 6, (1, 1), (2, 2), (1, 1), (1, 1), 1),
    (1, 2, 8, 13, 17, (3, 3), (1, 1), (4, 4), (4, 4), 1),
    (1, 1, 1, 5, 5, (5, 5), (1, 1), (0, 0), (1, 1), 1),
]


def draw_case(data):
    groups = data.draw(st.sampled_from([1, 1, 2, 3]), "groups")
    channels, outputs = (groups * data.draw(st.integers(1, 5), name) for name in ("C", "O"))
    kernel, stride, dilation = (
        (data.draw(st.integers(1, most)), data.draw(st.integers(1, most))) for most in (4, 3, 3)
    )
    padding = (data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3)))
    size = tuple(
        data.draw(st.integers(max(1, dilation[i] * (kernel[i] - 1) + 1 - 2 * padding[i]), 24)) for i in (0, 1)
    )
    shape = (data.draw(st.integers(0, 3), "N"), channels, *size)
    return shape, outputs, (kernel, stride, padding, dilation, groups)


@pytest.mark.parametrize("case", CASES)
def test_the_reference_agrees_with_pytorch(case):
    torch = pytest.importorskip("torch")
    n, c, o, h, w, kernel, *rest, groups = case
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(s) for s in ((n, c, h, w), (o, c // groups, *kernel), (o,)))
    tx, tw = (torch.from_numpy(a).requires_grad_() for a in (x, weight))
    expected = torch.nn.functional.conv2d(tx, tw, torch.from_numpy(bias), *rest, groups)
    close(reference.conv2d(x, weight, bias, *rest, groups), expected.detach().numpy())
    grad = rng.standard_normal(expected.shape)
    (dweight,) = torch.autograd.grad(expected, tw, torch.from_numpy(grad))
    close(reference.conv2d_weight_gradient(x, grad, kernel, *rest, groups), dweight.numpy())


def test_the_reference_is_scipys_correlation():
    from scipy.signal import correlate2d

    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((1, 1, 9, 12)), rng.standard_normal((1, 1, 3, 4))
    found = reference.conv2d(x, weight, None, (2, 3), (0, 0), ONE, 1)
    close(found[0, 0], correlate2d(x[0, 0], weight[0, 0], mode="valid")[::2, ::3])


def test_the_weight_gradient_is_the_adjoint():
    rng = np.random.default_rng(2)
    n, c, o, h, w, kernel, *rest, groups = CASES[1]
    x, weight = rng.standard_normal((n, c, h, w)), rng.standard_normal((o, c // groups, *kernel))
    y = reference.conv2d(x, weight, None, *rest, groups)
    grad = rng.standard_normal(y.shape)
    dweight = reference.conv2d_weight_gradient(x, grad, kernel, *rest, groups)
    assert np.vdot(y, grad) == pytest.approx(np.vdot(weight, dweight), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_cpu_kernels_agree_with_the_reference(data):
    shape, outputs, (kernel, stride, padding, dilation, groups) = draw_case(data)
    dtype = data.draw(st.sampled_from(["float32", "float64"]), "dtype")
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    x = rng.standard_normal(shape).astype(dtype)
    weight = rng.standard_normal((outputs, shape[1] // groups, *kernel)).astype(dtype)
    bias = rng.standard_normal(outputs).astype(dtype) if data.draw(st.booleans(), "bias") else None
    layouts = [data.draw(st.sampled_from(LAYOUTS)) for _ in range(3)]
    window = (stride, padding, dilation, groups)
    expected = reference.conv2d(x, weight, bias, *window)
    found = cpu.conv2d(lay_out(x, layouts[0]), lay_out(weight, layouts[1]), bias, *window)
    close(found, expected)
    assert is_map(found)
    assert expected.shape[2:] == window_counts(shape[2:], kernel, *window[:3])
    grad = rng.standard_normal(expected.shape).astype(dtype)
    dweight = cpu.conv2d_weight_gradient(lay_out(x, layouts[0]), lay_out(grad, layouts[2]), kernel, *window)
    close(dweight, reference.conv2d_weight_gradient(x, grad, kernel, *window))


@pytest.mark.parametrize("shape", [(2, 3, 40, 1100), (1, 150, 20, 20), (9, 8, 33, 65)])
def test_maps_that_need_several_blocks(shape):
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal(shape), rng.standard_normal((6, shape[1], 3, 3))
    window = ((1, 1), (1, 1), (1, 1), 1)
    expected = reference.conv2d(x, weight, None, *window)
    close(cpu.conv2d(x, weight, None, *window), expected)
    grad = rng.standard_normal(expected.shape)
    close(
        cpu.conv2d_weight_gradient(x, grad, (3, 3), *window),
        reference.conv2d_weight_gradient(x, grad, (3, 3), *window),
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_reach_the_windows_that_see_them_and_no_others(value):
    rng = np.random.default_rng(4)
    x, weight = rng.standard_normal((1, 3, 12, 20)), rng.standard_normal((5, 3, 3, 3))
    window = ((1, 1), (1, 1), (1, 1), 1)
    clean = cpu.conv2d(x, weight, None, *window)
    x[0, 1, 6, 19] = value
    found = cpu.conv2d(x, weight, None, *window)
    touched = np.zeros(found.shape, bool)
    touched[0, :, 5:8, 18:20] = True
    assert not np.isfinite(found[touched]).any()
    np.testing.assert_array_equal(found[~touched], clean[~touched])


def test_errors_do_not_pile_up():
    rng = np.random.default_rng(5)
    x, grad = (rng.standard_normal((8, 8, 64, 64)).astype("float32") for _ in range(2))
    window = ((3, 3), (1, 1), (1, 1), (1, 1), 1)
    exact = reference.conv2d_weight_gradient(x.astype("float64"), grad.astype("float64"), *window)
    error = np.abs(cpu.conv2d_weight_gradient(x, grad, *window) - exact).max() / np.abs(exact).max()
    assert error < 2e-6


def test_an_empty_batch_gives_empty_maps_and_a_zero_gradient():
    x, weight = np.zeros((0, 3, 8, 8), "float32"), np.ones((4, 3, 3, 3), "float32")
    for kernels in (cpu, reference):
        assert kernels.conv2d(x, weight, None, ONE, ONE, ONE, 1).shape == (0, 4, 8, 8)
        grad = np.zeros((0, 4, 8, 8), "float32")
        dweight = kernels.conv2d_weight_gradient(x, grad, (3, 3), ONE, ONE, ONE, 1)
        np.testing.assert_array_equal(dweight, np.zeros(weight.shape, "float32"))
