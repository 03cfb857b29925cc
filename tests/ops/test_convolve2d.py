"""convolve2d and the documented formula against scipy.signal and against the formula, loop by loop."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import OURS, against_numpy, differentiable, draw, refuses

SIZES = [
    ((5, 6), (3, 2)),
    ((4, 4), (4, 4)),
    ((3, 7), (1, 3)),
    ((1, 1), (2, 3)),
    ((2, 2), (5, 4)),
    ((6, 5), (2, 4)),
]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("x, h", SIZES)
def test_scipy(x, h, mode):
    signal = pytest.importorskip("scipy.signal")
    against_numpy(
        [x, h], lambda L, x, h: L.convolve2d(x, h, mode), lambda x, h: signal.convolve2d(x, h, mode)
    )


def documented(x, w, h):
    """y(X, Y) = Σ_{i,j} x(i, j) w(i, j) h(X − i, Y − j), with h zero outside its support."""
    (m, n), (kh, kw) = x.shape, h.shape
    y = np.zeros((m + kh - 1, n + kw - 1))
    for X, Y in np.ndindex(y.shape):
        for i, j in np.ndindex(x.shape):
            if 0 <= X - i < kh and 0 <= Y - j < kw:
                y[X, Y] += x[i, j] * w[i, j] * h[X - i, Y - j]
    return y


@pytest.mark.parametrize("x, h", SIZES)
def test_documented_formula(x, h):
    against_numpy([x, x, h], lambda L, x, w, h: L.documented_convolution(x, w, h), documented)


def test_documented_gradients_in_closed_form():
    """∂h = g correlated with x⊙w;  ∂x = w ⊙ c,  ∂w = x ⊙ c  with c = g correlated with h (valid parts)."""
    signal = pytest.importorskip("scipy.signal")
    x, w, h = draw([(4, 5), (4, 5), (3, 2)])
    tensors = [ms.Tensor(a, True) for a in (x, w, h)]
    y = OURS.documented_convolution(*tensors)
    g = draw([y.shape], seed=9)[0]
    dx, dw, dh = (t.data for t in ms.grad(y, tensors, g))
    c = signal.correlate2d(g, h, "valid")
    np.testing.assert_allclose(dx, w * c, rtol=1e-12)
    np.testing.assert_allclose(dw, x * c, rtol=1e-12)
    np.testing.assert_allclose(dh, signal.correlate2d(g, x * w, "valid"), rtol=1e-12)


def test_constant_h_is_multiplicative_not_a_bias():
    x, w = draw([(3, 4), (3, 4)])
    y = OURS.documented_convolution(ms.Tensor(x), ms.Tensor(w), ms.Tensor(np.full((5, 7), 2.0)))
    np.testing.assert_allclose(y.data[2:5, 3:7], 2 * np.sum(x * w))


def test_shift_equivariant_only_for_constant_weights():
    x, w, h = draw([(4, 4), (4, 4), (2, 2)])
    x[-1] = w[-1] = 0
    moved = np.roll(x, 1, axis=0)
    for weights, equal in ((np.ones((4, 4)), True), (w, False)):
        y = OURS.documented_convolution(ms.Tensor(x), ms.Tensor(weights), ms.Tensor(h)).data
        y_moved = OURS.documented_convolution(ms.Tensor(moved), ms.Tensor(weights), ms.Tensor(h)).data
        assert np.allclose(y[:-1], y_moved[1:]) == equal


def test_commutative_and_types():
    x, h = draw([(4, 5), (2, 3)])
    np.testing.assert_allclose(OURS.convolve2d(x, h).data, OURS.convolve2d(h, x).data, atol=1e-12)
    assert OURS.convolve2d(ms.tensor([[1, 2]]), ms.tensor([[1, 1]])).data.tolist() == [[1.0, 3.0, 2.0]]
    assert OURS.convolve2d(ms.tensor([[1, 2]]), ms.tensor([[1, 1]])).dtype == np.float32


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    for mode in ("full", "same", "valid"):
        differentiable([(3, 4), (2, 3)], lambda L, x, h, mode=mode: L.convolve2d(x, h, mode), order)
    differentiable([(2, 3), (2, 3), (2, 2)], lambda L, x, w, h: L.documented_convolution(x, w, h), order)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "convolve2d matrices (3,)", lambda L: L.convolve2d(L.zeros(3), L.zeros(2, 2))),
        (ShapeError, "convolve2d (0, 3)", lambda L: L.convolve2d(L.zeros(0, 3), L.zeros(2, 2))),
        (ValueError, "convolve2d 'half'", lambda L: L.convolve2d(L.zeros(3, 3), L.zeros(2, 2), "half")),
        (ShapeError, "valid (3, 2) (2, 3)", lambda L: L.convolve2d(L.zeros(3, 2), L.zeros(2, 3), "valid")),
        (
            ShapeError,
            "documented_convolution x w (2, 2) (2, 3)",
            lambda L: L.documented_convolution(L.zeros(2, 2), L.zeros(2, 3), L.zeros(1, 1)),
        ),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call, torch_too=False)


def test_valid_needs_one_array_inside_the_other():
    for big, small in (
        ((3, 3), (2, 3)),
        ((3, 3), (3, 2)),
        ((3, 3), (3, 3)),
        ((2, 3), (3, 3)),
        ((3, 2), (3, 3)),
    ):
        rows, columns = (abs(a - b) + 1 for a, b in zip(big, small, strict=True))
        assert ms.functional.convolve2d(ms.ones(*big), ms.ones(*small), "valid").shape == (rows, columns)
    for big, small in (((2, 4), (3, 3)), ((4, 2), (3, 3))):
        with pytest.raises(ValueError, match="convolve2d: mode='valid'"):
            ms.functional.convolve2d(ms.ones(*big), ms.ones(*small), "valid")
