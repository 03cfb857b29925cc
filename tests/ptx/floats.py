"""Floating point as PTX defines it: one rounding in the mode asked for, subnormals flushed where asked for.

A float32 operation is worked out in float64 with the part that float64 loses folded into its last bit
("rounding to odd": S. Boldo and G. Melquiond, Emulation of FMA and correctly rounded sums, IEEE
Transactions on Computers 57, 2008). Rounding that to float32 is then the one rounding of the exact value,
in any mode. A float64 fused multiply-add is done likewise with error-free sums and products, near the ends
of the range with fractions.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

TINY = {4: np.float32(2.0**-126), 8: np.float64(2.0**-1022)}  # the smallest normal numbers


def flush(x: np.ndarray) -> np.ndarray:
    """`.ftz`: a subnormal number becomes a zero of its sign."""
    return np.where(np.abs(x) < TINY[x.itemsize], np.copysign(x.dtype.type(0), x), x)


def saturate(x: np.ndarray) -> np.ndarray:
    """`.sat`: clamped to [0, 1]; NaN becomes +0."""
    one = x.dtype.type(1)
    return np.where(x > 0, np.minimum(x, one), x.dtype.type(0))


def two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a + b rounded, and exactly what the rounding lost (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a·b rounded, and exactly what the rounding lost (Dekker, Veltkamp's splitting)."""

    def split(x):
        c = 134217729.0 * x  # 2^27 + 1
        high = c - (c - x)
        return high, x - high

    p = a * b
    (ah, al), (bh, bl) = split(a), split(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def odd(s: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """s + lost rounded to odd: s where nothing was lost, else the neighbour whose last bit is odd."""
    bits = s.view(np.int64)
    step = np.where((lost > 0) == (s > 0), 1, -1)
    inexact = (lost != 0) & ((bits & 1) == 0) & np.isfinite(s) & np.isfinite(lost)
    return np.where(inexact, bits + step, bits).view(np.float64)


def to_float32(x: np.ndarray, mode: str) -> np.ndarray:
    """A float64 that is exact, or was rounded to odd, to float32 in the mode rn, rz, rm or rp."""
    y = x.astype(np.float32)
    if mode == "rn":
        return y
    up = {"rm": np.zeros(x.shape, bool), "rp": np.ones(x.shape, bool), "rz": x < 0}[mode]
    wide = y.astype(np.float64)
    wrong = np.where(up, wide < x, wide > x)
    return np.where(wrong, np.nextafter(y, np.where(up, np.float32(np.inf), np.float32(-np.inf))), y)


def fma32(a: np.ndarray, b: np.ndarray, c: np.ndarray, mode: str = "rn") -> np.ndarray:
    """a·b + c of float32 with one rounding.

    The product is exact in float64. The sum is rounded there to 53 bits, which matters only where it then
    lies half way between two float32 numbers (its last 29 bits are 1 and zeros) or is subnormal: only there
    the exact way is taken.
    """
    product = np.multiply(a, b, dtype=np.float64)
    total = product + c
    if mode == "rn":
        half = (total.view(np.int64) & 0x1FFFFFFF) == 0x10000000
        if not half.any() and not (np.abs(total) < 2.0**-125).any():
            return total.astype(np.float32)
    wide = np.broadcast_to(c, total.shape).astype(np.float64)
    total, lost = two_sum(np.broadcast_to(product, total.shape), wide)
    if mode == "rm":  # x - x is -0 when rounding down
        zero = (total == 0) & (lost == 0) & (np.signbit(product) != np.signbit(wide))
        total = np.where(zero, -0.0, total)
    return to_float32(odd(total, lost), mode)


def fma64(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a·b + c of float64, rounded once to nearest."""
    a, b, c = np.broadcast_arrays(a, b, c)
    high, low = two_product(a, b)
    t, t_low = two_sum(c, low)
    v, v_low = two_sum(high, t)
    s, s_low = two_sum(t_low, v_low)
    result = v + odd(s, s_low)
    plain = a * b + c
    size = np.maximum(np.abs(a), np.abs(b))
    small = np.minimum(np.abs(high), np.where(c == 0, np.inf, np.abs(c)))
    extreme = ~((size < 2.0**500) & (np.abs(c) < 2.0**900) & (small > 2.0**-900))
    result = np.where(extreme, plain, result)
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(c) & (a != 0) & (b != 0)
    for i in np.flatnonzero(extreme & finite):
        result.flat[i] = _exact_fma(float(a.flat[i]), float(b.flat[i]), float(c.flat[i]))
    return result


def _exact_fma(a: float, b: float, c: float) -> float:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c  # the sign of an exact zero is that of the sum as it stands
    try:
        result = float(exact)
    except OverflowError:
        result = math.inf
    return math.copysign(result, -1.0 if exact < 0 else 1.0)


def fma(mode: str, dtype: np.dtype):
    if dtype == np.float32:
        return lambda a, b, c: fma32(a, b, c, mode)
    return fma64 if mode == "rn" else None


def add(mode: str, dtype: np.dtype):
    if mode == "rn":
        return np.add
    one = np.ones(1, np.float32)
    return (lambda a, b: fma32(a, one, b, mode)) if dtype == np.float32 else None


def sub(mode: str, dtype: np.dtype):
    if mode == "rn":
        return np.subtract
    one = np.ones(1, np.float32)
    return (lambda a, b: fma32(a, one, -b, mode)) if dtype == np.float32 else None


def mul(mode: str, dtype: np.dtype):
    if mode == "rn":
        return np.multiply
    if dtype == np.float64:
        return None
    return lambda a, b: to_float32(np.multiply(a, b, dtype=np.float64), mode)


def smaller(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """min: a number wins over NaN, and -0 is less than +0."""
    bits = np.dtype(f"u{a.itemsize}")
    return np.where(a == b, (a.view(bits) | b.view(bits)).view(a.dtype), np.fmin(a, b))


def larger(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    bits = np.dtype(f"u{a.itemsize}")
    return np.where(a == b, (a.view(bits) & b.view(bits)).view(a.dtype), np.fmax(a, b))


def approximate(function):
    """An approximating float32 instruction as the float64 function, rounded: no hardware is better.

    What hardware may differ by, as the PTX ISA states it: ex2 2 ulp, lg2 an absolute 2^-22 near 1, rcp 1 ulp,
    sqrt and rsqrt about 2^-22 relative, sin and cos an absolute 2^-20 within ±π, tanh 2^-11 relative,
    div 2 ulp.
    """
    return lambda *arguments: function(*(x.astype(np.float64) for x in arguments)).astype(np.float32)


def reciprocal64(x: np.ndarray) -> np.ndarray:
    """rcp.approx.ftz.f64: only the upper 32 bits of the result are computed; the lower are zero."""
    return (flush(1.0 / flush(x)).view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(np.float64)
