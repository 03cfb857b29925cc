"""The two kernels of every convolution that yields a map, and the weights in their order.

    y[p, o] = bias[o] + Σ_k  X[p, k] · W[k, o],        k = (tap, c)

A convolution is a product of matrices: a row for each output pixel p, a column for each output channel o, and
k runs over taps and channels.  X is never made; a block reads the numbers that it needs from the map x, of
which pixel p and tap (my, mx) see

    row     u·step_y + first_y + my·move_y          of x, where the output pixel lies in row
    column  v·step_x + first_x + mx·move_x          u·out_step_y + out_first_y  (v, x likewise) of y

Outside the map there are zeros.  With these eight numbers an axis it is a convolution with any stride,
padding and dilation; or one phase of a transposed convolution (`conv_transpose2d.py`), hence of the gradient
with respect to the input.  Each number of y has one thread that sums it, in one order: no atomics, always the
same bits.

    flops  2·P·O·K          bytes  4·(P·C + K·O + P·O)          P pixels, K = taps·C

Between 64 and 64 channels, 3×3: 144 operations for a byte of DRAM.  An H100 is limited by arithmetic from
67/3.35 = 20 on, an RTX 4060 laptop from about 13/0.256 = 50 on: both compute; with 16 channels (36) the
laptop waits for memory.  The tile's share of that limit (tile.py): per step and thread 512 FFMA in a loop of
about 610 instructions, 12 LDG, 12 STS, about 150 others: two thirds of the issue slots are FFMA, the most to
be reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from minitorch_seg.kernels.cuda.array import CudaArray, empty
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, launch, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, pixel_at, run
from minitorch_seg.kernels.cuda.tile import TILES, Tile, chosen, code

i32, u32 = types.int32, types.uint32
FAR = -(2**30)  # a row outside every map
FEW = 4  # output channels of a group up to which a tile would be mostly empty


class Axis(NamedTuple):
    """One axis of a correlation: `outputs`, and the numbers of the formula above; the taps that are
    used are tap0, tap0 + tap_step, … (`taps` of them) of the weight.
    """

    outputs: int
    step: int
    first: int
    move: int
    taps: int
    tap0: int
    tap_step: int
    out_step: int
    out_first: int


class Weight(NamedTuple):
    """A weight as one row, the number of its taps across, and how far its groups, outputs and channels lie
    from each other.
    """

    row: CudaArray
    across: int
    group: int
    out: int
    channel: int


def correlate(
    x: CudaArray, weight: Weight, bias: CudaArray, has_bias: int, y: CudaArray, rows: Axis, columns: Axis,
    groups: int,
) -> None:  # fmt: skip
    """Fills the pixels of y (N, H, W, O) that the axes name from x (N, h, w, C); both C-contiguous."""
    n, height, width, all_channels = x.shape
    _, out_height, out_width, all_outs = y.shape
    channels, outs = all_channels // groups, all_outs // groups
    dtype, taps = x.dtype.name, rows.taps * columns.taps
    count = n * rows.outputs * columns.outputs
    if count == 0 or all_outs == 0:
        return
    packed = _packed(weight, rows, columns, channels, outs, groups)
    if channels == 0:  # nothing to add: the bias alone
        channels, taps = 1, 0
    sizes = (
        has_bias, count, rows.outputs, columns.outputs, height, width, channels, all_channels, outs, all_outs,
        columns.taps, taps, rows.step, columns.step, rows.first, columns.first, rows.move, columns.move,
        out_height, out_width, rows.out_step, columns.out_step, rows.out_first, columns.out_first,
    )  # fmt: skip
    arrays = x.reshape(-1), packed, bias, y.reshape(-1)
    if groups > 1 and outs <= FEW:
        run(plain(dtype), count * all_outs, *arrays, *sizes)
        return
    tile = chosen(dtype, count, outs, groups)
    blocks = -(-count // tile.rows) * -(-outs // tile.columns) * groups
    launch(tiled(tile, dtype), blocks, *arrays, *sizes)


def _packed(weight: Weight, rows: Axis, columns: Axis, channels: int, outs: int, groups: int) -> CudaArray:
    """W as (taps·channels) × (all outputs): the taps of this phase alone, outputs side by side."""
    dtype = weight.row.dtype
    count = rows.taps * columns.taps * channels * outs * groups
    packed = empty((count,), dtype)
    run(
        pack(dtype.name), count, weight.row, packed, count, outs * groups, outs, channels, columns.taps,
        rows.tap0, rows.tap_step, columns.tap0, columns.tap_step, weight.across,
        weight.group, weight.out, weight.channel,
    )  # fmt: skip
    return packed


@cache
def pack(dtype: str) -> Kernel:
    """packed[(my·taps + mx)·C + c, g·O + o] = weight[g, o, c, tap]; bytes 8 a number, limited by memory (its
    reads are scattered; a weight is small).
    """

    def kernel(
        weight, packed, count, all_outs, outs, channels, taps_across,
        tap_y, tap_step_y, tap_x, tap_step_x, across, group_step, out_step, channel_step,
    ):  # fmt: skip
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            k = i32(u32(i) // u32(all_outs))
            out = i32(i - k * all_outs)
            tap = i32(u32(k) // u32(channels))
            channel = k - tap * channels
            my = i32(u32(tap) // u32(taps_across))
            ky = tap_y + my * tap_step_y
            kx = tap_x + (tap - my * taps_across) * tap_step_x
            group = i32(u32(out) // u32(outs))
            place = group * group_step + (out - group * outs) * out_step + channel * channel_step
            packed[u32(i)] = weight[u32(place + ky * across + kx)]

    signature = (f"{dtype}[::1]",) * 2 + ("int32",) * 13
    return Kernel(f"conv2d_pack {dtype}", kernel, signature, THREADS, 4, SIMULATED)


@cache
def tiled(tile: Tile, dtype: str) -> Kernel:
    """The product by register tiles: a block makes tile.rows pixels × tile.columns channels of one group."""
    number = getattr(types, dtype)
    zero = number(0)
    tile_rows, tile_columns, depth = tile.rows, tile.columns, tile.depth
    threads, down, across = tile.threads, tile.down, tile.across
    (size_a, size_b), (count_a, count_b) = tile.buffers, tile.fetches
    does = code(tile, dtype)
    tile_at, row_of, column_of, fetch_b = does.tile_at, does.row_of, does.column_of, does.fetch_b
    store_a, store_b, multiply = does.store_a, does.store_b, does.multiply
    table_size = 4 * tile_rows

    def kernel(
        x, w, bias, y, has_bias, count, rows, columns, height, width, channels, all_channels, outs, all_outs,
        taps_across, taps, step_y, step_x, first_y, first_x, move_y, move_x,
        out_height, out_width, out_step_y, out_step_x, out_first_y, out_first_x,
    ):  # fmt: skip
        a = cuda.shared.array(size_a, number)
        b = cuda.shared.array(size_b, number)
        table = cuda.shared.array(table_size, i32)
        c = cuda.local.array((down, across), number)
        next_a = cuda.local.array(count_a, number)
        next_b = cuda.local.array(count_b, number)
        place = cuda.local.array(count_a, i32)
        added = cuda.local.array(across, number)
        thread = cuda.threadIdx.x

        # Block number = ((group · pixel tiles) + pixel tile) · channel tiles + channel tile: blocks that run
        # together read the same pixels.
        first_pixel, first_out, group = tile_at(cuda.blockIdx.x, count, outs)

        # For each pixel of the tile: where its window begins, its image in x, its place in y.
        for r in range(thread, tile_rows, threads):
            p = first_pixel + r
            if p < count:
                image, u, v = pixel_at(p, rows, columns)
                table[r] = u * step_y + first_y
                table[tile_rows + r] = v * step_x + first_x
                table[2 * tile_rows + r] = image * height * width
                table[3 * tile_rows + r] = (
                    (image * out_height + u * out_step_y + out_first_y) * out_width
                    + v * out_step_x + out_first_x
                )  # fmt: skip
            else:
                table[r] = FAR
                table[tile_rows + r] = 0
                table[2 * tile_rows + r] = 0
                table[3 * tile_rows + r] = -1
        cuda.syncthreads()  # below each thread reads what others have written

        for i in range(down):
            for j in range(across):
                c[i, j] = zero
        total = taps * channels
        my_k = i32(thread % depth)  # the k of all numbers of A that this thread fetches
        my_row = i32(thread // depth)
        tap = i32(u32(my_k) // u32(channels))
        channel = i32(my_k - tap * channels)
        moved = True
        steps = i32((total + (depth - 1)) // depth)
        for step in range(i32(steps + 1)):
            if step < steps:
                if moved:  # to another tap: where it lies in x for each row; −1 outside
                    tap_y = i32(u32(tap) // u32(taps_across))
                    tap_x = i32(tap - tap_y * taps_across)
                    for i in range(count_a):
                        r = my_row + i * (threads // depth)
                        iy = table[r] + tap_y * move_y
                        ix = table[tile_rows + r] + tap_x * move_x
                        at = -1
                        if iy >= 0 and iy < height and ix >= 0 and ix < width:
                            at = (
                                table[2 * tile_rows + r] + iy * width + ix
                            ) * all_channels + group * channels
                        place[i] = at
                k = step * depth + my_k
                for i in range(count_a):
                    value = zero
                    if k < total and place[i] >= 0:
                        value = x[u32(place[i] + channel)]
                    next_a[i] = value
                fetch_b(
                    next_b, w, group * outs, step * depth + thread // tile_columns, total,
                    threads // tile_columns, all_outs, first_out + thread % tile_columns, outs, 0, 1,
                )  # fmt: skip
                channel = i32(channel + depth)
                moved = False
                while channel >= channels:
                    channel = i32(channel - channels)
                    tap = i32(tap + 1)
                    moved = True
            if step > 0:
                multiply(a, b, (step - 1) & 1, thread, c)
            if step < steps:
                store_a(a, step & 1, next_a, my_k, 0, my_row, threads // depth)
                k, column = thread // tile_columns, thread % tile_columns
                store_b(b, step & 1, next_b, k, threads // tile_columns, column, 0)
            cuda.syncthreads()  # this step is whole; and nobody still reads the buffer that comes next

        for j in range(across):
            out = first_out + column_of(j, thread)
            added[j] = zero
            if has_bias != 0 and out < outs:
                added[j] = bias[u32(group * outs + out)]
        for i in range(down):
            pixel = table[3 * tile_rows + row_of(i, thread)]
            for j in range(across):
                out = first_out + column_of(j, thread)
                if pixel >= 0 and out < outs:
                    y[u32(pixel * all_outs + group * outs + out)] = c[i, j] + added[j]

    signature = (f"{dtype}[::1]",) * 4 + ("int32",) * 24
    return Kernel(f"conv2d {tile} {dtype}", kernel, signature, (threads,), tile.blocks)


@cache
def plain(dtype: str) -> Kernel:
    """A thread for each number of y: for groups of few channels, as in a depthwise convolution.

    Neighbouring threads have neighbouring channels.  Depthwise 3×3: 18 operations for 8 bytes, 2.25 a byte:
    limited by memory everywhere (7.5 TFLOP/s on an H100, 0.6 on an RTX 4060 laptop), where the windows'
    overlap is found in the cache.
    """
    number = getattr(types, dtype)
    zero = number(0)

    def kernel(
        x, w, bias, y, has_bias, count, rows, columns, height, width, channels, all_channels, outs, all_outs,
        taps_across, taps, step_y, step_x, first_y, first_x, move_y, move_x,
        out_height, out_width, out_step_y, out_step_x, out_first_y, out_first_x,
    ):  # fmt: skip
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        p = i32(u32(i) // u32(all_outs))
        if p < count:
            out = i32(i - p * all_outs)
            group = i32(u32(out) // u32(outs))
            image, u, v = pixel_at(p, rows, columns)
            total = zero
            if has_bias != 0:
                total = bias[u32(out)]
            tap_x, tap_y = 0, 0
            for tap in range(taps):
                iy = u * step_y + first_y + tap_y * move_y
                ix = v * step_x + first_x + tap_x * move_x
                if iy >= 0 and iy < height and ix >= 0 and ix < width:
                    here = ((image * height + iy) * width + ix) * all_channels + group * channels
                    for channel in range(channels):
                        there = (tap * channels + channel) * all_outs + out
                        total += x[u32(here + channel)] * w[u32(there)]
                tap_x += 1
                if tap_x == taps_across:
                    tap_x = 0
                    tap_y += 1
            pixel = (image * out_height + u * out_step_y + out_first_y) * out_width
            pixel += v * out_step_x + out_first_x
            y[u32(pixel * all_outs + out)] = total

    signature = (f"{dtype}[::1]",) * 4 + ("int32",) * 24
    return Kernel(f"conv2d plain {dtype}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield pack(dtype)
        yield plain(dtype)
        for tile in TILES[dtype]:
            yield tiled(tile, dtype)
