"""Activations and their gradients, each one pass over the numbers on all threads.

All but leaky relu need eˣ for an x ≤ 0, where it lies between 0 and 1.  A processor has no instruction for
it; so a power of two, which in memory is just the exponent's bits, is split off, and a short series summed:

    eˣ = 2ⁿ (1 + p),  n = x·log₂e rounded,  r = x − n·log 2,  p = eʳ − 1 = r + r²/2! + r³/3! + …,  |r| < 0.35

With m = e^{−|x|} nothing below is a difference of nearly equal numbers:

    sigmoid |x| = 1/(1 + m),  sigmoid −|x| = m/(1 + m)       eˣ − 1 = 2ⁿ p + (2ⁿ − 1)
    tanh |x| = −(m² − 1)/(2 + (m² − 1))         log(1 + m) = 2 (z + z³/3 + z⁵/5 + …),  z = m/(2 + m)

To add 3/2·2²³ (in float64 3/2·2⁵²) rounds to an integer, which then stands in the lowest bits.  log 2 is the
sum of two numbers, the first with so few digits that n times it is exact.  Therefore these kernels keep the
order of sums.

Gelu's normal distribution function is Φ(−a) = ½ t·q(t)·e^{−a²/2}, t = 2/(2 + a/√2), with a polynomial q.  All
digits of a² matter: it is h² + (a + h)(a − h), where h is a rounded to multiples of 1/256, so that h² is
exact.  This is for float32; float64 is left to SciPy.

Few numbers, which NumPy has done before a kernel is called, are left to NumPy.

Cody and Waite, "Software manual for the elementary functions", 1980 (the exponential); Press et al.,
"Numerical recipes", section 6.2 (the substitution t).
"""

import math
from typing import NamedTuple

import numpy as np

from minitorch_seg.kernels import dispatch
from minitorch_seg.kernels.cpu.relu import as_row, empty_row_of
from minitorch_seg.kernels.jit import kernel_in_order, part
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.reference import activation as reference

CHUNK, BLOCK = 32768, 1024  # numbers of a chunk; numbers whose powers are kept in the first cache
FEWEST = 4096  # numbers from which a kernel is worth its call
NAMES = ("LeakyRelu", "Elu", "Sigmoid", "Tanh", "Softplus", "Silu", "Gelu")
#: A kernel is compiled for one activation: its number is the length of a tuple, and so a part of its type.
LEAKY_RELU, ELU, SIGMOID, TANH, SOFTPLUS, SILU, GELU = range(7)


class Series(NamedTuple):
    """What eˣ and log(1 + m) need in one dtype; polynomials begin with the highest power."""

    small: tuple[np.floating, ...]  # 0, 1, 2
    least: np.floating  # below it, eˣ rounds to 0
    log2e: np.floating
    magic: np.floating  # 3/2·2^digits
    high: np.floating  # log 2 = high + low
    low: np.floating
    terms: tuple[np.floating, ...]  # 1/2!, 1/3!, …
    back: np.floating  # 2ⁿ is made as 2ⁿ/back, so that numbers below the smallest normal one lose nothing
    shift: int  # what turns the bits of magic + n into the exponent of 2ⁿ/back
    digits: int
    odd: tuple[np.floating, ...]  # 2/3, 2/5, …


def _series(dtype: type, whole: type, terms: int, odd: int, high: float, low: float, least: float) -> Series:
    digits, bias, away = np.finfo(dtype).nmant, 1 - np.finfo(dtype).minexp, 64 if dtype == np.float32 else 128
    magic = dtype(1.5 * 2**digits)
    return Series(
        (dtype(0), dtype(1), dtype(2)), dtype(least), dtype(1 / math.log(2)), magic, dtype(high), dtype(low),
        tuple(dtype(1 / math.factorial(k)) for k in range(terms, 1, -1)),
        dtype(2.0**-away), bias + away - int(magic.view(whole)), digits,
        tuple(dtype(2 / k) for k in range(odd, 1, -2)),
    )  # fmt: skip


SINGLE = _series(np.float32, np.int32, 7, 15, 0.693359375, -2.12194440e-4, -104)
DOUBLE = _series(np.float64, np.int64, 14, 33, 6.93147180369123816490e-01, 1.90821492927058770002e-10, -746)
#: q(t), by interpolation between the roots of Chebyshev's polynomial; relative error 1.6e-9.
Q = tuple(map(np.float32, (
    -0.03605364444673782, 0.21373255375632047, -0.5104316936614082, 0.5878505999602197, -0.28004177867468905,
    0.02476194699248764, -0.0657771990139816, -0.005591843379099404, 0.08428571954733413, 0.176238997035602,
    0.2468368335370723, 0.2820947155360102, 0.2820947920034085,
)))  # fmt: skip
ROUGH = np.float32(1.5 * 2**23 / 256)  # added, it rounds to multiples of 1/256
HALF, ROOT_HALF, DENSITY = (np.float32(v) for v in (0.5, math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)))
SIXTH, MOST = np.float32(1 / 6), np.float32(15)  # beyond MOST e^{−a²/2} rounds to 0


def activation(name: str, x: np.ndarray, *options: float) -> np.ndarray:
    """y = f(x), any shape."""
    if not _fits(name, x):
        return reference.activation(name, x, *options)
    y, flat = empty_row_of(x)
    _run(_forward, name, (as_row(x),), options, flat)
    return y


def activation_gradient(name: str, grad: np.ndarray, seen: np.ndarray, *options: float) -> np.ndarray:
    """dL/dx = grad·f'(x), where `seen` is y = f(x) for Sigmoid and Tanh, x for the others."""
    if not _fits(name, grad) or seen.dtype != grad.dtype:
        return reference.activation_gradient(name, grad, seen, *options)
    dx, flat = empty_row_of(grad)
    _run(_backward, name, (as_row(grad), as_row(seen)), options, flat)
    return dx


def _fits(name: str, x: np.ndarray) -> bool:
    enough = x.size >= FEWEST and x.dtype.isnative
    return enough and (x.dtype == np.float32 or (x.dtype == np.float64 and name != "Gelu"))


def _run(kernel, name: str, rows: tuple, options: tuple, result: np.ndarray) -> None:
    number = result.dtype.type
    series = DOUBLE if result.dtype == np.float64 else SINGLE
    kinds = np.empty(0, series.least.dtype), np.empty(0, np.int32 if series is SINGLE else np.int64)
    a, b = (*map(number, options), number(0), number(0))[:2]
    dispatch.taken(name, "one pass over the memory is faster than one for each operation")
    which = (0,) * NAMES.index(name)
    parallel_for(kernel, -(-len(result) // CHUNK), *rows, which, a, b, series, *kinds, result)


@kernel_in_order
def _forward(first, last, x, which, a, b, s, real, whole, y):
    number, width = len(which), BLOCK
    low, rest, bits = np.empty(width, real.dtype), np.empty(width, real.dtype), np.empty(width, whole.dtype)
    scale = bits.view(real.dtype)
    zero, one, two = s.small
    for start in range(first * CHUNK, min(last * CHUNK, len(x)), BLOCK):
        stop = min(start + BLOCK, len(x))
        seen, made = x[start:stop], y[start:stop]
        if number == LEAKY_RELU:
            for i in range(len(seen)):
                made[i] = seen[i] if seen[i] > zero else seen[i] * a
        elif number == ELU:
            for i in range(len(seen)):
                low[i] = zero if seen[i] > zero else seen[i]
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                power = scale[i] * s.back
                made[i] = seen[i] if seen[i] > zero else a * (power * rest[i] + (power - one))
        elif number == TANH:
            for i in range(len(seen)):
                low[i] = -two * abs(seen[i])
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                power = scale[i] * s.back
                less = power * rest[i] + (power - one)
                value = abs(less) / (two + less)
                made[i] = value if seen[i] >= zero else -value
        elif number == SOFTPLUS:
            for i in range(len(seen)):
                low[i] = -abs(a * seen[i])
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                scaled, m = a * seen[i], (scale[i] + scale[i] * rest[i]) * s.back
                z = m / (two + m)
                total = s.odd[0]
                for term in s.odd[1:]:
                    total = total * (z * z) + term
                value = (scaled if scaled > zero else zero) + z * (two + z * z * total)
                made[i] = seen[i] if scaled > b else value / a
        elif number == GELU:
            for i in range(len(seen)):
                low[i] = -HALF * _rough(seen[i]) * _rough(seen[i])
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                m = _bell(seen[i], (scale[i] + scale[i] * rest[i]) * s.back)
                made[i] = seen[i] * _normal_cdf(seen[i], m)
        else:
            for i in range(len(seen)):
                low[i] = -abs(seen[i])
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                m = (scale[i] + scale[i] * rest[i]) * s.back
                value = (one if seen[i] >= zero else m) / (one + m)
                made[i] = value if number == SIGMOID else seen[i] * value


@kernel_in_order
def _backward(first, last, grad, kept, which, a, b, s, real, whole, dx):
    number, width = len(which), BLOCK
    low, rest, bits = np.empty(width, real.dtype), np.empty(width, real.dtype), np.empty(width, whole.dtype)
    scale = bits.view(real.dtype)
    zero, one = s.small[:2]
    for start in range(first * CHUNK, min(last * CHUNK, len(grad)), BLOCK):
        stop = min(start + BLOCK, len(grad))
        given, seen, made = grad[start:stop], kept[start:stop], dx[start:stop]
        if number == LEAKY_RELU:
            for i in range(len(seen)):
                made[i] = given[i] if seen[i] > zero else given[i] * a
        elif number == SIGMOID:
            for i in range(len(seen)):
                made[i] = given[i] * seen[i] * (one - seen[i])
        elif number == TANH:
            for i in range(len(seen)):
                made[i] = given[i] * (one - seen[i] * seen[i])
        elif number == ELU:
            for i in range(len(seen)):
                low[i] = zero if seen[i] > zero else seen[i]
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                m = (scale[i] + scale[i] * rest[i]) * s.back
                made[i] = given[i] if seen[i] > zero else given[i] * (a * m)
        elif number == SOFTPLUS:
            for i in range(len(seen)):
                low[i] = -abs(a * seen[i])
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                scaled, m = a * seen[i], (scale[i] + scale[i] * rest[i]) * s.back
                slope = (one if scaled >= zero else m) / (one + m)
                made[i] = given[i] if scaled > b else given[i] * slope
        elif number == GELU:
            for i in range(len(seen)):
                low[i] = -HALF * _rough(seen[i]) * _rough(seen[i])
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                m = _bell(seen[i], (scale[i] + scale[i] * rest[i]) * s.back)
                made[i] = given[i] * (_normal_cdf(seen[i], m) + seen[i] * m * DENSITY)
        else:
            for i in range(len(seen)):
                low[i] = -abs(seen[i])
            _powers(low[: len(seen)], rest, scale, bits, s)
            for i in range(len(seen)):
                m = (scale[i] + scale[i] * rest[i]) * s.back
                value = (one if seen[i] >= zero else m) / (one + m)
                other = (m if seen[i] >= zero else one) / (one + m)
                made[i] = given[i] * value * (one + seen[i] * other)


@part
def _powers(low, rest, scale, bits, s):
    """rest = p and scale = 2ⁿ/back, where e^low = 2ⁿ (1 + p), low ≤ 0 or NaN; `bits` is scale's memory."""
    for i in range(len(low)):
        x = s.least if low[i] < s.least else low[i]
        rounded = x * s.log2e + s.magic
        n = rounded - s.magic
        r = (x - n * s.high) - n * s.low
        p = s.terms[0]
        for term in s.terms[1:]:
            p = p * r + term
        scale[i], rest[i] = rounded, r + r * r * p
    for i in range(len(low)):
        bits[i] = (bits[i] + s.shift) << s.digits


@part
def _rough(x):
    """h: |x|, or MOST where that is smaller, rounded to multiples of 1/256."""
    return ((MOST if abs(x) > MOST else abs(x)) + ROUGH) - ROUGH


@part
def _bell(x, m):
    """e^{−x²/2} from m = e^{−h²/2}: times e^d, where |d| < 0.03."""
    a = MOST if abs(x) > MOST else abs(x)
    h = (a + ROUGH) - ROUGH
    d = -HALF * (a + h) * (a - h)
    return m + m * (d + d * d * (HALF + d * SIXTH))


@part
def _normal_cdf(x, m):
    """Φ(x), where m = e^{−x²/2}."""
    one = HALF + HALF
    t = one / (one + HALF * ROOT_HALF * abs(x))
    q = Q[0]
    for term in Q[1:]:
        q = q * t + term
    tail = HALF * t * q * m
    return tail if x < HALF - HALF else one - tail
