"""add, sub, mul, div, floor_divide, remainder, neg, pow, abs: values, broadcasting, gradients, dtypes,
refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import against_numpy, against_torch, differentiable, refuses, same_in_every_layout

BROADCASTS = [
    ((3, 4), (3, 4)),
    ((3, 1), (4,)),
    ((2, 1, 4), (3, 1)),
    ((), (2, 3)),
    ((0, 3), (1, 3)),
    ((2, 3, 4, 5), (1, 3, 1, 1)),
]
BINARY = {
    "add": lambda L, a, b: a + b,
    "sub": lambda L, a, b: a - b,
    "mul": lambda L, a, b: a * b,
    "div": lambda L, a, b: a / (b * b + 0.5),
    "remainder": lambda L, a, b: (9 * a) % b,
    "pow": lambda L, a, b: (a * a + 0.5) ** b,
    "add alpha": lambda L, a, b: L.add(a, b, alpha=2.5),
    "sub alpha": lambda L, a, b: L.sub(a, b, alpha=-0.5),
}
UNARY = {
    "neg": lambda L, a: -a,
    "abs": lambda L, a: abs(a),
    "square": lambda L, a: a**2,
    "cube": lambda L, a: a**3,
    "root": lambda L, a: (a * a + 0.5) ** 0.5,
    "reciprocal": lambda L, a: 1 / (a * a + 1),
    "inverse power": lambda L, a: (a * a + 1) ** -2,
    "number minus": lambda L, a: 2.5 - a,
    "exponent": lambda L, a: 2.0**a,
    "power 0": lambda L, a: a**0,
    "power 1": lambda L, a: a**1,
}


@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_binary_torch(name, shapes):
    against_torch(list(shapes), BINARY[name])


@pytest.mark.parametrize("name", UNARY)
def test_unary_torch(name):
    against_torch([(2, 3, 4, 5)], UNARY[name])
    against_torch([()], UNARY[name])


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "remainder", "pow"])
def test_binary_numpy(name):
    against_numpy([(3, 1), (2, 1, 4)], BINARY[name], lambda a, b: BINARY[name](None, a, b))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", BINARY)
def test_binary_gradients(name, order):
    differentiable([(2, 1), (1, 3)], BINARY[name], order)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", UNARY)
def test_unary_gradients(name, order):
    differentiable([(2, 3)], UNARY[name], order)


def test_kinks_and_corners():
    zero = np.array([0.0, -0.0, 1.0])
    against_torch([zero], lambda L, a: abs(a))
    for exponent in (0.0, 1.0, 2.0, 3.0):
        against_torch([zero], lambda L, a, e=exponent: a**e)
        against_torch([zero, np.full(3, exponent)], lambda L, a, e: a**e)
    against_torch([zero], lambda L, a: 0.0 ** (a * a))


@pytest.mark.filterwarnings("error")
def test_division_by_zero_and_overflow_are_answers():
    against_torch([np.array([1.0, -1.0, 0.0, np.nan]), np.zeros(4)], lambda L, a, b: a / b)
    against_torch([np.array([1e30, -2.0])], lambda L, a: a**20, dtypes=["float64"])
    against_torch([np.array([-2.0, 0.5])], lambda L, a: a**0.5, dtypes=["float64"])
    against_torch([np.array([np.inf, -np.inf])], lambda L, a: a - a)


INFINITE = [7.0, -7, 7, -7, 1, -1, 0, np.inf, 5, -5, np.nan], [3.0, 3, -3, -3, 0, 0, 0, 2, np.inf, np.inf, 1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("a, b", [INFINITE, ([7, -7, 7, -7], [3, 3, -3, -3]), ([7, -7], [2.5, -2.5])])
def test_quotients_and_rests_of_both_signs(a, b):
    """The value is PyTorch's, also at 0 and infinity; remainder has its gradients, floor_divide has none."""
    gradients = {"gradients": False, "dtypes": ["float64"]}
    arrays = [np.array(a), np.array(b)]
    against_torch(arrays, lambda L, a, b: (a % b, L.remainder(a, b)), dtypes=["float64"])
    against_torch(arrays, lambda L, a, b: (a // b, L.floor_divide(a, b)), **gradients)
    for number in (3, -2.5):
        against_torch(
            arrays, lambda L, a, b, n=number: (a % n, a // n, n % (b + 0.25), n // (b + 0.25)), **gradients
        )
    x = ms.tensor([7.0], requires_grad=True)
    assert not (x // 2).requires_grad and not (15 // x).requires_grad


def test_divmod_is_the_quotient_and_the_rest():
    x = ms.tensor([7, -7])
    for found, expected in [
        (divmod(x, 2), ([3, -4], [1, 1])),
        (divmod(17, x), ([2, -3], [3, -4])),
        (divmod(np.array([9, 9]), x), ([1, -2], [2, -5])),
    ]:
        assert tuple(t.tolist() for t in found) == expected


def test_one_tensor_on_both_sides():
    against_torch([(3,)], lambda L, a: a * a + a / (a * a + 1) - a)


def test_layouts():
    same_in_every_layout([(2, 3, 4, 5), (1, 3, 1, 1)], lambda L, a, b: a * b + a / (b * b + 1) - b)


def test_in_place_outside_the_graph():
    for change in ("__iadd__", "__isub__", "__imul__", "__itruediv__"):
        t, plain = ms.tensor([4.0, 9.0]), np.array([4.0, 9.0], np.float32)
        view, version = t[:1], t.version
        expected = getattr(plain, change)(np.float32(2))
        result = getattr(t, change)(2)
        assert result is t and t.version > version and view.version == t.version
        np.testing.assert_array_equal(t.data, expected)
        assert view.item() == expected[0]


def test_in_place_on_a_leaf_is_refused_while_recording():
    t = ms.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"leaf.*no_grad"):
        t += 1
    with ms.no_grad():
        t += 1
    assert t.item() == 2


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "add (2,) (3,) broadcast", lambda L: L.zeros(2) + L.zeros(3)),
        (ShapeError, "sub (2, 3) (2,)", lambda L: L.zeros(2, 3) - L.zeros(2)),
        (ShapeError, "mul (2,) (3,)", lambda L: L.zeros(2) * L.zeros(3)),
        (ShapeError, "div (2,) (3,)", lambda L: L.zeros(2) / L.zeros(3)),
        (ShapeError, "pow (2,) (3,)", lambda L: L.zeros(2) ** L.zeros(3)),
        (TypeError, "sub bools", lambda L: L.tensor([True]) - L.tensor([False])),
        (ShapeError, "floor_divide (2,) (3,)", lambda L: L.zeros(2) // L.zeros(3)),
        (ShapeError, "remainder (2,) (3,)", lambda L: L.zeros(2) % L.zeros(3)),
        (ValueError, "floor_divide integer 0 .float()", lambda L: L.tensor([1, 2]) // L.tensor([1, 0])),
        (ValueError, "remainder integer 0 .float()", lambda L: 5 % L.tensor([1, 0])),
        (TypeError, "floor_divide bool", lambda L: L.tensor([True]) // L.tensor([True])),
        (TypeError, "remainder bool", lambda L: L.tensor([True]) % True),
        (TypeError, "neg bool", lambda L: -L.tensor([True])),
        (TypeError, "pow bool", lambda L: L.tensor([True]) ** L.tensor([True])),
        (ValueError, "negative", lambda L: L.tensor([2]) ** -1),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_numbers_that_the_dtype_cannot_hold_are_refused():
    refuses(ValueError, "300 uint8", lambda L: L.tensor(np.ones(2, np.uint8)) + 300, torch_too=False)


def test_integers_of_two_types_are_divided_as_they_are():
    x, y = ms.tensor(np.array([4, 2], np.uint8)), ms.tensor(np.array(-1, np.int8))
    assert (x / y).tolist() == [-4.0, -2.0]
    assert (x / -1).tolist() == [-4.0, -2.0]


def test_nothing_divided_by_zero_is_nothing():
    empty = ms.zeros(0, dtype="int64")
    assert (empty // 0).shape == (0,) and (empty % 0).shape == (0,)


@pytest.mark.parametrize("name", ["floor_divide", "lt", "mul"])
def test_results_beyond_all_memory_are_refused_in_words(name):
    with pytest.raises(ms.errors.SizeError, match="does not fit into memory"):
        getattr(ms, name)(ms.zeros(2**21, 1), ms.ones(1, 2**21))
