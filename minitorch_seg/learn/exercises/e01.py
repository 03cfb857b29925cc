"""Exercises of lesson 01, gradients.  The truth is the central difference of the forward pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg.learn.exercise import Case, Exercise, Mistake, derivative_of


def _normal(seed: int):
    return np.random.default_rng(seed).standard_normal


# -- 1: a bias that is broadcast ---------------------------------------------------------------------------


def add_backward(g, x, b):
    dx = g
    db = g.sum(axis=0)
    return dx, db


def _add_cases() -> Sequence[Case]:
    normal = _normal(1)
    return [
        Case("4 rows, 3 columns", normal((4, 3)), normal((4, 3)), normal(3)),
        Case("as many rows as columns", normal((3, 3)), normal((3, 3)), normal(3)),
        Case("a single row", normal((1, 5)), normal((1, 5)), normal(5)),
    ]


def _wrong_axis(g, x, b):
    return g, g.sum(axis=1)


def _wrong_axis_in_place(g, x, b):
    return g, np.resize(g.sum(axis=1), b.shape)


# -- 2: a product of matrices ------------------------------------------------------------------------------


def matmul_backward(g, x, w):
    dx = g @ w.T
    dw = x.T @ g
    return dx, dw


def _matmul_cases() -> Sequence[Case]:
    normal = _normal(2)
    return [
        Case("4×2 times 2×3", normal((4, 3)), normal((4, 2)), normal((2, 3))),
        Case("square matrices", normal((3, 3)), normal((3, 3)), normal((3, 3))),
        Case("a single row", normal((1, 2)), normal((1, 5)), normal((5, 2))),
    ]


# -- 3: a bug to hunt: a value that is used twice ----------------------------------------------------------


def gate_backward(g, a, b):
    da = g * b
    da = da + g
    db = g * a
    return da, db


def _gate(a, b):
    return a * b + a


def _gate_cases() -> Sequence[Case]:
    normal = _normal(3)
    return [
        Case("vectors", normal(4), normal(4), normal(4)),
        Case("matrices", normal((2, 3)), normal((2, 3)), normal((2, 3))),
    ]


EXERCISES = [
    Exercise(
        "01.add_backward",
        "the gradient of x + b, where b is broadcast over the rows",
        add_backward,
        _add_cases,
        (
            Mistake("forgot the batch", lambda g, x, b: (g, g)),
            Mistake(
                "mean for sum",
                lambda g, x, b: (g, g.mean(axis=0)),
                "the mean over the rows where the sum belongs: each row is a path of its own, and paths "
                "add up",
            ),
            Mistake(
                "first row only",
                lambda g, x, b: (g, g[0]),
                "only the first row's gradient is left: all rows use b",
            ),
            Mistake("shape", _wrong_axis),
            Mistake(
                "wrong axis",
                _wrong_axis_in_place,
                "summed along the wrong axis: b has a number for each column, so the rows are summed away",
            ),
        ),
        outputs=("dx", "db"),
        truth=derivative_of(lambda x, b: x + b, wanted=[0, 1]),
        forward=lambda x, b: x + b,
    ),
    Exercise(
        "01.matmul_backward",
        "the gradient of a product of matrices",
        matmul_backward,
        _matmul_cases,
        (
            Mistake("raises", lambda g, x, w: (g @ w, x @ g)),
            Mistake("transposed", lambda g, x, w: (g @ w.T, g.T @ x)),
            Mistake(
                "mean for sum",
                lambda g, x, w: (g @ w.T, x.T @ g / len(x)),
                "divided by the number of rows: the loss may be a mean, but that is already in g",
            ),
            Mistake("shape", lambda g, x, w: (x.T @ g, g @ w.T)),
            Mistake("sign", lambda g, x, w: (-g @ w.T, x.T @ g)),
        ),
        outputs=("dx", "dw"),
        truth=derivative_of(np.matmul, wanted=[0, 1]),
        forward=np.matmul,
    ),
    Exercise(
        "01.gate_backward",
        "a value that is used twice",
        gate_backward,
        _gate_cases,
        (
            Mistake(
                "= for +=",
                lambda g, a, b: (g, g * a),
                "the gradient along the second path overwrites that of the first: a is used twice, so da "
                "is a sum",
            ),
            Mistake("one path", lambda g, a, b: (g * b, g * a), "only the path through the product is there"),
            Mistake(
                "exchanged",
                lambda g, a, b: (g * a + g, g * b),
                "da and db are exchanged in the product: the derivative of a·b with respect to a is b",
            ),
        ),
        outputs=("da", "db"),
        truth=derivative_of(_gate, wanted=[0, 1]),
        forward=_gate,
        planted=True,
    ),
]
