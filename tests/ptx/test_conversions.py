"""cvt on edge values: ranges, rounding, NaN, and registers that are wider than what lies in them."""

import math
from fractions import Fraction

import numpy as np
import pytest

from tests.ptx.instructions import DTYPES
from tests.ptx.oracles import rounded, wrapped
from tests.ptx.snippets import apply, combinations
from tests.ptx.test_integers import check, edges

FLOATS = np.array(
    [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.999999, 127.5, 255.4, 255.5, -128.6, 32767.5, 65535.9, 2.0**31,
     -(2.0**31), 2.0**31 - 128, 2.0**32, 2.0**63, -(2.0**63), 2.0**64, 1e30, -1e30, np.inf, -np.inf,
     2.0**-149, 8388607.5, -7.0]
)  # fmt: skip
ROUND = {"rni": lambda v: round(Fraction(v)), "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}


@pytest.mark.parametrize("mode", ROUND)
@pytest.mark.parametrize("source", ["f32", "f64"])
def test_to_whole_numbers_with_clamping(source, mode):
    (x,) = combinations(FLOATS.astype(DTYPES[source]))
    for kind in ("s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"):
        found = apply(f"cvt.{mode}.{kind}.{source}", kind, source, x)
        limits = np.iinfo(DTYPES[kind])
        for value, result in zip(x[: len(FLOATS)], found, strict=False):
            value = float(value)
            whole = ROUND[mode](value) if math.isfinite(value) else value
            assert int(result) == int(min(max(whole, limits.min), limits.max)), (kind, value)
    nan = np.full(128, np.nan, DTYPES[source])
    assert not apply(f"cvt.{mode}.s32.{source}", "s32", source, nan).any()


@pytest.mark.parametrize("mode", ROUND)
def test_to_whole_numbers_that_stay_floats(mode):
    (x,) = combinations(FLOATS.astype(np.float32))
    found = apply(f"cvt.{mode}.f32.f32", "f32", "f32", x)
    expected = [ROUND[mode](float(v)) if math.isfinite(v) else v for v in x]
    np.testing.assert_array_equal(found, np.array([float(v) for v in expected], np.float32))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(x) & ~((found != 0) & (found > 0)))


@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32", "s64", "u64"])
def test_from_whole_numbers(kind):
    (x,) = combinations(edges(kind))
    for target in ("f32", "f64"):
        found = apply(f"cvt.rn.{target}.{kind}", target, kind, x)
        expected = [rounded(Fraction(int(v)), target) for v in x]
        np.testing.assert_array_equal(found, np.array(expected, found.dtype))
    if kind in ("s32", "u32"):
        for mode in ("rz", "rm", "rp"):
            found = apply(f"cvt.{mode}.f32.{kind}", "f32", kind, x)
            np.testing.assert_array_equal(
                found, np.array([rounded(Fraction(int(v)), "f32", mode) for v in x], "f4")
            )


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
def test_from_float64_to_float32(mode):
    x = np.array(
        [1 + 2**-24, 1 + 3 * 2**-24, -(1 + 2**-30), 1e-45, 1e-50, 3.5e38, -1e300, 0.1, 2**-149 * 1.5, -0.0]
    )
    (x,) = combinations(x)
    found = apply(f"cvt.{mode}.f32.f64", "f32", "f64", x)
    np.testing.assert_array_equal(
        found, np.array([rounded(Fraction(float(v)), "f32", mode) for v in x], np.float32)
    )


def test_between_the_sizes_of_floats():
    (x,) = combinations(
        np.array([0, -0.0, 1, 1e-45, 3.4e38, np.inf, np.nan, 65519, 65520, 6e-8, 1 / 3], np.float32)
    )
    np.testing.assert_array_equal(apply("cvt.f64.f32", "f64", "f32", x), x.astype(np.float64))
    found = apply("cvt.rn.f16.f32", "f16", "f32", x)
    expected = [rounded(Fraction(float(v)), "f16") if math.isfinite(v) else v for v in x]
    np.testing.assert_array_equal(found, np.array(expected, np.float16))
    np.testing.assert_array_equal(apply("cvt.f32.f16", "f32", "f16", found), found.astype(np.float32))
    tiny = np.full(128, 1e-40, np.float32)
    assert apply("cvt.ftz.f64.f32", "f64", "f32", tiny)[0] == 0
    assert apply("cvt.rn.ftz.f32.f64", "f32", "f64", tiny.astype(np.float64))[0] == 0


@pytest.mark.parametrize("source", ["s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"])
def test_between_whole_numbers(source):
    (x,) = combinations(edges(source))
    for target in ("u16", "s16", "s32", "u32", "s64", "u64"):
        check(f"cvt.{target}.{source}", target, source, lambda v: v, x)
        limits = np.iinfo(DTYPES[target])
        check(f"cvt.sat.{target}.{source}", target, source, lambda v, k=limits: min(max(v, k.min), k.max), x)


def test_a_narrow_type_reads_the_low_bits_of_a_wide_register():
    (x,) = combinations(edges("u32"))
    check("cvt.s32.s8", "s32", "u32", lambda v: wrapped(v, "s8"), x)
    check("cvt.u32.u8", "u32", "u32", lambda v: v % 256, x)


def test_packing_and_unpacking():
    a, b = combinations(edges("b32"), edges("b32"))
    check("mov.b64 $d, {$0, $1};", "b64", "b32 b32", lambda x, y: x | y << 32, a, b)
    (x,) = combinations(edges("b64"))
    check("mov.b64 {%r10, $d}, $0;", "b32", "b64", lambda v: v >> 32, x)
    check("mov.b64 {$d, %r10}, $0;", "b32", "b64", lambda v: v, x)
