"""How kernels are compiled.

`@kernel` marks a kernel.  It compiles when it is first called with a new dtype, releases Python's lock while
it runs, divides by zero as NumPy does, and may reorder sums (so that they vectorise) but never assumes away
NaN or infinity.  Compiled code is kept on disk (`cache.py`).
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.ma  # Numba would import it at a kernel's first call, where a fork does not wait for it
from numba import types
from numba.core import event
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from minitorch_seg.kernels import cache
from minitorch_seg.kernels.cache import config
from minitorch_seg.locks import held_at_fork

FAST_MATH = {"reassoc", "nsz", "contract", "arcp", "afn"}  # not "nnan", not "ninf": both must stay visible
NOTICE_AFTER = 2.0  # seconds of compiling

TRIPLE, _, _FEATURES = cpu_target.target_context.codegen().magic_tuple()[:3]
_FEATURES = _FEATURES.split(",")
#: Bytes of a vector register, and how many registers there are.
VECTOR_BYTES = 64 if "+avx512f" in _FEATURES else 32 if "+avx2" in _FEATURES else 16
REGISTERS = 32 if VECTOR_BYTES == 64 or TRIPLE.startswith(("aarch64", "arm64")) else 16


def part(function: Callable) -> Callable:
    """A function that kernels call: it is compiled within each of them, not on its own as well, which saves
    time.
    """
    return numba.njit(inline="always")(function)


def kernel(function: Callable, fast_math: set[str] = FAST_MATH) -> Callable:
    """Compiles `function` on its first call.  With NUMBA_DISABLE_JIT=1 it stays plain Python."""
    dispatcher = numba.njit(nogil=True, error_model="numpy", fastmath=fast_math)(function)
    if not config.DISABLE_JIT:
        cache.keep(dispatcher)
    return dispatcher


def kernel_in_order(function: Callable) -> Callable:
    """The same, but sums are computed as they are written: for numbers whose rounding is meant."""
    return kernel(function, FAST_MATH - {"reassoc", "arcp", "afn"})


@intrinsic
def _pointer(typing_context: Any, address: Any, like: Any) -> Any:
    """An address as a pointer to numbers of the array `like`'s dtype."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(types.int64, like), generate


@part
def _row(address, count, like):
    return numba.carray(_pointer(address, like), count)  # type: ignore[call-arg]  # Numba gives the context


def _plain_row(address: int, count: int, like: np.ndarray) -> np.ndarray:
    memory = (ctypes.c_char * (int(count) * like.itemsize)).from_address(int(address))
    return np.frombuffer(memory, like.dtype)  # type: ignore[call-overload]


#: row_at(address, count, like): the `count` numbers at an address, of the array `like`'s dtype.  It looks at
#: nothing: whoever makes the address answers for it, and keeps the memory (`fast/rows.py`).
row_at = _plain_row if config.DISABLE_JIT else _row


class _Notice(event.Listener):
    """Says once, on stderr, that kernels are being compiled, when that has taken longer than one waits
    without asking.

    Numba compiles under a lock, one kernel at a time; a kernel that calls others compiles them within its own
    time.
    """

    def __init__(self) -> None:
        self.spent = 0.0
        self.depth = 0
        self.started = 0.0
        self.timer: threading.Timer | None = None
        self.said = False

    def on_start(self, event: event.Event) -> None:
        if self.said or not _is_ours(event):
            return
        self.depth += 1
        if self.depth == 1:
            self.started = time.monotonic()
            self.timer = threading.Timer(max(NOTICE_AFTER - self.spent, 0), self.say)
            self.timer.daemon = True
            self.timer.start()

    def on_end(self, event: event.Event) -> None:
        if self.timer is None or not _is_ours(event):
            return
        self.depth -= 1
        if self.depth == 0:
            self.timer.cancel()
            self.timer = None
            self.spent += time.monotonic() - self.started

    def say(self) -> None:
        self.said = True
        lost = f"not kept: {cache.cache_root()} cannot be written, or files of kernels/ were edited meanwhile"
        where = "kept for the next run" if cache.folder() else lost
        print(
            f"minitorch_seg: compiling kernels, about 10 seconds ({where}) ...", file=sys.stderr, flush=True
        )


def _is_ours(event: event.Event) -> bool:
    return event.data["dispatcher"].py_func.__module__.startswith(f"{__package__}.")


event.register("numba:compile", _Notice())

held_at_fork.append(global_compiler_lock)  # a fork waits for a kernel that another thread compiles
