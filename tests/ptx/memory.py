"""Memory as the interpreter sees it: buffers far apart in a sparse address space, every access checked.

A space (global, const, shared, local) lays out its buffers with a wide gap around each, so that an address
tells which buffer is meant, and how far beyond it the access lies. A buffer's first byte is aligned as
declared and not better. Bytes that were never written are known; races.py knows who touched what.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.ptx.races import Touches


@dataclass
class Buffer:
    """A piece of memory: a kernel's argument, or a variable of the PTX text."""

    name: str
    size: int
    align: int = 256
    content: np.ndarray | None = None  # its bytes; None: not yet written
    written: np.ndarray | None = None  # which of them count as written; None: all
    read_only: bool = False


class Broken(Exception):
    """An access that must not be: what is wrong, in which lane. machine.py says who that is, and where."""

    def __init__(self, kind: str, lane: int, message: str):
        super().__init__(message)
        self.kind, self.lane, self.message = kind, lane, message


class Space:
    """One state space, `copies` times over: shared memory for each block, local memory for each thread.

    gap_bits: two buffers' addresses are 2**gap_bits apart; granule: the smallest access, in bytes;
    races: whether to look for them.
    """

    def __init__(
        self,
        name: str,
        buffers: list[Buffer],
        gap_bits: int,
        granule: int,
        copies: int = 1,
        races: bool = True,
    ):
        self.name, self.buffers, self.gap_bits, self.granule = name, buffers, gap_bits, granule
        half = 1 << (gap_bits - 1)
        self.inset = np.array([b.align % 16 if b.align < 16 else 0 for b in buffers] or [0], np.int64)
        self.sizes = np.array([b.size for b in buffers] or [0], np.int64)
        room = -(-(self.sizes + self.inset) // 16) * 16 + 16
        self.starts = np.concatenate([[0], np.cumsum(room)])[:-1] + self.inset
        self.stride = int(room.sum())
        self.addresses = {
            b.name: ((i + 1) << gap_bits) + half + int(self.inset[i]) for i, b in enumerate(buffers)
        }
        total = self.stride * copies
        self.bytes = np.full(total, 0xFF, np.uint8)  # 0xff…: NaN, -1
        self.views = {width: self.bytes.view(f"u{width}") for width in (1, 2, 4, 8)}
        self.written = np.zeros(total // granule, bool)
        self.touches = Touches(total // granule) if races else None
        for buffer, start in zip(buffers, self.starts[: len(buffers)], strict=True):
            if buffer.content is not None:
                for copy in range(copies):
                    begin = copy * self.stride + int(start)
                    self.bytes[begin : begin + buffer.size] = buffer.content
                    known = np.ones(buffer.size, bool) if buffer.written is None else buffer.written
                    self.written[(begin + np.flatnonzero(known)) // granule] = True

    def content(self, name: str) -> np.ndarray:
        """The bytes of a buffer (a view)."""
        index = [b.name for b in self.buffers].index(name)
        start = int(self.starts[index])
        return self.bytes[start : start + int(self.sizes[index])]

    def untouched(self, name: str) -> np.ndarray:
        """For each byte of a buffer, whether nothing was ever written there."""
        index = [b.name for b in self.buffers].index(name)
        places = np.arange(int(self.sizes[index])) + int(self.starts[index])
        return ~self.written[places // self.granule]

    def locate(self, address: np.ndarray, length: int, writes: bool, lanes: np.ndarray) -> np.ndarray:
        """The positions in `bytes` of accesses of `length` bytes, one a lane, or Broken."""
        half = 1 << (self.gap_bits - 1)
        address = address.view(np.int64) if address.itemsize == 8 else address.astype(np.int64)
        slot = (address >> self.gap_bits) - 1
        known = np.clip(slot, 0, len(self.sizes) - 1)
        offset = (address & ((1 << self.gap_bits) - 1)) - half - self.inset[known]
        wrong = (slot != known) | (offset < 0) | (offset + length > self.sizes[known])
        if wrong.any():
            self._out_of_bounds(address, known, offset, slot != known, length, writes, wrong, lanes)
        skew = (address & (length - 1)) != 0
        if skew.any():
            i = int(np.argmax(skew))
            name = self.buffers[int(known[i])].name
            text = f"byte {int(offset[i])} of {name}, whose address is no multiple of {length}"
            raise Broken("misaligned", _lane(lanes, i), f"accesses {length} bytes at {text}")
        if writes:
            for index, buffer in enumerate(self.buffers):
                if buffer.read_only and (hit := known == index).any():
                    lane = _lane(lanes, int(np.argmax(hit)))
                    raise Broken("read only", lane, f"writes to {buffer.name}, which is constant")
        return self.starts[known] + offset

    def _out_of_bounds(self, address, known, offset, stray, length, writes, wrong, lanes) -> None:
        i = int(np.argmax(wrong))
        verb = "writes" if writes else "reads"
        if stray[i] or not self.buffers:
            where = f"at address {int(address[i]):#x}, which is no {self.name} memory"
        else:
            buffer = self.buffers[int(known[i])]
            where = f"at byte {int(offset[i])} of {buffer.name}, which has {buffer.size} bytes"
        raise Broken("out of bounds", _lane(lanes, i), f"{verb} {length} bytes {where}")

    def granules(self, position: np.ndarray, length: int) -> np.ndarray:
        """The granules of accesses: (granules an access, lanes)."""
        first = position // self.granule
        count = length // self.granule
        return first[None, :] + np.arange(count)[:, None]

    def load(self, position: np.ndarray, width: int, count: int, lanes: np.ndarray) -> np.ndarray:
        """`count` neighbouring words of `width` bytes: (count, lanes), as unsigned integers."""
        seen = self.written[self.granules(position, width * count)]
        if not seen.all():
            granule, i = (int(v) for v in np.argwhere(~seen)[0])
            place = self.describe(int(position[i]) + granule * self.granule)
            raise Broken("uninitialised", _lane(lanes, i), f"reads {place}, which was never written")
        index = (position // width)[None, :] + np.arange(count)[:, None]
        return self.views[width][index]

    def store(self, position: np.ndarray, values: np.ndarray) -> None:
        """The rows of `values` to neighbouring words; of lanes that write to one place the last one wins."""
        width = values.itemsize
        index = (position // width)[None, :] + np.arange(len(values))[:, None]
        self.views[width][index] = values.view(f"u{width}")
        self.written[self.granules(position, width * len(values))] = True

    def describe(self, position: int) -> str:
        """A byte's name for a message."""
        inside = position % self.stride
        index = int(np.searchsorted(self.starts, inside, side="right")) - 1
        return f"byte {inside - int(self.starts[index])} of {self.buffers[index].name}"


def _lane(lanes: np.ndarray, index: int) -> int:
    """The lane of an access: all lanes share one address where there is but one."""
    return int(lanes[min(index, len(lanes) - 1)])
