"""Floating-point instructions on edge values, each against exact fractions rounded once."""

import math
from fractions import Fraction

import numpy as np
import pytest

from tests.ptx.oracles import flushed, rounded
from tests.ptx.snippets import apply, combinations

F32, F64 = np.float32, np.float64
ONE_UP = np.nextafter(F32(1), F32(2))
FINITE = np.array(
    [0.0, -0.0, 1, -1, ONE_UP, -ONE_UP, 1.5, 1 / 3, 2**24, 2**24 + 2, -(2**-24), 2**-149, -(2**-149), 2**-126,
     2**-127, 3.4028235e38, -3.4028235e38, 1e-20, -7e-39, 2**-75, 12345.678], F32,
)  # fmt: skip
SPECIAL = np.array([0.0, -0.0, 1, -2, np.inf, -np.inf, np.nan, 2**-149, 3.4e38], F32)
FINITE64 = np.array(
    [0.0, -0.0, 1, -1, 1 + 2**-52, -(1 - 2**-53), 1 / 3, 2**53 + 2, 2**-53, 5e-324, -2.2e-308, 1.7e308,
     -1.7e308, 1e-160, -3e-170, 1e155, 2**-1022, 0.1], F64,
)  # fmt: skip


def same(found, expected):
    """Equal bit for bit, zeros' signs included; any NaN is NaN."""
    expected = np.array(expected, found.dtype)
    np.testing.assert_array_equal(found, expected)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(expected[number]))


def exact(kind, mode, values, zero):
    """The rounded sum, and the sign that IEEE 754 gives an exact zero."""
    total = sum(values, Fraction(0))
    return zero if total == 0 else rounded(total, kind, mode)


def zero_of_sum(a: float, b: float, mode: str) -> float:
    """The zero that a + b is where it is one: that of both, or +0, or -0 when rounding down."""
    negative = (math.copysign(1, a) < 0, math.copysign(1, b) < 0)
    return -0.0 if all(negative) or (any(negative) and mode == "rm") else 0.0


def sign_of_product(a: float, b: float) -> float:
    return math.copysign(1, a) * math.copysign(1, b)


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
def test_fma_f32_is_rounded_once(mode):
    rng = np.random.default_rng(0)
    edges = FINITE if mode == "rn" else FINITE[::2]
    a, b, c = combinations(edges, edges, edges)
    # Products that a sum brings near the middle between two numbers: there a second rounding would show.
    near = rng.integers(2**23, 2**24, (3, 1024)).astype(F32)
    near[2] = -(near[0].astype(F64) * near[1]).astype(F32) * F32(2.0) ** rng.integers(-30, 3, 1024)
    a, b, c = (np.concatenate([x, y.astype(F32)]) for x, y in zip((a, b, c), near, strict=True))
    expected = [
        exact("f32", mode, (Fraction(float(x)) * Fraction(float(y)), Fraction(float(z))),
              zero_of_sum(math.copysign(0, sign_of_product(x, y)), z, mode))
        for x, y, z in zip(a, b, c, strict=True)
    ]  # fmt: skip
    same(apply(f"fma.{mode}.f32", "f32", "f32 f32 f32", a, b, c), expected)


def test_a_second_rounding_of_fma_f32_would_show():
    """The case that float64 alone gets wrong: half way, and a little more that float64 has no room for."""
    a, b, c = (np.full(128, v, F32) for v in (2**-12 + 2**-35, 2**-12 - 2**-35, ONE_UP))
    naive = F32(F64(a[0]) * F64(b[0]) + F64(c[0]))
    found = apply("fma.rn.f32", "f32", "f32 f32 f32", a, b, c)
    assert found[0] == ONE_UP != naive
    # Likewise where the result is subnormal, and the middle lies at another bit.
    a, b, c = (np.full(128, v, F32) for v in (2**-75 + 2**-98, 2**-75 - 2**-98, 2**-127 + 2**-149))
    naive = F32(F64(a[0]) * F64(b[0]) + F64(c[0]))
    assert apply("fma.rn.f32", "f32", "f32 f32 f32", a, b, c)[0] == c[0] != naive


def test_a_second_rounding_of_fma_f64_would_show():
    a, b, c = (np.full(128, v, F64) for v in (2**-27 + 2**-79, 2**-26 - 2**-78, 1 + 2**-52))
    exact_value = Fraction(a[0]) * Fraction(b[0]) + Fraction(c[0])
    assert apply("fma.rn.f64", "f64", "f64 f64 f64", a, b, c)[0] == rounded(exact_value, "f64") == c[0]


def test_fma_f64_is_rounded_once():
    rng = np.random.default_rng(1)
    a, b, c = combinations(FINITE64[::2], FINITE64, FINITE64[1::2])
    x, y = rng.standard_normal((2, 512))
    z = -x * y * (1 + 2.0 ** rng.integers(-60, 1, 512))
    a, b, c = (np.concatenate(pair) for pair in zip((a, b, c), (x, y, z), strict=True))
    expected = [
        exact("f64", "rn", (Fraction(float(u)) * Fraction(float(v)), Fraction(float(w))),
              zero_of_sum(math.copysign(0, sign_of_product(u, v)), w, "rn"))
        for u, v, w in zip(a, b, c, strict=True)
    ]  # fmt: skip
    same(apply("fma.rn.f64", "f64", "f64 f64 f64", a, b, c), expected)


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_arithmetic_f32(name, mode):
    a, b = combinations(FINITE, FINITE)

    def one(x, y):
        u, v = Fraction(float(x)), Fraction(float(y))
        if name == "mul":
            return exact("f32", mode, (u * v,), math.copysign(0, sign_of_product(x, y)))
        y = -y if name == "sub" else y
        return exact("f32", mode, (u, Fraction(float(y))), zero_of_sum(x, y, mode))

    same(apply(f"{name}.{mode}.f32", "f32", "f32 f32", a, b), [one(x, y) for x, y in zip(a, b, strict=True)])


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div.rn"])
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_arithmetic_with_infinities_and_nan(name, kind):
    a, b = combinations(*[SPECIAL.astype(kind.replace("f32", "f4").replace("f64", "f8"))] * 2)
    function = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div.rn": np.divide}[name]
    with np.errstate(all="ignore"):
        same(apply(f"{name}.{kind}", kind, f"{kind} {kind}", a, b), function(a, b))


def test_fma_with_infinities_and_nan():
    a, b, c = combinations(SPECIAL, SPECIAL, SPECIAL)
    with np.errstate(all="ignore"):
        product = a.astype(F64) * b
        expected = np.where(np.isfinite(product) & np.isfinite(c), 0, product + c)
    found = apply("fma.rn.f32", "f32", "f32 f32 f32", a, b, c)
    finite = np.isfinite(product) & np.isfinite(c)
    np.testing.assert_array_equal(found[~finite], expected[~finite].astype(F32))


@pytest.mark.parametrize("name", ["add.ftz", "mul.ftz", "fma.rn.ftz"])
def test_flushed_subnormals(name):
    count = 3 if name.startswith("fma") else 2
    operands = combinations(*[FINITE[::count]] * count)

    def one(*values):
        values = [flushed(float(v)) for v in values]
        x, y = values[:2]
        if name == "add.ftz":
            return flushed(exact("f32", "rn", (Fraction(x), Fraction(y)), zero_of_sum(x, y, "rn")))
        product, zero = Fraction(x) * Fraction(y), math.copysign(0, sign_of_product(x, y))
        if count == 2:
            tiny = rounded(product, "f32")
            return flushed(math.copysign(tiny, zero if product == 0 else tiny or zero))
        z = values[2]
        return flushed(exact("f32", "rn", (product, Fraction(z)), zero_of_sum(zero, z, "rn")))

    expected = [one(*values) for values in zip(*operands, strict=True)]
    found = apply(f"{name}.f32", "f32", " ".join(["f32"] * count), *operands)
    np.testing.assert_array_equal(found, np.array(expected, F32))
    assert not (np.abs(found[found != 0]) < 2.0**-126).any()


def test_division_and_square_roots():
    a, b = combinations(FINITE, FINITE[FINITE != 0])
    expected = [rounded(Fraction(float(x)) / Fraction(float(y)), "f32") for x, y in zip(a, b, strict=True)]
    for name in ("div.rn.f32", "div.full.f32", "div.approx.f32"):
        np.testing.assert_array_equal(apply(name, "f32", "f32 f32", a, b), np.array(expected, F32))
    (x,) = combinations(np.abs(FINITE))
    root = apply("sqrt.rn.f32", "f32", "f32", x)
    for value, found in zip(x, root, strict=True):  # the square root is between the squares of the middles
        below, above = (Fraction(float(np.nextafter(found, F32(s * np.inf)))) for s in (-1, 1))
        middle = [(Fraction(float(found)) + side) / 2 for side in (below, above)]
        assert value == found == 0 or middle[0] ** 2 <= Fraction(float(value)) <= middle[1] ** 2
    (y,) = combinations(FINITE[FINITE != 0])
    expected = [rounded(1 / Fraction(float(v)), "f32") for v in y]
    np.testing.assert_array_equal(apply("rcp.rn.f32", "f32", "f32", y), np.array(expected, F32))


@pytest.mark.parametrize(
    ("name", "function", "low", "high", "bound"),
    [
        ("ex2", lambda x: 2.0**x, -120, 120, 2**-22),
        ("lg2", math.log2, 2**-100, 2.0**100, 2**-22),
        ("sqrt", math.sqrt, 1e-30, 1e30, 2**-23),
        ("rsqrt", lambda x: 1 / math.sqrt(x), 1e-30, 1e30, 2**-22.4),
        ("rcp", lambda x: 1 / x, 1e-30, 1e30, 2**-23),
        ("sin", math.sin, -3, 3, 2**-20.5),
        ("cos", math.cos, -3, 3, 2**-20.9),
        ("tanh", math.tanh, -9, 9, 2**-11),
    ],
)
def test_approximate_functions_are_within_the_documented_error(name, function, low, high, bound):
    rng = np.random.default_rng(2)
    x = rng.uniform(low, high, 1024) if low < 0 else np.exp(rng.uniform(math.log(low), math.log(high), 1024))
    x = x.astype(F32)
    found = apply(f"{name}.approx.f32", "f32", "f32", x).astype(F64)
    expected = np.array([function(float(v)) for v in x])
    assert np.all(np.abs(found - expected) <= bound * np.maximum(np.abs(expected), 2.0**-40))


def test_approximate_functions_at_the_edges():
    x = np.resize(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1], F32), 128)
    for name, expected in {
        "ex2": [1, 1, np.inf, 0, np.nan, 2],
        "lg2": [-np.inf, -np.inf, np.inf, np.nan, np.nan, 0],
        "rcp": [np.inf, -np.inf, 0, -0.0, np.nan, 1],
        "rsqrt": [np.inf, -np.inf, 0, np.nan, np.nan, 1],
        "sqrt": [0, -0.0, np.inf, np.nan, np.nan, 1],
    }.items():
        same(apply(f"{name}.approx.ftz.f32", "f32", "f32", x)[:6], expected)
    small = np.full(128, 2.0**-130, F32)
    assert apply("rcp.approx.ftz.f32", "f32", "f32", small)[0] == np.inf
    assert apply("sqrt.approx.ftz.f32", "f32", "f32", small)[0] == 0


def test_the_rough_reciprocal_of_f64_has_no_lower_half():
    x = np.exp(np.random.default_rng(3).uniform(-300, 300, 256))
    found = apply("rcp.approx.ftz.f64", "f64", "f64", x)
    assert not (found.view(np.uint64) & np.uint64(0xFFFFFFFF)).any()
    np.testing.assert_allclose(found, 1 / x, rtol=2**-19.9)


def test_minimum_and_maximum_prefer_numbers_and_order_zeros():
    a, b = combinations(SPECIAL, SPECIAL)

    def extreme(x, y, best):
        if math.isnan(x) or math.isnan(y):
            return y if math.isnan(x) else x
        return best((x, y), key=lambda v: (v, math.copysign(1, v)))

    for name, best in (("min", min), ("max", max)):
        expected = [extreme(float(x), float(y), best) for x, y in zip(a, b, strict=True)]
        same(apply(f"{name}.f32", "f32", "f32 f32", a, b), expected)
        expected = np.where(np.isnan(a) | np.isnan(b), np.nan, expected)
        same(apply(f"{name}.NaN.f32", "f32", "f32 f32", a, b), expected)


def test_signs():
    a, b = combinations(SPECIAL, SPECIAL)
    same(
        apply("copysign.f32", "f32", "f32 f32", a, b),
        [math.copysign(y, x) for x, y in zip(a, b, strict=True)],
    )
    same(apply("neg.f32", "f32", "f32", a), [-float(x) for x in a])
    same(apply("abs.f32", "f32", "f32", a), [abs(float(x)) for x in a])


def test_saturation():
    x = np.resize(np.array([-1, -0.0, 0.25, 1, 2, np.inf, -np.inf, np.nan], F32), 128)
    same(apply("cvt.sat.f32.f32", "f32", "f32", x)[:8], [0, 0, 0.25, 1, 1, 1, 0, 0])
    same(
        apply("add.sat.f32", "f32", "f32 f32", x, np.full(128, 0.25, F32))[:8], [0, 0.25, 0.5, 1, 1, 1, 0, 0]
    )


@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_comparisons(kind):
    a, b = combinations(*[SPECIAL.astype({"f32": F32, "f64": F64}[kind])] * 2)
    plain = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
    for name, sign in plain.items():
        pairs = [(float(x), float(y)) for x, y in zip(a, b, strict=True)]
        nan = np.array([math.isnan(x) or math.isnan(y) for x, y in pairs])
        value = np.array([eval(f"x {sign} y", {"x": x, "y": y}) for x, y in pairs])
        types = f"{kind} {kind}"
        np.testing.assert_array_equal(apply(f"setp.{name}.{kind}", "pred", types, a, b), value & ~nan)
        np.testing.assert_array_equal(apply(f"setp.{name}u.{kind}", "pred", types, a, b), value | nan)
    np.testing.assert_array_equal(apply(f"setp.nan.{kind}", "pred", types, a, b), nan)
    np.testing.assert_array_equal(apply(f"setp.num.{kind}", "pred", types, a, b), ~nan)
