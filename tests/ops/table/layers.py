"""The table's normalisations, softmax, dropout, matrix products and recurrences, by NumPy and loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minitorch_seg as ms
from tests.ops.table.draw import Case, Draw, operator
from tests.ops.test_gru import gru_loop, lstm_loop
from tests.ops.test_rnn import loop

special = pytest.importorskip("scipy.special")
F = ms.functional


def standard(x: np.ndarray, axes: tuple[int, ...], eps: float) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def column(v: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One number a channel, beside x."""
    return v.reshape(-1, *[1] * (x.ndim - 2))


@operator("batch_norm", "batch_norm_relu")
def batch_norm(r: Draw, name: str) -> Case:
    c, eps, training = r.int(1, 3), r.one(1e-3, 0.1), r.flag()
    rest = r.one((), (3,), (2, 3))
    x = r.normal(r.int(2, 3), c, *rest)
    mean, var = r.normal(c), r.between(0.5, 2, c)

    def call(x: Any, w: Any, b: Any) -> Any:
        running = ms.Tensor(mean.astype(x.dtype)), ms.Tensor(var.astype(x.dtype))
        return getattr(F, name)(x, *running, w, b, training, 0.25, eps), *running

    def oracle(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, ...]:
        axes = (0, *range(2, x.ndim))
        if training:
            y, after = standard(x, axes, eps), (x.mean(axes), x.var(axes, ddof=1))
            after = tuple(0.75 * old + 0.25 * new for old, new in zip((mean, var), after, strict=True))
        else:
            y, after = (x - column(mean, x)) / np.sqrt(column(var, x) + eps), (mean, var)
        y = y * column(w, x) + column(b, x)
        return np.maximum(y, 0) if name == "batch_norm_relu" else y, *after

    return Case([x, r.normal(c), r.normal(c)], call, oracle, buffers=(1, 2))


@operator("layer_norm", "group_norm", "instance_norm")
def norm(r: Draw, name: str) -> Case:
    groups, per_group, eps = r.int(1, 3), r.int(1, 2), r.one(1e-3, 0.1)
    c = groups * per_group
    x = r.normal(r.batch(), c, *r.pair(2, 3))
    if name == "layer_norm":
        shape = x.shape[r.int(1, 3) :]
        axes = tuple(range(4 - len(shape), 4))
        return Case(
            [x, r.normal(*shape), r.normal(*shape)],
            lambda x, w, b: F.layer_norm(x, shape, w, b, eps),
            lambda x, w, b: standard(x, axes, eps) * w + b,
        )
    parts = groups if name == "group_norm" else c

    def oracle(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        split = x.reshape(len(x), parts, c // parts, *x.shape[2:])
        return standard(split, (2, 3, 4), eps).reshape(x.shape) * column(w, x) + column(b, x)

    return Case(
        [x, r.normal(c), r.normal(c)],
        (lambda x, w, b: F.group_norm(x, groups, w, b, eps))
        if name == "group_norm"
        else (lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=eps)),
        oracle,
    )


@operator("softmax", "log_softmax")
def softmax(r: Draw, name: str) -> Case:
    x = 5 * r.normal(*r.shape(1, 4, empty=False))
    dim = r.dim(x)
    return Case([x], lambda x: getattr(F, name)(x, dim), lambda x: getattr(special, name)(x, axis=dim))


@operator("dropout", "dropout2d")
def dropout(r: Draw, name: str) -> Case:
    """The oracle draws from a generator of its own, in the documented order (a map's channels last)."""
    p, seed, training = r.one(0.25, 0.5, 0.0, 1.0), r.int(0, 99), r.flag()
    x = r.normal(r.batch(), r.int(1, 3), *r.pair(1, 3))

    def oracle(x: np.ndarray) -> np.ndarray:
        if not training:
            return x
        n, c, h, w = x.shape
        numbers = ms.Generator(seed)
        if name == "dropout":
            kept = np.moveaxis(numbers.uniform((n, h, w, c)), 3, 1) >= p
        else:
            kept = numbers.uniform((n, c, 1, 1)) >= p
        return np.where(kept, x / (1 - p), 0.0) if p < 1 else 0 * x

    return Case([x], lambda x: getattr(F, name)(x, p, training, generator=ms.Generator(seed)), oracle)


@operator("linear")
def linear(r: Draw) -> Case:
    i, o = r.int(1, 3), r.int(1, 3)
    x = r.normal(*r.shape(0, 3), i)

    def oracle(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        y = np.zeros((*x.shape[:-1], o))
        for place in np.ndindex(y.shape):
            y[place] = b[place[-1]] + sum(x[place[:-1]][k] * w[place[-1], k] for k in range(i))
        return y

    return Case([x, r.normal(o, i), r.normal(o)], F.linear, oracle)


@operator("matmul")
def matmul(r: Draw) -> Case:
    n, k, m, lead = r.int(1, 3), r.int(1, 3), r.int(1, 3), r.shape(0, 2)
    a = r.one((k,), (n, k), (*lead, n, k))
    b = r.one((k,), (k, m), (*lead, k, m), (*(1 for _ in lead), k, m))

    def oracle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        rows = a[None] if a.ndim == 1 else a
        columns = b[:, None] if b.ndim == 1 else b
        y = (rows[..., :, :, None] * columns[..., None, :, :]).sum(-2)  # all products, added up
        y = y[..., 0, :] if a.ndim == 1 else y
        return y[..., 0] if b.ndim == 1 else y

    return Case([r.normal(*a), r.normal(*b)], ms.matmul, oracle)


@operator("einsum")
def einsum(r: Draw) -> Case:
    size = {c: r.int(1, 3) for c in "abc"}
    terms = ["".join(r.one(*"abc") for _ in range(r.int(0, 3))) for _ in range(r.int(1, 3))]
    used = sorted(set("".join(terms)))
    output = "".join(r.rng.permutation(used)[: r.int(0, len(used))]) if used else ""

    def oracle(*arrays: np.ndarray) -> np.ndarray:
        y = np.zeros([size[c] for c in output])
        for place in np.ndindex(*(size[c] for c in used)):
            at = dict(zip(used, place, strict=True))
            product = 1.0
            for term, array in zip(terms, arrays, strict=True):
                product *= array[tuple(at[c] for c in term)]
            y[tuple(at[c] for c in output)] += product
        return y

    shapes = [tuple(size[c] for c in term) for term in terms]
    equation = ",".join(terms) + "->" + output
    return Case([r.normal(*shape) for shape in shapes], lambda *x: ms.einsum(equation, *x), oracle)


@operator("rnn", "gru", "lstm")
def recurrence(r: Draw, name: str) -> Case:
    steps, batch, c, h = r.int(1, 4), r.batch(), r.int(1, 3), r.int(1, 3)
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[name]
    states = [(batch, h)] * (2 if name == "lstm" else 1)
    weights = [(gates * h, c), (gates * h, h), (gates * h,)] + [(gates * h,)] * (name != "rnn")
    arrays = [r.normal(*shape) / 2 for shape in [(steps, batch, c), *states, *weights]]
    if name != "rnn":
        return Case(arrays, getattr(F, name), gru_loop if name == "gru" else lstm_loop)
    f, function = r.one(
        ("tanh", np.tanh),
        ("relu", lambda a: np.maximum(a, 0)),
        (F.softplus, lambda a: np.logaddexp(0, a)),
    )

    def oracle(*a: np.ndarray) -> np.ndarray:
        return loop(*a, function) if batch else np.zeros((steps, 0, h))

    return Case(arrays, lambda *t: F.rnn(*t, f), oracle)
