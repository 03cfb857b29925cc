"""Sums of columns on the GPU: of the channels of a map, and of the parts that other kernels leave.

A block sums a stretch of rows for some columns: its threads stand in lines of 2ⁿ ≤ 32 neighbouring columns,
each adds every `lines`-th row, and a tree in shared memory adds the lines.  The stretches' sums are rows
again, and are summed by the same kernel.  All of it in one order that depends on the shapes alone; errors
grow with the length of a stretch divided by `lines`, not with the number of rows.

    flops 1, bytes 4 a number: 0.25 a byte, limited by memory (0.84 TFLOP/s on an H100, 0.06 on an RTX 4060
    laptop)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from minitorch_seg.kernels.cuda.array import CudaArray, empty, pixels
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, launch, types
from minitorch_seg.kernels.cuda.flat import REALS, real

i32, u32 = types.int32, types.uint32
THREADS = 256
FEWEST = 4  # rows of a line in a stretch at least
STRETCHES = 512  # at most


def channel_sum(x: CudaArray) -> CudaArray:
    """s[c] = Σ_{n, i, j} x[n, c, i, j], of shape (C,)."""
    real("channel_sum", x)
    return sum_rows(pixels(x).reshape(-1, x.shape[1]) if x.size else empty((0, x.shape[1]), x.dtype))


def sum_rows(x: CudaArray) -> CudaArray:
    """The sum of the rows of a C-contiguous x (rows, columns): (columns,)."""
    while True:
        rows, columns = x.shape
        width, stretches, length = cut(rows, columns)
        sums = empty((stretches, columns), x.dtype)
        blocks = -(-columns // width) * stretches
        kernel = sums_kernel(x.dtype.name)
        launch(kernel, blocks, x.reshape(-1), sums.reshape(-1), rows, columns, width, length)
        if stretches == 1:
            return sums.reshape(columns)
        x = sums


def cut(rows: int, columns: int) -> tuple[int, int, int]:
    """(columns of a block, a power of two; stretches of rows; rows of a stretch)"""
    width = min(1 << max(columns - 1, 0).bit_length(), 32)
    least = THREADS // width * FEWEST
    stretches = max(min(rows // least, STRETCHES), 1)
    length = -(-rows // stretches)
    return width, max(-(-rows // max(length, 1)), 1), length


@cuda.jit(device=True, inline="always")
def standing(columns, width):
    """Where a thread stands: (stretch of its block, line, number of lines, column).  One number tells stretch
    and columns of a block, those of one stretch side by side.
    """
    thread = cuda.threadIdx.x
    blocks_across = (columns + (width - 1)) // width
    stretch = i32(u32(cuda.blockIdx.x) // u32(blocks_across))
    line = i32(u32(thread) // u32(width))
    lines = i32(u32(cuda.blockDim.x) // u32(width))
    return stretch, line, lines, (cuda.blockIdx.x - stretch * blocks_across) * width + thread - line * width


@cuda.jit(device=True, inline="always")
def add_lines(sums, line, lines, width):
    """Adds up all lines of a block in the first one: half of them to the other half, again and again.  Every
    thread has written its own number of `sums`, and every one comes here.
    """
    thread = cuda.threadIdx.x
    cuda.syncthreads()  # the lines' sums are there
    half = lines // 2
    while half > 0:  # the same for all threads
        if line < half:
            sums[thread] += sums[thread + half * width]
        cuda.syncthreads()  # before the next round reads what this one has added
        half //= 2


@cache
def sums_kernel(dtype: str) -> Kernel:
    number = getattr(types, dtype)
    zero = number(0)

    def kernel(x, sums, rows, columns, width, length):
        lines_sums = cuda.shared.array(THREADS, number)
        thread = cuda.threadIdx.x
        stretch, line, lines, column = standing(columns, width)
        total = zero
        if column < columns:
            last = min((stretch + 1) * length, rows)
            for r in range(stretch * length + line, last, lines):
                total += x[u32(r * columns + column)]
        lines_sums[thread] = total
        add_lines(lines_sums, line, lines, width)
        if line == 0 and column < columns:
            sums[u32(stretch * columns + column)] = lines_sums[thread]

    signature = (f"{dtype}[::1]",) * 2 + ("int32",) * 4
    return Kernel(f"sum_rows {dtype}", kernel, signature, (THREADS,), 4, (64,))


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield sums_kernel(dtype)
