"""Launches a kernel in the interpreter: PTX text, grid, block and arguments -> changed arrays and a report.

    run(ptx, grid, block, [x, y, np.int32(5)], name="add_one")

Arguments are laid out as Numba's calling convention asks for: an array becomes meminfo, parent, the number of
items, the size of an item, the address, the shape and the strides; a number is itself.

What is not modelled: time, caches, the order in which a GPU runs its warps (threads take turns instruction
by instruction, and what depends on the order is found as a race), the registers and spills of the
assembler, NaN's payloads, the error of approximating instructions (they are exact but for one rounding),
fences and warp barriers as an order between threads (so code that relies on them is called a race),
half-precision arithmetic, textures, asynchronous copies, matrix instructions, clusters and cooperative
launches (unknown instructions are an error).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from tests.ptx.instructions import DTYPES
from tests.ptx.link import Program, link
from tests.ptx.machine import Code, Machine
from tests.ptx.memory import Buffer, Space

LANES = 4096  # threads that run together, where a grid has as many
LIMIT = 2_000_000  # instructions a wave may take
GLOBAL_GAP, SMALL_GAP = 40, 24  # bits between the addresses of two buffers


@dataclass(frozen=True)
class Uninitialised:
    """An array argument whose content must be written by the kernel before it may be read."""

    array: np.ndarray


@dataclass
class Report:
    kernel: str
    threads: int = 0
    executed: int = 0  # instructions, counted once for all lanes that take them together
    barriers: int = 0
    opcodes: set[str] = field(default_factory=set)  # the instructions of the text, with their modifiers


@lru_cache(maxsize=64)
def load(ptx: str) -> Code:
    return Code(link(ptx))


def dims(value: int | Sequence[int]) -> tuple[int, int, int]:
    """Three dimensions of a grid or a block."""
    given = (value,) if isinstance(value, int) else tuple(value)
    x, y, z = (*given, 1, 1, 1)[:3]
    return int(x), int(y), int(z)


def run(
    ptx: str,
    grid: int | Sequence[int],
    block: int | Sequence[int],
    arguments: Sequence[Any],
    *,
    name: str | None = None,
    names: Sequence[str] | None = None,
    dynamic_shared: int = 0,
    limit: int = LIMIT,
    lanes: int = LANES,
) -> Report:
    """Run a kernel: KernelFault where it does what it must not, UnknownPTX where it cannot be judged."""
    names = list(names or [f"argument {i}" for i in range(len(arguments))])
    arrays, values, buffers = [], [], []
    for label, argument in zip(names, arguments, strict=True):
        fresh = isinstance(argument, Uninitialised)
        array = argument.array if fresh else argument
        if not isinstance(array, np.ndarray) or array.ndim == 0:
            values.append(array)
            continue
        if not array.flags.c_contiguous:
            raise ValueError(f"{label} must be C-contiguous")
        content = None if fresh else array.reshape(-1).view(np.uint8)
        buffers.append(Buffer(label, array.nbytes, content=content))
        arrays.append((label, array))
        values.append((array, len(buffers) - 1))
    device = Launch(ptx, buffers, name, dynamic_shared)
    report = device.run(dims(grid), dims(block), [device.flatten(value) for value in values], limit, lanes)
    for label, array in arrays:
        array.reshape(-1).view(np.uint8)[:] = device.spaces["global"].content(label)
    return report


class Launch:
    """A kernel, its memory and its arguments."""

    def __init__(self, ptx: str, buffers: list[Buffer], name: str | None = None, dynamic_shared: int = 0):
        self.code = load(ptx)
        self.program = self.code.program
        self.name = name or self.program.name
        self.dynamic_shared = dynamic_shared
        constants = {"global": list(buffers), "const": []}
        for variable in self.program.variables:
            if variable.space in constants:
                constants[variable.space].append(_constant(variable))
        grains = granules(self.program)
        self.grains = grains
        self.spaces = {
            "global": Space("global", constants["global"], GLOBAL_GAP, grains["global"]),
            "const": Space("const", constants["const"], SMALL_GAP, grains["const"], races=False),
        }

    def flatten(self, value: Any) -> list[np.ndarray]:
        """One argument as the words that the kernel takes: a number, or an array and its buffer's number."""
        if isinstance(value, tuple):
            array, index = value
            buffer = self.spaces["global"].buffers[index]
            return array_words(array.shape, array.itemsize, self.spaces["global"].addresses[buffer.name])
        return [np.atleast_1d(value)]

    def run(
        self, grid, block, arguments: list[list[np.ndarray]], limit: int = LIMIT, lanes: int = LANES
    ) -> Report:
        threads = int(np.prod(block))
        if not 0 < threads <= min(1024, self.program.max_threads or 1024):
            raise ValueError(f"{self.name}: a block of {threads} threads")
        parameters = self._parameters([word for words in arguments for word in words])
        report = Report(self.name, threads=threads * int(np.prod(grid)))
        report.opcodes = {".".join((i.name, *i.modifiers)) for i in self.program.instructions}
        blocks = np.arange(int(np.prod(grid)))
        at_once = max(1, lanes // threads)
        with np.errstate(all="ignore"):
            for first in range(0, len(blocks), at_once):
                wave = blocks[first : first + at_once]
                spaces = self.spaces | {
                    "shared": self._private("shared", len(wave)),
                    "local": self._private("local", len(wave) * threads),
                }
                machine = Machine(self.code, self.name, grid, block, wave, spaces, parameters)
                machine.run(limit)
                report.executed += machine.executed
                report.barriers += machine.epoch
        return report

    def _private(self, space: str, copies: int) -> Space:
        buffers = [
            Buffer(v.name, self.dynamic_shared if v.size is None else v.size, v.align)
            for v in self.program.variables
            if v.space == space
        ]
        return Space(space, buffers, SMALL_GAP, self.grains[space], copies, races=space == "shared")

    def _parameters(self, words: list[np.ndarray]) -> dict[str, np.ndarray]:
        params = self.program.params
        if len(words) != len(params):
            raise ValueError(f"{self.name} takes {len(params)} words, found {len(words)}")
        table = {}
        for param, word in zip(params, words, strict=True):
            if word.itemsize != param.size:
                raise ValueError(
                    f"{self.name}: {param.name} has {param.size} bytes, the argument {word.dtype}"
                )
            table[f"{param.name}+0"] = word.view(f"u{word.itemsize}")
        return table


def array_words(shape: Sequence[int], itemsize: int, address: int) -> list[np.ndarray]:
    """An array in C order as Numba passes it."""
    strides = [itemsize * int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
    count = int(np.prod(shape))
    return [np.array([word], np.int64) for word in (0, 0, count, itemsize, address, *shape, *strides)]


def granules(program: Program) -> dict[str, int]:
    """The smallest access of the program to each space, in bytes: what memory is tracked by."""
    smallest = dict.fromkeys(("global", "const", "shared", "local"), 8)
    for instruction in program.instructions:
        if instruction.name in ("ld", "ldu", "st", "atom", "red"):
            names = [m for m in instruction.modifiers if m in smallest]
            width = DTYPES[instruction.modifiers[-1]].itemsize
            for space in names or smallest:  # a generic access may go anywhere
                smallest[space] = min(smallest[space], width)
    return smallest


def _constant(variable) -> Buffer:
    content = variable.content if variable.content is not None else bytes(variable.size or 0)
    return Buffer(
        variable.name, variable.size or 0, variable.align, np.frombuffer(content, np.uint8), read_only=True
    )
