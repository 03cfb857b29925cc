"""Batch normalisation and channel sums on the GPU, also where pixels are cut into stretches."""

import numpy as np
import pytest

from minitorch_seg.kernels.cuda.channel_sum import cut
from tests.cuda_simulator.agreement import agree, close, normal, on_device

LARGE = (1, 33, 8, 8)  # two blocks of channels, and two stretches of pixels


def _arguments(rng, shape, dtype="float32"):
    x = normal(rng, *shape, dtype=dtype)
    mean, weight, bias = (normal(rng, shape[1], dtype=dtype) for _ in range(3))
    return x, mean, np.abs(normal(rng, shape[1], dtype=dtype)) + np.dtype(dtype).type(0.5), weight, bias


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 1, 1), LARGE, (0, 3, 2, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_and_sums(shape, dtype):
    rng = np.random.default_rng(1)
    x = normal(rng, *shape, dtype=dtype)
    agree("channel_sum", "channel_sum", x, scale=20)
    agree("batch_norm", "channel_moments", x)


def test_stretches():
    assert cut(64, 33)[1] == 2 and cut(0, 3)[1] == 1 and cut(10**6, 16)[1] <= 512
    width, stretches, length = cut(1000, 5)
    assert width == 8 and (stretches - 1) * length < 1000 <= stretches * length


def test_the_variance_of_numbers_far_from_zero():
    rng = np.random.default_rng(2)
    x = normal(rng, 1, 2, 12, 12) + np.float32(4096)
    variance = agree("batch_norm", "channel_moments", x, scale=4096)[1]
    np.testing.assert_allclose(variance, x.astype("float64").var(axis=(0, 2, 3)), rtol=1e-3)


def test_nan_and_infinity_stay_in_their_channel():
    rng = np.random.default_rng(3)
    x = normal(rng, 1, 3, 4, 4)
    x[0, 0, 1, 1], x[0, 1, 2, 2] = np.nan, np.inf
    mean, variance = agree("batch_norm", "channel_moments", x)
    assert np.isnan(variance[:2]).all() and np.isinf(mean[1]) and np.isfinite(variance[2])


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normalize_and_gradient(relu, affine, dtype):
    rng = np.random.default_rng(4)
    x, mean, inv_std, weight, bias = _arguments(rng, (2, 3, 3, 4), dtype)
    x[0, 0, 0, 0] = np.nan
    parameters = (weight, bias) if affine else (None, None)
    agree("batch_norm", "normalize", x, mean, inv_std, *parameters, relu)
    x[0, 0, 0, 0] = 1
    grad = normal(rng, *x.shape, dtype=dtype)
    for constant in (True, False):
        agree(
            "batch_norm", "batch_norm_gradient", grad, x, mean, inv_std, *parameters, relu, constant, scale=10
        )


def test_gradient_of_stretches_and_of_nothing():
    rng = np.random.default_rng(5)
    for shape in (LARGE, (0, 2, 3, 3)):
        x, mean, inv_std, weight, bias = _arguments(rng, shape)
        agree(
            "batch_norm", "batch_norm_gradient", normal(rng, *shape), x, mean, inv_std, weight, bias, scale=40
        )


def test_sums_repeat_bit_for_bit():
    from minitorch_seg.kernels.cuda.channel_sum import channel_sum

    x = on_device(normal(np.random.default_rng(6), *LARGE))
    close(channel_sum(x).to_host(), channel_sum(x).to_host(), scale=1e-30)
