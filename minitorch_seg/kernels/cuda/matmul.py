"""The product of matrices on the GPU by register tiles (`tile.py`); `reference/matmul.py` has the formula.

    y[i, j] = Σ_k a[i, k] · b[k, j],      for each matrix of a batch

Transposed operands are read as they lie: 8 threads read 8 neighbouring k's of a row, or all threads read
neighbouring rows, whichever are neighbours in memory.  Where the result is small and the sum is long (the
gradient of a weight), the sum is cut into parts, each a tile's work of its own, and `sum_rows` adds the parts
in a fixed tree.  How it is cut depends on the shapes alone.

    flops  2·M·N·K      bytes  4·(M·K + K·N + M·N)       for 1024³: 171 operations a byte

Limited by arithmetic on an H100 (from 20 on) and on an RTX 4060 laptop (from 50 on): 67 and 11–15 TFLOP/s, of
which the tile can reach about two thirds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np

from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels.cuda.array import CudaArray, contiguous, empty
from minitorch_seg.kernels.cuda.channel_sum import sum_rows
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, launch, types
from minitorch_seg.kernels.cuda.elementwise import broadcast
from minitorch_seg.kernels.cuda.flat import REALS, real
from minitorch_seg.kernels.cuda.tile import TILES, Tile, chosen, multiplier

i32, u32 = types.int32, types.uint32
BLOCKS = 256  # with fewer than this many tiles a long sum is cut
SHORTEST = 128  # k's of a part at least


class Operand(NamedTuple):
    """Matrices as one row of memory, and how far rows, columns and matrices lie from each other."""

    row: CudaArray
    down: int
    across: int
    batch: int


def matmul(a: CudaArray, b: CudaArray) -> CudaArray:
    """a (..., n, k), b (..., k, m) -> (..., n, m); leading dimensions are broadcast."""
    if a.dtype != b.dtype:
        raise DTypeError(f"matmul: the dtypes {a.dtype} and {b.dtype} differ: convert one with .to()")
    dtype = real("matmul", a)
    if a.ndim == 1 or b.ndim == 1:
        rows, columns = a.reshape(1, -1) if a.ndim == 1 else a, b.reshape(-1, 1) if b.ndim == 1 else b
        y = matmul(rows, columns)
        shape = y.shape[:-2] + y.shape[-2:-1] * (a.ndim > 1) + y.shape[-1:] * (b.ndim > 1)
        return y.reshape(shape)
    (m, k), n = a.shape[-2:], b.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = empty((*batch, m, n), dtype)
    if y.size == 0:
        return y
    left, right = operand(a, batch), operand(b, batch)
    tile = chosen(dtype, m, n, prod(batch) * max(k // SHORTEST, 1))
    tiles = -(-m // tile.rows) * -(-n // tile.columns) * prod(batch)
    parts = max(min(-(-BLOCKS // tiles), k // SHORTEST), 1) if tiles < BLOCKS else 1
    length = -(-k // (parts * tile.depth)) * tile.depth
    parts = max(-(-k // max(length, 1)), 1)
    sums = y if parts == 1 else empty((parts, y.size), dtype)
    arrays = left.row, right.row, sums.reshape(-1)
    steps = left.down, left.across, left.batch, right.down, right.across, right.batch
    launch(tiled(tile, dtype), tiles * parts, *arrays, m, n, k, prod(batch), length, *steps)
    return y if parts == 1 else sum_rows(sums).reshape(y.shape)


def operand(x: CudaArray, batch: tuple[int, ...]) -> Operand:
    """How a kernel reads x (..., rows, columns): as it lies where rows or columns are neighbours in
    memory."""
    rows, columns = x.shape[-2:]
    if prod(x.shape[:-2]) not in (1, prod(batch)):
        x = broadcast(x, (*batch, rows, columns))
    turned = x.transpose(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    step = rows * columns if prod(x.shape[:-2]) > 1 else 0
    if turned.is_contiguous() and not x.is_contiguous():
        return Operand(turned.reshape(-1), 1, rows, step)
    return Operand(contiguous(x).reshape(-1), columns, 1, step)


@cache
def tiled(tile: Tile, dtype: str) -> Kernel:
    """A block makes tile.rows × tile.columns numbers of one matrix, from one part of the k's."""
    number = getattr(types, dtype)
    zero = number(0)
    multiply = multiplier(tile, dtype)
    tile_rows, tile_columns, depth, (pitch_a, pitch_b) = tile.rows, tile.columns, tile.depth, tile.pitches
    threads, down, across = tile.threads, tile.down, tile.across
    a_size, b_size = depth * pitch_a, depth * pitch_b
    both_a, both_b = 2 * a_size, 2 * b_size
    threads_across = tile_columns // across
    fetch_a, fetch_b = tile_rows * depth // threads, depth * tile_columns // threads
    few_rows, few_columns = min(down, 4), min(across, 4)
    row_groups, column_groups = tile_rows // down * few_rows, threads_across * few_columns

    def kernel(
        a, b, y, rows, columns, terms, matrices, length, a_down, a_across, a_batch, b_down, b_across, b_batch
    ):
        tile_a = cuda.shared.array(both_a, number)
        tile_b = cuda.shared.array(both_b, number)
        c = cuda.local.array((down, across), number)
        next_a = cuda.local.array(fetch_a, number)
        next_b = cuda.local.array(fetch_b, number)
        thread = cuda.threadIdx.x

        # Block number = ((part · matrices + matrix) · row tiles + row tile) · column tiles + column tile.
        column_tiles = (columns + (tile_columns - 1)) // tile_columns
        row_tiles = (rows + (tile_rows - 1)) // tile_rows
        rest = i32(u32(cuda.blockIdx.x) // u32(column_tiles))
        first_column = (cuda.blockIdx.x - rest * column_tiles) * tile_columns
        after = i32(u32(rest) // u32(row_tiles))
        first_row = (rest - after * row_tiles) * tile_rows
        part = i32(u32(after) // u32(matrices))
        matrix = after - part * matrices

        for i in range(down):
            for j in range(across):
                c[i, j] = zero
        # What a thread fetches: 8 threads 8 neighbouring k's, or all threads neighbouring rows (columns).
        a_row, a_k, a_row_step, a_k_step = thread // depth, thread % depth, threads // depth, 0
        if a_across != 1:
            a_row, a_k = thread % tile_rows, thread // tile_rows
            a_row_step, a_k_step = 0, threads // tile_rows
        b_column, b_k = thread % tile_columns, thread // tile_columns
        b_column_step, b_k_step = 0, threads // tile_columns
        if b_across != 1:
            b_column, b_k, b_column_step, b_k_step = thread // depth, thread % depth, threads // depth, 0
        from_a = thread // threads_across * few_rows
        from_b = thread % threads_across * few_columns
        first, last = part * length, min((part + 1) * length, terms)
        steps = i32((last - first + (depth - 1)) // depth)
        for step in range(i32(steps + 1)):
            if step < steps:
                for i in range(fetch_a):
                    r = first_row + a_row + i * a_row_step
                    k = first + step * depth + a_k + i * a_k_step
                    value = zero
                    if r < rows and k < last:
                        value = a[u32(matrix * a_batch + r * a_down + k * a_across)]
                    next_a[i] = value
                for i in range(fetch_b):
                    q = first_column + b_column + i * b_column_step
                    k = first + step * depth + b_k + i * b_k_step
                    value = zero
                    if q < columns and k < last:
                        value = b[u32(matrix * b_batch + k * b_down + q * b_across)]
                    next_b[i] = value
            if step > 0:
                half = (step - 1) & 1
                multiply(tile_a, tile_b, u32(half * a_size + from_a), u32(half * b_size + from_b), c)
            if step < steps:
                half = step & 1
                for i in range(fetch_a):
                    at = (a_k + i * a_k_step) * pitch_a + a_row + i * a_row_step
                    tile_a[u32(half * a_size + at)] = next_a[i]
                for i in range(fetch_b):
                    at = (b_k + i * b_k_step) * pitch_b + b_column + i * b_column_step
                    tile_b[u32(half * b_size + at)] = next_b[i]
            cuda.syncthreads()  # this step is whole; and nobody still reads the buffer that comes next

        for i in range(down):
            r = first_row + (i // few_rows) * row_groups + from_a + i % few_rows
            for j in range(across):
                q = first_column + (j // few_columns) * column_groups + from_b + j % few_columns
                if r < rows and q < columns:
                    y[u32(((part * matrices + matrix) * rows + r) * columns + q)] = c[i, j]

    signature = (f"{dtype}[::1]",) * 3 + ("int32",) * 11
    return Kernel(f"matmul {tile} {dtype}", kernel, signature, (threads,), min(tile.blocks, 3))


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        for tile in TILES[dtype]:
            yield tiled(tile, dtype)
