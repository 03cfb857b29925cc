"""The CUDA kernels of minitorch_seg in the interpreter: a backend for kernels/cuda/driver.py.

    with driver.using(Interpreter()):
        y = F.conv2d(x.to("cuda"), w.to("cuda"))        the PTX of NVIDIA's compiler, executed and watched

Each array is a piece of memory of its own with nothing around it; a kernel may touch the part that the array
it was given covers, and nothing else. What nobody wrote may not be read, by a kernel or by the host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.ptx.faults import KernelFault
from tests.ptx.memory import Buffer
from tests.ptx.nvvm import compiled
from tests.ptx.run import Launch, array_words, dims


@dataclass(eq=False)
class Memory:
    """Device memory: its bytes, and which of them were written."""

    dtype: np.dtype
    bytes: np.ndarray
    written: np.ndarray


class Interpreter:
    """See driver.py for what a backend does. `runs` counts the launches of each kernel, `executed` the
    instructions; `change` may replace a kernel's function, for mistakes that are planted.
    """

    pooled = False  # memory is not used again, so that an access after its end is one to nowhere

    def __init__(self, cc: tuple[int, int] = (9, 0), change: Callable | None = None) -> None:
        self.cc, self.change = cc, change
        self.runs: Counter[str] = Counter()
        self.executed = self.threads = 0
        self.opcodes: set[str] = set()

    def empty(self, count: int, dtype: np.dtype) -> Memory:
        size = count * np.dtype(dtype).itemsize
        return Memory(np.dtype(dtype), np.full(size, 0xFF, np.uint8), np.zeros(size, bool))

    def from_host(self, array: np.ndarray, memory: Memory) -> None:
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        memory.bytes[: data.size] = data
        memory.written[: data.size] = True

    def to_host(self, memory: Memory, first: int, count: int) -> np.ndarray:
        part = slice(first * memory.dtype.itemsize, (first + count) * memory.dtype.itemsize)
        if not memory.written[part].all():
            index = int(np.argmin(memory.written[part])) // memory.dtype.itemsize
            raise KernelFault(
                "uninitialised", f"the host reads number {index} of an array, which no kernel wrote"
            )
        return memory.bytes[part].view(memory.dtype).copy()

    def free(self) -> int:
        return 2**40

    def synchronize(self) -> None:
        pass

    def trim(self) -> None:
        pass

    def launch(self, kernel: Any, grid: tuple[int, ...], arguments: Sequence[Any]) -> None:
        names = kernel.function.__code__.co_varnames[: len(arguments)]
        buffers, owners = self._buffers(names, arguments)
        device = Launch(ptx(kernel, self.cc, self.change), buffers, kernel.name)
        space = device.spaces["global"]
        words = []
        for argument in arguments:
            if not hasattr(argument, "storage"):
                words.append([np.atleast_1d(argument)])
                continue
            first, buffer = owners[id(argument.storage.memory)]
            start = argument.offset * argument.dtype.itemsize - first
            words.append(
                array_words(argument.shape, argument.dtype.itemsize, space.addresses[buffer.name] + start)
            )
        report = device.run(dims(grid), dims(kernel.threads), words)
        for argument in arguments:
            if hasattr(argument, "storage"):
                memory = argument.storage.memory
                first, buffer = owners[id(memory)]
                part = slice(first, first + buffer.size)
                memory.bytes[part] = space.content(buffer.name)
                memory.written[part] = ~space.untouched(buffer.name)
        self.runs[kernel.name] += 1
        self.executed += report.executed
        self.threads += report.threads
        self.opcodes |= report.opcodes

    def _buffers(self, names, arguments) -> tuple[list[Buffer], dict[int, tuple[int, Buffer]]]:
        """One buffer for each piece of memory: the bytes that the arguments in it cover."""
        parts: dict[int, list] = {}
        for name, argument in zip(names, arguments, strict=True):
            if hasattr(argument, "storage"):
                size = argument.dtype.itemsize
                first, last = argument.offset * size, (argument.offset + argument.size) * size
                known = parts.setdefault(
                    id(argument.storage.memory), [argument.storage.memory, first, last, []]
                )
                known[1], known[2] = min(known[1], first), max(known[2], last)
                known[3].append(name)
        buffers, owners = [], {}
        for key, (memory, first, last, used) in parts.items():
            content, written = memory.bytes[first:last], memory.written[first:last]
            buffer = Buffer(" = ".join(used), last - first, content=content, written=written)
            buffers.append(buffer)
            owners[key] = first, buffer
        return buffers, owners


_texts: dict[tuple, str] = {}


def ptx(kernel: Any, cc: tuple[int, int] = (9, 0), change: Callable | None = None) -> str:
    """The PTX of a kernel of kernels/cuda, compiled as driver.py compiles it; kept for the next time."""
    function = change(kernel) if change else kernel.function
    key = kernel.name, function, cc
    if key not in _texts:
        bounds = int(np.prod(kernel.threads)), kernel.blocks
        _texts[key] = compiled(function, kernel.signature, cc, bounds)
    return _texts[key]
