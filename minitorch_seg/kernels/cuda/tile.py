"""The register tile: how a block of threads multiplies two matrices, for matmul and for the convolutions.

    C (rows × columns of the block)  +=  A (rows × depth) · B (depth × columns),      step after step along k

A and B lie in shared memory, A turned over so that both are read along rows.  A thread holds down × across
numbers of C in registers.  For each k it reads `down` numbers of A and `across` of B from shared memory and
makes down·across multiply-adds: 64 for 16 numbers, which are 4 instructions, since four neighbours are read
at a time.  The numbers of a thread come in groups of four, and the groups of neighbouring threads lie side by
side: so a warp's reads of B meet each bank of shared memory once.

    FFMA : LDS instructions     16 : 1  (8 × 8),   10 : 1  (8 × 4),   5 : 1  (8 × 2),   4 : 1  (4 × 2)

Two k's are written out in the loop, so that its counter and branch weigh less: of all instructions of the 8 ×
8 loop 84 % are multiply-adds.

A step is fetched into registers while the step before is multiplied (the fetch takes about 500 cycles, the
multiplication 2·8·64 = 1024 for the two warps that share a scheduler, two blocks of four), and written to the
other one of two buffers; so one barrier a step is enough:

    fetch step s from global memory into registers
    multiply step s − 1 from buffer (s − 1) mod 2
    write step s to buffer s mod 2        which was last read for step s − 2, before the barrier of step s − 1
    barrier                               now buffer s mod 2 is whole

From the L2 cache a block reads (rows + columns)·4 bytes for each k and makes 2·rows·columns operations: for
128 × 64 that is 21 operations a byte.  An H100's L2 gives about 5.5 TB/s, enough for 117 TFLOP/s: the 67
TFLOP/s of its float32 units are the limit.  On an RTX 4060 laptop (11–15 TFLOP/s) likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from minitorch_seg.kernels.cuda.driver import cuda, device, types

i32, u32 = types.int32, types.uint32


@dataclass(frozen=True)
class Tile:
    """rows × columns of the result for a block, down × across of them for a thread; depth: k's of a step;
    blocks: how many are to run on a multiprocessor at the same time; share: per cent of the arithmetic limit
    that it reaches at best (of a narrow tile the L2 cache is the limit).
    """

    rows: int
    columns: int
    down: int
    across: int
    blocks: int
    share: int = 50
    depth: int = 8

    @property
    def threads(self) -> int:
        return self.rows * self.columns // (self.down * self.across)

    @property
    def pitches(self) -> tuple[int, int]:
        """From one k to the next in shared memory, of A and of B: 4 more than there are rows or columns, so
        that the 8 k's that 8 threads write side by side fall on different banks.
        """
        return self.rows + 4, self.columns + 4

    @property
    def buffers(self) -> tuple[int, int]:
        """Numbers that shared memory holds of A and of B: two steps."""
        return 2 * self.depth * self.pitches[0], 2 * self.depth * self.pitches[1]

    @property
    def fetches(self) -> tuple[int, int]:
        """Numbers of A and of B that a thread fetches for a step."""
        return self.rows * self.depth // self.threads, self.columns * self.depth // self.threads

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"


#: For at most `columns` columns the first that fits; the last one for all others.
TILES = {
    "float32": (
        Tile(64, 8, 4, 2, 8, 29),
        Tile(128, 16, 8, 2, 4, 58),
        Tile(128, 32, 8, 4, 4, 73),
        Tile(128, 64, 8, 8, 2, 84),
    ),
    "float64": (
        Tile(64, 8, 4, 2, 5, 30),
        Tile(128, 16, 4, 4, 3, 45),
        Tile(64, 32, 4, 4, 3, 55),
        Tile(64, 64, 4, 4, 1, 60),
    ),
}


#: Multiprocessors of an H100: with fewer blocks some stand idle (an RTX 4060 laptop has 24).
PROCESSORS = 132


def chosen(dtype: str, rows: int, columns: int, products: int = 1) -> Tile:
    """The tile for `products` results of rows × columns: the narrowest that holds `columns`, or the widest;
    where that makes too few blocks, the one whose blocks are done first.

    Every number of the result is summed in the same order by each of them.

    >>> str(chosen("float32", 100_000, 64)), str(chosen("float32", 1152, 128))
    ('128x64', '128x16')
    """
    tiles = TILES[dtype]
    width = next((i for i, tile in enumerate(tiles) if columns <= tile.columns), len(tiles) - 1)

    def blocks(tile: Tile) -> int:
        return -(-rows // tile.rows) * -(-columns // tile.columns) * products

    def time(
        tile: Tile,
    ) -> float:  # a block's multiply-adds for each k, as often as one multiprocessor has it
        return -(-blocks(tile) // PROCESSORS) * tile.rows * tile.columns / tile.share

    if blocks(tiles[width]) >= PROCESSORS:
        return tiles[width]
    return min(reversed(tiles[: width + 1]), key=time)


class Code(NamedTuple):
    """What the kernels with a register tile have in common: functions that the compiler writes into them.

    tile_at(block, rows, columns)
        first row and first column of a block's tile, the tiles of a row side by side; and the number of the
        result, where there are several of rows × columns
    row_of(i, thread), column_of(j, thread)
        where c[i, j] of a thread lies in the tile
    fetch_a(values, source, base, row, rows, row_step, down, column, columns, column_step, across)
        values[i] = source[base + (row + i·row_step)·down + (column + i·column_step)·across], and zero from
        `rows` and from `columns` on; fetch_b likewise
    store_a(a, half, values, k, k_step, row, row_step)
        a[k + i·k_step, row + i·row_step] = values[i], in that half of the buffer; store_b likewise
    multiply(a, b, half, thread, c)
        c += A·B for the step in that half of the buffers
    write(y, base, pitch, c, thread, first_row, rows, first_column, columns)
        y[base + row·pitch + column] = c, for the rows and columns that there are
    """

    tile_at: Callable
    row_of: Callable
    column_of: Callable
    fetch_a: Callable
    fetch_b: Callable
    store_a: Callable
    store_b: Callable
    multiply: Callable
    write: Callable


@cache
def code(tile: Tile, dtype: str) -> Code:
    """The functions for one tile."""
    number = getattr(types, dtype)
    down, across, (pitch_a, pitch_b) = tile.down, tile.across, tile.pitches
    few_rows, few_columns = min(down, 4), min(across, 4)
    tile_rows, tile_columns, threads_across = tile.rows, tile.columns, tile.columns // across
    row_groups, column_groups = tile_rows // down * few_rows, threads_across * few_columns
    a_size, b_size = (size // 2 for size in tile.buffers)
    pairs = types.int32(tile.depth // 2)

    @device
    def tile_at(block, rows, columns):
        row_tiles = (rows + (tile_rows - 1)) // tile_rows
        column_tiles = (columns + (tile_columns - 1)) // tile_columns
        line = i32(u32(block) // u32(column_tiles))
        result = i32(u32(line) // u32(row_tiles))
        return (line - result * row_tiles) * tile_rows, (block - line * column_tiles) * tile_columns, result

    @device
    def row_of(i, thread):
        return (i // few_rows) * row_groups + thread // threads_across * few_rows + i % few_rows

    @device
    def column_of(j, thread):
        return (j // few_columns) * column_groups + thread % threads_across * few_columns + j % few_columns

    @cuda.jit(device=True, inline="always")
    def multiply(a, b, half, thread, c):
        left = cuda.local.array(down, number)
        right = cuda.local.array(across, number)
        from_a = u32(half * a_size + thread // threads_across * few_rows)
        from_b = u32(half * b_size + thread % threads_across * few_columns)
        for pair in range(pairs):
            for odd in range(2):
                at_a = from_a + u32((2 * pair + odd) * pitch_a)
                at_b = from_b + u32((2 * pair + odd) * pitch_b)
                for i in range(down):
                    left[i] = a[at_a + u32((i // few_rows) * row_groups + i % few_rows)]
                for j in range(across):
                    right[j] = b[at_b + u32((j // few_columns) * column_groups + j % few_columns)]
                for i in range(down):
                    for j in range(across):
                        c[i, j] += left[i] * right[j]

    @device
    def write(y, base, pitch, c, thread, first_row, rows, first_column, columns):
        for i in range(down):
            row = first_row + row_of(i, thread)
            for j in range(across):
                column = first_column + column_of(j, thread)
                if row < rows and column < columns:
                    y[u32(base + row * pitch + column)] = c[i, j]

    fetch_a, fetch_b = (_fetching(count, dtype) for count in tile.fetches)
    store_a, store_b = map(_storing, tile.fetches, tile.pitches, (a_size, b_size))
    return Code(tile_at, row_of, column_of, fetch_a, fetch_b, store_a, store_b, multiply, write)


def _fetching(count: int, dtype: str) -> Callable:
    zero = getattr(types, dtype)(0)

    @device
    def fetch(values, source, base, row, rows, row_step, down, column, columns, column_step, across):
        for i in range(count):
            r, c = row + i * row_step, column + i * column_step
            value = zero
            if r < rows and c < columns:
                value = source[u32(base + r * down + c * across)]
            values[i] = value

    return fetch


def _storing(count: int, pitch: int, size: int) -> Callable:
    @device
    def store(shared, half, values, k, k_step, place, place_step):
        for i in range(count):
            shared[u32(half * size + (k + i * k_step) * pitch + place + i * place_step)] = values[i]

    return store
