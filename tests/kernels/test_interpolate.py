"""Resizing: both rooms against PyTorch, the CPU kernels against the reference, gradients as adjoints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels.cpu import interpolate as cpu
from minitorch_seg.kernels.fast import interpolate as fast
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import interpolate as reference
from tests.kernels.helpers import LAYOUTS, close, lay_out

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, fast], ids=["reference", "cpu", "fast"])


@KERNELS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_pair_of_sizes_agrees_with_pytorch(kernels, dtype):
    torch = pytest.importorskip("torch")
    resize = torch.nn.functional.interpolate
    rng = np.random.default_rng(0)
    for inputs in range(1, 9):
        x = rng.standard_normal((1, 2, inputs, 3)).astype(dtype)
        for outputs in range(1, 25):
            size = (outputs, 5)
            expected = resize(torch.from_numpy(x), size=size, mode="nearest")
            np.testing.assert_array_equal(kernels.interpolate_nearest(x, size, None), expected.numpy())
            for align in (False, True):
                expected = resize(torch.from_numpy(x), size=size, mode="bilinear", align_corners=align)
                close(kernels.interpolate_bilinear(x, size, align, None), expected.numpy())


@KERNELS
@pytest.mark.parametrize("scale", [0.4, 0.7, 1.1, 1.3, 2.0, 2.5, 3.0])
def test_a_given_scale_is_used_as_it_is(kernels, scale):
    torch = pytest.importorskip("torch")
    for side in (3, 5, 10, 17):
        x = np.random.default_rng(side).standard_normal((1, 2, side, side))
        for mode in ("nearest", "bilinear"):
            expected = torch.nn.functional.interpolate(
                torch.from_numpy(x), scale_factor=scale, mode=mode
            ).numpy()
            size, scales = expected.shape[2:], (scale, scale)
            if mode == "nearest":
                close(kernels.interpolate_nearest(x, size, scales), expected)
            else:
                close(kernels.interpolate_bilinear(x, size, False, scales), expected)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kernels", [cpu, fast], ids=["cpu", "fast"])
def test_the_kernels_agree_with_the_reference_and_gradients_are_adjoints(kernels, data):
    def pair(low, high):
        return data.draw(st.integers(low, high)), data.draw(st.integers(low, high))

    shape = (data.draw(st.integers(0, 2)), data.draw(st.integers(1, 18)), *pair(1, 12))
    size, align = pair(1, 20), data.draw(st.booleans())
    if data.draw(st.booleans(), "twice the size"):
        size = 2 * shape[2], 2 * shape[3]
    scale = data.draw(st.sampled_from([None, (size[0] / shape[2] * 1.01, size[1] / shape[3] * 1.02)]))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    layout = data.draw(st.sampled_from(LAYOUTS))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, grad = (rng.standard_normal(s).astype(dtype) for s in (shape, (*shape[:2], *size)))
    for name, middle in (("nearest", (scale,)), ("bilinear", (align, None if align else scale))):
        forward, backward = f"interpolate_{name}", f"interpolate_{name}_gradient"
        y = getattr(kernels, forward)(lay_out(x, layout), size, *middle)
        dx = getattr(kernels, backward)(lay_out(grad, layout), shape[2:], *middle)
        close(y, getattr(reference, forward)(x, size, *middle))
        close(dx, getattr(reference, backward)(grad, shape[2:], *middle))
        assert is_map(y) and is_map(dx)
        tolerance = 1e-3 if dtype == "float32" else 1e-10
        assert np.vdot(y, grad) == pytest.approx(np.vdot(x, dx), rel=tolerance, abs=tolerance)
