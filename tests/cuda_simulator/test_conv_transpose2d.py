"""Transposed convolutions on the GPU: phases with and without taps, overlapping stamps, output padding."""

import numpy as np
import pytest

from minitorch_seg.kernels.cuda.conv_transpose2d import phases
from tests.cuda_simulator.agreement import agree, normal

# x, weight, output size, stride, padding, dilation, groups
CASES = {
    "2x2 up": ((1, 3, 3, 4), (3, 2, 2, 2), (6, 8), (2, 2), (0, 0), (1, 1), 1),
    "overlap": ((2, 2, 3, 3), (2, 3, 3, 3), (6, 6), (2, 2), (1, 1), (1, 1), 1),
    "stride beyond the kernel": ((1, 2, 3, 2), (2, 2, 2, 1), (8, 5), (3, 3), (0, 0), (1, 1), 1),
    "dilation and stride": ((1, 2, 4, 4), (2, 2, 3, 2), (10, 9), (2, 2), (1, 0), (2, 3), 1),
    "output padding": ((1, 2, 3, 3), (2, 2, 3, 3), (8, 8), (2, 2), (0, 0), (1, 1), 1),
    "groups": ((1, 4, 3, 3), (4, 3, 2, 2), (6, 6), (2, 2), (0, 0), (1, 1), 2),
    "groups of many": ((1, 4, 2, 2), (4, 6, 2, 2), (4, 4), (2, 2), (0, 0), (1, 1), 2),
    "common factor": ((1, 1, 4, 4), (1, 2, 3, 3), (20, 20), (4, 4), (0, 0), (2, 6), 1),
}


@pytest.mark.parametrize("name", CASES)
def test_conv_transpose2d(name):
    x_shape, w_shape, size, stride, padding, dilation, groups = CASES[name]
    rng = np.random.default_rng(1)
    weight = rng.standard_normal(w_shape).astype("float32")
    bias = normal(rng, w_shape[1] * groups) if len(name) % 2 else None
    x = normal(rng, *x_shape)
    agree("conv_transpose2d", "conv_transpose2d", x, weight, bias, size, stride, padding, dilation, groups)


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_the_phases_are_the_definition(stride, dilation, kernel):
    padding, count = 2, 17
    found = {
        (axis.out_first + i * axis.out_step, axis.tap0 + m * axis.tap_step): (
            i * axis.step + axis.first + m * axis.move
        )
        for axis in phases(count, kernel, stride, padding, dilation)
        for i in range(axis.outputs)
        for m in range(axis.taps)
    }
    expected = {
        (y, k): (y + padding - k * dilation) // stride
        for y in range(count)
        for k in range(kernel)
        if (y + padding - k * dilation) % stride == 0
    }
    assert found == expected
