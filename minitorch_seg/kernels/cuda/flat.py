"""What kernels that walk over an array as one row share: the row, its result, and how many blocks there are.

Such a kernel has one thread for each number of the result, in the order of memory, so that the 32 threads of
a warp read and write neighbours.  Where it needs coordinates it divides in uint32: a division costs about 20
instructions, one in int64 about 100.  On an H100 a kernel that moves 12 bytes a number may spend 29·10¹²
instructions/s ÷ (3.35·10¹² B/s ÷ 12 B) ≈ 100 of them before memory is no longer the limit; on a laptop's RTX
4060 (6.7·10¹²/s, 256 GB/s) about 300.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels.cuda.array import CudaArray, contiguous, empty, empty_map, pixels
from minitorch_seg.kernels.cuda.driver import Kernel, device, launch, types

i32, u32 = types.int32, types.uint32
REALS = ("float32", "float64")
THREADS = (256,)
SIMULATED = (32,)


# -- for kernels: the divisions, written once ---------------------------------------------------------------
@device
def pixel_at(p, rows, columns):
    """(image, row, column) of pixel p of maps that have rows × columns of them."""
    line = i32(u32(p) // u32(columns))
    image = i32(u32(line) // u32(rows))
    return image, line - image * rows, p - line * columns


@device
def number_at(i, rows, columns, channels):
    """(image, row, column, channel) of number i of a map's memory, where channels are neighbours."""
    pixel = i32(u32(i) // u32(channels))
    image, y, x = pixel_at(pixel, rows, columns)
    return image, y, x, i - pixel * channels


# -- for those that launch them -----------------------------------------------------------------------------
def row(x: CudaArray) -> CudaArray:
    """x, which is read, as one row in the order of its memory; a map's is channels-last."""
    return (pixels(x) if x.ndim == 4 else contiguous(x)).reshape(-1)


def plain_row(x: CudaArray) -> CudaArray:
    """x, which is read, as one row in C order, whatever its dimensions are."""
    return contiguous(x).reshape(-1)


def result(shape: tuple[int, ...], dtype: Any) -> tuple[CudaArray, CudaArray]:
    """An array for a result (a map where it has four dimensions), and the same memory as one row."""
    y: Any = empty_map(shape, dtype) if len(shape) == 4 else empty(shape, dtype)
    return y, row(y)


def run(kernel: Kernel, count: int, *arguments: Any) -> None:
    """Launches `kernel` with at least `count` threads."""
    launch(kernel, -(-count // kernel.block[0]), *arguments)


def real(operator: str, x: CudaArray) -> str:
    """The name of x's dtype, which must be float32 or float64."""
    if x.dtype.name not in REALS:
        raise DTypeError(f"{operator}: there is no CUDA kernel for {x.dtype}: use .float() or .double()")
    return x.dtype.name


def given(part: CudaArray | None, stand_in: CudaArray) -> tuple[CudaArray, int]:
    """(the array, 1), or (any array, 0) where there is none: a kernel cannot take None."""
    return (stand_in, 0) if part is None else (row(part), 1)


def same_order(gradient: CudaArray, *changed: CudaArray) -> list[CudaArray]:
    """A gradient and what an optimiser changes in place, as rows: these are C-contiguous, so the gradient is
    brought into that order.
    """
    return [plain_row(gradient), *(a.reshape(-1) for a in changed)]
