"""Device memory that is used again: asking the driver for memory stops the GPU and takes long.

A training step asks for the sizes of the step before, so memory that no array uses any more waits here for
the next array of about that size.  All kernels run one after the other on one stream: whoever gets a block
writes to it after the last kernel that read it.
"""

from __future__ import annotations

import gc
from collections import deque
from typing import Any

import numpy as np

from minitorch_seg.errors import SizeError
from minitorch_seg.kernels.cuda import driver
from minitorch_seg.locks import Lock

_lock = Lock()
_Kind = tuple[Any, np.dtype, int]  # backend, dtype, count
_waiting: dict[_Kind, list[Any]] = {}
_returned: deque[tuple[_Kind, Any]] = deque()  # a destructor may run anywhere, and takes no lock


class Storage:
    """`count` numbers of device memory, shared by an array and its views."""

    __slots__ = ("__weakref__", "backend", "count", "dtype", "memory")

    def __init__(self, count: int, dtype: np.dtype) -> None:
        self.backend = driver.backend
        self.count, self.dtype = _rounded(count, dtype.itemsize), dtype
        self.memory = _take(self.backend, self.count, dtype)

    def __del__(self, returned: deque = _returned) -> None:
        if hasattr(self, "memory") and getattr(self.backend, "pooled", True):
            returned.append(((self.backend, self.dtype, self.count), self.memory))


def _rounded(count: int, itemsize: int) -> int:
    """A few sizes instead of all: multiples of 512 bytes, and above 4 KiB of an eighth of the power of 2."""
    nbytes = max(count * itemsize, 1)
    step = max(512, 1 << max(nbytes.bit_length() - 4, 0))
    return -(-nbytes // step) * step // itemsize


def _take(backend: Any, count: int, dtype: np.dtype) -> Any:
    with _lock:
        _sort_in()
        blocks = _waiting.get((backend, dtype, count))
        if blocks:
            return blocks.pop()
    try:
        return backend.empty(count, dtype)
    except MemoryError:
        make_room(backend)
    try:
        return backend.empty(count, dtype)
    except MemoryError:
        raise SizeError(
            f"the GPU has no room for an array of {count * dtype.itemsize:,} bytes ({backend.free():,} are "
            "free): use smaller batches or images"
        ) from None


def _sort_in() -> None:
    while _returned:
        key, memory = _returned.popleft()
        _waiting.setdefault(key, []).append(memory)


def release() -> None:
    """Gives all memory that no array uses back to the driver."""
    with _lock:
        _sort_in()
        _waiting.clear()


def make_room(backend: Any) -> None:
    """Frees all that can be freed: arrays that only a cycle of references holds, and what waits here."""
    gc.collect()
    release()
    backend.trim()


def waiting() -> int:
    """Bytes that wait to be used again."""
    with _lock:
        _sort_in()
        return sum(len(blocks) * count * dtype.itemsize for (_, dtype, count), blocks in _waiting.items())
