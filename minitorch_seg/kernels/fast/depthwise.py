"""Depthwise convolution: each channel has a kernel of its own, and sees no other channel.

    y[p, c] = bias[c] + Σ_t x[start[p] + shift[t] + c] · w[t, c]         dw[t, c] = Σ_p x[…] · dy[p, c]

There is no matrix product in it.  A vector of channels of x is multiplied by a vector of weights, place by
place, so each number of x is used once for each tap: memory sets the pace, not arithmetic.  So a few pixels
get all their channels before the next ones.  The tiles keep the weights of nine taps (or the sums of their
gradients) in registers and go from pixel to pixel.  Blocks and passes are those of `direct.py`; a block at an
edge is cut, so that only the pixels at the edge are copied.
"""

from functools import lru_cache

import numpy as np

from minitorch_seg.kernels.fast.blocks import (
    Passes,
    copy_size,
    cuts,
    list_places,
    place_of,
    plan,
    windows,
)
from minitorch_seg.kernels.fast.panels import SPARE_ROWS, bounds, padded
from minitorch_seg.kernels.fast.tile_ir import lanes_tile, outer_tile
from minitorch_seg.kernels.jit import VECTOR_BYTES, kernel, part
from minitorch_seg.kernels.parallel import parallel_for

SUMS = 32  # partial sums of a weight gradient, at most
TAPS = 9  # taps of a tile: those of a 3×3 kernel
# A tile goes through so many pixels before the next channels: then these are still in the nearest cache.
RUN, SHORTEST_RUN = 2048, 8  # numbers; pixels
OUTER_RUN = 64  # pixels, where the weight's gradient is made


def correlate(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    passes: Passes,
    across: int,
) -> None:
    """Fills y (N, H, W, C) from x (N, h, w, C) and a flat weight (C, kh, kw), kw = across."""
    gaps, chunks, geometry = _products(passes, x.shape[1:], y.shape[1:], across)
    for rows, columns in gaps:
        y[:, rows, columns] = 0 if bias is None else bias
    maps = x.reshape(-1), weight, weight[:0] if bias is None else bias, y.reshape(-1)
    parallel_for(_correlate, len(x) * chunks, *maps, *geometry)


@lru_cache(maxsize=512)
def _products(passes: Passes, shape: tuple[int, ...], made: tuple[int, ...], across: int) -> tuple:
    """For images (h, w, C) and maps (H, W, C): outputs that no tap reaches, chunks of an image, and arguments
    of the kernel.
    """
    gaps = passes.gaps()
    if not all(any(p.taps for p in axis) for axis in (passes.rows, passes.columns)):
        return gaps, 0, ()
    way = plan(passes, shape, shape[2], made[1])
    used = [i * across + j for down, (several,) in way.used for i in down for j in several]
    shapes = *shape, *made[:2]
    geometry = shapes, way.rows, way.columns, way.jobs, np.array(used, np.int64), way.copied_taps, way.taps
    return gaps, way.blocks, geometry


def weight_gradient(x: np.ndarray, grad: np.ndarray, taps: int, passes: Passes) -> np.ndarray:
    """Σ over all outputs of grad times what each tap sees: (C · taps), flat."""
    size, geometry = _sums(passes, x.shape, grad.shape, x.dtype)
    sums = np.empty(size, x.dtype)
    parallel_for(_weight_gradient, len(sums), x.reshape(-1), grad.reshape(-1), sums, *geometry)
    channels, width = x.shape[3], VECTOR_BYTES // x.itemsize
    total = sums.sum(axis=0).reshape(-1, geometry[-1].size, width)[:, :taps]
    return total.transpose(0, 2, 1).reshape(-1, taps)[:channels]


@lru_cache(maxsize=512)
def _sums(passes: Passes, shape: tuple[int, ...], given: tuple[int, ...], dtype: np.dtype) -> tuple:
    """For maps (N, h, w, C) and (N, H, W, C): partial sums, numbers in one, and arguments of the kernel."""
    way = plan(passes, shape[1:], shape[3], given[2])
    spare = np.zeros(-len(way.taps) % TAPS, np.int64)
    a_rows = [np.concatenate([starts, spare]) for starts in (way.copied_taps, way.taps)]
    units = shape[0] * way.blocks
    shapes = *shape[1:], *given[1:3], units
    size = min(units, SUMS), len(a_rows[0]) * padded(shape[3], dtype)
    return size, (shapes, way.rows, way.columns, *a_rows)


@kernel
def _correlate(first, last, x, weight, bias, y, shapes, rows, columns, jobs, used, copied_taps, taps):
    height, breadth, channels, out_height, out_breadth = shapes
    width = VECTOR_BYTES // y.itemsize
    wide = -(-channels // width) * width
    packed, shift = np.zeros(len(used) * wide, y.dtype), np.zeros(wide, y.dtype)
    for c in range(channels):
        if len(bias) > 0:
            shift[c] = bias[c]
        for t in range(len(used)):
            place = (c // width * len(used) + t) * width + c % width
            packed[place] = weight[c * (len(weight) // channels) + used[t]]
    copy = np.empty(copy_size(rows, columns, channels), y.dtype)
    a_rows = np.empty(rows.block * columns.block + SPARE_ROWS, np.int64)
    c_rows = np.empty(len(a_rows), np.int64)
    copied_width = (columns.block - 1) * columns.in_stride + columns.span
    for chunk in range(first, last):
        image, block_top, block_left = place_of(chunk, rows, columns)
        across = cuts(columns, breadth, block_left, min(block_left + columns.block, columns.places))
        down = cuts(rows, height, block_top, min(block_top + rows.block, rows.places))
        for i in range(3):
            for j in range(3):
                top, left = down[i], across[j]
                high, wide = down[i + 1] - top, across[j + 1] - left
                if high == 0 or wide == 0:
                    continue
                inside, start = windows(
                    x, (height, breadth, channels), image, top, left, high, wide, rows, columns, copy
                )
                for job in range(len(jobs)):
                    made_high, made_wide, row, column, tap, count, _ = jobs[job]
                    made_high, made_wide = min(high, made_high - top), min(wide, made_wide - left)
                    if made_high <= 0 or made_wide <= 0:
                        continue
                    line = (breadth if inside else copied_width) * channels
                    a_bounds = list_places(
                        a_rows, made_high, made_wide, rows.in_stride * line, columns.in_stride * channels
                    )
                    line = rows.out_stride * out_breadth * channels
                    c_bounds = list_places(c_rows, made_high, made_wide, line, columns.out_stride * channels)
                    row, column = row + top * rows.out_stride, column + left * columns.out_stride
                    _multiply_lanes(
                        x if inside else copy, a_rows, y, c_rows, a_bounds + c_bounds, start,
                        taps if inside else copied_taps, tap, count, packed, shift,
                        ((image * out_height + row) * out_breadth + column) * channels,
                        made_high * made_wide, channels,
                    )  # fmt: skip


@kernel
def _weight_gradient(first, last, x, grad, sums, shapes, rows, columns, copied_rows, image_rows):
    height, breadth, channels, out_height, out_breadth, units = shapes
    copy = np.empty(copy_size(rows, columns, channels), x.dtype)
    a_steps = np.empty(rows.block * columns.block + SPARE_ROWS, np.int64)
    b_steps = np.empty(len(a_steps), np.int64)
    copied_width = (columns.block - 1) * columns.in_stride + columns.span
    for chunk in range(first, last):
        sums[chunk] = 0
        for unit in range(chunk * units // len(sums), (chunk + 1) * units // len(sums)):
            image, block_top, block_left = place_of(unit, rows, columns)
            across = cuts(columns, breadth, block_left, min(block_left + columns.block, columns.places))
            down = cuts(rows, height, block_top, min(block_top + rows.block, rows.places))
            for i in range(3):
                for j in range(3):
                    top, left = down[i], across[j]
                    high, wide = down[i + 1] - top, across[j + 1] - left
                    if high == 0 or wide == 0:
                        continue
                    inside, start = windows(
                        x, (height, breadth, channels), image, top, left, high, wide, rows, columns, copy
                    )
                    line = (breadth if inside else copied_width) * channels
                    a_bounds = list_places(
                        a_steps, high, wide, rows.in_stride * line, columns.in_stride * channels
                    )
                    b_bounds = list_places(b_steps, high, wide, out_breadth * channels, channels)
                    a_rows = image_rows if inside else copied_rows
                    _outer_lanes(
                        x if inside else copy, start, a_rows, a_steps, grad,
                        ((image * out_height + top) * out_breadth + left) * channels, b_steps,
                        bounds(a_rows, len(a_rows)) + a_bounds + b_bounds, high * wide, sums[chunk], channels,
                    )  # fmt: skip


@part
def _multiply_lanes(A, a_rows, C, c_rows, reach, a, taps, first, number, B, bias, c, count, channels):
    """C[c + c_rows[p] + o] = bias[o] + Σ_t A[a + a_rows[p] + taps[t] + o] · weight[t, o]

    for p < count, o < channels and first <= t < first + number; B is the weight, vector of channels by vector
    and tap by tap.  reach = bounds of both rows.
    """
    low_a, high_a, low_c, high_c = reach
    low_t, high_t = bounds(taps, len(taps))
    width = VECTOR_BYTES // C.itemsize
    if (
        min(len(a_rows), len(c_rows)) < count
        or first < 0
        or first + number > len(taps)
        or a + low_a + low_t < 0
        or a + high_a + high_t + channels > len(A)
        or c + low_c < 0
        or c + high_c + channels > len(C)
        or len(taps) * len(bias) > len(B)
        or len(bias) % width != 0
        or channels > len(bias)
    ):
        raise IndexError("a tile would leave its arrays")
    run = max(RUN // channels, SHORTEST_RUN)
    for r in range(0, count, run):
        end = min(r + run, count)
        for o in range(0, channels, width):
            lanes, at, stop = min(channels - o, width), o * len(taps) + first * width, first + number
            if number == TAPS:
                lanes_tile(
                    TAPS, 0, A, a_rows, a + o, taps, first, B, at, bias, o, C, c_rows, c + o, r, end, lanes
                )
                continue
            lanes_tile(0, 0, A, a_rows, a + o, taps, first, B, at, bias, o, C, c_rows, c + o, r, end, lanes)
            t = first
            while t + 3 <= stop:
                at = o * len(taps) + t * width
                lanes_tile(3, 1, A, a_rows, a + o, taps, t, B, at, bias, o, C, c_rows, c + o, r, end, lanes)
                t += 3
            while t < stop:
                at = o * len(taps) + t * width
                lanes_tile(1, 1, A, a_rows, a + o, taps, t, B, at, bias, o, C, c_rows, c + o, r, end, lanes)
                t += 1


@part
def _outer_lanes(A, a, a_rows, a_steps, B, b, b_steps, reach, count, C, channels):
    """C[o // W, t, o % W] += Σ_p A[a + a_rows[t] + a_steps[p] + o] · B[b + b_steps[p] + o]

    for o < channels and p < count, W numbers a vector.  The number of `a_rows` is a multiple of TAPS.
    reach = bounds of the rows, of a_steps and of b_steps.
    """
    low_r, high_r, low_a, high_a, low_b, high_b = reach
    width = VECTOR_BYTES // C.itemsize
    if (
        len(a_rows) % TAPS != 0
        or min(len(a_steps), len(b_steps)) < count
        or a + low_r + low_a < 0
        or a + high_r + high_a + channels > len(A)
        or b + low_b < 0
        or b + high_b + channels > len(B)
        or -(-channels // width) * len(a_rows) * width > len(C)
    ):
        raise IndexError("a tile would leave its arrays")
    for first in range(0, count, OUTER_RUN):
        run = min(OUTER_RUN, count - first)
        for o in range(0, channels, width):
            lanes = min(channels - o, width)
            for r in range(0, len(a_rows), TAPS):
                outer_tile(
                    1, TAPS, 1, A, a + o, a_rows, r, a_steps, B, b + o, b_steps, first, run,
                    C, (o // width * len(a_rows) + r) * width, width, lanes,
                )  # fmt: skip
