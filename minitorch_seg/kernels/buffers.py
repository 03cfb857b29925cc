"""Memory for large arrays, used again.

A training step asks for the same sizes as the step before.  Fresh memory from the system comes as empty
pages, and each costs a fault and a clearing when it is first touched: a tenth of a U-Net's step.  So a block
that no array uses any more waits here, and the next array of that size, or of one up to a fifth smaller, gets
it.  Blocks begin at multiples of 64 bytes, the length of a cache line and of the longest vector register.

The blocks in use and those that wait never take more than 3/2 of what was in use at one time: where no
waiting block fits, blocks of other sizes are given back to the system, first those of the sizes that were
asked for longest ago.

    >>> a = empty((1024, 1024), "float32")
    >>> place = a.ctypes.data
    >>> place % 64
    0
    >>> del a
    >>> empty((1024, 1024), "float32").ctypes.data == place
    True
"""

from collections import OrderedDict, deque
from math import prod

import numpy as np

from minitorch_seg.locks import Lock

SMALLEST = 1 << 16  # bytes: below, the C library's allocator keeps its pages itself
ALIGNMENT = 64

Block = tuple[np.ndarray, int]  # bytes, and the address of the first that begins a cache line

_waiting: OrderedDict[int, list[Block]] = OrderedDict()  # by size; the size asked for last comes last
_returned: deque[Block] = deque()  # not yet sorted in: a destructor may run anywhere and takes no lock
_held = _used = _most = 0  # bytes that wait, that are in use, and the most that were in use at one time
_lock = Lock()


class _Lease:
    """A block for as long as an array needs it: NumPy keeps the lease as the array's base."""

    def __init__(self, nbytes: int) -> None:
        self.block = _take(nbytes + ALIGNMENT)
        place = (self.block[1], False)  # False: it may be written
        self.__array_interface__ = {"version": 3, "shape": (nbytes,), "typestr": "|u1", "data": place}

    def __del__(self, returned: deque = _returned) -> None:
        if hasattr(self, "block"):  # not where the memory was refused
            returned.append(self.block)


def empty(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
    """An uninitialised C-contiguous array, in memory that may have been used before."""
    dtype = np.dtype(dtype)
    nbytes = prod(shape) * dtype.itemsize
    if nbytes < SMALLEST or dtype.hasobject:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, np.asarray(_Lease(nbytes)))


def in_use() -> int:
    """Bytes of the blocks that arrays use at this moment."""
    with _lock:
        _sort_in()
    return _used


def waiting() -> int:
    """Bytes of the blocks that wait to be used again."""
    with _lock:
        _sort_in()
    return _held


def release_memory() -> None:
    """Gives back to the system the memory that no array uses any more.

    Large arrays leave their memory to the next ones, up to half as much as was in use at one time: call this
    after a training when the process goes on with something else.  Nothing that is in use is touched; the
    memory of GPUs is not meant.

    >>> import minitorch_seg as ms
    >>> x = ms.ones(1000, 1000)
    >>> ms.release_memory()
    >>> float(x.data.mean())
    1.0
    """
    global _most
    with _lock:
        _sort_in()
        _give_back(0)
        _most = _used


def _take(size: int) -> Block:
    # A signal's handler may come in after any call below, and may raise (Ctrl-C) or take blocks itself: what
    # was looked up before a call is looked at again after it.
    global _held, _used, _most
    with _lock:
        _sort_in()
        if not _waiting.get(size):  # where none is as large as that, the next larger one
            fitting = [s for s, blocks in _waiting.items() if blocks and size <= s <= size * 5 // 4]
            size = min(fitting, default=size)
        blocks = _waiting.get(size)
        if blocks:
            block = blocks.pop()
            _held -= size
            if size in _waiting:
                _waiting.move_to_end(size)
        else:
            _give_back(max(_most * 3 // 2 - _used - size, 0))
            block = _new(size)
        _used += size
        _most = max(_most, _used)
    return block


def _new(size: int) -> Block:
    try:
        memory = np.empty(size, np.uint8)
    except MemoryError:
        _give_back(0)
        memory = np.empty(size, np.uint8)
    address = memory.ctypes.data
    return memory, address + -address % ALIGNMENT


def _sort_in() -> None:
    global _held, _used
    while _returned:
        block = _returned.popleft()
        size = len(block[0])
        _waiting.setdefault(size, []).append(block)
        _held += size
        _used -= size


def _give_back(allowed: int) -> None:
    """Lets go of waiting blocks until they hold no more than `allowed` bytes."""
    global _held
    while _waiting and _held > allowed:
        size = next(iter(_waiting))
        blocks = _waiting[size]
        while blocks and _held > allowed:
            blocks.pop()
            _held -= size
        if not blocks:
            _waiting.pop(size, None)
    if not _waiting:
        _held = 0  # also where an interrupt came between a block and its count
