"""Type promotion against PyTorch's, for every pair of dtypes and every rank of operand."""

import itertools

import numpy as np
import pytest

import minitorch_seg as ms

DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")
NUMBERS = (True, 2, 2.5)


def operands():
    yield from ((dtype, shape) for dtype in DTYPES for shape in ((2,), ()))
    yield from ((number, None) for number in NUMBERS)


CASES = list(itertools.product(operands(), repeat=2))


def test_result_type_is_pytorchs():
    torch = pytest.importorskip("torch")
    wrong = []
    for (a, shape_a), (b, shape_b) in CASES:
        ours = [x if s is None else np.ones(s, x) for x, s in ((a, shape_a), (b, shape_b))]
        theirs = [
            x if s is None else torch.ones(s, dtype=getattr(torch, x))
            for x, s in ((a, shape_a), (b, shape_b))
        ]
        if shape_a is None and shape_b is None:
            continue
        expected = str(torch.result_type(*theirs)).removeprefix("torch.")
        if str(ms.result_type(*ours)) != expected:
            wrong.append(((a, shape_a), (b, shape_b), str(ms.result_type(*ours)), expected))
    assert wrong == []


@pytest.mark.parametrize(
    "a, b, expected",
    [
        (np.ones(2, np.int64), np.ones(2, np.float32), "float32"),
        (np.ones(2, np.float32), 1.5, "float32"),
        (np.ones(2, np.float32), np.float64(1.5), "float32"),
        (np.ones(2, np.float64), np.ones(2, np.float32), "float64"),
        (np.ones(2, bool), 2, "int64"),
        (np.ones(2, np.uint8), 2, "uint8"),
        (np.ones(2, np.int32), 2.0, "float32"),
        (np.ones((), np.float64), np.ones(1, np.float32), "float32"),
    ],
)
def test_result_type_by_hand(a, b, expected):
    assert ms.result_type(a, b) == np.dtype(expected)
    assert (ms.as_tensor(a) + b).dtype == np.dtype(expected)
