"""Batch normalisation: the reference against PyTorch, the CPU kernels against the reference, and precision.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.cpu import batch_norm as cpu
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import batch_norm as reference
from tests.kernels.helpers import LAYOUTS, close, lay_out

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu], ids=["reference", "cpu"])


@KERNELS
def test_forward_and_gradient_agree_with_pytorch(kernels):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(s) for s in ((3, 5, 6, 7), 5, 5))
    tensors = [torch.from_numpy(a).requires_grad_() for a in (x, weight, bias)]
    expected = torch.nn.functional.batch_norm(tensors[0], None, None, tensors[1], tensors[2], True, eps=1e-5)
    mean, var = kernels.channel_moments(x)
    inv_std = 1 / np.sqrt(var + 1e-5)
    close(kernels.normalize(x, mean, inv_std, weight, bias), expected.detach().numpy())
    grad = rng.standard_normal(x.shape)
    found = kernels.batch_norm_gradient(grad, x, mean, inv_std, weight)
    for ours, theirs in zip(
        found, torch.autograd.grad(expected, tensors, torch.from_numpy(grad)), strict=True
    ):
        close(ours, theirs.numpy())


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_cpu_kernels_agree_with_the_reference(data):
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
    mean, var = cpu.channel_moments(x)
    for ours, theirs in zip((mean, var), reference.channel_moments(x), strict=True):
        close(ours, theirs)
    inv_std = (1 / np.sqrt(var + 0.1)).astype(dtype)
    y = cpu.normalize(x, mean, inv_std, weight, bias)
    close(y, reference.normalize(x, mean, inv_std, weight, bias))
    found = cpu.batch_norm_gradient(grad, x, mean, inv_std, weight)
    for ours, theirs in zip(
        found, reference.batch_norm_gradient(grad, x, mean, inv_std, weight), strict=True
    ):
        close(ours, theirs)
    assert is_map(y) and is_map(found[0])


@KERNELS
def test_a_large_mean_does_not_spoil_the_variance(kernels):
    rng = np.random.default_rng(1)
    x = (1000 + rng.standard_normal((4, 3, 50, 60))).astype("float32")
    mean, var = kernels.channel_moments(x)
    exact = x.astype("float64")
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(var, exact.var(axis=(0, 2, 3)), rtol=1e-4)


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
