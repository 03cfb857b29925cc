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

from minitorch_seg.kernels.cuda.driver import cuda, types

u32 = types.uint32


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


@cache
def multiplier(tile: Tile, dtype: str) -> Callable:
    """multiply(a, b, from_a, from_b, c): c += A·B for one step; from_a and from_b are the thread's first
    places in the shared arrays.
    """
    number = getattr(types, dtype)
    down, across, depth, (pitch_a, pitch_b) = tile.down, tile.across, tile.depth, tile.pitches
    few_rows, few_columns = min(down, 4), min(across, 4)
    row_groups, column_groups = tile.rows // down * few_rows, tile.columns // across * few_columns

    pairs = types.int32(depth // 2)

    @cuda.jit(device=True, inline="always")
    def multiply(a, b, from_a, from_b, c):
        left = cuda.local.array(down, number)
        right = cuda.local.array(across, number)
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

    return multiply
