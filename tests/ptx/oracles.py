"""Rounding and whole numbers in plain Python, one by one: what the instructions are compared with."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

FORMATS = {
    "f16": (11, -24, 65504.0),
    "f32": (24, -149, 3.4028234663852886e38),
    "f64": (53, -1074, 1.7976931348623157e308),
}


def rounded(exact: Fraction, kind: str, mode: str = "rn") -> float:
    """The number of a format that an exact value is rounded to."""
    precision, lowest, largest = FORMATS[kind]
    if exact == 0:
        return 0.0
    negative, size = exact < 0, abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    while Fraction(2) ** exponent > size:
        exponent -= 1
    while Fraction(2) ** (exponent + 1) <= size:
        exponent += 1
    quantum = max(exponent - precision + 1, lowest)
    whole, rest = divmod(size / Fraction(2) ** quantum, 1)
    up = {
        "rn": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1),
        "rz": False,
        "rp": rest > 0 and not negative,
        "rm": rest > 0 and negative,
    }[mode]
    value = (whole + up) * Fraction(2) ** quantum
    if value > Fraction(largest):
        stays = mode == "rz" or (mode == "rm" and not negative) or (mode == "rp" and negative)
        result = largest if stays else math.inf
    else:
        result = float(value)
    return -result if negative else result


def flushed(x: float, kind: str = "f32") -> float:
    """A subnormal number as a zero of its sign."""
    tiny = 2.0 ** {"f32": -126, "f64": -1022}[kind]
    return math.copysign(0.0, x) if abs(x) < tiny else x


def bits(x: float, kind: str = "f32") -> int:
    pair = {"f32": ("<f", "<I"), "f64": ("<d", "<Q")}[kind]
    return struct.unpack(pair[1], struct.pack(pair[0], x))[0]


def wrapped(value: int, kind: str) -> int:
    """A whole number modulo 2**bits, as the type reads it."""
    size = int(kind[1:])
    value %= 1 << size
    return value - (1 << size) if kind[0] == "s" and value >> (size - 1) else value


def divided(a: int, b: int) -> int:
    """Towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
