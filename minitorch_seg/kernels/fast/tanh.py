"""tanh as a quotient of two polynomials, which a compiler turns into vector instructions.

Padé's approximant of eʸ of order n is Q(y) / Q(−y) with Q(y) = Σ_k q_k yᵏ and

    q_k = (2n − k)! n! / ((2n)! k! (n − k)!)

and tanh x = (eʸ − 1) / (eʸ + 1) with y = 2x, so

    tanh x ≈ (Q(y) − Q(−y)) / (Q(y) + Q(−y))
           = x · Σ_k 2^(2k+1) q_(2k+1) zᵏ / Σ_k 2^(2k) q_(2k) zᵏ,        z = x²

All terms are positive, so nothing cancels.  Beyond `limit` tanh rounds to ±1; up to there the order is high
enough for the last bit.  What remains is rounding, at most six units in the last place over all float32.  NaN
stays NaN.

Padé, "Sur la représentation approchée d'une fonction par des fractions rationnelles", 1892.
"""

from math import factorial
from typing import NamedTuple

import numpy as np

from minitorch_seg.kernels.jit import part


class Fraction(NamedTuple):
    """Coefficients of the numerator and of the denominator, highest power first."""

    above: tuple[np.floating, ...]
    below: tuple[np.floating, ...]
    limit: np.floating


def _fraction(dtype: type, order: int, limit: float) -> Fraction:
    def coefficient(k: int) -> float:
        ways = factorial(order) * factorial(2 * order - k)
        return 2**k * ways / (factorial(2 * order) * factorial(k) * factorial(order - k))

    terms = [dtype(coefficient(k)) for k in range(order + 1)]
    return Fraction(tuple(terms[1::2][::-1]), tuple(terms[::2][::-1]), dtype(limit))


FRACTIONS = {
    np.dtype("float32"): _fraction(np.float32, 13, 9.02),
    np.dtype("float64"): _fraction(np.float64, 28, 19.07),
}


@part
def tanh(x, fraction):
    """tanh x of one number, with the fraction of its dtype."""
    x = fraction.limit if x > fraction.limit else x  # false for NaN, here and below
    x = -fraction.limit if x < -fraction.limit else x
    z = x * x
    above = fraction.above[0]
    for term in fraction.above[1:]:
        above = above * z + term
    below = fraction.below[0]
    for term in fraction.below[1:]:
        below = below * z + term
    y, one = x * above / below, fraction.below[-1]  # the last coefficient is 1, in the dtype of x
    y = one if y > one or x == fraction.limit else y
    return -one if y < -one or x == -fraction.limit else y
