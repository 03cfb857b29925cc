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
from typing import Any, NamedTuple

import numpy as np

from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.kernels.cuda.array import CudaArray, contiguous, empty
from minitorch_seg.kernels.cuda.channel_sum import sum_rows
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, launch, types
from minitorch_seg.kernels.cuda.elementwise import broadcast
from minitorch_seg.kernels.cuda.flat import REALS, real
from minitorch_seg.kernels.cuda.tile import TILES, Tile, chosen, code

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
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(
            f"matmul: {a.shape} and {b.shape} do not fit: the last size of the first must be the last but "
            "one of the second"
        )
    if a.ndim == 1 or b.ndim == 1:
        rows, columns = a.reshape(1, -1) if a.ndim == 1 else a, b.reshape(-1, 1) if b.ndim == 1 else b
        y = matmul(rows, columns)
        shape = y.shape[:-2] + y.shape[-2:-1] * (a.ndim > 1) + y.shape[-1:] * (b.ndim > 1)
        return y.reshape(shape)
    if a.dtype.kind in "iub":
        return _whole_numbers(a, b)
    dtype = real("matmul", a)
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


def _whole_numbers(a: CudaArray, b: CudaArray) -> CudaArray:
    """The product of integers or bools, which are rare: all n·k·m products as an array, and their sum."""
    products: Any = np.multiply(a[..., None], b[..., None, :, :])
    return (np.any if a.dtype == np.bool_ else np.sum)(products, axis=-2).astype(a.dtype)


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
    tile_rows, tile_columns, depth = tile.rows, tile.columns, tile.depth
    threads, down, across = tile.threads, tile.down, tile.across
    (size_a, size_b), (count_a, count_b) = tile.buffers, tile.fetches
    does = code(tile, dtype)
    fetch_a, fetch_b, store_a, store_b = does.fetch_a, does.fetch_b, does.store_a, does.store_b
    tile_at, multiply, write = does.tile_at, does.multiply, does.write

    def kernel(
        a, b, y, rows, columns, terms, matrices, length, a_down, a_across, a_batch, b_down, b_across, b_batch
    ):
        tile_a = cuda.shared.array(size_a, number)
        tile_b = cuda.shared.array(size_b, number)
        c = cuda.local.array((down, across), number)
        next_a = cuda.local.array(count_a, number)
        next_b = cuda.local.array(count_b, number)
        thread = cuda.threadIdx.x

        # Block number = ((part · matrices + matrix) · row tiles + row tile) · column tiles + column tile.
        first_row, first_column, product = tile_at(cuda.blockIdx.x, rows, columns)
        part = i32(u32(product) // u32(matrices))
        matrix = product - part * matrices

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
        first, last = part * length, min((part + 1) * length, terms)
        steps = i32((last - first + (depth - 1)) // depth)
        for step in range(i32(steps + 1)):
            if step < steps:
                k = first + step * depth
                fetch_a(
                    next_a, a, matrix * a_batch, first_row + a_row, rows, a_row_step, a_down,
                    k + a_k, last, a_k_step, a_across,
                )  # fmt: skip
                fetch_b(
                    next_b, b, matrix * b_batch, k + b_k, last, b_k_step, b_down,
                    first_column + b_column, columns, b_column_step, b_across,
                )  # fmt: skip
            if step > 0:
                multiply(tile_a, tile_b, (step - 1) & 1, thread, c)
            if step < steps:
                store_a(tile_a, step & 1, next_a, a_k, a_k_step, a_row, a_row_step)
                store_b(tile_b, step & 1, next_b, b_k, b_k_step, b_column, b_column_step)
            cuda.syncthreads()  # this step is whole; and nobody still reads the buffer that comes next

        before = (part * matrices + matrix) * rows * columns
        write(y, before, columns, c, thread, first_row, rows, first_column, columns)

    signature = (f"{dtype}[::1]",) * 3 + ("int32",) * 11
    return Kernel(f"matmul {tile} {dtype}", kernel, signature, (threads,), min(tile.blocks, 3))


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        for tile in TILES[dtype]:
            yield tiled(tile, dtype)
