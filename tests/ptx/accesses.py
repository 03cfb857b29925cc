"""Loads, stores and atomic operations: where they go, what they check, and who is told of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.ptx.faults import UnknownPTX
from tests.ptx.instructions import DTYPES, Modifiers
from tests.ptx.link import Program
from tests.ptx.memory import Space
from tests.ptx.operands import constant, reader, writer
from tests.ptx.parse import Address, Group, Immediate, Instruction, Register, Symbol
from tests.ptx.races import Race

#: A generic address is an address in a space plus the space's tag in its upper byte.
TAGS = {"global": 0, "shared": 1, "local": 2, "const": 3}
TAG_SHIFT = 56
SPACE_OF = {tag: name for name, tag in TAGS.items()}
ORDERS = ("volatile", "relaxed", "acquire", "release", "acq_rel", "mmio")  # these count as atomic for races
CACHES = ("weak", "cta", "gpu", "sys", "cluster", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc")


def _shape(instruction: Instruction) -> tuple[str | None, np.dtype, int, bool]:
    """The space (None: generic), the type, the words and whether an ld or st is atomic."""
    m = Modifiers(instruction.modifiers)
    dtype = m.dtype()
    count = {"v2": 2, "v4": 4, None: 1}[m.one_of("v2", "v4")]
    space = m.one_of("global", "shared", "local", "const", "param")
    ordered = m.one_of(*ORDERS) is not None
    while m.one_of(*CACHES):
        pass
    if m.names:
        raise UnknownPTX(f"{instruction.name}.{'.'.join(instruction.modifiers)} is not understood")
    return space, dtype, count, ordered


def _words(operand, count: int) -> tuple:
    words = operand.items if isinstance(operand, Group) else (operand,)
    if len(words) != count:
        raise UnknownPTX(f"{count} words expected, found {len(words)}")
    return words


def _slots(address: Address, dtype: np.dtype, count: int) -> list[str]:
    """Parameters live in registers named by the parameter and the byte."""
    if not isinstance(address.base, Symbol):
        raise UnknownPTX("a parameter is read through a pointer")
    return [f"{address.base.name}+{address.offset + i * dtype.itemsize}" for i in range(count)]


def _address(operand, program: Program) -> Callable:
    if not isinstance(operand, Address):
        raise UnknownPTX(f"an address expected, found {operand}")
    offset = constant(str(operand.offset), DTYPES["u64"])
    if operand.base is None:
        return lambda machine: offset
    base = reader(operand.base, DTYPES["u64"], program)
    return (lambda machine: base(machine) + offset) if operand.offset else base


class _Target:
    """The places of one access: found, checked for bounds, alignment and races."""

    def __init__(self, machine, mask, space: Space, address: np.ndarray, length: int, how: str):
        self.lanes = machine.active(mask)
        if len(address) > 1 and mask is not None:
            address = address[self.lanes]
        position = space.locate(address, length, how != "read", self.lanes)
        if space.name == "shared":
            position = position + machine.copy[self.lanes] * space.stride
        elif space.name == "local":
            position = position + self.lanes * space.stride
        self.position = position
        if space.touches is not None:
            every = np.broadcast_to(position, self.lanes.shape)
            stamp = machine.stamps[self.lanes] | machine.current
            try:
                getattr(space.touches, how)(space.granules(every, length), stamp)
            except Race as race:
                verb = {"read": "reads", "write": "writes", "atomic": "changes (atomically)"}[how]
                raise machine.race(space, race, int(self.lanes[race.index]), verb) from None


def _by_space(machine, mask, address: np.ndarray, space: str | None):
    """(space, mask, address within it) of an access; a generic one may go to several spaces."""
    if space is not None:
        yield machine.spaces[space], mask, address
        return
    tags = address >> np.uint64(TAG_SHIFT)
    inside = address & np.uint64((1 << TAG_SHIFT) - 1)
    lanes = machine.active(mask)
    seen = np.unique(tags if len(tags) == 1 else tags[lanes])
    for tag in seen:
        if int(tag) not in SPACE_OF:
            raise UnknownPTX(f"a generic address of no space: {int(address[0]):#x}")
        part = mask
        if len(seen) > 1:
            part = (tags == tag) if mask is None else (tags == tag) & mask
        yield machine.spaces[SPACE_OF[int(tag)]], part, inside


def load(instruction: Instruction, program: Program):
    space, dtype, count, ordered = _shape(instruction)
    result, source = instruction.operands
    writes = [writer(word, program) for word in _words(result, count)]
    if space == "param":
        return _load_parameters(_slots(source, dtype, count), dtype, writes)
    address_of = _address(source, program)
    width, length, how = dtype.itemsize, dtype.itemsize * count, "atomic" if ordered else "read"

    def step(machine, mask):
        for where, part, address in _by_space(machine, mask, address_of(machine), space):
            target = _Target(machine, part, where, address, length, how if where.name != "const" else "read")
            words = where.load(target.position, width, count, target.lanes).view(dtype)
            if words.shape[1] == 1 or part is None:
                rows = list(words)
            else:
                rows = [np.zeros(len(machine.lanes), dtype) for _ in range(count)]
                for row, word in zip(rows, words, strict=True):
                    row[target.lanes] = word
            for write, row in zip(writes, rows, strict=True):
                write(machine, part, row)

    return step


def _load_parameters(slots: list[str], dtype: np.dtype, writes: list[Callable]):
    def step(machine, mask):
        for slot, write in zip(slots, writes, strict=True):
            value = machine.registers.get(slot)
            if value is None or value.itemsize != dtype.itemsize:
                raise UnknownPTX(f"no parameter of {dtype.itemsize} bytes at {slot}")
            write(machine, mask, value.view(dtype))

    return step


def store(instruction: Instruction, program: Program):
    space, dtype, count, ordered = _shape(instruction)
    destination, source = instruction.operands
    reads = [reader(word, dtype, program) for word in _words(source, count)]
    if space == "param":
        slots = _slots(destination, dtype, count)

        def pass_on(machine, mask):
            for slot, read in zip(slots, reads, strict=True):
                machine.put(slot, mask, read(machine))

        return pass_on
    address_of = _address(destination, program)
    length, how = dtype.itemsize * count, "atomic" if ordered else "write"

    def step(machine, mask):
        for where, part, address in _by_space(machine, mask, address_of(machine), space):
            target = _Target(machine, part, where, address, length, how)
            words = [_of_lanes(read(machine), target.lanes, part) for read in reads]
            position = np.broadcast_to(target.position, target.lanes.shape)
            where.store(position, np.stack(words))

    return step


def _of_lanes(value: np.ndarray, lanes: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    if len(value) == 1:
        return np.broadcast_to(value, lanes.shape)
    return value if mask is None else value[lanes]


def _increment(old, limit):
    return np.where(old >= limit, old.dtype.type(0), old + old.dtype.type(1))


def _decrement(old, limit):
    return np.where((old == 0) | (old > limit), limit, old - old.dtype.type(1))


OPERATIONS = {
    "add": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "exch": lambda old, new: new,
    "inc": _increment,
    "dec": _decrement,
    "cas": lambda old, expected, new: np.where(old == expected, new, old),
}


def atomic(instruction: Instruction, program: Program):
    """atom and red: the lanes one after the other where they meet at one place, the lowest first."""
    m = Modifiers(instruction.modifiers)
    dtype = m.dtype()
    space = m.one_of("global", "shared")
    operation = m.one_of(*OPERATIONS)
    m.one_of(*ORDERS)
    m.one_of("cta", "gpu", "sys", "cluster")
    if m.names or operation is None or (dtype.kind == "f" and operation not in ("add", "exch")):
        raise UnknownPTX(f"{instruction.name}.{'.'.join(instruction.modifiers)} is not understood")
    operands = list(instruction.operands)
    write = writer(operands.pop(0), program) if instruction.name == "atom" else None
    address_of = _address(operands.pop(0), program)
    reads = [reader(operand, dtype, program) for operand in operands]
    compute = OPERATIONS[operation]
    if any(not isinstance(operand, Register | Immediate) for operand in operands):
        raise UnknownPTX("an atomic operation on vectors is not understood")

    def step(machine, mask):
        for where, part, address in _by_space(machine, mask, address_of(machine), space):
            target = _Target(machine, part, where, address, dtype.itemsize, "atomic")
            position = np.broadcast_to(target.position, target.lanes.shape)
            values = [_of_lanes(read(machine), target.lanes, part) for read in reads]
            old = np.zeros(len(machine.lanes), dtype)
            left = np.arange(len(target.lanes))
            while len(left):
                _, first = np.unique(position[left], return_index=True)
                now = left[np.sort(first)]
                before = where.load(position[now], dtype.itemsize, 1, target.lanes[now])[0].view(dtype)
                after = compute(before, *[value[now] for value in values])
                where.store(position[now], np.asarray(after, dtype)[None, :])
                old[target.lanes[now]] = before
                left = np.setdiff1d(left, now, assume_unique=True)
            if write is not None:
                write(machine, part, old)

    return step
