"""Comparisons and logic against PyTorch and NumPy."""

import itertools
import operator

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import OURS, against_numpy, against_torch, refuses

COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
A, B = (
    np.array([[1.0, np.nan, 3.0], [np.inf, 0.0, -0.0]]),
    np.array([[1.0, np.nan, 2.0], [np.inf, -0.0, 1.0]]),
)
INTEGERS, BOOLS = np.array([3, 5, 0]), np.array([True, False, True])


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name):
    sign = getattr(operator, name)
    against_torch([A, B], lambda L, a, b: (sign(a, b), getattr(L, name)(a, b), sign(a, 1.0)), gradients=False)
    against_torch([INTEGERS, A[0]], lambda L, a, b: sign(a, b), gradients=False)
    against_numpy([A, B], lambda L, a, b: sign(a, b), sign)


@pytest.mark.parametrize("name", COMPARISONS)
def test_numbers_that_the_dtype_cannot_hold(name):
    """PyTorch wraps −1 to 255 beside uint8; the comparison of the numbers themselves is meant."""
    sign = getattr(operator, name)
    for dtype, number in itertools.product((np.uint8, np.int64, bool), (-1, 0, 1, 300, 0.5, True)):
        expected = [sign(int(v), number) for v in BOOLS]
        assert sign(ms.tensor(BOOLS.astype(dtype)), number).data.tolist() == expected


def test_logic():
    for sign in (operator.and_, operator.or_, operator.xor):
        against_torch([BOOLS, BOOLS[::-1].copy()], lambda L, a, b, s=sign: s(a, b), gradients=False)
        against_torch([INTEGERS, np.array([1, 4, 7])], lambda L, a, b, s=sign: s(a, b), gradients=False)
    against_torch([BOOLS], lambda L, a: ~a, gradients=False)
    against_torch([INTEGERS], lambda L, a: ~a, gradients=False)
    against_torch(
        [BOOLS, ~BOOLS],
        lambda L, a, b: (L.logical_and(a, b), L.logical_or(a, b), L.logical_not(a)),
        gradients=False,
    )


def test_nan_and_finite():
    against_torch([A], lambda L, a: (L.isnan(a), L.isfinite(a)), gradients=False)


@pytest.mark.parametrize("dim", [None, 0, 1, -1])
def test_any_all(dim):
    options = {} if dim is None else {"dim": dim}
    against_torch([A > 0], lambda L, a: (a.any(**options), a.all(**options)), gradients=False)
    against_torch(
        [np.zeros((0, 2), bool)], lambda L, a: (a.any(**options), a.all(**options)), gradients=False
    )


def test_nothing_is_recorded():
    x = ms.tensor([1.0], requires_grad=True)
    assert not (x > 0).requires_grad and not (x == x).requires_grad


def test_equality_with_other_things():
    assert (ms.tensor([1.0]) == None) is False  # noqa: E711
    assert ms.tensor([1.0]) != "x"
    assert (ms.tensor([1, 2]) == [1, 3]).data.tolist() == [True, False]


def test_refuses():
    refuses(TypeError, "& floats", lambda L: L.tensor([1.0]) & L.tensor([1.0]))
    refuses(TypeError, "~ floats", lambda L: ~L.tensor([1.0]))
    refuses(IndexError, "any dim 2", lambda L: OURS.any(ms.zeros(2), 2), torch_too=False)
    refuses(IndexError, "all dim -2", lambda L: L.zeros(2).all(-2))
    refuses(ValueError, "ambiguous any all", lambda L: bool(L.zeros(2) == 0))


def test_a_number_on_the_left():
    x = ms.tensor([1.0, 2.0, 3.0])
    for name, expected in [("eq", [False, True, False]), ("ne", [True, False, True]),
                           ("lt", [False, False, True]), ("le", [False, True, True]),
                           ("gt", [True, False, False]), ("ge", [True, True, False])]:  # fmt: skip
        function = getattr(OURS, name)
        assert function(2, x).tolist() == expected and function(2.0, x.data).tolist() == expected
        assert type(function(2, 2).data) is np.ndarray


def test_names_and_texts():
    assert [getattr(OURS, n).__name__ for n in COMPARISONS] == list(COMPARISONS)
    assert "True where input ≤ other" in OURS.le.__doc__ and "ms.le(" in OURS.le.__doc__
    assert OURS.logical_xor.__name__ == "logical_xor" and "just one is" in OURS.logical_xor.__doc__


def test_any_and_all_keep_the_dimension_on_request():
    against_torch(
        [A > 0],
        lambda L, a: (a.any(dim=1, keepdim=True), a.all(dim=0, keepdim=True), L.any(a, 0), L.all(a, 1)),
        gradients=False,
    )


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "bool"])
def test_a_number_is_true_where_it_is_not_zero(dtype):
    a, b = np.array([0, 1, 2, 2, 0], dtype), np.array([0, 2, 1, 0, 3], dtype)
    for name in ("logical_and", "logical_or", "logical_xor"):
        found = getattr(ms, name)(ms.tensor(a), ms.tensor(b))
        assert found.dtype == bool and found.tolist() == getattr(np, name)(a, b).tolist()
    assert ms.logical_not(ms.tensor(a)).tolist() == np.logical_not(a).tolist()


def test_the_signs_take_integers_bit_by_bit():
    a, b = np.array([0, 1, 6, -1]), np.array([1, 3, 3, 4])
    x, y = ms.tensor(a), ms.tensor(b)
    assert (x & y).tolist() == (a & b).tolist() and (x | y).tolist() == (a | b).tolist()
    assert (x ^ y).tolist() == (a ^ b).tolist() and (~x).tolist() == (~a).tolist()
