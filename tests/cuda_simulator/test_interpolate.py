"""Resizing on the GPU: up, down, given scales, aligned corners, and the gradients."""

import numpy as np
import pytest

from tests.cuda_simulator.agreement import agree, normal

SIZES = [((2, 3), (4, 6)), ((3, 4), (7, 5)), ((6, 5), (3, 2)), ((3, 3), (3, 3)), ((1, 4), (3, 1))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("before, after", SIZES)
def test_nearest(before, after, dtype):
    rng = np.random.default_rng(1)
    for scale in (None, tuple(a / b for a, b in zip(after, before, strict=True))):
        agree("interpolate", "interpolate_nearest", normal(rng, 2, 2, *before, dtype=dtype), after, scale)
        grad = normal(rng, 2, 2, *after, dtype=dtype)
        agree("interpolate", "interpolate_nearest_gradient", grad, before, scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("before, after", SIZES)
def test_bilinear(before, after, aligned, dtype):
    rng = np.random.default_rng(2)
    x = normal(rng, 1, 3, *before, dtype=dtype)
    x[0, 1, 0, 1] = np.nan
    agree("interpolate", "interpolate_bilinear", x, after, aligned, None)
    grad = normal(rng, 1, 3, *after, dtype=dtype)
    agree("interpolate", "interpolate_bilinear_gradient", grad, before, aligned, None)


def test_a_given_scale_and_empty_batches():
    rng = np.random.default_rng(3)
    agree("interpolate", "interpolate_bilinear", normal(rng, 1, 2, 4, 4), (6, 7), False, (1.6, 1.9))
    grad = normal(rng, 1, 2, 6, 7)
    agree("interpolate", "interpolate_bilinear_gradient", grad, (4, 4), False, (1.6, 1.9))
    agree("interpolate", "interpolate_nearest", normal(rng, 0, 2, 4, 4), (6, 7), None)
