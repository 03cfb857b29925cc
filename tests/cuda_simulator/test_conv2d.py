"""Convolutions on the GPU: every tile, strides, paddings, dilations, groups, against the reference
kernels."""

import numpy as np
import pytest

from minitorch_seg.kernels.cuda import tile
from minitorch_seg.kernels.sizes import window_counts
from tests.cuda_simulator.agreement import agree, normal

# (x, weight, stride, padding, dilation, groups): what is small uses the tile 64×8, the others as named
CASES = {
    "3x3": ((1, 3, 5, 6), (2, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "stride, odd sizes": ((2, 2, 7, 5), (3, 2, 3, 2), (2, 3), (1, 0), (1, 1), 1),
    "dilation": ((1, 2, 7, 8), (2, 2, 3, 3), (1, 1), (2, 1), (2, 3), 1),
    "1x1, many channels": ((1, 19, 2, 3), (5, 19, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "one channel": ((1, 1, 4, 4), (2, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "more than one tile": ((1, 2, 9, 9), (9, 2, 2, 2), (1, 1), (0, 0), (1, 1), 1),
    "tile 32": ((1, 2, 3, 3), (17, 2, 1, 2), (1, 1), (0, 0), (1, 1), 1),
    "tile 64": ((1, 2, 3, 3), (37, 2, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "groups": ((1, 4, 4, 5), (10, 2, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    "few of a group": ((1, 6, 5, 4), (6, 2, 3, 3), (1, 1), (1, 1), (1, 1), 3),
    "depthwise": ((2, 5, 5, 6), (5, 1, 3, 3), (2, 1), (1, 1), (1, 2), 5),
    "padding alone": ((1, 2, 1, 1), (2, 2, 2, 2), (1, 1), (1, 1), (1, 1), 1),
}


@pytest.fixture(autouse=True)
def tiles_by_their_width(monkeypatch):
    """Small results too take the tile that their channels ask for, or the wide ones would never run here."""
    monkeypatch.setattr(tile, "PROCESSORS", 0)


@pytest.mark.parametrize("name", CASES)
def test_conv2d(name):
    x_shape, w_shape, *options = CASES[name]
    rng = np.random.default_rng(1)
    bias = normal(rng, w_shape[0]) if len(name) % 2 else None
    agree("conv2d", "conv2d", normal(rng, *x_shape), _weight(rng, w_shape), bias, *options)


@pytest.mark.parametrize("name", ["more than one tile", "tile 32", "tile 64"])
def test_tiles_of_float64(name):
    x_shape, w_shape, *options = CASES[name]
    rng = np.random.default_rng(6)
    x, weight = normal(rng, *x_shape, dtype="float64"), _weight(rng, w_shape).astype("float64")
    y = agree("conv2d", "conv2d", x, weight, None, *options)
    agree(
        "conv2d", "conv2d_weight_gradient", x, normal(rng, *y.shape, dtype="float64"), w_shape[2:], *options
    )


@pytest.mark.parametrize("name", CASES)
def test_weight_gradient(name):
    x_shape, w_shape, stride, padding, dilation, groups = CASES[name]
    rng = np.random.default_rng(2)
    size = window_counts(x_shape[2:], w_shape[2:], stride, padding, dilation)
    grad = normal(rng, x_shape[0], w_shape[0], *size)
    options = stride, padding, dilation, groups
    agree("conv2d", "conv2d_weight_gradient", normal(rng, *x_shape), grad, w_shape[2:], *options)


@pytest.mark.parametrize("name", CASES)
def test_input_gradient(name):
    x_shape, w_shape, stride, padding, dilation, groups = CASES[name]
    rng = np.random.default_rng(3)
    size = window_counts(x_shape[2:], w_shape[2:], stride, padding, dilation)
    grad = normal(rng, x_shape[0], w_shape[0], *size)
    options = x_shape[2:], stride, padding, dilation, groups
    agree("conv_transpose2d", "conv_transpose2d", grad, _weight(rng, w_shape), None, *options)


@pytest.mark.parametrize("name", ["3x3", "depthwise", "stride, odd sizes"])
def test_float64(name):
    x_shape, w_shape, *options = CASES[name]
    rng = np.random.default_rng(4)
    x, weight = (a.astype("float64") for a in (normal(rng, *x_shape), _weight(rng, w_shape)))
    y = agree("conv2d", "conv2d", x, weight, normal(rng, w_shape[0], dtype="float64"), *options)
    grad = normal(rng, *y.shape, dtype="float64")
    agree("conv2d", "conv2d_weight_gradient", x, grad, w_shape[2:], *options)
    agree("conv_transpose2d", "conv_transpose2d", grad, weight, None, x_shape[2:], *options)


def test_the_sum_over_pixels_is_cut_into_parts():
    rng = np.random.default_rng(5)
    x, grad = normal(rng, 2, 1, 12, 11), normal(rng, 2, 2, 12, 11)
    same = (1, 1), (1, 1), (1, 1), 1
    agree("conv2d", "conv2d_weight_gradient", x, grad, (3, 3), *same)


def test_empty_batches():
    rng = np.random.default_rng(6)
    x, weight = normal(rng, 0, 2, 4, 4), _weight(rng, (3, 2, 3, 3))
    options = (1, 1), (1, 1), (1, 1), 1
    assert agree("conv2d", "conv2d", x, weight, None, *options).shape == (0, 3, 4, 4)
    grad = normal(rng, 0, 3, 4, 4)
    assert not agree("conv2d", "conv2d_weight_gradient", x, grad, (3, 3), *options).any()
    agree("conv_transpose2d", "conv_transpose2d", grad, weight, None, (4, 4), *options)


def test_no_channels_leave_the_bias():
    rng = np.random.default_rng(9)
    x, bias = np.zeros((1, 0, 3, 3), "float32"), normal(rng, 2)
    y = agree("conv2d", "conv2d", x, np.zeros((2, 0, 2, 2), "float32"), bias, (1, 1), (0, 0), (1, 1), 1)
    assert (y == bias[:, None, None]).all()


def test_nan_and_infinity_reach_what_sees_them_and_nothing_else():
    rng = np.random.default_rng(7)
    x, weight = normal(rng, 1, 2, 6, 6), _weight(rng, (2, 2, 3, 3))
    x[0, 0, 0, 0], x[0, 1, 5, 5] = np.nan, np.inf
    y = agree("conv2d", "conv2d", x, weight, None, (1, 1), (1, 1), (1, 1), 1)
    assert np.isnan(y[0, :, :2, :2]).all() and np.isfinite(y).sum() == 2 * (36 - 8)


def test_a_weight_in_another_order_of_memory():
    rng = np.random.default_rng(8)
    weight = _weight(rng, (3, 3, 2, 2))
    turned = np.ascontiguousarray(weight.transpose(1, 0, 3, 2)).transpose(1, 0, 3, 2)
    x = normal(rng, 1, 3, 4, 4)
    agree("conv2d", "conv2d", x, turned, None, (1, 1), (0, 0), (1, 1), 1)


def _weight(rng, shape):
    return rng.standard_normal(shape).astype("float32")
