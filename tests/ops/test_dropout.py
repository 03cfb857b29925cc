"""dropout and dropout2d: shares, scale, the same mask forwards and backwards, repeatable, channels-last."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.kernels import layout
from tests.helpers import OURS, differentiable, refuses


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(20000,), (4, 10, 25, 20)])
def test_share_and_scale(p, shape):
    y = OURS.dropout(ms.ones(shape), p, generator=ms.Generator(0)).data
    kept = y != 0
    assert abs(kept.mean() - (1 - p)) < 4 * np.sqrt(p * (1 - p) / y.size)
    np.testing.assert_allclose(y[kept], 1 / (1 - p), rtol=1e-6)
    assert y.dtype == np.float32


def test_whole_channels():
    x = ms.Tensor(layout.empty_map((50, 20, 3, 4), "float32"))
    x.data[...] = 1
    y = OURS.dropout2d(x, 0.3, generator=ms.Generator(0)).data
    assert layout.is_map(y)
    channels = y.reshape(1000, 12)
    assert (channels == channels[:, :1]).all()
    assert abs((channels[:, 0] != 0).mean() - 0.7) < 0.06
    assert OURS.dropout2d(ms.ones(20, 3, 4), 0.5).shape == (20, 3, 4)


def test_gradient_has_the_mask_of_the_result():
    for operator, shape in (
        (OURS.dropout, (2, 3, 4, 5)),
        (OURS.dropout2d, (2, 3, 4, 5)),
        (OURS.dropout, (7,)),
    ):
        x = ms.ones(shape, requires_grad=True)
        y = operator(x, 0.5)
        u = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        (g,) = ms.grad(y, x, u)
        np.testing.assert_allclose(g.data, y.data * u, rtol=1e-6)


def test_gradcheck():
    for operator in ("dropout", "dropout2d"):
        differentiable(
            [(2, 3, 2, 2)], lambda L, x, o=operator: getattr(L, o)(x, 0.4, generator=ms.Generator(2)) ** 2, 2
        )


def test_corners():
    x = ms.randn(3, 4)
    assert OURS.dropout(x, 0.7, training=False) is x and OURS.dropout(x, 0.0) is x
    assert not OURS.dropout(x, 1.0).data.any()
    assert OURS.dropout(ms.zeros(0, 3), 0.5).shape == (0, 3)


def test_repeats_with_the_seed():
    x = ms.ones(2, 3, 4, 5)
    for operator in (OURS.dropout, OURS.dropout2d):
        ms.manual_seed(1)
        first, second = operator(x).data, operator(x).data
        ms.manual_seed(1)
        np.testing.assert_array_equal(operator(x).data, first)
        assert (first != second).any()


def test_refuses():
    for p in (-0.1, 1.1):
        refuses(ValueError, f"dropout p {p}", lambda L, p=p: L.dropout(L.zeros(2), p))
        refuses(ValueError, f"dropout2d p {p}", lambda L, p=p: L.dropout2d(L.zeros(1, 2, 2, 2), p))
    refuses(DTypeError, "dropout int64", lambda L: L.dropout(L.tensor([1, 2]), 0.5))
    refuses(ShapeError, "dropout2d (2,)", lambda L: L.dropout2d(L.zeros(2), 0.5), torch_too=False)


def test_nothing_is_dropped_outside_training_or_with_p_zero():
    x = ms.ones(2, 3, 4, 4)
    for drop in (ms.functional.dropout, ms.functional.dropout2d):
        assert drop(x, 0.5, training=False).data.all() and drop(x, 0.0).data.all()
        assert drop(x, 0.5, training=False).tolist() == drop(x, 0.0).tolist() == x.tolist()
