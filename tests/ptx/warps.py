"""What the 32 threads of a warp do together: shuffles, votes, the warp's barrier.

All threads that the instruction's mask names must come to it together. On hardware they may come one after
the other; the interpreter lets those that are farthest back go first, so they meet if their paths do.
"""

from __future__ import annotations

import numpy as np

from tests.ptx.faults import UnknownPTX
from tests.ptx.instructions import DTYPES, PRED
from tests.ptx.link import Program
from tests.ptx.memory import Broken
from tests.ptx.operands import reader, writer
from tests.ptx.parse import Group, Instruction, Symbol

U32 = DTYPES["u32"]


class _Warps:
    """The lanes of a machine laid out as (warps, 32)."""

    def __init__(self, machine, mask):
        per_block = -(-machine.threads // 32)
        self.slot = (machine.copy * per_block + machine.thread // 32) * 32 + machine.thread % 32
        self.count = int(machine.copy[-1] + 1) * per_block
        self.present = self.spread(np.ones(len(machine.lanes), bool))
        self.active = self.spread(np.ones(len(machine.lanes), bool) if mask is None else mask)
        self.lanes = machine.active(mask)

    def spread(self, value: np.ndarray) -> np.ndarray:
        table = np.zeros(self.count * 32, value.dtype)
        table[self.slot] = np.broadcast_to(value, self.slot.shape)
        return table.reshape(self.count, 32)

    def gather(self, table: np.ndarray) -> np.ndarray:
        return table.reshape(-1)[self.slot]

    def members(self, machine, wanted: np.ndarray) -> np.ndarray:
        """The threads each lane's mask names, after a check that they are all here: (lanes, 32)."""
        masks = np.broadcast_to(wanted, machine.lanes.shape)
        named = (masks[:, None] >> np.arange(32, dtype=np.uint32) & np.uint32(1)).astype(bool)
        row = self.slot // 32
        missing = named & (self.present & ~self.active)[row]
        for lane in self.lanes:
            if missing[lane].any():
                absent = int(np.argmax(missing[lane]))
                raise Broken("warp", int(lane), f"waits for lane {absent} of its warp, which is elsewhere")
            if not named[lane, int(machine.thread[lane]) % 32]:
                raise Broken("warp", int(lane), "is not in the mask that it names itself")
        return named


def barrier(instruction: Instruction, program: Program):
    """bar.warp.sync: a check that all have come. For races it orders nothing, which is strict."""
    wanted = reader(instruction.operands[0], U32, program)

    def step(machine, mask):
        _Warps(machine, mask).members(machine, wanted(machine))

    return step


def activemask(instruction: Instruction, program: Program):
    write = writer(instruction.operands[0], program)

    def step(machine, mask):
        warps = _Warps(machine, mask)
        bits = (warps.active.astype(np.uint64) << np.arange(32, dtype=np.uint64)).sum(1).astype(np.uint32)
        write(machine, mask, bits[warps.slot // 32])

    return step


def vote(instruction: Instruction, program: Program):
    """vote.sync.all, any, uni, ballot over the lanes of the mask."""
    if instruction.modifiers[:1] != ("sync",) or len(instruction.modifiers) != 3:
        raise UnknownPTX(f"{instruction.text} is not understood")
    how = instruction.modifiers[1]
    result, source, members = instruction.operands
    write, read, wanted = (
        writer(result, program),
        reader(source, PRED, program),
        reader(members, U32, program),
    )
    if how not in ("all", "any", "uni", "ballot"):
        raise UnknownPTX(f"{instruction.text} is not understood")

    def step(machine, mask):
        warps = _Warps(machine, mask)
        named = warps.members(machine, wanted(machine))
        votes = warps.spread(read(machine))[warps.slot // 32]
        yes, no = (votes & named).any(1), (~votes & named).any(1)
        if how == "ballot":
            bits = (votes & named).astype(np.uint64) << np.arange(32, dtype=np.uint64)
            write(machine, mask, bits.sum(1).astype(np.uint32))
        else:
            write(machine, mask, {"all": ~no, "any": yes, "uni": ~(yes & no)}[how])

    return step


def shuffle(instruction: Instruction, program: Program):
    """shfl.sync.up, down, bfly, idx: another lane's register."""
    if instruction.modifiers[:1] != ("sync",) or instruction.modifiers[2:] != ("b32",):
        raise UnknownPTX(f"{instruction.text} is not understood")
    how = instruction.modifiers[1]
    result, source, distance, clamp, members = instruction.operands
    targets = result.items if isinstance(result, Group) else (result, Symbol("_"))
    write, write_found = (writer(target, program) for target in targets)
    read, by, limits, wanted = (
        reader(operand, U32, program) for operand in (source, distance, clamp, members)
    )
    if how not in ("up", "down", "bfly", "idx"):
        raise UnknownPTX(f"{instruction.text} is not understood")

    def step(machine, mask):
        warps = _Warps(machine, mask)
        named = warps.members(machine, wanted(machine))
        lane = machine.thread % 32
        b, c = by(machine).astype(np.int64) & 31, limits(machine).astype(np.int64)
        segment, last = c >> 8 & 31, c & 31
        highest = lane & segment | last & ~segment
        source_lane = {
            "up": lane - b,
            "down": lane + b,
            "bfly": lane ^ b,
            "idx": lane & segment | b & ~segment,
        }[how]
        found = source_lane >= highest if how == "up" else source_lane <= highest
        source_lane = np.where(found, source_lane, lane)
        outside = ~named[machine.lanes, source_lane]
        for i in warps.lanes:
            if outside[i]:
                raise Broken(
                    "warp", int(i), f"reads lane {int(source_lane[i])} of its warp, which is not there"
                )
        table = warps.spread(read(machine))
        write(machine, mask, table[warps.slot // 32, source_lane])
        write_found(machine, mask, found)

    return step
