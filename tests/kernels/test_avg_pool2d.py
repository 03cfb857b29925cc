"""Average pooling: the reference against PyTorch and as an adjoint, the CPU kernels against the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.cpu import avg_pool2d as cpu
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import avg_pool2d as reference
from tests.kernels.helpers import LAYOUTS, close, lay_out


def test_the_reference_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 11))
    expected = torch.nn.functional.avg_pool2d(torch.from_numpy(x), (3, 2), (2, 3), (1, 1)).numpy()
    close(reference.avg_pool2d(x, np.full(expected.shape[2:], 6.0), (3, 2), (2, 3), (1, 1)), expected)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_cpu_kernels_agree_with_the_reference_and_are_adjoint(data):
    shape = tuple(data.draw(st.integers(low, high)) for low, high in ((0, 3), (1, 5), (1, 20), (1, 20)))
    window = tuple(
        (data.draw(st.integers(low, high)), data.draw(st.integers(low, high)))
        for low, high in ((1, 4), (1, 3), (0, 2))
    )
    outputs = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.standard_normal(shape).astype(dtype)
    divisor = rng.uniform(1, 9, outputs).astype(dtype)
    y = cpu.avg_pool2d(lay_out(x, data.draw(st.sampled_from(LAYOUTS))), divisor, *window)
    close(y, reference.avg_pool2d(x, divisor, *window))
    grad = rng.standard_normal(y.shape).astype(dtype)
    dx = cpu.avg_pool2d_gradient(
        lay_out(grad, data.draw(st.sampled_from(LAYOUTS))), shape[2:], divisor, *window
    )
    close(dx, reference.avg_pool2d_gradient(grad, shape[2:], divisor, *window))
    assert is_map(y) and is_map(dx)
    if dtype == "float64":
        assert np.vdot(y, grad) == pytest.approx(np.vdot(x, dx), rel=1e-9, abs=1e-9)
