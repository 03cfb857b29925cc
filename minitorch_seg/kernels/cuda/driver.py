"""The door to the GPU: the only file that imports numba.cuda.

A kernel is plain Python with its types and block sizes written beside it (`Kernel`); `launch` checks the
arguments against them and hands everything to a *backend*: numba.cuda's (a GPU, or Numba's simulator where
NUMBA_ENABLE_CUDASIM=1 was set before the program started), or another one that a test installs with
`with using(backend)`.

A backend has these methods:

    empty(count, dtype)                  one-dimensional device memory of `count` numbers, or MemoryError
    from_host(array, memory)             copies a one-dimensional NumPy array to its beginning
    to_host(memory, first, count)        a part of it as a NumPy array
    launch(kernel, grid, arguments)      runs a kernel; arguments are CudaArrays and NumPy scalars
    synchronize()                        waits until all kernels are done

and, where memory is short, `free()`, the bytes that are free, and `trim()`, which gives back what the backend
itself holds for later.

Rules for a kernel: int32 and float32 constants are wrapped (`types.float32(0.5)`), since a bare 0.5 is
computed in float64 on the device; no early return and no divergent branch before a barrier; every access is
guarded by a bound; one shared array a source line; mathematics from `math` as this file has it.
"""

import math as _python
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import config, types
from numba import cuda as _cuda

from minitorch_seg.errors import SizeError, UserError

__all__ = [
    "Kernel",
    "cuda",
    "describe",
    "device",
    "integer",
    "launch",
    "math",
    "problem",
    "simulated",
    "spread",
    "types",
]

config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # type: ignore[attr-defined]  # a small array needs few blocks
cuda: Any = _cuda  # the very module: the simulator exchanges globals that are it
LARGEST = 2**31 - 1  # the kernels count in int32
NO_COMPILER = 'NVIDIA\'s compiler (NVVM) is missing: pip install "minitorch_seg[cuda]"'


@dataclass(frozen=True)
class Kernel:
    """A kernel and how it is compiled and launched.

    name: unique, as "conv2d 128x64 float32"; signature: the arguments' types as Numba writes them;
    threads: of a block; blocks: how many of them are to run on a multiprocessor at the same time;
    simulated: a smaller block for the simulator (None: the same).
    """

    name: str
    function: Callable[..., None]
    signature: tuple[str, ...]
    threads: tuple[int, ...]
    blocks: int = 1
    simulated: tuple[int, ...] | None = None

    @property
    def block(self) -> tuple[int, ...]:
        """The threads of a block here: fewer in the simulator."""
        return self.simulated if self.simulated is not None and simulated() else self.threads


#: The names of all kernels launched so far, for the test that the catalogue is complete.
launched: set[str] = set()


def simulated() -> bool:
    """True where Numba's simulator stands in for a GPU."""
    return bool(getattr(config, "ENABLE_CUDASIM", False))


def device(function: Callable) -> Callable:
    """A function that kernels call, written into each of them; the simulator calls it as it is."""
    return function if simulated() else cuda.jit(device=True, inline="always")(function)


#: For kernels: in the simulator NumPy's functions, since Python's raise where a device gives NaN or infinity.
math: Any = _python
if simulated():
    math = SimpleNamespace(exp=np.exp, expm1=np.expm1, log=np.log, log1p=np.log1p, sqrt=np.sqrt, tanh=np.tanh)
    math.sin, math.cos, math.floor, math.ceil, math.fmod = np.sin, np.cos, np.floor, np.ceil, np.fmod
    math.fabs, math.isnan, math.isinf = np.fabs, np.isnan, np.isinf
    math.pow, math.erf, math.erfc = np.power, np.vectorize(_python.erf), np.vectorize(_python.erfc)
    math.inf, math.nan, math.pi = np.inf, np.nan, np.pi


def integer(dtype: str) -> Any:
    """For kernels: a number as an integer of `dtype`, without its fraction and its highest bits; where these
    are not 0 the simulator would raise.
    """
    return (lambda a: np.asarray(a).astype(dtype)[()]) if simulated() else getattr(types, dtype)


class Numba:
    """The backend of numba.cuda: a GPU, or the simulator."""

    def __init__(self) -> None:
        self._compiled: dict[str, Any] = {}

    def empty(self, count: int, dtype: np.dtype) -> Any:
        with _explained():
            return cuda.device_array(count, dtype)

    def from_host(self, array: np.ndarray, memory: Any) -> None:
        with _explained():
            memory[: array.size].copy_to_device(array)

    def to_host(self, memory: Any, first: int, count: int) -> np.ndarray:
        with _explained():
            return memory[first : first + count].copy_to_host()

    def synchronize(self) -> None:
        with _explained():
            cuda.synchronize()

    def free(self) -> int:
        """Bytes of device memory that are free."""
        with _explained():
            return 2**62 if simulated() else cuda.current_context().get_memory_info().free

    def trim(self) -> None:
        """Frees what numba.cuda would free later."""
        with _explained():
            cuda.synchronize()
            if not simulated():
                cuda.current_context().deallocations.clear()

    def launch(self, kernel: Kernel, grid: tuple[int, ...], arguments: Sequence[Any]) -> None:
        with _explained():
            compiled = self._compiled.get(kernel.name)
            if compiled is None:
                compiled = self._compiled[kernel.name] = _compile(kernel)
            compiled[grid, kernel.block](*[_view(a) if hasattr(a, "storage") else a for a in arguments])


class _explained:
    """What the driver says in a sentence: memory that is full, a kernel that it refuses, a lost device."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is not None and "OUT_OF_MEMORY" in str(error):
            raise MemoryError(str(error)) from None
        if type(error).__name__ in ("LinkerError", "NvvmError"):
            first = str(error).strip().partition("\n")[0]
            raise UserError(
                f"NVIDIA's compiler refused a kernel ({first}): where the driver is too old for it, install "
                "580 or newer"
            ) from error
        if type(error).__name__ in ("CudaAPIError", "CUDAError"):
            raise UserError(
                f"the GPU failed ({error}): its arrays are lost, start the program again"
            ) from error


def _view(array: Any) -> Any:
    """What a kernel gets.  It asks no row for its length, so a row that begins where the memory does needs no
    view of its own, which takes numba.cuda a while; the simulator checks bounds, and gets one.
    """
    part = array.storage.memory
    exact = simulated() or array.ndim != 1
    if array.offset or (exact and array.size != array.storage.count):
        part = part[array.offset : array.offset + array.size]
    return part if array.ndim == 1 else part.reshape(array.shape)


def _compile(kernel: Kernel) -> Any:
    if simulated():
        return cuda.jit(kernel.function)
    threads = int(np.prod(kernel.threads))
    signature = f"void({', '.join(kernel.signature)})"
    # Without optimisation at link time: so the tests compile it, and what they prove is what runs.
    return cuda.jit(signature, launch_bounds=(threads, kernel.blocks), lto=False)(kernel.function)


_numba = Numba()
backend: Any = _numba


def spread(kernel: Kernel, count: int) -> int:
    """How many blocks share `count` numbers in a loop that strides over the grid."""
    return min(-(-count // kernel.block[0]), 2 if simulated() else 4096)


@contextmanager
def using(other: Any) -> Iterator[None]:
    """Another backend for the body of a `with` statement: arrays made in it belong to it."""
    global backend
    before, backend = backend, other
    try:
        yield
    finally:
        backend = before


def launch(kernel: Kernel, grid: tuple[int, ...] | int, *arguments: Any) -> None:
    """Runs `kernel` on `grid` blocks.

    Arrays must be C-contiguous and of the dtype and dimensions that the signature names; Python ints become
    what it names, after a check of their range.  An empty grid launches nothing.
    """
    from minitorch_seg.kernels.cuda import memory

    grid = (grid,) if isinstance(grid, int) else tuple(grid)
    if len(arguments) != len(kernel.signature):
        raise TypeError(f"{kernel.name} takes {len(kernel.signature)} arguments, found {len(arguments)}")
    ready = [_checked(kernel, t, a) for t, a in zip(kernel.signature, arguments, strict=True)]
    if 0 in grid:
        return
    if max(grid[1:], default=1) > 65535 or grid[0] > LARGEST:
        raise UserError(f"{kernel.name}: {grid} blocks are too many for the device: use smaller sizes")
    launched.add(kernel.name)
    try:
        backend.launch(kernel, grid, ready)
        return
    except MemoryError:  # its code and its stack need memory as well
        memory.make_room(backend)
    try:
        backend.launch(kernel, grid, ready)
    except MemoryError:
        raise SizeError(
            f"the GPU has no room left to run {kernel.name} ({backend.free():,} bytes are free): use smaller "
            "batches or images"
        ) from None


def _checked(kernel: Kernel, wanted: str, argument: Any) -> Any:
    dtype, dims = _parsed(wanted)
    if dims is None:
        return _number(kernel, dtype, argument)
    found = getattr(argument, "storage", None)
    if found is None or argument.dtype != dtype or argument.ndim != dims or not argument.is_contiguous():
        raise TypeError(f"{kernel.name} expects a C-contiguous CUDA array {wanted}, found {argument!r:.80}")
    if found.backend is not backend:
        raise UserError(f"{kernel.name}: the array was made for another CUDA backend")
    if argument.size > LARGEST:
        raise UserError(
            f"{kernel.name}: {argument.size} numbers in an array are too many: kernels count to {LARGEST}"
        )
    return argument


def _number(kernel: Kernel, dtype: np.dtype, value: Any) -> Any:
    if dtype.kind in "iu":
        lowest, largest = _bounds(dtype)
        if not lowest <= int(value) <= largest:
            raise UserError(f"{kernel.name}: {value} is too large for the {dtype} that CUDA kernels count in")
    return dtype.type(value)


@cache
def _bounds(dtype: np.dtype) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


@cache
def _parsed(signature: str) -> tuple[np.dtype, int | None]:
    """The dtype and the number of dimensions of a Numba type: "float32[:,::1]" has two, "int32" none."""
    name, bracket, rest = signature.partition("[")
    dtype = np.dtype({"boolean": "bool"}.get(name, name))
    return dtype, rest.count(",") + 1 if bracket else None


def problem() -> str:
    """Why there is no GPU to use, with the way out; or nothing."""
    if backend is not _numba or simulated():
        return ""
    return _hardware_problem()


@cache
def _hardware_problem() -> str:
    if cuda.implementation != "NVIDIA":
        return 'numba-cuda is not installed: pip install "minitorch_seg[cuda]"'
    if getattr(config, "CUDA_PER_THREAD_DEFAULT_STREAM", 0):
        return (
            "NUMBA_CUDA_PER_THREAD_DEFAULT_STREAM is set, but kernels must run in turn, since they "
            "share their memory: unset it"
        )
    try:
        found = cuda.is_available()
    except RuntimeError:  # numba-cuda looks for NVIDIA's compiler as well
        return NO_COMPILER
    if not found and cuda.cudadrv.driver.driver.is_available:
        return NO_COMPILER
    if not found:
        return (
            "no NVIDIA driver or no GPU was found: install the driver (580 or newer for CUDA 13), or use "
            "device='cpu'"
        )
    capability = cuda.get_current_device().compute_capability
    if capability < (7, 5):
        return (
            f"the GPU has compute capability {capability[0]}.{capability[1]}, and 7.5 is needed: use the CPU"
        )
    return ""


def describe() -> list[str]:
    """Driver, device, memory: what `minitorch-seg doctor` prints."""
    if simulated():
        return ["Numba's simulator (NUMBA_ENABLE_CUDASIM=1), very slow: for looking, not for results"]
    device = cuda.get_current_device()
    memory = cuda.current_context().get_memory_info()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    major, minor = device.compute_capability
    return [
        f"{name}, compute capability {major}.{minor}, {device.MULTIPROCESSOR_COUNT} multiprocessors",
        f"memory: {memory.free / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
        f"driver for CUDA {'.'.join(map(str, _driver_version()))}",
    ]


def _driver_version() -> tuple[int, ...]:
    return tuple(cuda.cudadrv.driver.driver.get_version())
