"""l1_loss, smooth_l1_loss, huber_loss."""

import numpy as np
import pytest

from minitorch_seg.errors import ShapeError
from tests.helpers import against_numpy, against_torch, differentiable, refuses, same_in_every_layout

X, T = np.array([0.0, 1.0, -3.0, 0.5, 2.0]), np.array([0.0, 0.0, 1.0, 0.0, 2.5])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_torch(reduction):
    against_torch([X, T], lambda L, x, t: L.l1_loss(x, t, reduction=reduction))
    for size in (0.5, 1.0, 2.0):
        against_torch([X, T], lambda L, x, t, s=size: L.smooth_l1_loss(x, t, reduction=reduction, beta=s))
        against_torch([X, T], lambda L, x, t, s=size: L.huber_loss(x, t, reduction=reduction, delta=s))
    against_torch([X, T], lambda L, x, t: L.smooth_l1_loss(x, t, reduction=reduction, beta=0.0))


def test_numpy():
    special = pytest.importorskip("scipy.special")
    against_numpy([X, T], lambda L, x, t: L.l1_loss(x, t), lambda x, t: np.mean(np.abs(x - t)))
    against_numpy(
        [X, T], lambda L, x, t: L.huber_loss(x, t, delta=1.5), lambda x, t: special.huber(1.5, x - t).mean()
    )


@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss"])
def test_gradients(name):
    differentiable([(2, 3), (2, 3)], lambda L, x, t: getattr(L, name)(x, t), 2)


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_refuses():
    for name in ("l1_loss", "smooth_l1_loss", "huber_loss"):
        call = lambda L, n=name: getattr(L, n)(L.zeros(2), L.zeros(3))  # noqa: E731
        refuses(ShapeError, f"{name} (2,) (3,)", call)
    refuses(
        ValueError, "smooth_l1_loss beta -1", lambda L: L.smooth_l1_loss(L.zeros(2), L.zeros(2), beta=-1.0)
    )
    refuses(ValueError, "huber_loss delta 0", lambda L: L.huber_loss(L.zeros(2), L.zeros(2), delta=0.0))


def test_loops():
    def oracle(x, t, size, name):
        total = 0.0
        for a, b in zip(x, t, strict=True):
            d = abs(a - b)
            if name == "huber_loss":
                total += d * d / 2 if d <= size else size * (d - size / 2)
            else:
                total += d * d / (2 * size) if d < size else d - size / 2
        return total

    for name, option in (("huber_loss", "delta"), ("smooth_l1_loss", "beta")):
        for size in (0.3, 1.0, 4.0):
            against_numpy(
                [(7,), (7,)],
                lambda L, x, t, n=name, o={option: size}: getattr(L, n)(x, t, reduction="sum", **o),
                lambda x, t, n=name, s=size: oracle(x, t, s, n),
            )


@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss"])
def test_at_the_joints(name):
    """d = 0, and |d| just at beta or delta."""
    x = np.array([0.0, 1.0, -1.0, 0.5, -0.5, 2.0])
    against_torch([x, np.zeros(6)], lambda L, x, t: getattr(L, name)(x, t, reduction="none"))


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss"])
def test_empty_and_layouts_and_infinities(name):
    for reduction in ("sum", "none", "mean"):
        against_torch([(0, 3), (0, 3)], lambda L, x, t, r=reduction: getattr(L, name)(x, t, reduction=r))
    same_in_every_layout([(2, 3, 4, 5), (2, 3, 4, 5)], lambda L, x, t: getattr(L, name)(x, t))
    far = np.array([np.inf, -np.inf, np.nan, 1e300])
    against_torch(
        [far, np.zeros(4)],
        lambda L, x, t: getattr(L, name)(x, t, reduction="none"),
        dtypes=["float64"],
        gradients=False,
    )
    refuses(ValueError, f"{name} 'max'", lambda L: getattr(L, name)(L.zeros(2), L.zeros(2), reduction="max"))
