"""Exponential and logarithm of many float32 numbers, written so that the loops become vector instructions.

A processor has no instruction for either, and a call of the C library for every number takes ten times as
long.  Both split off a power of two, which in memory is just the exponent's bits, and sum a short series:

    eˣ = 2ⁿ · 2ᶠ,   n = ⌊x·log₂e + ½⌋, |f| ≤ ½,         2ᶠ = Σ_{k ≤ 7} (f·log 2)ᵏ/k!
    log s = e·log 2 + log m,   s = 2ᵉ·m, 1 ≤ m < 2,     log m = 2·(z + z³/3 + z⁵/5 + …),  z = (m − 1)/(m + 1)
"""

import math

import numpy as np

from minitorch_seg.kernels.jit import kernel

LOG2E, LOG2, HALF, ONE = (np.float32(v) for v in (math.log2(math.e), math.log(2), 0.5, 1))
LEAST = np.float32(-87.33)  # below, eˣ is smaller than the smallest normal float32, and made 0
T2, T3, T4, T5, T6, T7 = (np.float32(1 / math.factorial(k)) for k in range(2, 8))
Z3, Z5, Z7, Z9, Z11, Z13 = (np.float32(1 / k) for k in range(3, 15, 2))


@kernel
def exp_all(x, y):
    """y = eˣ, for x up to 80, −∞ and NaN, in other memory."""
    for i in range(len(x)):
        value = LEAST if x[i] < LEAST else x[i]
        scaled = value * LOG2E
        n = np.floor(scaled + HALF)
        z = (scaled - n) * LOG2
        series = ONE + z * (ONE + z * (T2 + z * (T3 + z * (T4 + z * (T5 + z * (T6 + z * T7))))))
        power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
        y[i] = np.float32(0) if x[i] < LEAST else series * power


@kernel
def log_all(s):
    """s becomes log s, for positive normal numbers and NaN."""
    bits = s.view(np.int32)
    for i in range(len(s)):
        value = s[i]
        exponent = np.float32((bits[i] >> np.int32(23)) - np.int32(127))
        bits[i] = (bits[i] & np.int32(0x7FFFFF)) | np.int32(0x3F800000)
        z = (s[i] - ONE) / (s[i] + ONE)
        q = z * z
        series = ONE + q * (Z3 + q * (Z5 + q * (Z7 + q * (Z9 + q * (Z11 + q * Z13)))))
        s[i] = exponent * LOG2 + (z + z) * series if value == value else value
