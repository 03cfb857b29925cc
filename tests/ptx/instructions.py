"""What each instruction computes: one table from its name to a reader of its modifiers.

An entry of TABLE takes the modifiers and gives a Plan: a function of arrays (one element a thread), the types
of its operands and of its results. Modifiers that nobody took make the instruction unknown. Loads, stores,
branches, barriers and whatever else needs more than its operands are in machine.py.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tests.ptx import conversions, floats, integers
from tests.ptx.faults import UnknownPTX

DTYPES = {"pred": np.dtype(bool), "f16": np.dtype("f2"), "f32": np.dtype("f4"), "f64": np.dtype("f8")}
DTYPES |= {
    f"{kind}{bits}": np.dtype(f"{'i' if kind == 's' else 'u'}{bits // 8}")
    for kind in "bus"
    for bits in (8, 16, 32, 64)
}
U32 = DTYPES["u32"]
PRED = DTYPES["pred"]


@dataclass(frozen=True)
class Plan:
    compute: Callable
    sources: tuple[np.dtype, ...]
    results: tuple[np.dtype, ...]
    reads_carry: bool = False  # a last operand and a last result beyond those in the text
    writes_carry: bool = False


class Modifiers:
    """The modifiers of one instruction, crossed off as they are understood."""

    def __init__(self, names: tuple[str, ...]):
        self.names = list(names)

    def take(self, name: str) -> bool:
        if name in self.names:
            self.names.remove(name)
            return True
        return False

    def one_of(self, *names: str, default: str | None = None) -> str | None:
        return next((name for name in names if self.take(name)), default)

    def dtype(self) -> np.dtype:
        """The last modifier, a type."""
        if not self.names or self.names[-1] not in DTYPES:
            raise UnknownPTX("no type that is known")
        return DTYPES[self.names.pop()]


Reader = Callable[[Modifiers], Plan | None]
TABLE: dict[str, Reader] = {}


def instruction(*names: str):
    def register(reader):
        for name in names:
            TABLE[name] = partial(reader, name) if len(names) > 1 else reader
        return reader

    return register


def plan(name: str, modifiers: tuple[str, ...]) -> Plan:
    """The plan of an instruction, or UnknownPTX."""
    left = Modifiers(modifiers)
    found = TABLE[name](left) if name in TABLE else None
    if found is None or left.names:
        raise UnknownPTX(f"{'.'.join((name, *modifiers))} is not understood")
    return found


def _float_plan(m: Modifiers, t: np.dtype, compute: Callable | None, count: int) -> Plan | None:
    """A float operation with its `.ftz` and `.sat`."""
    ftz, sat = m.take("ftz"), m.take("sat")
    if compute is None or t == np.float16 or (ftz and t != np.float32):
        return None
    steps = compute
    if ftz:
        steps = lambda *x: floats.flush(compute(*map(floats.flush, x)))  # noqa: E731
    if sat:
        inner = steps
        steps = lambda *x: floats.saturate(inner(*x))  # noqa: E731
    return Plan(steps, (t,) * count, (t,))


def _rounding(m: Modifiers) -> str:
    return m.one_of("rn", "rz", "rm", "rp", default="rn") or "rn"


@instruction("add", "sub")
def _add(name: str, m: Modifiers) -> Plan | None:
    t = m.dtype()
    if t.kind == "f":
        return _float_plan(m, t, getattr(floats, name)(_rounding(m), t), 2)
    if m.take("cc"):
        return _carried(name, t, False, True)
    if m.take("sat"):
        wide = {"add": np.add, "sub": np.subtract}[name]
        if t != np.int32:
            return None
        return Plan(lambda a, b: conversions.clamp(wide(a, b, dtype=np.int64), t), (t, t), (t,))
    return Plan({"add": np.add, "sub": np.subtract}[name], (t, t), (t,))


@instruction("addc", "subc")
def _addc(name: str, m: Modifiers) -> Plan | None:
    return _carried(name[:3], m.dtype(), True, m.take("cc"))


def _carried(name: str, t: np.dtype, reads: bool, writes: bool) -> Plan | None:
    if t.itemsize != 4:
        return None
    compute = {"add": integers.add_carry, "sub": integers.subtract_borrow}[name]
    return Plan(compute, (U32, U32), (U32,), reads, writes)


@instruction("mul")
def _mul(m: Modifiers) -> Plan | None:
    t = m.dtype()
    if t.kind == "f":
        return _float_plan(m, t, floats.mul(_rounding(m), t), 2)
    part = m.one_of("lo", "hi", "wide")
    if part == "wide":
        return Plan(integers.multiply_wide, (t, t), (np.dtype(f"{t.kind}{2 * t.itemsize}"),))
    return Plan({"lo": np.multiply, "hi": integers.multiply_high}[part], (t, t), (t,)) if part else None


@instruction("fma")
def _fma(m: Modifiers) -> Plan | None:
    t = m.dtype()
    return _float_plan(m, t, floats.fma(_rounding(m), t), 3) if t.kind == "f" else None


@instruction("mad")
def _mad(m: Modifiers) -> Plan | None:
    if m.names[-1:] in (["f32"], ["f64"]):
        return _fma(m)
    carry = m.take("cc")
    product = _mul(m)
    if product is None:
        return None
    wide = product.results[0]
    if carry:
        return _mad_carried(product, False, True)
    return Plan(lambda a, b, c: product.compute(a, b) + c, (*product.sources, wide), (wide,))


@instruction("madc")
def _madc(m: Modifiers) -> Plan | None:
    carry = m.take("cc")
    product = _mul(m)
    return product and _mad_carried(product, True, carry)


def _mad_carried(product: Plan, reads: bool, writes: bool) -> Plan | None:
    if product.results[0] != U32:
        return None

    def compute(a, b, c, carry):
        return integers.add_carry(product.compute(a, b), c, carry)

    return Plan(compute, (U32,) * 3, (U32,), reads, writes)


@instruction("div", "rem")
def _div(name: str, m: Modifiers) -> Plan | None:
    t = m.dtype()
    if t.kind != "f":
        return Plan({"div": integers.divide, "rem": integers.remainder}[name], (t, t), (t,))
    kind = m.one_of("rn", "full", "approx")
    if kind is None or name == "rem" or (kind != "rn" and t != np.float32):
        return None
    return _float_plan(m, t, np.divide, 2)


@instruction("abs", "neg")
def _sign(name: str, m: Modifiers) -> Plan | None:
    t = m.dtype()
    compute = {"abs": np.abs, "neg": np.negative}[name]
    return _float_plan(m, t, compute, 1) if t.kind == "f" else Plan(compute, (t,), (t,))


@instruction("min", "max")
def _extreme(name: str, m: Modifiers) -> Plan | None:
    t = m.dtype()
    if t.kind != "f":
        return Plan({"min": np.minimum, "max": np.maximum}[name], (t, t), (t,))
    compute = {"min": floats.smaller, "max": floats.larger}[name]
    if m.take("NaN"):
        number = compute
        compute = lambda a, b: np.where(np.isnan(a) | np.isnan(b), t.type(np.nan), number(a, b))  # noqa: E731
    return _float_plan(m, t, compute, 2)


@instruction("copysign")
def _copysign(m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan(lambda a, b: np.copysign(b, a), (t, t), (t,))


@instruction("rcp", "sqrt")
def _root(name: str, m: Modifiers) -> Plan | None:
    t = m.dtype()
    kind = m.one_of("rn", "approx")
    if kind == "approx" and t == np.float64:
        ok = name == "rcp" and m.take("ftz")
        return Plan(floats.reciprocal64, (t,), (t,)) if ok else None
    compute = {"rcp": lambda x: 1 / x, "sqrt": np.sqrt}[name]
    return _float_plan(m, t, compute, 1) if kind else None


FUNCTIONS = {
    "ex2": np.exp2,
    "lg2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


@instruction(*FUNCTIONS)
def _approximate(name: str, m: Modifiers) -> Plan | None:
    t = m.dtype()
    if t != np.float32 or not m.take("approx"):
        return None
    return _float_plan(m, t, floats.approximate(FUNCTIONS[name]), 1)


@instruction("and", "or", "xor")
def _logic(name: str, m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan({"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}[name], (t, t), (t,))


@instruction("not")
def _not(m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan(np.bitwise_not, (t,), (t,))


@instruction("shl", "shr")
def _shift(name: str, m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan({"shl": integers.shift_left, "shr": integers.shift_right}[name], (t, U32), (t,))


@instruction("popc", "clz", "bfind")
def _count(name: str, m: Modifiers) -> Plan:
    t = m.dtype()
    compute = {"popc": integers.count_ones, "clz": integers.leading_zeros, "bfind": integers.find_leading}[
        name
    ]
    if name == "bfind" and m.take("shiftamt"):
        compute = integers.find_leading_shift
    return Plan(compute, (t,), (U32,))


@instruction("brev")
def _brev(m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan(integers.reverse, (t,), (t,))


@instruction("bfe")
def _bfe(m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan(integers.extract, (t, U32, U32), (t,))


@instruction("bfi")
def _bfi(m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan(integers.insert, (t, t, U32, U32), (t,))


@instruction("prmt")
def _prmt(m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan(integers.permute, (t, t, t), (t,))


@instruction("lop3")
def _lop3(m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan(lambda a, b, c, table: integers.lookup(a, b, c, int(table[0])), (t, t, t, U32), (t,))


@instruction("shf")
def _shf(m: Modifiers) -> Plan | None:
    t, side = m.dtype(), m.one_of("l", "r")
    if side is None or not m.take("wrap"):
        return None
    return Plan({"l": integers.funnel_left, "r": integers.funnel_right}[side], (t, t, U32), (t,))


ORDERED = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
UNSIGNED = {"lo": operator.lt, "ls": operator.le, "hi": operator.gt, "hs": operator.ge}


def _comparison(m: Modifiers, t: np.dtype) -> Callable | None:
    """Floats: eq … are false and equ … are true where an operand is NaN; num and nan ask for just that."""
    if t.kind != "f":
        name = m.one_of(*ORDERED, *UNSIGNED)
        return (ORDERED | UNSIGNED).get(name or "")
    name = m.one_of(*ORDERED, *(f"{n}u" for n in ORDERED), "num", "nan")
    if name == "nan":
        return lambda a, b: np.isnan(a) | np.isnan(b)
    if name == "num":
        return lambda a, b: ~(np.isnan(a) | np.isnan(b))
    if name in ORDERED:
        return lambda a, b: ORDERED[name](a, b) & ~(np.isnan(a) | np.isnan(b))
    return (lambda a, b: ORDERED[name[:-1]](a, b) | np.isnan(a) | np.isnan(b)) if name else None


@instruction("setp")
def _setp(m: Modifiers) -> Plan | None:
    t = m.dtype()
    compare = _comparison(m, t)
    joined = m.one_of("and", "or", "xor")
    if compare is None:
        return None
    if m.take("ftz"):
        plain = compare
        compare = lambda a, b: plain(floats.flush(a), floats.flush(b))  # noqa: E731
    if joined is None:
        return Plan(compare, (t, t), (PRED,))
    join = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}[joined]
    return Plan(lambda a, b, p: join(compare(a, b), p), (t, t, PRED), (PRED,))


@instruction("set")
def _set(m: Modifiers) -> Plan | None:
    t, target = m.dtype(), m.dtype()
    compare = _comparison(m, t)
    if compare is None:
        return None
    true = target.type(1) if target.kind == "f" else ~np.zeros((), target)
    return Plan(lambda a, b: np.where(compare(a, b), true, target.type(0)), (t, t), (target,))


@instruction("selp")
def _selp(m: Modifiers) -> Plan:
    t = m.dtype()
    return Plan(lambda a, b, p: np.where(p, a, b), (t, t, PRED), (t,))


@instruction("slct")
def _slct(m: Modifiers) -> Plan:
    chooser, t = m.dtype(), m.dtype()
    return Plan(lambda a, b, c: np.where(c >= 0, a, b), (t, t, chooser), (t,))


@instruction("cvt")
def _cvt(m: Modifiers) -> Plan | None:
    source, target = m.dtype(), m.dtype()
    rounding = m.one_of(*conversions.INTEGER_ROUNDING, *conversions.FLOAT_ROUNDING)
    convert = conversions.converter(target, source, rounding, m.take("ftz"), m.take("sat"))
    return Plan(convert, (source,), (target,)) if convert else None
