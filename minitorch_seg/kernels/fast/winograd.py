"""3×3 and 5×5 convolution with stride 1 by Winograd's algorithm; `transforms.py` explains why it works.

The outputs are cut into tiles of 4×4, or of 2×2 for weights of 5×5.  The 6×6 inputs under a tile are
transformed, V = Bᵀ X B, for every input channel; so are the weights once, U = G w Gᵀ.  Then each of the 36
numbers of a tile is a sum over channels,

    M[tile, k, o] = Σ_c V[tile, k, c] · U[k, c, o]         k = 0 … 35

which is 36 matrix products for many tiles together; and Y = Aᵀ M A.  The gradient of the weight runs the
other way:  D = A dY Aᵀ,  dU[k, c, o] = Σ_tiles V[tile, k, c] · D[tile, k, o],  dw = Gᵀ dU G.

A chunk of tiles is transformed, multiplied and transformed back before the next one is begun, so V and M
stay in the cache.  NaN and infinity reach the whole tile that sees them, and the last bits differ from those
of a sum over taps.  How many taps there are along an axis reaches a kernel as the length of a tuple, `along`,
which is part of its type: it is compiled for just that many.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.fast.panels import (
    MOST,
    OUTER_SPARE,
    SPARE_ROWS,
    fill_up,
    multiply_panels,
    outer_panels,
    padded,
)
from minitorch_seg.kernels.fast.tile_ir import VECTOR_BYTES, transform_tile
from minitorch_seg.kernels.fast.transforms import GRADIENT, INPUT, OUTPUT, WEIGHT, WEIGHT_GRADIENT
from minitorch_seg.kernels.jit import kernel, part
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.sizes import Pair

BLOCK, SMALLEST = 24, 12  # tiles transformed together, about; and at least, where threads share few of them
SHARES = 4  # chunks are a multiple of it, so that 2 or 4 threads end together
LONGEST_SUM = 256  # tiles whose products are added up in one running sum of a weight gradient
SUMS = 2**24  # numbers in all these sums together, at most about
FEW_SUMS = 2**16  # numbers from which a sum is large: then there are two of them where two will do
STRIP = 4  # input channels whose weights are brought into another order together
ALONE = 2**15  # numbers up to which one thread does that in less time than it takes to share the work


def correlate(
    x: np.ndarray,
    weight: np.ndarray,
    places: tuple[int, int, int, int, int],
    bias: np.ndarray | None,
    y: np.ndarray,
    taps: int,
    padding: Pair,
) -> None:
    """Fills y (N, Ho, Wo, O) from x (N, H, W, C), zero outside the image, and a flat weight of taps × taps,
    3 or 5.

    With (start, row, column, channel, output) = places, w[i, j, c, o] is
    weight[start + i·row + j·column + c·channel + o·output].
    """
    way, channels, outputs = _way(x.shape, y.shape, taps, y.dtype), x.shape[3], y.shape[3]
    packed = buffers.empty((way.numbers,), y.dtype)
    shift = way.nothing if bias is None else fill_up(bias, len(way.nothing))
    _by_strips(_pack_weight, channels, way.numbers, way.along, weight, places, channels, outputs, packed)
    maps, offset = (x.reshape(-1), packed, shift, y.reshape(-1)), (int(padding[0]), int(padding[1]))
    shown = way.shape, offset, way.one_tap, way.nothing
    parallel_for(_correlate, way.chunks, way.along, way.chunks, *maps, *shown)


class _Way(NamedTuple):
    """What a correlation needs that shapes alone decide."""

    numbers: int  # in the packed weight
    chunks: int
    along: tuple[int, ...]  # as long as there are taps along an axis
    shape: tuple[int, ...]  # N, H, W, C, Ho, Wo, O
    one_tap: np.ndarray  # for the panels' products: a tap, at no distance,
    nothing: np.ndarray  # and a shift of zeros


@lru_cache(maxsize=512)
def _way(shape: tuple[int, ...], made: tuple[int, ...], taps: int, dtype: np.dtype) -> _Way:
    """For maps (N, H, W, C) and (N, Ho, Wo, O)."""
    wide, tiles = padded(made[3], dtype), _tiles(made, taps)
    chunks = min(-(-tiles // (SHARES * BLOCK)) * SHARES, max(tiles // SMALLEST, 1))
    numbers = 36 * _plane(shape[3], wide, dtype.itemsize)
    sizes, one_tap, nothing = (*shape, *made[1:]), np.zeros(1, np.int64), np.zeros(wide, dtype)
    return _Way(numbers, chunks, (0,) * taps, sizes, one_tap, nothing)


def weight_gradient(x: np.ndarray, grad: np.ndarray, taps: int, padding: Pair) -> np.ndarray:
    """Σ over all outputs of grad times what each tap sees: (O, C, taps, taps)."""
    channels, outputs, along = x.shape[3], grad.shape[3], (0,) * taps
    size = 36 * (channels + OUTER_SPARE) * padded(outputs, x.dtype)
    tiles = _tiles(grad.shape, taps)
    shares = SHARES if size < FEW_SUMS else 2
    chunks = min(-(-tiles // (shares * LONGEST_SUM)) * shares, tiles // BLOCK)
    chunks = max(min(chunks, SUMS // size), min(2, tiles))
    sums = buffers.empty((chunks, size), x.dtype)
    block = min(BLOCK, -(-tiles // chunks))
    shape, offset = (*x.shape, *grad.shape[1:]), (int(padding[0]), int(padding[1]))
    maps = x.reshape(-1), grad.reshape(-1), sums
    places = _places(channels, block, 36 * padded(channels, x.dtype), 36 * padded(outputs, x.dtype))
    parallel_for(_weight_gradient, chunks, along, *maps, shape, offset, *places)
    total = np.empty((outputs, channels, taps, taps), x.dtype)
    _by_strips(_unpack_gradient, channels, sums.size, along, sums, channels, outputs, total.reshape(-1))
    return total


def _tiles(made: tuple[int, ...], taps: int) -> int:
    """Tiles of a map (N, Ho, Wo, O)."""
    side = 7 - taps
    return made[0] * -(-made[1] // side) * -(-made[2] // side)


@lru_cache(maxsize=512)
def _places(channels: int, block: int, *steps: int) -> tuple[np.ndarray, ...]:
    """For outer products: where a tile's channels begin, and where the tiles of a block do in V and in D."""
    rows = np.minimum(np.arange(channels + OUTER_SPARE), channels - 1)
    return rows, *(step * np.arange(block) for step in steps)


def _by_strips(kernel: Callable[..., None], channels: int, numbers: int, *args: Any) -> None:
    """Runs a kernel over strips of input channels, on several threads where it moves enough numbers."""
    strips = -(-channels // STRIP)
    if numbers <= ALONE:
        kernel(0, strips, *args)
    else:
        parallel_for(kernel, strips, *args)


@part
def _plane(channels, wide, itemsize):
    """Numbers from one of the 36 matrices of U to the next: an odd number of cache lines, because addresses
    that are a power of two apart share a few places in the cache.
    """
    line = 64 // itemsize
    return ((channels * wide + line - 1) // line | 1) * line


@kernel
def _pack_weight(first, last, along, weight, places, channels, outputs, packed):
    """U = G w Gᵀ for strips of input channels, each of the 36 packed in panels."""
    taps, (origin, row, column, channel, output) = len(along), places
    width = VECTOR_BYTES // packed.itemsize
    vectors = -(-outputs // width)
    parts = -(-vectors // MOST)
    wide = vectors * width
    plane = _plane(channels, wide, packed.itemsize)
    here = np.zeros(STRIP * taps * taps * wide, packed.dtype)
    for strip in range(first, last):
        begin, end = strip * STRIP, min((strip + 1) * STRIP, channels)
        for o in range(outputs):
            for c in range(begin, end):
                source, target = origin + c * channel + o * output, (c - begin) * taps * taps * wide + o
                for i in range(taps):
                    for j in range(taps):
                        here[target + (taps * i + j) * wide] = weight[source + i * row + j * column]
        for c in range(begin, end):
            for q in range(parts):
                left, right = q * vectors // parts, (q + 1) * vectors // parts
                for v in range(left, right):
                    source = (c - begin) * taps * taps * wide + v * width
                    target = (left * channels + c * (right - left) + v - left) * width
                    _check(len(here), source, taps * wide, wide, width, (0, taps, 0, taps))
                    _check(len(packed), target, 6 * plane, plane, width, (0, 6, 0, 6))
                    transform_tile(
                        taps, WEIGHT, 0, here, source, taps * wide, wide, width,
                        packed, target, 6 * plane, plane, width, (0, taps, 0, taps), packed, 0,
                    )  # fmt: skip


@kernel
def _correlate(first, last, along, chunks, x, packed, bias, y, shape, padding, one_tap, nothing):
    taps, side = len(along), 7 - len(along)
    images, height, breadth, channels, rows, columns, outputs = shape
    width = VECTOR_BYTES // y.itemsize
    deep, wide = -(-channels // width) * width, -(-outputs // width) * width
    down, across = -(-rows // side), -(-columns // side)
    tiles = images * down * across
    most = -(-tiles // chunks)
    _check(len(bias), 0, wide, 1, wide, (0, 1, 0, 1))
    buffer = np.empty(most * 36 * (deep + wide), y.dtype)
    seen, made = buffer[: most * 36 * deep], buffer[most * 36 * deep :]
    a_rows, c_rows = np.empty(most + SPARE_ROWS, np.int64), np.empty(most + SPARE_ROWS, np.int64)
    for chunk in range(first, last):
        begin, end = chunk * tiles // chunks, (chunk + 1) * tiles // chunks
        _transform(taps, INPUT, 6, x, (height, breadth, channels), (down, across), begin, end, padding, seen)
        for row in range(end - begin + SPARE_ROWS):  # the spare ones do the last one's work once more
            tile = min(row, end - begin - 1)
            a_rows[row], c_rows[row] = tile * 36 * deep, tile * 36 * wide
        count = end - begin
        reach = 0, (count - 1) * 36 * deep, 0, (count - 1) * 36 * wide
        # While these products are made, the next tiles' pixels come nearer, and the places of their outputs.
        image, place = end // (down * across), end % (down * across)
        top, left = place // across * side, place % across * side
        ahead = (
            ((image * height + top + 2) * breadth + left) * channels, count * side * side * channels,
            ((image * rows + top) * columns + left) * outputs, count * side * side * outputs,
        )  # fmt: skip
        starts = 0, 0, 0, 0, deep, _plane(channels, wide, y.itemsize), wide
        multiply_panels(
            seen, a_rows, made, c_rows, reach, starts, one_tap, channels, packed, nothing, count, wide, 36,
            x, y, ahead,
        )  # fmt: skip
        for tile in range(begin, end):
            image, place = tile // (down * across), tile % (down * across)
            top, left = place // across * side, place % across * side
            window = 0, min(rows - top, side), 0, min(columns - left, side)
            start = ((image * rows + top) * columns + left) * outputs
            inside = window[1] == side and window[3] == side
            for c in range(0, outputs, width):
                lanes = min(outputs - c, width)
                source = (tile - begin) * 36 * wide + c
                _check(len(made), source, 6 * wide, wide, width, (0, 6, 0, 6))
                _check(len(y), start + c, columns * outputs, outputs, lanes, window)
                if inside:
                    transform_tile(
                        taps, OUTPUT, 0, made, source, 6 * wide, wide, width,
                        y, start + c, columns * outputs, outputs, lanes, window, bias, c,
                    )  # fmt: skip
                else:
                    transform_tile(
                        taps, OUTPUT, 1, made, source, 6 * wide, wide, width,
                        y, start + c, columns * outputs, outputs, lanes, window, bias, c,
                    )  # fmt: skip


@kernel
def _weight_gradient(first, last, along, x, grad, sums, shape, padding, a_rows, a_steps, b_steps):
    taps, side = len(along), 7 - len(along)
    images, height, breadth, channels, rows, columns, outputs = shape
    width = VECTOR_BYTES // sums.itemsize
    deep, wide = -(-channels // width) * width, -(-outputs // width) * width
    down, across = -(-rows // side), -(-columns // side)
    tiles, chunks = images * down * across, len(sums)
    block = len(a_steps)
    buffer = np.empty(block * 36 * (deep + wide), x.dtype)
    seen, given = buffer[: block * 36 * deep], buffer[block * 36 * deep :]
    for chunk in range(first, last):
        total = sums[chunk]
        total[:] = 0
        stop = (chunk + 1) * tiles // chunks
        for begin in range(chunk * tiles // chunks, stop, block):
            end = min(begin + block, stop)
            pixels, results = (height, breadth, channels), (rows, columns, outputs)
            _transform(taps, INPUT, 6, x, pixels, (down, across), begin, end, padding, seen)
            _transform(taps, GRADIENT, side, grad, results, (down, across), begin, end, (0, 0), given)
            starts = 0, 0, 0, deep, wide
            reach = 0, channels - 1, 0, (block - 1) * 36 * deep, 0, (block - 1) * 36 * wide
            outer_panels(
                seen, a_rows, channels, a_steps, given, b_steps, reach, 0, end - begin, total, starts,
                wide, wide, 36,
            )  # fmt: skip


@kernel
def _unpack_gradient(first, last, along, sums, channels, outputs, dweight):
    """dw = Gᵀ dU G for strips of input channels, where dU is the sum of all chunks' sums."""
    taps, width = len(along), VECTOR_BYTES // sums.itemsize
    wide = -(-outputs // width) * width
    total = np.empty(36 * STRIP * wide, sums.dtype)
    here = np.empty(STRIP * taps * taps * wide, sums.dtype)
    for strip in range(first, last):
        begin, end = strip * STRIP, min((strip + 1) * STRIP, channels)
        length = (end - begin) * wide
        for k in range(36):
            start = (k * (channels + OUTER_SPARE) + begin) * wide
            part = total[k * length : (k + 1) * length]
            part[:] = 0
            for chunk in range(len(sums)):
                more = sums[chunk, start : start + length]
                for i in range(length):
                    part[i] += more[i]
        for c in range(end - begin):
            for o in range(0, wide, width):
                source, target = c * wide + o, c * taps * taps * wide + o
                _check(len(total), source, 6 * length, length, width, (0, 6, 0, 6))
                _check(len(here), target, taps * wide, wide, width, (0, taps, 0, taps))
                transform_tile(
                    taps, WEIGHT_GRADIENT, 0, total, source, 6 * length, length, width,
                    here, target, taps * wide, wide, width, (0, taps, 0, taps), total, 0,
                )  # fmt: skip
        for o in range(outputs):
            for c in range(begin, end):
                for t in range(taps * taps):
                    source = ((c - begin) * taps * taps + t) * wide + o
                    dweight[(o * channels + c) * taps * taps + t] = here[source]


@part
def _transform(taps, kind, size, x, shape, tiles, begin, end, padding, seen):
    """Transforms the size×size pixels under the tiles begin … end − 1, which may lie partly outside the
    image.
    """
    height, breadth, channels = shape
    side, (down, across) = 7 - taps, tiles
    width = VECTOR_BYTES // seen.itemsize
    deep = -(-channels // width) * width
    row = breadth * channels
    for tile in range(begin, end):
        image, place = tile // (down * across), tile % (down * across)
        top, left = place // across * side - padding[0], place % across * side - padding[1]
        window = (
            min(max(-top, 0), size), max(min(height - top, size), 0),
            min(max(-left, 0), size), max(min(breadth - left, size), 0),
        )  # fmt: skip
        inside = window[0] == 0 and window[1] == size and window[2] == 0 and window[3] == size
        start = ((image * height + top) * breadth + left) * channels
        for c in range(0, channels, width):
            lanes = min(channels - c, width)
            target = (tile - begin) * 36 * deep + c
            _check(len(x), start + c, row, channels, lanes, window)
            _check(len(seen), target, 6 * deep, deep, width, (0, 6, 0, 6))
            if inside:
                transform_tile(
                    taps, kind, 0, x, start + c, row, channels, lanes,
                    seen, target, 6 * deep, deep, width, window, seen, 0,
                )  # fmt: skip
            else:
                transform_tile(
                    taps, kind, 1, x, start + c, row, channels, lanes,
                    seen, target, 6 * deep, deep, width, window, seen, 0,
                )  # fmt: skip


@part
def _check(length, start, row, column, lanes, window):
    """That a square of vectors of which `lanes` places are used lies inside a flat array, as far as it
    exists.
    """
    top, bottom, left, right = window
    if top < bottom and left < right:
        low = start + top * row + left * column
        high = start + (bottom - 1) * row + (right - 1) * column + lanes
        if low < 0 or high > length:
            raise IndexError("a transform would leave its arrays")
