"""Softmax and log-softmax: both rooms against SciPy and PyTorch, in every dimension."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels import parallel
from minitorch_seg.kernels.cpu import softmax as cpu
from minitorch_seg.kernels.fast import softmax as fast
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import softmax as reference
from tests.kernels.helpers import LAYOUTS, close, lay_out

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, fast], ids=["reference", "cpu", "fast"])


@KERNELS
@pytest.mark.parametrize("dim", [0, 1, 2, 3, -1])
def test_values_and_gradients_agree_with_pytorch(kernels, dim):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((3, 4, 5, 6)), rng.standard_normal((3, 4, 5, 6))
    for name in ("softmax", "log_softmax"):
        tx = torch.from_numpy(x).requires_grad_()
        expected = getattr(torch, name)(tx, dim)
        y = getattr(kernels, name)(x, dim)
        close(y, expected.detach().numpy())
        (dx,) = torch.autograd.grad(expected, tx, torch.from_numpy(grad))
        close(getattr(kernels, f"{name}_gradient")(grad, y, dim), dx.numpy())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kernels", [cpu, fast], ids=["cpu", "fast"])
def test_the_kernels_agree_with_the_reference_and_scipy(kernels, data):
    import scipy.special

    shape = tuple(data.draw(st.lists(st.integers(0, 7), min_size=1, max_size=4), "shape"))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1), "dim")
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    layout = data.draw(st.sampled_from(LAYOUTS))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, grad = (lay_out((5 * rng.standard_normal(shape)).astype(dtype), layout) for _ in range(2))
    for name in ("softmax", "log_softmax"):
        y = getattr(kernels, name)(x, dim)
        close(y, getattr(reference, name)(x, dim))
        if x.size:
            close(y, getattr(scipy.special, name)(x, axis=dim))
        dx = getattr(kernels, f"{name}_gradient")(grad, y, dim)
        close(dx, getattr(reference, f"{name}_gradient")(grad, y, dim))
        assert y.dtype == dx.dtype == x.dtype
        assert is_map(y) if len(shape) == 4 else y.flags.c_contiguous


@KERNELS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_numbers_do_not_overflow_and_infinities_are_pytorchs(kernels, dtype):
    x = np.array(
        [[1e30, 1e30, 0.0], [-np.inf, 0.0, 0.0], [-np.inf] * 3, [np.inf, 0.0, 0.0], [np.nan, 1.0, 2.0]], dtype
    )
    nan = [np.nan] * 3
    expected = [[0.5, 0.5, 0], [0, 0.5, 0.5], nan, nan, nan]
    np.testing.assert_allclose(kernels.softmax(x, 1), expected, rtol=1e-6)
    half = np.log(0.5)
    expected = [[half, half, -1e30], [-np.inf, half, half], nan, nan, nan]
    np.testing.assert_allclose(kernels.log_softmax(x, 1), expected, rtol=1e-6)


@KERNELS
@pytest.mark.parametrize("shape", [(2, 3, 60, 70), (5, 21, 33, 40), (1, 256, 9, 9), (2, 257, 5, 5)])
def test_blocks_of_rows(kernels, shape):
    """Values far from zero in every row, and as exact as float32 lets them be."""
    import scipy.special

    x = lay_out((30 * np.random.default_rng(3).standard_normal(shape)).astype("float32"), "channels-last")
    exact = x.astype("float64")
    np.testing.assert_allclose(kernels.softmax(x, 1), scipy.special.softmax(exact, 1), rtol=2e-5, atol=1e-37)
    np.testing.assert_allclose(
        kernels.log_softmax(x, 1), scipy.special.log_softmax(exact, 1), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("shape", [(2, 3, 60, 70), (3, 21, 33, 40)])
def test_one_two_and_seven_threads_give_the_same_bits(shape):
    rng, before, results = np.random.default_rng(3), parallel.get_num_threads(), []
    x, grad = (lay_out(rng.standard_normal(shape).astype("float32"), "channels-last") for _ in range(2))
    try:
        for threads in (1, 2, 7):
            parallel.set_num_threads(threads)
            y = fast.log_softmax(x, 1)
            found = fast.softmax(x, 1), y, fast.log_softmax_gradient(grad, y, 1)
            results.append([a.tobytes() for a in found])
    finally:
        parallel.set_num_threads(before)
    assert results[0] == results[1] == results[2]
