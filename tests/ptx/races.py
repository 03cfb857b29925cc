"""Who touched what: two threads, one place, at least one write, and nothing that orders them, is a race.

Threads of one block are ordered by barriers, threads of two blocks by nothing as long as the kernel runs. Two
atomic accesses do not race. The rule is strict: two threads that write the same value race as well.

For each granule of memory three stamps are kept: of the last write, of the reads, and of the atomic accesses.
A stamp is one integer with four fields:

    block (20 bits) | epoch, the barriers passed (16) | thread of the block (11) | instruction (16)

A field of ones stands for "several": several threads of an epoch have read, or several blocks.
"""

from __future__ import annotations

import numpy as np

SITE_BITS, THREAD_BITS, EPOCH_BITS, BLOCK_BITS = 16, 11, 16, 20
SEVERAL_THREADS = ((1 << THREAD_BITS) - 1) << SITE_BITS
EPOCH_SHIFT, BLOCK_SHIFT = SITE_BITS + THREAD_BITS, SITE_BITS + THREAD_BITS + EPOCH_BITS
SEVERAL_BLOCKS = ((1 << BLOCK_BITS) - 1) << BLOCK_SHIFT


def stamps(block: np.ndarray, epoch: int, thread: np.ndarray) -> np.ndarray:
    """The stamps of an epoch's threads, with the instruction's field still zero."""
    if epoch >= 1 << EPOCH_BITS:
        raise OverflowError(f"more than {1 << EPOCH_BITS} barriers: use a smaller case")
    if len(block) and int(block.max()) >= (1 << BLOCK_BITS) - 1:
        raise OverflowError(f"more than {1 << BLOCK_BITS} blocks: use a smaller case")
    return block << BLOCK_SHIFT | epoch << EPOCH_SHIFT | thread << SITE_BITS


def unordered(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Whether an earlier access (-1: none) and a new one are of two threads that nothing orders."""
    differ = (old ^ new) >> SITE_BITS
    return (
        (old >= 0)
        & (differ != 0)
        & ((differ >> (THREAD_BITS + EPOCH_BITS) != 0) | (differ >> THREAD_BITS == 0))
    )


class Race(Exception):
    """lane_index: which of the accesses; other: the stamp of the earlier one; verb: what that one did."""

    def __init__(self, granule: int, index: int, other: int, verb: str):
        super().__init__("race")
        self.granule, self.index, self.other, self.verb = granule, index, other, verb


class Touches:
    """The stamps of one space. Each method takes granules (k, lanes) and the lanes' stamps."""

    def __init__(self, count: int):
        self.writers = np.full(count, -1, np.int64)
        self.readers = np.full(count, -1, np.int64)
        self.atomics: np.ndarray | None = None

    def read(self, granules: np.ndarray, stamp: np.ndarray) -> None:
        self._check(self.writers, granules, stamp, "wrote")
        if self.atomics is not None:
            self._check(self.atomics, granules, stamp, "changed (atomically)")
        _merge(self.readers, granules, stamp)

    def write(self, granules: np.ndarray, stamp: np.ndarray) -> None:
        self._check(self.writers, granules, stamp, "wrote")
        self._check(self.readers, granules, stamp, "read")
        if self.atomics is not None:
            self._check(self.atomics, granules, stamp, "changed (atomically)")
        self.writers[granules] = stamp
        # Of several lanes that write one granule in this very step one stamp is left.
        self._check(self.writers, granules, stamp, "wrote")

    def atomic(self, granules: np.ndarray, stamp: np.ndarray) -> None:
        self._check(self.writers, granules, stamp, "wrote")
        self._check(self.readers, granules, stamp, "read")
        if self.atomics is None:
            self.atomics = np.full(len(self.writers), -1, np.int64)
        _merge(self.atomics, granules, stamp)

    def _check(self, table: np.ndarray, granules: np.ndarray, stamp: np.ndarray, verb: str) -> None:
        old = table[granules]
        bad = unordered(old, stamp)
        if bad.any():
            row, lane = np.argwhere(bad)[0]
            raise Race(int(granules[row, lane]), int(lane), int(old[row, lane]), verb)


def _merge(table: np.ndarray, granules: np.ndarray, stamp: np.ndarray) -> None:
    """Add accesses that may overlap: a later epoch replaces, other threads or blocks become "several"."""
    stamp = np.broadcast_to(stamp, granules.shape)
    new = _joined(table[granules], stamp)
    table[granules] = new
    # Lanes of this very step that touch the same granule: what the others left there is joined as well,
    # threads first and blocks last, so that the field of the blocks is never lost.
    left = table[granules]
    differ = (left ^ new) >> SITE_BITS != 0
    if differ.any():
        both = _joined(left, new)[differ]
        for several in (False, True):
            part = ((both >> BLOCK_SHIFT) == (1 << BLOCK_BITS) - 1) == several
            table[granules[differ][part]] = both[part]


def _joined(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    differ = (old ^ new) >> SITE_BITS
    blocks = differ >> (THREAD_BITS + EPOCH_BITS) != 0
    threads = (differ != 0) & (differ >> THREAD_BITS == 0)
    joined = new | np.where(blocks, SEVERAL_BLOCKS, 0) | np.where(threads, SEVERAL_THREADS, 0)
    return np.where(old < 0, new, joined)


def describe(stamp: int) -> tuple[int | None, int | None, int]:
    """(block, thread, instruction) of a stamp; None: several."""
    block = stamp >> BLOCK_SHIFT
    thread = stamp >> SITE_BITS & ((1 << THREAD_BITS) - 1)
    several = (1 << BLOCK_BITS) - 1, (1 << THREAD_BITS) - 1
    return (
        None if block == several[0] else block,
        None if thread == several[1] else thread,
        stamp & ((1 << SITE_BITS) - 1),
    )
