"""Receptive fields against geometry and against finite differences."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.models.receptive_field import gradient_by_distance, gradient_map, seen


@pytest.mark.parametrize("kernel, dilation, reach", [(3, 1, 1), (5, 1, 2), (3, 2, 2)])
def test_a_convolution_sees_its_window(kernel, dilation, reach):
    model = ms.nn.Conv2d(2, 3, kernel, padding=reach, dilation=dilation)
    found = seen(model, (2, 7, 9), (3, 1))
    expected = np.zeros((7, 9), bool)
    expected[
        np.ix_(
            range(3 - reach, 4 + reach, dilation), range(max(1 - reach, 1 % dilation), 2 + reach, dilation)
        )
    ] = 1
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(seen(model, (2, 7, 9), (3 - 7, 1 - 9)), expected)


@pytest.mark.parametrize("algorithm", ["auto", "plain"])
def test_fast_convolutions_see_no_more_than_others(algorithm):
    """A map large enough for Winograd's algorithm, whose rounding errors reach around the window."""
    ms.manual_seed(0)
    model = ms.nn.Sequential(*(ms.nn.Conv2d(8, 8, 3, padding=1) for _ in range(4)))
    ms.kernels.dispatch.set_conv_algorithm(algorithm)
    try:
        found = seen(model, (8, 24, 32), (12, 16))
        assert ms.kernels.dispatch.conv_algorithm() == algorithm
    finally:
        ms.kernels.dispatch.set_conv_algorithm("auto")
    assert found[8:17, 12:21].all() and found.sum() == 81


def test_what_is_seen_is_what_changes_the_output():
    """Each input pixel is moved in turn: the oracle knows no gradient."""
    ms.manual_seed(0)
    layers = [ms.nn.Conv2d(1, 4, 3, padding=1), ms.nn.ReLU(), ms.nn.Conv2d(4, 2, 3, padding=1)]
    model = ms.nn.Sequential(*layers).double()
    found = seen(model, (1, 7, 8), (3, 2))
    rng = np.random.default_rng(1)
    moved = np.zeros((7, 8), bool)
    for _ in range(4):
        x = rng.standard_normal((1, 1, 7, 8))
        base = model(ms.tensor(x)).data[0, :, 3, 2]
        batch = np.repeat(x, 56, 0)
        batch[np.arange(56), 0, np.arange(56) // 8, np.arange(56) % 8] += 2
        moved |= (model(ms.tensor(batch)).data[:, :, 3, 2] != base).any(1).reshape(7, 8)
    np.testing.assert_array_equal(found, moved)
    assert found.sum() == 25


def test_strength_is_the_norm_of_the_gradient():
    model = ms.nn.Conv2d(2, 1, 1, bias=False)
    strength = gradient_map(model, (2, 3, 3), (1, 1), draws=2, seed=5)
    rng = np.random.default_rng(5)
    rng.standard_normal((2, 2, 3, 3))
    u = rng.standard_normal((2, 1))
    norm = np.linalg.norm(model.weight.data.ravel().astype(float))
    np.testing.assert_allclose(strength[:, 1, 1], np.abs(u[:, 0]) * norm, rtol=1e-12)
    assert model.weight.dtype == np.float32, "the model itself is left as it is"


def test_distance_is_that_of_a_king_in_chess():
    model = ms.nn.Conv2d(1, 1, 3, padding=1, bias=False)
    model.weight.data[:] = np.array([[0, 3, 0], [0, 2, 0], [0, 0, 0]])
    values = gradient_by_distance(model, (1, 6, 5), (-3, 2), draws=1, seed=0)
    rng = np.random.default_rng(0)
    rng.standard_normal((1, 1, 6, 5))
    u = abs(rng.standard_normal((1, 1)).item())
    np.testing.assert_allclose(values, [2 * u, 3 * u / np.sqrt(8), 0, 0], rtol=1e-12)


def test_wrong_arguments_are_explained():
    conv = ms.nn.Conv2d(1, 1, 3)
    with pytest.raises(ms.ShapeError, match="outside the output of 2×2 pixels"):
        gradient_map(conv, (1, 4, 4), (2, 0))
    with pytest.raises(ms.ShapeError, match=r"shape must be \(C, H, W\)"):
        gradient_map(conv, (4, 4), (0, 0))
    with pytest.raises(ms.ShapeError, match="distances need equal sizes"):
        gradient_by_distance(conv, (1, 4, 4), (0, 0))
