"""What NumPy's element-wise functions compute: one formula for each, written for one number.

`formulas(dtype)` gives those for float32, float64, int64 or bool.  Constants are numbers of that type: beside
a bare 0 or 1 a float32 would be computed in float64.  NaN and infinity come out as NumPy has them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from minitorch_seg.kernels.cuda.driver import device, math, types

#: The dtypes that kernels compute in; other integers are converted to int64 and back.
COMPUTED = ("float32", "float64", "int64", "bool")
#: Functions whose result is a bool whatever they are given.
TESTS = frozenset(
    ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isnan", "isfinite")
) | {"logical_and", "logical_or", "logical_xor", "logical_not"}


@cache
def formulas(dtype: str) -> dict[str, Callable]:
    """The formula of each function for numbers of `dtype`."""
    table = dict(_comparisons(dtype))
    table.update(_bools() if dtype == "bool" else _numbers(dtype))
    if dtype == "int64":
        table.update(_integers())
    elif dtype.startswith("float"):
        table.update(_floats(dtype))
    return {name: device(function) for name, function in table.items()}


def _scalar(dtype: str) -> Callable:
    return getattr(types, {"bool": "boolean"}.get(dtype, dtype))


def _comparisons(dtype: str) -> dict[str, Callable]:
    zero = _scalar(dtype)(0)
    return {
        "equal": lambda a, b: a == b,
        "not_equal": lambda a, b: a != b,
        "less": lambda a, b: a < b,
        "less_equal": lambda a, b: a <= b,
        "greater": lambda a, b: a > b,
        "greater_equal": lambda a, b: a >= b,
        "logical_and": lambda a, b: (a != zero) and (b != zero),
        "logical_or": lambda a, b: (a != zero) or (b != zero),
        "logical_xor": lambda a, b: (a != zero) != (b != zero),
        "logical_not": lambda a: a == zero,
        "maximum": lambda a, b: a if a >= b or a != a else b,  # a != a: NaN
        "minimum": lambda a, b: a if a <= b or a != a else b,
        "where": lambda condition, a, b: a if condition else b,
    }


def _bools() -> dict[str, Callable]:
    return {
        "add": lambda a, b: a or b,
        "multiply": lambda a, b: a and b,
        "bitwise_and": lambda a, b: a and b,
        "bitwise_or": lambda a, b: a or b,
        "bitwise_xor": lambda a, b: a != b,
        "invert": lambda a: not a,
    }


def _numbers(dtype: str) -> dict[str, Callable]:
    zero, one = _scalar(dtype)(0), _scalar(dtype)(1)
    return {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "negative": lambda a: -a,
        "positive": lambda a: a,
        "absolute": lambda a: abs(a),
        "square": lambda a: a * a,
        "sign": lambda a: one if a > zero else (-one if a < zero else a),  # of NaN it is NaN
    }


def _integers() -> dict[str, Callable]:
    minus_one = types.int64(-1)
    return {
        "bitwise_and": lambda a, b: a & b,
        "bitwise_or": lambda a, b: a | b,
        "bitwise_xor": lambda a, b: a ^ b,
        "invert": lambda a: ~a,
        "floor_divide": lambda a, b: -a if b == minus_one else a // b,  # −2⁶³ stays what it is
        "remainder": lambda a, b: a % b,
        "power": _integer_power,
    }


def _integer_power(a, b):
    """aᵇ for b ≥ 0, by squaring: 3¹³ = 3⁸·3⁴·3¹."""
    result = types.int64(1)
    while b > 0:
        if b & 1:
            result = result * a
        a = a * a
        b = b >> 1
    return result


def _floats(dtype: str) -> dict[str, Callable]:
    number = _scalar(dtype)
    zero, half, one = number(0), number(0.5), number(1)
    root_half = number(0.7071067811865476)

    def remainder(a, b):
        rest = math.fmod(a, b)
        return rest + b if rest != zero and (rest < zero) != (b < zero) else rest

    def floor_divide(a, b):
        rest = math.fmod(a, b)
        quotient = (a - rest) / b
        if rest != zero and (rest < zero) != (b < zero):
            quotient = quotient - one
        whole = number(math.floor(quotient))
        return (a / b) if b == zero else (whole + one if quotient - whole > half else whole)

    return {
        "divide": lambda a, b: a / b,
        "power": lambda a, b: math.pow(a, b),
        "remainder": remainder,
        "floor_divide": floor_divide,
        "exp": lambda a: math.exp(a),
        "expm1": lambda a: math.expm1(a),
        "log": lambda a: math.log(a),
        "log1p": lambda a: math.log1p(a),
        "sqrt": lambda a: math.sqrt(a),
        "tanh": lambda a: math.tanh(a),
        "reciprocal": lambda a: one / a,
        "ndtr": lambda a: half * math.erfc(-a * root_half),  # the normal distribution, for gelu
        "isnan": lambda a: a != a,
        "isfinite": lambda a: a - a == zero,
    }
