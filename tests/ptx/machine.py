"""Runs a program in many threads at once: every register is an array, every instruction a few NumPy calls.

A *wave* of blocks runs together; its threads are the lanes of the arrays. Lanes that are at the same
instruction take it together, and of those that have parted the ones farthest back go first, so that they
meet. Barriers let a block on when all its threads have come.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.ptx import races
from tests.ptx.faults import KernelFault, UnknownPTX
from tests.ptx.link import Program
from tests.ptx.memory import Broken, Space
from tests.ptx.parse import Instruction, Symbol
from tests.ptx.steps import Step, compile_step

AWAY = np.int64(2**62)  # the position of a lane that waits at a barrier or has ended
CONTROL = ("bra", "ret", "exit", "bar", "barrier")


class Code:
    """A program made ready to run: one Python function an instruction."""

    def __init__(self, program: Program):
        self.program = program
        self.joins = set(program.targets.values())
        self.steps: list[Step | None] = []
        self.guards: list[Callable | None] = []
        for instruction in program.instructions:
            try:
                step, guard = compile_step(instruction, program)
            except UnknownPTX as error:
                raise UnknownPTX(f"{error}, in {place(instruction)}") from None
            self.steps.append(step)
            self.guards.append(guard)

    def target(self, instruction: Instruction) -> int:
        label = instruction.operands[0]
        assert isinstance(label, Symbol)
        return self.program.targets[label.name]


def place(instruction: Instruction) -> str:
    """An instruction for a message: its line in the PTX, its text, and the line of Python it came from."""
    source = f" ({instruction.source})" if instruction.source else ""
    return f"line {instruction.line} `{instruction.text}`{source}"


class Machine:
    """The lanes of one wave: `blocks` holds the linear numbers of its blocks."""

    def __init__(
        self,
        code: Code,
        name: str,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        blocks: np.ndarray,
        spaces: dict[str, Space],
        parameters: dict[str, np.ndarray],
    ):
        self.code, self.name, self.grid, self.block, self.spaces = code, name, grid, block, spaces
        self.threads = int(np.prod(block))
        self.lanes = np.arange(len(blocks) * self.threads)
        self.thread = np.tile(np.arange(self.threads), len(blocks))
        self.copy = np.repeat(np.arange(len(blocks)), self.threads)
        self.block_number = np.repeat(blocks, self.threads)
        self.registers: dict[str, np.ndarray] = dict(parameters)
        self.special = self._special_registers()
        self.position = np.zeros(len(self.lanes), np.int64)
        self.waiting = np.zeros(len(self.lanes), bool)
        self.stopped_at = np.full(len(self.lanes), -1)  # the barrier or the end that a lane has come to
        self.votes = np.zeros(len(self.lanes), bool)
        self.current = 0
        self.executed = 0
        self.epoch = 0
        self.stamps = races.stamps(self.block_number, 0, self.thread)

    def _special_registers(self) -> dict[str, np.ndarray]:
        def split(number, sizes):
            return number % sizes[0], number // sizes[0] % sizes[1], number // (sizes[0] * sizes[1])

        table = {"%laneid": self.thread % 32, "%warpid": self.thread // 32}
        parts = (split(self.thread, self.block), self.block, split(self.block_number, self.grid), self.grid)
        for register, values in zip(("%tid", "%ntid", "%ctaid", "%nctaid"), parts, strict=True):
            table |= {f"{register}.{axis}": v for axis, v in zip("xyz", values, strict=True)}
        return {key: np.atleast_1d(value).astype(np.uint32) for key, value in table.items()}

    def address_of(self, name: str) -> np.ndarray:
        for space in self.spaces.values():
            if name in space.addresses:
                return np.array([space.addresses[name]], np.uint64)
        raise UnknownPTX(f"{name} is no variable of the PTX text")

    def put(self, name: str, mask: np.ndarray | None, value: np.ndarray) -> None:
        """Write a register in the lanes of mask (None: all)."""
        if mask is not None:
            old = self.registers.get(name)
            kept = np.zeros(1, value.dtype) if old is None else old.view(value.dtype)
            value = np.where(mask, value, kept)
        self.registers[name] = value

    def active(self, mask: np.ndarray | None) -> np.ndarray:
        """The numbers of the lanes of a mask."""
        return self.lanes if mask is None else np.flatnonzero(mask)

    def run(self, limit: int) -> None:
        """Run until all lanes have ended; `limit` bounds the instructions taken."""
        while True:
            start = int(self.position.min())
            if start < AWAY:
                self._advance(start, limit)
            elif self.waiting.any():
                self._release()
            else:
                return

    def _advance(self, start: int, limit: int) -> None:
        """Take the lanes at `start` on until they part, stop, or come to where others may join them."""
        mask = self.position == start
        whole = mask.all()
        code, instructions = self.code, self.code.program.instructions
        i = start
        while True:
            if i >= len(instructions):
                raise UnknownPTX(f"{self.name}: a thread runs past the end of the kernel")
            self.current = i
            self.executed += 1
            if self.executed > limit:
                raise self.fault(
                    "does not end", int(np.argmax(mask)), f"after {limit} instructions the kernel still runs"
                )
            instruction, guard = instructions[i], code.guards[i]
            taken = None if whole else mask
            if guard is not None:
                chosen = np.broadcast_to(guard(self), mask.shape)
                taken = chosen if whole else chosen & mask
                taken = None if whole and taken.all() else taken
            if instruction.name in CONTROL and not (
                instruction.name == "bar" and "warp" in instruction.modifiers
            ):
                i = self._control(instruction, i, mask, taken)
                if i < 0:
                    return
            else:
                if taken is None or taken.any():
                    self._take(i, instruction, taken)
                i += 1
            if i in code.joins and not whole:
                self.position[mask] = i
                return

    def _take(self, i: int, instruction: Instruction, taken: np.ndarray | None) -> None:
        step = self.code.steps[i]
        assert step is not None
        try:
            step(self, taken)
        except Broken as broken:
            raise self.fault(broken.kind, broken.lane, broken.message) from None
        except UnknownPTX as error:
            raise UnknownPTX(f"{self.name}: {error}, in {place(instruction)}") from None

    def _control(self, instruction: Instruction, i: int, mask: np.ndarray, taken: np.ndarray | None) -> int:
        """A branch, an end or a barrier: where all lanes go on together, or -1 where they do not."""
        if taken is not None and not taken.any():
            return i + 1
        some = mask if taken is None else taken
        if instruction.name == "bra":
            target = self.code.target(instruction)
            if taken is None or not (mask & ~some).any():
                if taken is None:
                    return target
                self.position[mask] = target
                return -1
            self.position[some] = target
        else:
            self.position[some] = AWAY
            self.stopped_at[some] = i
            if instruction.name in ("bar", "barrier"):
                self.waiting |= some
                if "red" in instruction.modifiers:
                    step = self.code.steps[i]
                    assert step is not None
                    step(self, some)
        self.position[mask & ~some] = i + 1
        return -1

    def _release(self) -> None:
        """All lanes have ended or wait: each block's must wait at one barrier, and go on behind it."""
        waiting = self.waiting.reshape(-1, self.threads)
        for row in np.flatnonzero(waiting.any(1)):
            lanes = np.arange(row * self.threads, (row + 1) * self.threads)
            here = lanes[self.waiting[lanes]]
            self.current = int(self.stopped_at[here[0]])
            if len(here) < len(lanes):
                gone = int(lanes[~self.waiting[lanes]][0])
                end = place(self.code.program.instructions[self.stopped_at[gone]])
                text = f"waits for thread {self._thread(gone)}, which has ended at {end}"
                raise self.fault("barrier", int(here[0]), text)
            other = np.flatnonzero(self.stopped_at[here] != self.stopped_at[here[0]])
            if len(other):
                lane = int(here[other[0]])
                there = place(self.code.program.instructions[self.stopped_at[lane]])
                raise self.fault(
                    "barrier", int(here[0]), f"waits here, and thread {self._thread(lane)} at {there}"
                )
        for site in np.unique(self.stopped_at[self.waiting]):
            lanes = self.waiting & (self.stopped_at == site)
            instruction = self.code.program.instructions[site]
            if "red" in instruction.modifiers:
                self._reduce(instruction, lanes)
            self.position[lanes] = site + 1
        self.waiting[:] = False
        self.epoch += 1
        self.stamps = races.stamps(self.block_number, self.epoch, self.thread)

    def _reduce(self, instruction: Instruction, lanes: np.ndarray) -> None:
        """bar.red: the threads' predicates counted, or joined, over each block."""
        votes = self.votes.reshape(-1, self.threads)
        how = next(m for m in instruction.modifiers if m in ("popc", "and", "or"))
        result = {"popc": votes.sum(1).astype(np.uint32), "and": votes.all(1), "or": votes.any(1)}[how]
        self.put(instruction.operands[0].name, lanes, np.repeat(result, self.threads))

    def _thread(self, lane: int) -> str:
        return str(tuple(int(self.special[f"%tid.{axis}"][lane]) for axis in "xyz"))

    def where(self, lane: int) -> str:
        block = int(self.block_number[lane])
        return f"thread {self._thread(lane)} of block {self._block(block)}"

    def _block(self, number: int) -> str:
        x, y, _ = self.grid
        return str((number % x, number // x % y, number // (x * y)))

    def fault(self, kind: str, lane: int, message: str) -> KernelFault:
        """A fault of a lane at the current instruction."""
        instruction = self.code.program.instructions[self.current]
        return KernelFault(kind, f"kernel {self.name}, {self.where(lane)} {message}, at {place(instruction)}")

    def race(self, space: Space, race: races.Race, lane: int, verb: str) -> Broken:
        """The message of a race between a lane and an earlier access."""
        block, thread, site = races.describe(race.other)
        who = "several threads" if thread is None or block is None else ""
        if not who and thread is not None and block is not None:
            x, y, _ = self.block
            who = f"thread {(thread % x, thread // x % y, thread // (x * y))} of block {self._block(block)}"
        there = place(self.code.program.instructions[site])
        what = space.describe(race.granule * space.granule)
        text = f"{verb} {what} in {space.name} memory, which {who} {race.verb} at {there}"
        text += ", and nothing orders the two"
        return Broken("race", lane, text)
