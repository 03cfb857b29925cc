"""Convolution on the GPU, and its gradient with respect to the weight; `reference/conv2d.py` has the
formulas.

The convolution is one correlation (`correlation.py`).  The weight's gradient is a product as well:

    dW[k, o] = Σ_p X[p, k] · G[p, o],        k = (tap, c),  p: the output pixels

with few rows and columns and a very long sum.  So the output rows are cut into parts, each block sums one
part of one tile, and `channel_sum` adds the parts in a fixed tree; how many there are depends on the shapes
alone.  Every number has one thread that sums it: no atomics, always the same bits.

    flops  2·P·O·K       bytes  4·(P·C + P·O) read for each row and column of tiles, from the L2 cache mostly

With 64 and 64 channels, 3×3: 576 × 64 tiled by 64 × 64, 73.7 kflop for 512 bytes of DRAM a pixel, 144 a byte:
limited by arithmetic on an H100 and on an RTX 4060 laptop.  From L2 a block reads 512 bytes for each pixel
and makes 8,192 operations, 16 a byte: 5.5 TB/s of an H100's L2 allow 88 TFLOP/s.  Per step and thread (8 × 4)
256 FFMA in a loop of 340 instructions, 8 LDG, 8 STS, about 100 others: at most 55 % of the issue slots.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from minitorch_seg.kernels.cuda import correlation
from minitorch_seg.kernels.cuda.array import CudaArray, empty, empty_map, pixels
from minitorch_seg.kernels.cuda.channel_sum import sum_rows
from minitorch_seg.kernels.cuda.correlation import FEW, Axis, Weight
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, device, launch, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, given, pixel_at, real, row, run
from minitorch_seg.kernels.cuda.tile import Tile, code
from minitorch_seg.kernels.sizes import Pair, window_counts

i32, u32 = types.int32, types.uint32
BLOCKS = 512  # that the weight's gradient is cut into, about
SHORTEST = 8  # stretches of 8 pixels that a part has at least
TILES = {
    "float32": (Tile(64, 8, 4, 2, 8), Tile(64, 16, 4, 4, 8), Tile(64, 32, 8, 4, 6), Tile(64, 64, 8, 4, 4)),
    "float64": (Tile(64, 8, 4, 2, 5), Tile(64, 16, 4, 4, 5), Tile(64, 32, 4, 4, 4), Tile(64, 64, 4, 4, 2)),
}


def conv2d(
    x: CudaArray, weight: CudaArray, bias: CudaArray | None, stride: Pair, padding: Pair, dilation: Pair,
    groups: int,
) -> CudaArray:  # fmt: skip
    """x (N, C, H, W), weight (O, C/groups, kh, kw), bias (O,) or None -> y (N, O, Ho, Wo)."""
    dtype = real("conv2d", x)
    o, part, kh, kw = weight.shape
    ho, wo = window_counts((x.shape[2], x.shape[3]), (kh, kw), stride, padding, dilation)
    y = empty_map((x.shape[0], o, ho, wo), dtype)
    taps = kh * kw
    packed = Weight(_row(weight), kw, o // groups * part * taps, part * taps, taps)
    rows, columns = (
        Axis(count, s, -p, d, k, 0, 1, 1, 0)
        for count, s, p, d, k in zip((ho, wo), stride, padding, dilation, (kh, kw), strict=True)
    )
    correlation.correlate(pixels(x), packed, *given(bias, packed.row), pixels(y), rows, columns, groups)
    return y


def _row(weight: CudaArray) -> CudaArray:
    """A weight (O, C, kh, kw) in the order that it says, whatever its memory's."""
    o, c, kh, kw = weight.shape
    return row(weight.reshape(o, c, kh * kw))


def conv2d_weight_gradient(
    x: CudaArray, grad: CudaArray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> CudaArray:
    """The gradient with respect to the weight, of shape (O, C/groups, kh, kw)."""
    dtype = real("conv2d_weight_gradient", x)
    n, all_outs, rows, columns = grad.shape
    all_channels, (height, width) = x.shape[1], x.shape[2:]
    channels, outs, taps = all_channels // groups, all_outs // groups, kernel_size[0] * kernel_size[1]
    total = taps * channels
    dweight = empty((all_outs, channels, *kernel_size), dtype)
    if dweight.size == 0:
        return dweight
    fits = (tile for tile in TILES[dtype] if outs <= tile.columns)
    tile = next(fits, TILES[dtype][-1])
    direct = groups > 1 and outs <= FEW
    tiles = -(-total * all_outs // THREADS[0])
    if not direct:
        tiles = -(-total // tile.rows) * -(-outs // tile.columns) * groups
    stretches = n * rows * -(-columns // tile.depth)
    parts = max(min(-(-BLOCKS // tiles), stretches // SHORTEST), 1)
    length = -(-stretches // parts)
    parts = max(-(-stretches // max(length, 1)), 1)
    sums = empty((parts, total * all_outs), dtype)
    sizes = (
        stretches, length, parts, rows, columns, height, width, channels, all_channels, outs, all_outs, total,
        kernel_size[1], *stride, *padding, *dilation,
    )  # fmt: skip
    arrays = pixels(x).reshape(-1), pixels(grad).reshape(-1), sums.reshape(-1)
    if direct:
        run(weight_plain(dtype), sums.size, *arrays, *sizes)
    else:
        launch(weight_tiled(tile, dtype), tiles * parts, *arrays, *sizes)
    count = dweight.size
    run(unpack(dtype), count, sum_rows(sums), dweight.reshape(-1), count, channels, all_outs, taps)
    return dweight


@device
def tap_at(k, channels, taps_across):
    """(tap_y, tap_x, channel) of row k of the packed weight."""
    tap = i32(u32(k) // u32(channels))
    tap_y = i32(u32(tap) // u32(taps_across))
    return tap_y, tap - tap_y * taps_across, k - tap * channels


@device
def next_stretch(image, u, v, length, rows, columns):
    """The stretch of `length` pixels after the one at (image, u, v)."""
    v += length
    if v >= columns:
        v = 0
        u += 1
        if u == rows:
            u = 0
            image += 1
    return image, u, v


@cache
def weight_tiled(tile: Tile, dtype: str) -> Kernel:
    """A block sums tile.rows of the (tap, channel) × tile.columns of the outputs over one part of the pixels.

    A step is a stretch of 8 pixels of one output row: so image and row are the same for the whole block, and
    are counted on instead of divided.  Numbers right of the row's end are zeros in x and in grad.
    """
    number = getattr(types, dtype)
    zero = number(0)
    tile_rows, tile_columns, depth = tile.rows, tile.columns, tile.depth
    threads, down, across = tile.threads, tile.down, tile.across
    (size_a, size_b), (count_a, count_b) = tile.buffers, tile.fetches
    does = code(tile, dtype)
    tile_at, fetch_b, store_a, store_b = does.tile_at, does.fetch_b, does.store_a, does.store_b
    multiply, write = does.multiply, does.write
    apart_a = threads // tile_rows  # pixels between those that a thread fetches for A
    apart_b = threads // tile_columns

    def kernel(
        x, grad, sums, stretches, length, parts, rows, columns, height, width, channels, all_channels, outs,
        all_outs, total, taps_across, step_y, step_x, pad_y, pad_x, move_y, move_x,
    ):  # fmt: skip
        a = cuda.shared.array(size_a, number)
        b = cuda.shared.array(size_b, number)
        c = cuda.local.array((down, across), number)
        next_a = cuda.local.array(count_a, number)
        next_b = cuda.local.array(count_b, number)
        thread = cuda.threadIdx.x

        # Block number = ((part · groups + group) · row tiles + row tile) · channel tiles + channel tile.
        first_row, first_out, product = tile_at(cuda.blockIdx.x, total, outs)
        groups = i32(u32(all_outs) // u32(outs))
        part = i32(u32(product) // u32(groups))
        group = product - part * groups

        for i in range(down):
            for j in range(across):
                c[i, j] = zero

        # The tap and the channel that this thread fetches in all steps, and the first pixel of a step.
        tap_y, tap_x, channel = tap_at(first_row + thread % tile_rows, channels, taps_across)
        shift_y, shift_x = tap_y * move_y - pad_y, tap_x * move_x - pad_x
        used = first_row + thread % tile_rows < total
        pixel_a, pixel_b, column = thread // tile_rows, thread // tile_columns, thread % tile_columns

        # The first stretch: which image, which row, which pixels of the row.
        image, u, stretch = pixel_at(part * length, rows, (columns + (depth - 1)) // depth)
        v = i32(stretch) * depth
        steps = min(length, stretches - part * length)
        for step in range(steps + 1):
            if step < steps:
                iy = u * step_y + shift_y
                seen = used and iy >= 0 and iy < height
                here = (image * height + iy) * width * all_channels + group * channels + channel
                for i in range(count_a):
                    pixel = v + pixel_a + i * apart_a
                    ix = pixel * step_x + shift_x
                    value = zero
                    if seen and pixel < columns and ix >= 0 and ix < width:
                        value = x[u32(here + ix * all_channels)]
                    next_a[i] = value
                there = (image * rows + u) * columns * all_outs + group * outs
                fetch_b(
                    next_b, grad, there, v + pixel_b, columns, apart_b, all_outs,
                    first_out + column, outs, 0, 1,
                )  # fmt: skip
                image, u, v = next_stretch(image, u, v, depth, rows, columns)
            if step > 0:
                multiply(a, b, (step - 1) & 1, thread, c)
            if step < steps:
                store_a(a, step & 1, next_a, pixel_a, apart_a, thread % tile_rows, 0)
                store_b(b, step & 1, next_b, pixel_b, apart_b, column, 0)
            cuda.syncthreads()  # this step is whole; and nobody still reads the buffer that comes next

        before = part * total * all_outs + group * outs
        write(sums, before, all_outs, c, thread, first_row, total, first_out, outs)

    signature = (f"{dtype}[::1]",) * 3 + ("int32",) * 19
    return Kernel(f"conv2d_weight {tile} {dtype}", kernel, signature, (threads,), tile.blocks)


@cache
def weight_plain(dtype: str) -> Kernel:
    """A thread for each weight and part, for groups of few outputs; neighbours have neighbouring outputs.

    Depthwise 3×3: reads 8 bytes from the cache for each multiply-add, and 8 bytes of DRAM for 18 operations:
    limited by memory.
    """
    number = getattr(types, dtype)
    zero = number(0)

    def kernel(
        x, grad, sums, stretches, length, parts, rows, columns, height, width, channels, all_channels, outs,
        all_outs, total, taps_across, step_y, step_x, pad_y, pad_x, move_y, move_x,
    ):  # fmt: skip
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        part = i32(u32(i) // u32(total * all_outs))
        if part < parts:
            place = i32(i - part * total * all_outs)
            k = i32(u32(place) // u32(all_outs))
            out = place - k * all_outs
            tap_y, tap_x, channel = tap_at(k, channels, taps_across)
            shift_y, shift_x = tap_y * move_y - pad_y, tap_x * move_x - pad_x
            source = i32(u32(out) // u32(outs)) * channels + channel
            first = part * length
            image, u, stretch = pixel_at(first, rows, (columns + 7) // 8)
            v = i32(stretch) * 8
            value = zero
            for _ in range(min(length, stretches - first)):
                iy = u * step_y + shift_y
                if iy >= 0 and iy < height:
                    for pixel in range(v, min(v + 8, columns)):
                        ix = pixel * step_x + shift_x
                        if ix >= 0 and ix < width:
                            here = ((image * height + iy) * width + ix) * all_channels + source
                            there = ((image * rows + u) * columns + pixel) * all_outs + out
                            value += x[u32(here)] * grad[u32(there)]
                image, u, v = next_stretch(image, u, v, 8, rows, columns)
            sums[u32(i)] = value

    signature = (f"{dtype}[::1]",) * 3 + ("int32",) * 19
    return Kernel(f"conv2d_weight plain {dtype}", kernel, signature, THREADS, 4, SIMULATED)


@cache
def unpack(dtype: str) -> Kernel:
    """dweight[o, c, tap] = packed[tap·C + c, o]; 8 bytes a number, limited by memory."""

    def kernel(packed, dweight, count, channels, all_outs, taps):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            k = i32(u32(i) // u32(all_outs))
            tap = i32(u32(k) // u32(channels))
            place = ((i - k * all_outs) * channels + k - tap * channels) * taps + tap
            dweight[u32(place)] = packed[u32(i)]

    signature = (f"{dtype}[::1]",) * 2 + ("int32",) * 4
    return Kernel(f"conv2d_unpack {dtype}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    yield from correlation.variants()
    for dtype in REALS:
        yield weight_plain(dtype)
        yield unpack(dtype)
        for tile in TILES[dtype]:
            yield weight_tiled(tile, dtype)
