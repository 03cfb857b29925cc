"""Type promotion against PyTorch for all pairs, casts and their gradients."""

import itertools

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError
from minitorch_seg.ops.cast import as_tensor, cast, promote, same_float_dtype, to_float
from tests.helpers import OURS, against_torch, refuses, theirs

DTYPES = ["float32", "float64", "int32", "int64", "uint8", "bool"]
KINDS = ["tensor", "0-d tensor", "number"]
NUMBERS = {"float32": 2.0, "float64": 2.0, "int32": 2, "int64": 2, "uint8": 2, "bool": True}
OPERATIONS = {
    "+": lambda L, a, b: a + b,
    "*": lambda L, a, b: a * b,
    "/": lambda L, a, b: a / b,
    "//": lambda L, a, b: a // b,
    "%": lambda L, a, b: a % b,
    "-": lambda L, a, b: a - b,
    "**": lambda L, a, b: a**b,
    "==": lambda L, a, b: a == b,
    "where": lambda L, a, b: L.where(L.tensor([True, False]), a, b),
    "maximum": lambda L, a, b: L.maximum(a, b),
}


def operand(library, dtype, kind):
    if kind == "number":
        return NUMBERS[dtype]
    array = np.full((2,) if kind == "tensor" else (), 2 if dtype != "bool" else True, dtype)
    return library.tensor(array)


def outcome(library, operation, left, right):
    """The result's dtype and numbers, or that it is refused."""
    try:
        result = OPERATIONS[operation](library, operand(library, *left), operand(library, *right))
    except Exception as error:
        return type(error).__name__ if library is OURS else "refused", None
    array = result.data if library is OURS else result.numpy()
    return array.dtype.name, array.tolist()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_promotion_table(operation):
    library = theirs()
    compared = 0
    sides = list(itertools.product(DTYPES, KINDS))
    for left, right in itertools.product(sides, sides):
        if left[1] == right[1] == "number" or (operation == "maximum" and "number" in (left[1], right[1])):
            continue
        if operation == "**" and left[0] == right[0] == "bool":
            continue  # PyTorch refuses it, but for the number True as exponent
        found, expected = outcome(OURS, operation, left, right), outcome(library, operation, left, right)
        if expected[0] == "refused":
            assert found[1] is None, f"{left} {operation} {right} gave {found}, PyTorch refuses"
        else:
            assert found == expected, f"{left} {operation} {right}: {found}, PyTorch {expected}"
        compared += 1
    assert compared >= 36 * 4


@pytest.mark.parametrize("a, b", list(itertools.product(DTYPES, DTYPES)))
def test_cast_torch(a, b):
    array = np.array([0, 1, 2, 200]).astype(a)

    def call(L, t):
        return t.to(getattr(L, b))

    against_torch([array], call, dtypes=["float64"] if a == "float64" else ["float32"])


def test_gradient_comes_back_in_the_argument_s_dtype():
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    (x.double() * 2).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.data.tolist() == [2, 2]
    y = ms.tensor(np.ones(2), requires_grad=True)
    (x.detach() * y).sum().backward()
    assert y.grad.dtype == np.float64


def test_shortcuts():
    t = ms.tensor([1.5])
    for name, dtype in (
        ("float", "float32"),
        ("double", "float64"),
        ("long", "int64"),
        ("int", "int32"),
        ("bool", "bool"),
    ):
        assert getattr(t, name)().dtype == dtype
    assert cast(t, "float32") is t and t.to("cpu") is t and t.to(ms.tensor([1])).dtype == np.int64


def test_helpers():
    assert as_tensor(2.5).dtype == np.float32
    assert as_tensor(2, "float64").dtype == as_tensor(ms.tensor([1]), "float64").dtype == np.float64
    assert to_float(ms.tensor([True])).dtype == np.float32
    assert [t.dtype for t in promote(ms.tensor([1]), np.ones(1, np.float32), 2)] == [np.float32] * 3
    same_float_dtype("op", a=ms.tensor([1.0]), b=None)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (DTypeError, "complex128", lambda L: L.tensor([1.0]).to("complex128")),
        (DTypeError, "op b int64", lambda L: same_float_dtype("op", a=L.tensor([1.0]), b=L.tensor([1]))),
        (
            DTypeError,
            "op a float32, b float64",
            lambda L: same_float_dtype("op", a=L.ones(1), b=L.ones(1, dtype="float64")),
        ),
        (TypeError, "op a ndarray ms.tensor(a)", lambda L: same_float_dtype("op", a=np.ones(1))),
        (DTypeError, "op a float16", lambda L: same_float_dtype("op", a=L.ones(1, dtype="float16"))),
        (ValueError, "cuda", lambda L: L.tensor([1.0]).to("cuda")),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call, torch_too=False)
