"""Whole-number instructions on edge values, each against Python's integers."""

import numpy as np
import pytest

from tests.ptx.instructions import DTYPES
from tests.ptx.oracles import divided, wrapped
from tests.ptx.snippets import apply, combinations, launch

EDGES = (
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    63,
    64,
    255,
    2**15,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
MORE = (-1, -2, -7, -(2**31), 0x12345678, 0xDEADBEEFCAFE)


def edges(kind: str) -> np.ndarray:
    """Edge values of a type, each once."""
    values = dict.fromkeys(wrapped(v, kind) for v in EDGES + MORE)
    return np.array(list(values), DTYPES[kind])


def check(text, result, types, oracle, *operands):
    """Compare an instruction with oracle(*integers), wrapped to the result's type."""
    found = apply(text, result, types, *operands)
    columns = [[int(v) for v in operand] for operand in operands]
    values = [oracle(*row) for row in zip(*columns, strict=True)]
    expected = values if result == "pred" else [wrapped(v, result) for v in values]
    np.testing.assert_array_equal(found, np.array(expected, found.dtype))


KINDS = ["s16", "u16", "s32", "u32", "s64", "u64"]
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul.lo": lambda a, b: a * b,
    "min": min,
    "max": max,
}


@pytest.mark.parametrize("kind", KINDS)
def test_arithmetic(kind):
    a, b = combinations(edges(kind), edges(kind))
    for name, oracle in BINARY.items():
        check(f"{name}.{kind}", kind, f"{kind} {kind}", oracle, a, b)
    size = int(kind[1:])
    check(f"mul.hi.{kind}", kind, f"{kind} {kind}", lambda x, y: x * y >> size, a, b)
    keep = (b != 0) & ~((b == -1) & (a == np.iinfo(a.dtype).min)) if kind[0] == "s" else b != 0
    one = np.ones_like(b)
    a, b = np.where(keep, a, one), np.where(keep, b, one)
    check(f"div.{kind}", kind, f"{kind} {kind}", divided, a, b)
    check(f"rem.{kind}", kind, f"{kind} {kind}", lambda x, y: x - y * divided(x, y), a, b)


@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32"])
def test_wide_products(kind):
    wide = f"{kind[0]}{2 * int(kind[1:])}"
    a, b = combinations(edges(kind), edges(kind))
    check(f"mul.wide.{kind}", wide, f"{kind} {kind}", lambda x, y: x * y, a, b)
    c = np.resize(edges(wide), len(a))
    check(f"mad.wide.{kind}", wide, f"{kind} {kind} {wide}", lambda x, y, z: x * y + z, a, b, c)


@pytest.mark.parametrize("kind", ["s32", "u32", "s64", "u64"])
def test_multiply_and_add(kind):
    a, b = combinations(edges(kind), edges(kind))
    c, size, types = np.roll(b, 5), int(kind[1:]), f"{kind} {kind} {kind}"
    check(f"mad.lo.{kind}", kind, types, lambda x, y, z: x * y + z, a, b, c)
    check(f"mad.hi.{kind}", kind, types, lambda x, y, z: (x * y >> size) + z, a, b, c)


def test_saturated_sums():
    a, b = combinations(edges("s32"), edges("s32"))
    for name, sign in (("add", 1), ("sub", -1)):
        check(
            f"{name}.sat.s32",
            "s32",
            "s32 s32",
            lambda x, y, s=sign: min(max(x + s * y, -(2**31)), 2**31 - 1),
            a,
            b,
        )


@pytest.mark.parametrize("kind", ["s16", "s32", "s64"])
def test_signs(kind):
    (a,) = combinations(edges(kind))
    check(f"neg.{kind}", kind, kind, lambda x: -x, a)
    check(f"abs.{kind}", kind, kind, abs, a)


@pytest.mark.parametrize("kind", ["b16", "b32", "b64"])
def test_logic(kind):
    a, b = combinations(edges(kind), edges(kind))
    for name, oracle in {"and": int.__and__, "or": int.__or__, "xor": int.__xor__}.items():
        check(f"{name}.{kind}", kind, f"{kind} {kind}", oracle, a, b)
    check(f"not.{kind}", kind, kind, lambda x: ~x, a)


def test_logic_of_predicates():
    a, b = combinations(np.array([0, 1], bool), np.array([0, 1], bool))
    for name, oracle in {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}.items():
        np.testing.assert_array_equal(
            apply(f"{name}.pred", "pred", "pred pred", *map(as_bytes, (a, b))), oracle(a, b)
        )
    np.testing.assert_array_equal(apply("not.pred", "pred", "pred", as_bytes(a)), ~a)
    np.testing.assert_array_equal(apply("mov.pred", "pred", "pred", as_bytes(a)), a)


def as_bytes(x: np.ndarray) -> np.ndarray:
    return x.astype(bool)


@pytest.mark.parametrize("kind", ["b16", "b32", "b64", "s16", "s32", "s64", "u16", "u32", "u64"])
def test_shifts(kind):
    a, count = combinations(
        edges(kind), np.array([0, 1, 5, 15, 16, 31, 32, 63, 64, 100, 2**32 - 1], np.uint32)
    )
    right = f"shr.{kind}"
    check(right, kind, f"{kind} u32", lambda x, n: x >> n if n < 200 else (-1 if x < 0 else 0), a, count)
    if kind[0] == "b":
        check(f"shl.{kind}", kind, f"{kind} u32", lambda x, n: x << n if n < 200 else 0, a, count)


@pytest.mark.parametrize("kind", ["b32", "b64"])
def test_counts_of_bits(kind):
    (a,) = combinations(edges(kind))
    size = int(kind[1:])
    check(f"popc.{kind}", "u32", kind, lambda x: x.bit_count(), a)
    check(f"clz.{kind}", "u32", kind, lambda x: size - x.bit_length(), a)
    check(f"brev.{kind}", kind, kind, lambda x: int(f"{x:0{size}b}"[::-1], 2), a)


@pytest.mark.parametrize("kind", ["u32", "s32", "u64", "s64"])
def test_the_leading_bit(kind):
    (a,) = combinations(edges(kind))
    size = int(kind[1:])

    def leading(x):
        return (~x if x < 0 else x).bit_length() - 1

    check(f"bfind.{kind}", "u32", kind, leading, a)
    check(f"bfind.shiftamt.{kind}", "u32", kind, lambda x: -1 if leading(x) < 0 else size - 1 - leading(x), a)


@pytest.mark.parametrize("kind", ["u32", "s32", "u64", "s64"])
def test_fields_of_bits(kind):
    size, counts = int(kind[1:]), np.array([0, 1, 5, 31, 32, 33, 63, 64, 200], np.uint32)
    a, start, length = combinations(edges(kind), counts, counts)

    def extract(x, first, count):
        """Bit by bit, as the manual words it."""
        top = min(first + count - 1, size - 1)
        sign = (x >> top & 1) if kind[0] == "s" and count else 0
        return sum((x >> first + i & 1 if i < count and first + i < size else sign) << i for i in range(size))

    check(f"bfe.{kind}", kind, f"{kind} u32 u32", extract, a, start, length)
    if kind[0] == "u":
        bits = f"b{size}"
        b = np.roll(a, 7)

        def insert(x, y, first, count):
            for i in range(count):
                if first + i < size:
                    y = y & ~(1 << first + i) | (x >> i & 1) << first + i
            return y

        check(f"bfi.{bits}", bits, f"{bits} {bits} u32 u32", insert, a, b, start, length)


def test_permuted_bytes():
    rng = np.random.default_rng(0)
    a, b, selector = rng.integers(0, 2**32, (3, 512), dtype=np.uint32)

    def permute(x, y, s):
        pool = (x | y << 32).to_bytes(8, "little")
        chosen = [(s >> 4 * i & 7, s >> 4 * i & 8) for i in range(4)]
        return int.from_bytes(
            bytes((255 if pool[i] > 127 else 0) if sign else pool[i] for i, sign in chosen), "little"
        )

    check("prmt.b32", "b32", "b32 b32 b32", permute, a, b, selector)


def test_any_function_of_three_bits():
    a, b, c = np.random.default_rng(1).integers(0, 2**32, (3, 128), dtype=np.uint32)
    for table in (0x00, 0xE8, 0x96, 0xCA, 0x1B, 0xFF):

        def lookup(x, y, z, table=table):
            return sum(
                (table >> (x >> i & 1) * 4 + (y >> i & 1) * 2 + (z >> i & 1) & 1) << i for i in range(32)
            )

        check(f"lop3.b32 $d, $0, $1, $2, {table};", "b32", "b32 b32 b32", lookup, a, b, c)


def test_funnel_shifts():
    low, high, count = combinations(edges("b32"), edges("b32"), np.array([0, 1, 31, 32, 40], np.uint32))
    for side, oracle in {
        "l": lambda x, y, n: (x | y << 32) << (n & 31) >> 32,
        "r": lambda x, y, n: (x | y << 32) >> (n & 31),
    }.items():
        check(f"shf.{side}.wrap.b32", "b32", "b32 b32 u32", oracle, low, high, count)


def test_carries_reach_the_next_word():
    a, b = combinations(edges("u64"), edges("u64"))
    words = "mov.b64 {%r10, %r11}, $0; mov.b64 {%r12, %r13}, $1;"
    for name, oracle in {"add": lambda x, y: x + y, "sub": lambda x, y: x - y}.items():
        text = f"""{words} {name}.cc.u32 %r14, %r10, %r12; {name}c.u32 %r15, %r11, %r13;
            mov.b64 $d, {{%r14, %r15}};"""
        check(text, "u64", "u64 u64", oracle, a, b)
    text = (
        f"{words} mul.lo.u32 %r14, %r10, %r12; mul.hi.u32 %r15, %r10, %r12;"
        " mad.lo.cc.u32 %r15, %r11, %r12, %r15; madc.hi.u32 %r16, %r11, %r12, 0;"
        " mad.lo.cc.u32 %r15, %r10, %r13, %r15; madc.hi.u32 %r16, %r10, %r13, %r16; mov.b64 $d, {%r15, %r16};"
    )

    def middle_words(x, y):
        """The sum that the text makes of the partial products, its second and third word."""
        x0, x1, y0, y1 = x % 2**32, x >> 32, y % 2**32, y >> 32
        return (x0 * y0 >> 32) + x1 * y0 + x0 * y1

    check(text, "u64", "u64 u64", middle_words, a, b)


@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32", "s64", "u64"])
def test_comparisons(kind):
    a, b = combinations(edges(kind), edges(kind))
    plain = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
    if kind[0] == "u":
        plain |= {"lo": "<", "ls": "<=", "hi": ">", "hs": ">="}
    for name, sign in plain.items():
        check(
            f"setp.{name}.{kind}", "pred", f"{kind} {kind}", lambda x, y, s=sign: eval(f"{x} {s} {y}"), a, b
        )
    p = np.resize(np.array([0, 1, 1], bool), len(a))
    joined = apply(f"setp.lt.and.{kind}", "pred", f"{kind} {kind} pred", a, b, p)
    np.testing.assert_array_equal(joined, np.array([int(x) < int(y) for x, y in zip(a, b, strict=True)]) & p)
    check(f"set.ge.u32.{kind}", "u32", f"{kind} {kind}", lambda x, y: -1 if x >= y else 0, a, b)


def test_selection():
    a, b = combinations(edges("b64"), edges("b64"))
    p = np.resize(np.array([0, 1, 1], bool), len(a))
    np.testing.assert_array_equal(apply("selp.b64", "b64", "b64 b64 pred", a, b, p), np.where(p, a, b))
    c = np.resize(edges("s32"), len(a))
    np.testing.assert_array_equal(
        apply("slct.b64.s32", "b64", "b64 b64 s32", a, b, c), np.where(c >= 0, a, b)
    )


def test_two_results_of_a_comparison():
    a, b = combinations(edges("s32"), edges("s32"))
    text = "setp.lt.s32 %p1|%p2, $0, $1; selp.u32 %r10, 1, 0, %p1; selp.u32 $d, 2, %r10, %p2;"
    check(text, "u32", "s32 s32", lambda x, y: 1 if x < y else 2, a, b)


def test_constants():
    """Numbers as NVVM writes them."""
    texts = {
        "mov.u32 $d, -1;": 2**32 - 1,
        "mov.b32 $d, 0f3F800000;": 0x3F800000,
        "mov.u32 $d, 0x10;": 16,
        "mov.u32 $d, 7U;": 7,
    }
    x = np.zeros(128, np.uint32)
    for text, expected in texts.items():
        assert apply(text, "u32", "u32", x)[0] == expected
    assert apply("mov.f32 $d, 0fBF800000;", "f32", "u32", x)[0] == -1
    assert apply("mov.f64 $d, 0d4000000000000000;", "f64", "u32", x)[0] == 2


def test_special_registers():
    names = [f"%{name}.{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"]
    grid, block = (2, 3, 2), (3, 2, 4)
    out = np.zeros((12, 24, 12), np.uint32)
    body = [
        "mov.u32 %r3, %tid.y; mov.u32 %r4, %tid.z; mad.lo.s32 %r5, %r4, 2, %r3; mov.u32 %r6, %tid.x;",
        "mad.lo.s32 %r5, %r5, 3, %r6;",
        "mov.u32 %r3, %ctaid.z; mov.u32 %r4, %ctaid.y; mad.lo.s32 %r7, %r3, 3, %r4;",
        "mov.u32 %r3, %ctaid.x; mad.lo.s32 %r7, %r7, 2, %r3; mad.lo.s32 %r5, %r7, 24, %r5;",
        "mul.wide.s32 %rd2, %r5, 48; add.s64 %rd2, %rd2, %rd1;",
        *[f"mov.u32 %r8, {name}; st.global.u32 [%rd2+{4 * i}], %r8;" for i, name in enumerate(names)],
        "ret;",
    ]
    launch("\n".join(body), grid, block, out)
    for number in range(12):
        for thread in range(24):
            tid, cta = (thread % 3, thread // 3 % 2, thread // 6), (number % 2, number // 2 % 3, number // 6)
            assert tuple(out[number, thread]) == (*tid, *block, *cta, *grid)
