"""Whole numbers as PTX defines them: modular arithmetic on 8 to 64 bits, bit fields, carries."""

from __future__ import annotations

import numpy as np


def bits_of(dtype: np.dtype) -> int:
    return 8 * np.dtype(dtype).itemsize


def unsigned(x: np.ndarray) -> np.ndarray:
    return x.view(f"u{x.itemsize}")


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Truncated towards zero; by zero, which the machine reports where a thread does it: all ones."""
    safe = np.where(b == 0, b.dtype.type(1), b)
    return np.where(b == 0, ~a.dtype.type(0), (a - np.fmod(a, safe)) // safe)


def remainder(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b·divide(a, b): the sign of a."""
    return np.where(b == 0, a, np.fmod(a, np.where(b == 0, b.dtype.type(1), b)))


def multiply_high(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The upper half of the product of twice as many bits."""
    if a.itemsize < 8:
        wide = np.dtype(f"{a.dtype.kind}{2 * a.itemsize}")
        return (a.astype(wide) * b.astype(wide) >> bits_of(a.dtype)).astype(a.dtype)
    x, y = unsigned(a), unsigned(b)
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    (xh, xl), (yh, yl) = (x >> half, x & mask), (y >> half, y & mask)
    middle = xh * yl + (xl * yl >> half)
    high = xh * yh + (middle >> half) + (xl * yh + (middle & mask) >> half)
    if a.dtype.kind == "i":
        zero = np.uint64(0)
        high = high - np.where(a < 0, y, zero) - np.where(b < 0, x, zero)
    return high.view(a.dtype)


def multiply_wide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The whole product, in twice as many bits."""
    wide = np.dtype(f"{a.dtype.kind}{2 * a.itemsize}")
    return a.astype(wide) * b.astype(wide)


def shift_left(a: np.ndarray, count: np.ndarray) -> np.ndarray:
    """A count of all bits or more gives zero (processors take it modulo the bits)."""
    bits = bits_of(a.dtype)
    return np.where(count < bits, a << np.minimum(count, bits - 1).astype(a.dtype), a.dtype.type(0))


def shift_right(a: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Signed types repeat the sign bit, so that a large count gives 0 or -1; unsigned ones give 0."""
    bits = bits_of(a.dtype)
    moved = a >> np.minimum(count, bits - 1).astype(a.dtype)
    return moved if a.dtype.kind == "i" else np.where(count < bits, moved, a.dtype.type(0))


def count_ones(a: np.ndarray) -> np.ndarray:
    return np.bitwise_count(a).astype(np.uint32)


def leading_zeros(a: np.ndarray) -> np.ndarray:
    x = a.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        if shift < bits_of(a.dtype):
            x |= x >> x.dtype.type(shift)
    return np.uint32(bits_of(a.dtype)) - count_ones(x)


def find_leading(a: np.ndarray) -> np.ndarray:
    """bfind: the position of the highest bit that is not the sign's, or 0xffffffff."""
    x = unsigned(np.where(a < 0, ~a, a)) if a.dtype.kind == "i" else a
    return np.uint32(bits_of(a.dtype) - 1) - leading_zeros(x)


def find_leading_shift(a: np.ndarray) -> np.ndarray:
    """bfind.shiftamt: how far that bit would be shifted to be the highest, or 0xffffffff."""
    position = find_leading(a)
    none = np.uint32(0xFFFFFFFF)
    return np.where(position == none, none, np.uint32(bits_of(a.dtype) - 1) - position)


def reverse(a: np.ndarray) -> np.ndarray:
    """brev: the bits in the opposite order."""
    result, one = np.zeros_like(a), a.dtype.type(1)
    for i in range(bits_of(a.dtype)):
        result = result << one | (a >> a.dtype.type(i) & one)
    return result


def extract(a: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """bfe: `length` bits from bit `start` on, the sign repeated for signed types."""
    bits = bits_of(a.dtype)
    start, length = start & 0xFF, length & 0xFF
    raw = unsigned(a)
    field = shift_right(raw, start) & ~shift_left(~raw.dtype.type(0) * np.ones_like(raw), length)
    if a.dtype.kind == "u":
        return field
    top = np.minimum(start + length - 1, bits - 1)
    negative = (shift_right(raw, top) & raw.dtype.type(1)).astype(bool) & (length > 0)
    taken = np.minimum(length, bits - np.minimum(start, bits))  # the bits above are the sign's
    fill = shift_left(~raw.dtype.type(0) * np.ones_like(raw), taken)
    return np.where(negative, field | fill, field).view(a.dtype)


def insert(a: np.ndarray, b: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """bfi: b with its `length` bits from `start` on replaced by the low bits of a."""
    start, length = start & 0xFF, length & 0xFF
    ones = ~a.dtype.type(0) * np.ones_like(b)
    mask = shift_left(~shift_left(ones, length), start)
    return (b & ~mask) | (shift_left(a, start) & mask)


def permute(a: np.ndarray, b: np.ndarray, selector: np.ndarray) -> np.ndarray:
    """prmt: four of the eight bytes of b:a, each chosen by four bits; bit 3 repeats the byte's sign."""
    source = a.astype(np.uint64) | b.astype(np.uint64) << np.uint64(32)
    result = np.zeros(np.broadcast_shapes(source.shape, selector.shape), np.uint32)
    for i in range(4):
        choice = selector >> np.uint32(4 * i) & np.uint32(15)
        byte = (source >> ((choice & np.uint32(7)) * np.uint32(8)).astype(np.uint64)).astype(np.uint32)
        byte = byte & np.uint32(0xFF)
        sign = np.where(byte & np.uint32(0x80), np.uint32(0xFF), np.uint32(0))
        result = result | np.where(choice & np.uint32(8), sign, byte) << np.uint32(8 * i)
    return result


def lookup(a: np.ndarray, b: np.ndarray, c: np.ndarray, table: int) -> np.ndarray:
    """lop3: any function of three bits, its truth table given as a byte."""
    result = np.zeros(np.broadcast_shapes(a.shape, b.shape, c.shape), a.dtype)
    for row in range(8):
        if table >> row & 1:
            x = a if row & 4 else ~a
            y = b if row & 2 else ~b
            result = result | (x & y & (c if row & 1 else ~c))
    return result


def funnel_left(low: np.ndarray, high: np.ndarray, count: np.ndarray) -> np.ndarray:
    """shf.l.wrap: the upper word of high:low shifted left."""
    both = low.astype(np.uint64) | high.astype(np.uint64) << np.uint64(32)
    return (both << (count & np.uint32(31)).astype(np.uint64) >> np.uint64(32)).astype(np.uint32)


def funnel_right(low: np.ndarray, high: np.ndarray, count: np.ndarray) -> np.ndarray:
    """shf.r.wrap: the lower word of high:low shifted right."""
    both = low.astype(np.uint64) | high.astype(np.uint64) << np.uint64(32)
    return (both >> (count & np.uint32(31)).astype(np.uint64)).astype(np.uint32)


def add_carry(a: np.ndarray, b: np.ndarray, carry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a + b + carry and the carry out, for 32-bit words."""
    total = a.astype(np.uint64) + b.astype(np.uint64) + carry.astype(np.uint64)
    return total.astype(np.uint32), (total >> np.uint64(32)).astype(np.uint32)


def subtract_borrow(a: np.ndarray, b: np.ndarray, borrow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a - b - borrow and the borrow out, for 32-bit words."""
    total = a.astype(np.int64) - b.astype(np.int64) - borrow.astype(np.int64)
    return total.astype(np.uint32), (total < 0).astype(np.uint32)
