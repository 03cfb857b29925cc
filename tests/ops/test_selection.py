"""where, masked_fill, clamp, maximum, minimum: values, ties, NaN, gradients, refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from tests.helpers import OURS, against_numpy, against_torch, differentiable, refuses, same_in_every_layout

MASK = np.array([[True, False, True], [False, False, True]])


def test_where():
    call = lambda L, m, a, b: L.where(m, a, b)  # noqa: E731
    against_torch([MASK, (2, 3), (2, 3)], call)
    against_torch([MASK, (3,), (2, 1)], call)
    against_torch([np.array(True), (2, 3), ()], call)
    against_torch([MASK, (2, 3)], lambda L, m, a: (L.where(m, a, 0.5), L.where(m, 2, a)))
    against_numpy([MASK, (3,), (2, 1)], call, np.where)


def test_where_stops_nan():
    """What was not chosen sends no gradient, not even where it is infinite."""
    against_torch([np.array([0.0, 4.0])], lambda L, x: L.where(x > 0, x.sqrt(), 0.0))


def test_masked_fill():
    against_torch([(2, 3), MASK], lambda L, a, m: a.masked_fill(m, -1.5))
    against_torch([(2, 3), MASK], lambda L, a, m: a.masked_fill(m, -np.inf))
    against_torch([(1, 3), MASK], lambda L, a, m: a.expand(2, 3).masked_fill(m, 2))
    against_torch([np.arange(6).reshape(2, 3), MASK], lambda L, a, m: a.masked_fill(m, 7))
    filled = ms.zeros(2, 3).masked_fill(ms.tensor(MASK), ms.tensor(np.array(2.0)))
    assert filled.dtype == np.float32


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes(name):
    a, b = np.array([1.0, 2.0, 2.0, -np.inf, 0.0]), np.array([2.0, 1.0, 2.0, np.inf, -0.0])
    call = lambda L, a, b: getattr(L, name)(a, b)  # noqa: E731
    against_torch([a, b], call)
    against_torch([(3, 1), (2, 1, 4)], call)
    against_torch([np.array([np.nan, 1.0]), np.array([1.0, np.nan])], call, gradients=False)
    against_numpy([(3, 1), (4,)], call, getattr(np, name))
    against_torch([(3,), (3,)], lambda L, a, b: getattr(a, name[:3])(b))


@pytest.mark.parametrize(
    "limits", [{"min": -0.5}, {"max": 0.5}, {"min": -0.5, "max": 0.5}, {"min": 0, "max": 1}]
)
def test_clamp(limits):
    at_the_limits = np.array([-2.0, -0.5, 0.0, 0.25, 0.5, 1.0, 3.0, np.inf, -np.inf])
    against_torch([at_the_limits], lambda L, x: x.clamp(**limits))
    against_torch([np.array([np.nan])], lambda L, x: x.clamp(**limits), gradients=False)
    against_torch([np.array([-3, 0, 4])], lambda L, x: x.clamp(**limits))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    mask = ms.tensor(MASK)
    differentiable([(2, 3), (3,)], lambda L, a, b: L.where(mask, a * a, b), order)
    differentiable([(2, 3)], lambda L, a: a.masked_fill(mask, 2.0) ** 2, order)
    differentiable([(2, 3), (3,)], lambda L, a, b: L.maximum(a, b) * L.minimum(a, b), order)
    differentiable([(2, 3)], lambda L, a: a.clamp(-0.5, 0.7) ** 2, order)


def test_layouts():
    same_in_every_layout(
        [(2, 3, 4, 5), (2, 3, 4, 5)], lambda L, a, b: L.where(a > b, a, b) + L.maximum(a, b) + a.clamp(0, 1)
    )


def _filled(library, dtype, value):
    mask = library.tensor([True, False])
    return library.tensor(np.zeros(2, dtype)).masked_fill(mask, value)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (DTypeError, "where condition float32 bool", lambda L: L.where(L.zeros(2), L.zeros(2), L.zeros(2))),
        (
            ShapeError,
            "masked_fill (2,)",
            lambda L: L.zeros(2).masked_fill(L.tensor([True, False]), L.zeros(2)),
        ),
        (DTypeError, "where float32", lambda L: L.zeros(2).masked_fill(L.zeros(2), 1.0)),
        (ValueError, "masked_fill 300 int8", lambda L: _filled(L, "int8", 300)),
        (ValueError, "masked_fill nan int64", lambda L: _filled(L, "int64", float("nan"))),
        (ValueError, "masked_fill inf int32", lambda L: _filled(L, "int32", float("inf"))),
        (ValueError, "masked_fill 1e+300 float32", lambda L: _filled(L, "float32", 1e300)),
        (ValueError, "masked_fill 1000 float64", lambda L: _filled(L, "float64", 10**400)),
        (ValueError, "clamp min max", lambda L: L.zeros(2).clamp()),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_ties_share():
    a, b = ms.tensor([1.0], requires_grad=True), ms.tensor([1.0], requires_grad=True)
    OURS.maximum(a, b).sum().backward()
    assert a.grad.item() == b.grad.item() == 0.5


def test_numbers_that_fit_are_filled_in():
    assert _filled(ms, "int8", -128).tolist() == [-128, 0] and _filled(ms, "int64", 1.5).tolist() == [1, 0]
    assert _filled(ms, "float32", float("inf")).tolist() == [np.inf, 0]
    assert np.isnan(_filled(ms, "float32", float("nan")).data[0])
