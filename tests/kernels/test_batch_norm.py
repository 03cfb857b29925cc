"""Batch normalisation, with relu and without: the reference against PyTorch, the CPU and the fast kernels
against the reference, and precision.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.cpu import batch_norm as cpu
from minitorch_seg.kernels.fast import batch_norm as fast
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import batch_norm as reference
from tests.kernels.helpers import LAYOUTS, close, lay_out

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, fast], ids=["reference", "cpu", "fast"])


@KERNELS
@pytest.mark.parametrize("relu", [False, True])
def test_forward_and_gradient_agree_with_pytorch(kernels, relu):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(s) for s in ((3, 5, 6, 7), 5, 5))
    tensors = [torch.from_numpy(a).requires_grad_() for a in (x, weight, bias)]
    expected = torch.nn.functional.batch_norm(tensors[0], None, None, tensors[1], tensors[2], True, eps=1e-5)
    expected = torch.relu(expected) if relu else expected
    mean, var = kernels.channel_moments(x)
    inv_std = 1 / np.sqrt(var + 1e-5)
    close(kernels.normalize(x, mean, inv_std, weight, bias, relu), expected.detach().numpy())
    grad = rng.standard_normal(x.shape)
    found = kernels.batch_norm_gradient(grad, x, mean, inv_std, weight, bias, relu)
    for ours, theirs in zip(
        found, torch.autograd.grad(expected, tensors, torch.from_numpy(grad)), strict=True
    ):
        close(ours, theirs.numpy())


@settings(max_examples=50, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kernels", [cpu, fast], ids=["cpu", "fast"])
def test_the_kernels_agree_with_the_reference(kernels, data):
    shape = (
        data.draw(st.integers(1, 4)),
        data.draw(st.sampled_from([1, 2, 3, 7, 16, 600])),
        *[data.draw(st.integers(1, 20)) for _ in range(2)],
    )
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    layout = data.draw(st.sampled_from(LAYOUTS))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, grad = (lay_out(rng.standard_normal(shape).astype(dtype), layout) for _ in range(2))
    weight, bias = (
        rng.standard_normal(shape[1]).astype(dtype) if data.draw(st.booleans()) else None for _ in range(2)
    )
    mean, var = kernels.channel_moments(x)
    for ours, theirs in zip((mean, var), reference.channel_moments(x), strict=True):
        close(ours, theirs)
    inv_std = (1 / np.sqrt(var + 0.1)).astype(dtype)
    relu = data.draw(st.booleans())
    plain = reference.normalize(x, mean, inv_std, weight, bias)
    if relu:  # rounding decides on which side of the kink a number lies that is nearly 0: none is
        x = lay_out(np.where(np.abs(plain) < 1e-4, x + x.dtype.type(0.01), x), layout)
    y = kernels.normalize(x, mean, inv_std, weight, bias, relu)
    close(y, reference.normalize(x, mean, inv_std, weight, bias, relu))
    found = kernels.batch_norm_gradient(grad, x, mean, inv_std, weight, bias, relu)
    expected = reference.batch_norm_gradient(grad, x, mean, inv_std, weight, bias, relu)
    for ours, theirs in zip(found, expected, strict=True):
        close(ours, theirs)
    assert is_map(y) and is_map(found[0])


@pytest.mark.parametrize("kernels", [cpu, fast], ids=["cpu", "fast"])
@pytest.mark.parametrize("shape", [(2, 16, 97, 95), (3, 10, 90, 91), (1, 3, 1, 40000), (2, 700, 40, 41)])
def test_maps_of_several_chunks(kernels, shape):
    rng = np.random.default_rng(3)
    x, grad = (lay_out(rng.standard_normal(shape).astype("float32"), "channels-last") for _ in range(2))
    weight, bias, mean, inv_std = (rng.standard_normal(shape[1]).astype("float32") for _ in range(4))
    wide = [a.astype("float64") for a in (grad, x, mean, inv_std, weight, bias)]
    for ours, exact in zip(kernels.channel_moments(x), reference.channel_moments(wide[1]), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-6, atol=1e-7)
    exact = reference.batch_norm_gradient(*wide)
    for ours, theirs in zip(
        kernels.batch_norm_gradient(grad, x, mean, inv_std, weight, bias), exact, strict=True
    ):
        close(ours, theirs.astype("float32"))


@KERNELS
def test_a_large_mean_does_not_spoil_the_variance(kernels):
    rng = np.random.default_rng(1)
    x = (1000 + rng.standard_normal((4, 3, 50, 60))).astype("float32")
    mean, var = kernels.channel_moments(x)
    exact = x.astype("float64")
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(var, exact.var(axis=(0, 2, 3)), rtol=1e-4)


@KERNELS
def test_a_map_without_channels(kernels):
    x, none = np.zeros((2, 0, 4, 4), "float32"), np.zeros(0, "float32")
    assert [m.shape for m in kernels.channel_moments(x)] == [(0,), (0,)]
    assert kernels.normalize(x, none, none, none, none).shape == x.shape
    assert [a.shape for a in kernels.batch_norm_gradient(x, x, none, none, none)] == [x.shape, (0,), (0,)]


@KERNELS
def test_a_map_without_pixels(kernels):
    x = np.zeros((0, 3, 4, 4), "float32")
    mean, var = kernels.channel_moments(x)
    assert np.isnan(mean).all() and np.isnan(var).all() and mean.shape == (3,)
    dx, dweight, dbias = kernels.batch_norm_gradient(x, x, mean * 0, var * 0, None)
    assert dx.shape == x.shape and dbias.tolist() == [0, 0, 0] and dweight.shape == (3,)


@KERNELS
def test_nan_stays_in_its_channel(kernels):
    x = np.random.default_rng(2).standard_normal((2, 3, 5, 5)).astype("float32")
    x[0, 1, 2, 2] = np.nan
    mean, var = kernels.channel_moments(x)
    assert np.isnan(mean).tolist() == np.isnan(var).tolist() == [False, True, False]


@KERNELS
def test_relu_lets_nan_through_and_cuts_infinity(kernels):
    x = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 2.0]).reshape(1, 1, 2, 3)
    one, zero = np.ones(1), np.zeros(1)
    y = kernels.normalize(x, zero, one, None, None, True)
    np.testing.assert_array_equal(y.ravel(), [np.nan, np.inf, 0, 0, 0, 2])


@KERNELS
def test_no_gradient_passes_where_relu_has_cut_not_even_infinity(kernels):
    x, grad = np.array([[[[-1.0, 1.0]]]]), np.array([[[[np.inf, 1.0]]]])
    dx, dweight, dbias = kernels.batch_norm_gradient(grad, x, np.zeros(1), np.ones(1), None, None, True)
    np.testing.assert_array_equal(dx, [[[[0.0, 0.0]]]])
    assert dweight.tolist() == dbias.tolist() == [1.0]
    dx, _, dbias = kernels.batch_norm_gradient(grad, x, np.zeros(1), np.ones(1), None)
    assert not np.isfinite(dx).any() and dbias.tolist() == [np.inf]
