"""The table's elementwise operators; their oracles apply Python's own functions to one number at a time."""

from __future__ import annotations

import math
import operator as op
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minitorch_seg as ms
from tests.ops.table.draw import Case, Draw, operator

special = pytest.importorskip("scipy.special")
F = ms.functional


def each(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """`function` of Python numbers, for every element of arrays that are broadcast."""

    def apply(*arrays: np.ndarray) -> np.ndarray:
        parts = np.broadcast_arrays(*arrays)
        results = [
            function(*(v.item() for v in values)) for values in zip(*(p.flat for p in parts), strict=True)
        ]
        return np.reshape(np.array(results), parts[0].shape)

    return apply


def broadcast_pair(r: Draw, low: float = -2.0, high: float = 2.0) -> list[np.ndarray]:
    """Two arrays whose shapes can be broadcast together, in either order."""
    shape = r.shape(0, 4)
    other = tuple(r.one(n, n, 1) for n in shape)[r.int(0, len(shape)) :]
    arrays = [r.between(low, high, *shape), r.between(low, high, *other)]
    return r.one(arrays, arrays[::-1])


@operator("add", "sub", "mul", "div", "maximum", "minimum")
def of_two(r: Draw, name: str) -> Case:
    functions = {
        "add": op.add,
        "sub": op.sub,
        "mul": op.mul,
        "div": op.truediv,
        "maximum": max,
        "minimum": min,
    }
    a, b = broadcast_pair(r)
    b = np.where(b == 0, 1.0, b)
    alpha = {"alpha": r.one(1, 1, 3, -0.5)} if name in ("add", "sub") else {}
    factor = alpha.get("alpha", 1)
    return Case(
        [a, b],
        lambda a, b: getattr(ms, name)(a, b, **alpha),
        each(lambda a, b: functions[name](a, factor * b)),
    )


@operator("floor_divide", "remainder")
def division_with_a_rest(r: Draw, name: str) -> Case:
    """Divisors of both signs, so small that quotients are far from 0; integers too."""
    shape = r.shape(0, 4)
    a, b = r.between(-9, 9, *shape), r.one(-1, 1) * r.between(0.25, 3, *shape[r.int(0, len(shape)) :])
    if name == "floor_divide" and r.flag():
        a, b = np.asarray(a * 10, np.int64), np.asarray(np.sign(b) * np.ceil(abs(b)), np.int64)
    function = {
        "floor_divide": lambda a, b: type(a)(math.floor(a / b)),
        "remainder": lambda a, b: a - b * math.floor(a / b),
    }
    return Case([a, b], getattr(ms, name), each(function[name]), recorded=name == "remainder")


@operator("pow")
def power(r: Draw) -> Case:
    a, e = broadcast_pair(r)
    if r.flag():  # any base, for whole exponents
        n = r.int(-2, 3)
        a = np.where(a == 0, 1.0, a)
        return Case([a], lambda a: a**n, each(lambda a: math.pow(a, n)))
    return Case([np.absolute(a) + 0.25, e], ms.pow, each(math.pow))


ELEMENTARY: dict[str, tuple[Callable[[float], float], float, float]] = {
    "neg": (op.neg, -3, 3),
    "abs": (abs, -3, 3),
    "exp": (math.exp, -3, 3),
    "log": (math.log, 0.1, 4),
    "log1p": (math.log1p, -0.8, 4),
    "sqrt": (math.sqrt, 0.1, 4),
    "tanh": (math.tanh, -4, 4),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), -9, 9),
    "relu": (lambda x: max(x, 0.0), -2, 2),
    "silu": (lambda x: x / (1 + math.exp(-x)), -9, 9),
    "logsigmoid": (lambda x: float(special.log_expit(x)), -9, 9),
}


@operator(*ELEMENTARY)
def of_one(r: Draw, name: str) -> Case:
    function, low, high = ELEMENTARY[name]
    x = r.between(low, high, *r.shape(0, 4))
    return Case([x], getattr(F if hasattr(F, name) else ms, name), each(function))


@operator("leaky_relu", "elu", "softplus", "gelu")
def with_a_parameter(r: Draw, name: str) -> Case:
    x, a = r.between(-3, 3, *r.shape(0, 4)), r.one(0.25, 1.0, 1.5)
    form = r.one("none", "tanh")
    root = math.sqrt(2 / math.pi)
    arguments, function = {
        "leaky_relu": ((a,), lambda x: x if x > 0 else a * x),
        "elu": ((a,), lambda x: x if x > 0 else a * math.expm1(x)),
        "softplus": ((a, 2.0), lambda x: x if a * x > 2.0 else math.log(1 + math.exp(a * x)) / a),
        "gelu": (
            (form,),
            (lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2)
            if form == "none"
            else (lambda x: x / 2 * (1 + math.tanh(root * (x + 0.044715 * x**3)))),
        ),
    }[name]
    return Case([x], lambda x: getattr(F, name)(x, *arguments), each(function))


@operator("clamp")
def clamp(r: Draw) -> Case:
    x = r.normal(*r.shape(0, 4))
    low, high = r.one((-0.5, 0.75), (None, 0.75), (-0.5, None))
    bounds = [b for b in (low, high) if b is not None]
    return Case(
        [x],
        lambda x: x.clamp(low, high),
        each(
            lambda x: (
                sorted([x, *bounds])[1] if len(bounds) == 2 else (min if low is None else max)(x, *bounds)
            )
        ),
    )


@operator("where")
def where(r: Draw) -> Case:
    a, b = broadcast_pair(r)
    c = r.bools(*r.one(a.shape, b.shape))
    return Case([c, a, b], ms.where, each(lambda c, a, b: a if c else b))


@operator("masked_fill")
def masked_fill(r: Draw) -> Case:
    x = r.normal(*r.shape(0, 4))
    mask = r.bools(*x.shape[r.int(0, x.ndim) :])
    return Case([x, mask], lambda x, m: x.masked_fill(m, 2.5), each(lambda x, m: 2.5 if m else x))


@operator("eq", "ne", "lt", "le", "gt", "ge")
def comparison(r: Draw, name: str) -> Case:
    shape = r.shape(0, 4)
    a, b = r.rounded(*shape), r.rounded(*shape[r.int(0, len(shape)) :])
    return Case([a, b], getattr(ms, name), each(getattr(op, name)), recorded=False)


@operator("logical_and", "logical_or", "logical_xor", "logical_not")
def logic(r: Draw, name: str) -> Case:
    functions = {
        "logical_and": lambda a, b: a and b,
        "logical_or": lambda a, b: a or b,
        "logical_xor": lambda a, b: a is not b,
        "logical_not": lambda a: not a,
    }
    shape = r.shape(0, 4)
    arrays = [r.bools(*shape), r.bools(*shape)][: 1 if name == "logical_not" else 2]
    return Case(arrays, getattr(ms, name), each(functions[name]), recorded=False)


@operator("isnan", "isfinite")
def kinds_of_numbers(r: Draw, name: str) -> Case:
    x = r.rng.choice([0.0, 1.5, np.nan, np.inf, -np.inf], r.shape(0, 4))
    return Case([np.asarray(x)], getattr(ms, name), each(getattr(math, name)), recorded=False)


@operator("clone", "to")
def copies(r: Draw, name: str) -> Case:
    x = r.normal(*r.shape(0, 4))
    if name == "clone":
        return Case([x], lambda x: x.clone(), each(float))
    return Case([r.rounded(*x.shape) * 2], lambda x: x.to("int32"), each(int), recorded=False)
