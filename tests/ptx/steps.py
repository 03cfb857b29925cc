"""One Python function for each instruction of a program: step(machine, mask), in the lanes of the mask."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.ptx import accesses, warps
from tests.ptx.faults import UnknownPTX
from tests.ptx.instructions import DTYPES, PRED, Modifiers, plan
from tests.ptx.link import Program
from tests.ptx.memory import Broken
from tests.ptx.operands import reader, writer
from tests.ptx.parse import Group, Immediate, Instruction

Step = Callable[..., None]
CARRY = "the carry flag"
ZERO = np.zeros(1, np.uint32)


def compile_step(instruction: Instruction, program: Program) -> tuple[Step | None, Callable | None]:
    """The step of an instruction (None for those that only move control), and the reader of its guard."""
    guard = reader(instruction.guard, PRED, program) if instruction.guard else None
    return _step(instruction, program), guard


def _step(instruction: Instruction, program: Program) -> Step | None:
    name, modifiers = instruction.name, instruction.modifiers
    if name in ("ret", "exit"):
        return None
    if name == "bra":
        if instruction.operands[0].name not in program.targets:
            raise UnknownPTX(f"no label {instruction.operands[0].name}")
        return None
    if name in ("bar", "barrier"):
        return _barrier(instruction, program)
    if name in SPECIAL:
        return SPECIAL[name](instruction, program)
    if name in (
        "membar",
        "fence",
    ):  # orders memory; the rule for races takes no notice of it, which is strict
        return lambda machine, mask: None
    if name == "trap":
        return _trap
    return _arithmetic(name, modifiers, instruction, program)


def _arithmetic(name: str, modifiers: tuple[str, ...], instruction: Instruction, program: Program) -> Step:
    found = plan(name, modifiers)
    result, *sources = instruction.operands
    if len(sources) != len(found.sources):
        raise UnknownPTX(f"{len(found.sources)} operands expected, found {len(sources)}")
    read = [reader(s, t, program) for s, t in zip(sources, found.sources, strict=True)]
    compute = found.compute
    if isinstance(result, Group) and name == "setp":  # p|q, where q is the opposite
        first, second = (writer(item, program) for item in result.items)

        def both(machine, mask):
            value = compute(*[r(machine) for r in read])
            first(machine, mask, value)
            second(machine, mask, ~value)

        return both
    write = writer(result, program)
    if found.reads_carry or found.writes_carry:

        def carried(machine, mask):
            carry = machine.registers[CARRY] if found.reads_carry else ZERO
            value, carry = compute(*[r(machine) for r in read], carry)
            write(machine, mask, value)
            if found.writes_carry:
                machine.put(CARRY, mask, carry)

        return carried
    if name in ("div", "rem") and found.results[0].kind != "f":

        def division(machine, mask):
            values = [r(machine) for r in read]
            zero = np.broadcast_to(values[1] == 0, machine.lanes.shape)
            zero = zero if mask is None else zero & mask
            if zero.any():
                raise Broken("division by zero", int(np.argmax(zero)), "divides a whole number by zero")
            write(machine, mask, compute(*values))

        return division
    if len(read) == 1:
        (one,) = read
        return lambda machine, mask: write(machine, mask, compute(one(machine)))
    if len(read) == 2:
        one, two = read
        return lambda machine, mask: write(machine, mask, compute(one(machine), two(machine)))
    return lambda machine, mask: write(machine, mask, compute(*[r(machine) for r in read]))


def _mov(instruction: Instruction, program: Program) -> Step:
    """mov between registers, of an address, and the packing and unpacking of {a, b}."""
    m = Modifiers(instruction.modifiers)
    dtype = m.dtype()
    if m.names:
        raise UnknownPTX(f"{instruction.text} is not understood")
    target, source = instruction.operands
    if isinstance(target, Group):
        part = np.dtype(f"u{dtype.itemsize // len(target.items)}")
        read = reader(source, np.dtype(f"u{dtype.itemsize}"), program)
        writes = [writer(item, program) for item in target.items]

        def unpack(machine, mask):
            pieces = read(machine)[:, None].view(part)
            for i, write in enumerate(writes):
                write(machine, mask, np.ascontiguousarray(pieces[:, i]))

        return unpack
    write = writer(target, program)
    if isinstance(source, Group):
        part = np.dtype(f"u{dtype.itemsize // len(source.items)}")
        reads = [reader(item, part, program) for item in source.items]

        def pack(machine, mask):
            pieces = np.broadcast_arrays(*[read(machine) for read in reads])
            write(machine, mask, np.stack(pieces, 1).view(f"u{dtype.itemsize}")[:, 0])

        return pack
    read = reader(source, dtype, program)
    return lambda machine, mask: write(machine, mask, read(machine))


def _barrier(instruction: Instruction, program: Program) -> Step | None:
    modifiers = [m for m in instruction.modifiers if m not in ("cta", "aligned")]
    operands = list(instruction.operands)
    if modifiers == ["warp", "sync"]:
        return warps.barrier(instruction, program)
    if modifiers == ["sync"] and len(operands) == 1 and isinstance(operands[0], Immediate):
        return None
    if modifiers[:1] == ["red"] and len(operands) == 3 and isinstance(operands[1], Immediate):
        vote = reader(operands[2], PRED, program)

        def arrive(machine, mask):
            machine.votes[mask] = np.broadcast_to(vote(machine), mask.shape)[mask]

        return arrive
    raise UnknownPTX(f"a barrier that is not understood: {instruction.text}")


def _trap(machine, mask):
    raise Broken("trap", int(machine.active(mask)[0]), "stops the kernel")


def _cvta(instruction: Instruction, program: Program) -> Step:
    """Addresses of a space to generic ones and back."""
    m = Modifiers(instruction.modifiers)
    back, dtype = m.take("to"), m.dtype()
    space = m.one_of(*accesses.TAGS)
    if m.names or space is None or dtype.itemsize != 8:
        raise UnknownPTX(f"{instruction.text} is not understood")
    target, source = instruction.operands
    read, write = reader(source, DTYPES["u64"], program), writer(target, program)
    tag = np.uint64(accesses.TAGS[space] << accesses.TAG_SHIFT)
    if back:
        return lambda machine, mask: write(machine, mask, read(machine) - tag)
    return lambda machine, mask: write(machine, mask, read(machine) + tag)


SPECIAL: dict[str, Callable[[Instruction, Program], Step]] = {
    "mov": _mov,
    "cvta": _cvta,
    "ld": accesses.load,
    "ldu": accesses.load,
    "st": accesses.store,
    "atom": accesses.atomic,
    "red": accesses.atomic,
    "shfl": warps.shuffle,
    "vote": warps.vote,
    "activemask": warps.activemask,
}
