"""Operands of an instruction -> functions that read and write the machine's registers.

A register holds an array with one element a thread, or with a single element where all threads have the same
value. Arrays in registers are never changed, only replaced. Types are looked at by the instruction alone: a
register is bits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.ptx.faults import UnknownPTX
from tests.ptx.instructions import DTYPES
from tests.ptx.link import Program
from tests.ptx.parse import Immediate, Register, Symbol

Read = Callable[..., np.ndarray]
Write = Callable[..., None]


def constant(text: str, dtype: np.dtype) -> np.ndarray:
    """A number of the text: -1, 0x10, 42U, 0f3F800000, 0d3FF0000000000000, 1.5."""
    for prefix, width in (("0f", 4), ("0d", 8)):
        if text.lower().startswith(prefix):
            bits = np.array([int(text[2:], 16)], f"u{width}")
            if dtype.itemsize == width:
                return bits.view(dtype)
            return bits.view(f"f{width}").astype(dtype)
    if dtype.kind == "f":
        return np.array([float(text)], dtype)
    value = int(text.rstrip("U"), 0)
    if dtype == np.bool_:
        return np.array([bool(value)])
    return np.array([value % (1 << 8 * dtype.itemsize)], f"u{dtype.itemsize}").view(dtype)


def reader(operand, dtype: np.dtype, program: Program) -> Read:
    """A function of the machine that gives the operand as an array of dtype."""
    if isinstance(operand, Immediate):
        value = constant(operand.text, dtype)
        return lambda machine: value
    if isinstance(operand, Symbol):
        name = operand.name
        return lambda machine: machine.address_of(name).astype(dtype)
    if not isinstance(operand, Register):
        raise UnknownPTX(f"an operand that is not understood: {operand}")
    name = operand.name
    kind = program.registers.get(name)
    if kind is None:
        return lambda machine: _special(machine, name).astype(dtype)
    if DTYPES[kind].itemsize == dtype.itemsize:

        def same(machine):
            value = machine.registers.get(name)
            if value is None:
                raise UnknownPTX(f"register {name} is read, and no instruction has written it")
            return value if value.dtype == dtype else value.view(dtype)

        return (lambda machine: ~same(machine)) if operand.negated else same
    wide = np.dtype(f"u{DTYPES[kind].itemsize}")
    if wide.itemsize < dtype.itemsize or dtype.kind == "f":
        raise UnknownPTX(f"register {name} of type {kind} is read as {dtype}")
    whole = reader(operand, wide, program)
    return lambda machine: whole(machine).astype(f"u{dtype.itemsize}").view(dtype)


def _special(machine, name: str) -> np.ndarray:
    if name not in machine.special:
        raise UnknownPTX(f"register {name} is not declared, and no special register that is understood")
    return machine.special[name]


def writer(operand, program: Program) -> Write:
    """A function (machine, mask, value) that writes to the register in the threads of mask (None: all)."""
    if isinstance(operand, Symbol) and operand.name == "_":  # a result that is not wanted
        return lambda machine, mask, value: None
    if not isinstance(operand, Register) or operand.name not in program.registers:
        raise UnknownPTX(f"a result that is not understood: {operand}")
    name = operand.name
    width = DTYPES[program.registers[name]].itemsize

    def write(machine, mask, value):
        if value.itemsize < width:  # extended by its sign where its type has one
            value = value.astype(f"u{width}")
        elif value.itemsize > width:
            raise UnknownPTX(f"{value.dtype} does not fit into register {name}")
        machine.put(name, mask, value)

    return write
