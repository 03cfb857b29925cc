"""pixel_shuffle and pixel_unshuffle."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
)


@pytest.mark.parametrize("r", [1, 2, 3])
def test_torch(r):
    against_torch([(2, 2 * r * r, 3, 4)], lambda L, x: L.pixel_shuffle(x, r), maps=r > 1)
    against_torch([(2, 2, 3 * r, 4 * r)], lambda L, x: L.pixel_unshuffle(x, r), maps=r > 1)
    against_torch([(2 * r * r, 3, 4)], lambda L, x: L.pixel_shuffle(x, r))


def test_numpy():
    def oracle(x):
        y = np.zeros((2, 1, 6, 8))
        for i, j in np.ndindex(2, 2):
            y[:, 0, i::2, j::2] = x[:, 2 * i + j]
        return y

    against_numpy([(2, 4, 3, 4)], lambda L, x: L.pixel_shuffle(x, 2), oracle, tolerance=0)


def test_inverse():
    (x,) = draw([(2, 8, 3, 4)])
    np.testing.assert_array_equal(OURS.pixel_unshuffle(OURS.pixel_shuffle(ms.tensor(x), 2), 2).data, x)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(1, 4, 2, 2)], lambda L, x: L.pixel_shuffle(x, 2) ** 2, order)
    differentiable([(1, 1, 2, 4)], lambda L, x: L.pixel_unshuffle(x, 2) ** 2, order)


def test_layouts():
    same_in_every_layout([(2, 4, 3, 5)], lambda L, x: L.pixel_shuffle(x, 2))


def test_refuses():
    refuses(ShapeError, "pixel_shuffle (1, 3, 2, 2) 2", lambda L: L.pixel_shuffle(L.zeros(1, 3, 2, 2), 2))
    refuses(ShapeError, "pixel_unshuffle (1, 1, 3, 2) 2", lambda L: L.pixel_unshuffle(L.zeros(1, 1, 3, 2), 2))
    refuses(ShapeError, "pixel_shuffle 0", lambda L: L.pixel_shuffle(L.zeros(1, 4, 2, 2), 0))
    refuses(ShapeError, "pixel_unshuffle 0", lambda L: L.pixel_unshuffle(L.zeros(1, 4, 2, 2), 0))
    refuses(ShapeError, "pixel_shuffle (4, 2)", lambda L: L.pixel_shuffle(L.zeros(4, 2), 2))
    refuses(
        TypeError, "pixel_shuffle upscale_factor 2.0", lambda L: L.pixel_shuffle(L.zeros(1, 4, 2, 2), 2.0)
    )


def test_more_dimensions_and_empty_batches():
    for lead in ((2, 3), ()):
        against_torch([(*lead, 8, 2, 3)], lambda L, x: L.pixel_shuffle(x, 2))
        against_torch([(*lead, 2, 4, 6)], lambda L, x: L.pixel_unshuffle(x, 2))
    x = ms.zeros(0, 8, 2, 4, requires_grad=True)  # PyTorch gives a wrong shape, or a wrong gradient
    for name, shape in (("pixel_shuffle", (0, 2, 4, 8)), ("pixel_unshuffle", (0, 32, 1, 2))):
        y = getattr(OURS, name)(x, 2)
        (g,) = ms.grad(y.sum(), x)
        assert y.shape == shape and g.shape == x.shape


def test_unshuffle_numpy():
    def oracle(x):
        return np.stack([x[:, c, i::2, j::2] for c in range(2) for i in range(2) for j in range(2)], 1)

    against_numpy([(2, 2, 4, 6)], lambda L, x: L.pixel_unshuffle(x, 2), oracle, tolerance=0)
