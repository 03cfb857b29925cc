"""Depthwise convolution: each channel has a kernel of its own, and sees no other channel.

    y[p, c] = bias[c] + Σ_t x[start[p] + shift[t] + c] · w[t, c]         dw[t, c] = Σ_p x[…] · dy[p, c]

There is no matrix product in it.  A vector of channels of x is multiplied by a vector of weights, place by
place, so each number of x is used once for each tap: memory sets the pace, not arithmetic.  So a few pixels
get all their channels before the next ones, and what the next block needs is fetched meanwhile.  The tiles
keep the sums of a few pixels (or taps) in registers; blocks, edges and passes are those of `direct.py`.
"""

import numpy as np

from minitorch_seg.kernels.fast.blocks import (
    Passes,
    copy_size,
    list_places,
    next_block,
    place_of,
    plan,
    windows,
)
from minitorch_seg.kernels.fast.panels import ROWS_1, SPARE_ROWS, bounds, fetch, padded, share
from minitorch_seg.kernels.fast.tile_ir import multiply_tile, outer_tile
from minitorch_seg.kernels.jit import VECTOR_BYTES, kernel, part
from minitorch_seg.kernels.parallel import parallel_for

SUMS = 32  # partial sums of a weight gradient, at most
TAPS = 9  # taps of an outer tile: those of a 3×3 kernel
RUN = 64  # pixels that an outer tile reads before the next channels: then they are still in the nearest cache


def correlate(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    passes: Passes,
) -> None:
    """Fills y (N, H, W, C) from x (N, h, w, C) and weight (kh, kw, C)."""
    for rows in passes[0]:
        for columns in passes[1]:
            if not rows.taps or not columns.taps:  # between the stamps of a kernel smaller than the stride
                gap = y[:, rows.offset :: rows.out_stride, columns.offset :: columns.out_stride]
                gap[...] = 0 if bias is None else bias
    if not all(any(p.taps for p in axis) for axis in passes):
        return
    channels = x.shape[3]
    way = plan(*passes, x.shape[1:], channels, y.shape[2])
    wide, width = padded(channels, x.dtype), VECTOR_BYTES // x.itemsize
    packed, shift = [], np.zeros(wide, x.dtype)
    for down, (across,) in way.used:
        taps = np.zeros((len(down) * len(across), wide), x.dtype)
        taps[:, :channels] = weight[down, :][:, across].reshape(-1, channels)
        packed.append(taps.reshape(-1, wide // width, width).transpose(1, 0, 2).reshape(-1))
    if bias is not None:
        shift[:channels] = bias
    maps = x.reshape(-1), np.concatenate(packed), shift, y.reshape(-1)
    shapes = *x.shape[1:], *y.shape[1:3]
    geometry = way.rows, way.columns, way.jobs, way.copied_taps, way.taps
    parallel_for(_correlate, len(x) * way.blocks, *maps, shapes, *geometry)


def weight_gradient(x: np.ndarray, grad: np.ndarray, kernel: tuple[int, int], passes: Passes) -> np.ndarray:
    """Σ over all outputs of grad times what each tap sees: (kh, kw, C)."""
    channels = x.shape[3]
    way = plan(*passes, x.shape[1:], channels, grad.shape[2])
    wide, width, taps = padded(channels, x.dtype), VECTOR_BYTES // x.itemsize, len(way.taps)
    filled = -(-taps // TAPS) * TAPS
    spare = np.zeros(filled - taps, np.int64)
    a_rows = [np.concatenate([starts, spare]) for starts in (way.copied_taps, way.taps)]
    units = len(x) * way.blocks
    sums = np.empty((min(units, SUMS), filled * wide), x.dtype)
    shapes = *x.shape[1:], *grad.shape[1:3], units
    maps = x.reshape(-1), grad.reshape(-1), sums
    parallel_for(_weight_gradient, len(sums), *maps, shapes, way.rows, way.columns, *a_rows)
    total = sums.sum(axis=0).reshape(wide // width, filled, width)[:, :taps]
    return total.transpose(1, 0, 2).reshape(*kernel, wide)[..., :channels]


@kernel
def _correlate(first, last, x, packed, bias, y, shapes, rows, columns, jobs, copied_taps, taps):
    height, breadth, channels, out_height, out_breadth = shapes
    copy = np.empty(copy_size(rows, columns, channels), y.dtype)
    a_rows = np.empty(rows.block * columns.block + SPARE_ROWS, np.int64)
    c_rows = np.empty(len(a_rows), np.int64)
    copied_width = (columns.block - 1) * columns.in_stride + columns.span
    listed = 0, 0, False
    a_bounds = c_bounds = 0, 0
    for chunk in range(first, last):
        image, top, left = place_of(chunk, rows, columns)
        high, wide = min(rows.block, rows.places - top), min(columns.block, columns.places - left)
        inside, start = windows(
            x, (height, breadth, channels), image, top, left, high, wide, rows, columns, copy
        )
        shown = taps if inside else copied_taps
        ahead = next_block(shapes, image, top, left, high, wide, rows, columns, channels)
        for job in range(len(jobs)):
            made_high, made_wide, row, column, tap, count, _ = jobs[job]
            made_high, made_wide = min(high, made_high - top), min(wide, made_wide - left)
            if made_high <= 0 or made_wide <= 0:
                continue
            if listed != (made_high, made_wide, inside):
                listed = made_high, made_wide, inside
                line = (breadth if inside else copied_width) * channels
                a_bounds = list_places(
                    a_rows, made_high, made_wide, rows.in_stride * line, columns.in_stride * channels
                )
                line = rows.out_stride * out_breadth * channels
                c_bounds = list_places(c_rows, made_high, made_wide, line, columns.out_stride * channels)
            row, column = row + top * rows.out_stride, column + left * columns.out_stride
            if job > 0:
                ahead = 0, 0, 0, 0
            _multiply_lanes(
                x if inside else copy, a_rows, y, c_rows, a_bounds + c_bounds, start,
                shown[tap : tap + count], packed, tap * len(bias), bias,
                ((image * out_height + row) * out_breadth + column) * channels,
                made_high * made_wide, channels, x, y, ahead,
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
            image, top, left = place_of(unit, rows, columns)
            high, wide = min(rows.block, rows.places - top), min(columns.block, columns.places - left)
            inside, start = windows(
                x, (height, breadth, channels), image, top, left, high, wide, rows, columns, copy
            )
            line = (breadth if inside else copied_width) * channels
            a_bounds = list_places(a_steps, high, wide, rows.in_stride * line, columns.in_stride * channels)
            b_bounds = list_places(b_steps, high, wide, out_breadth * channels, channels)
            a_rows = image_rows if inside else copied_rows
            _outer_lanes(
                x if inside else copy, start, a_rows, a_steps, grad,
                ((image * out_height + top) * out_breadth + left) * channels, b_steps,
                bounds(a_rows, len(a_rows)) + a_bounds + b_bounds, high * wide, sums[chunk], channels,
            )  # fmt: skip


@part
def _multiply_lanes(A, a_rows, C, c_rows, reach, a, taps, B, b, bias, c, count, channels, X, Y, ahead):
    """C[c + c_rows[i] + o] = bias[o] + Σ_t A[a + a_rows[i] + taps[t] + o] · weight[t, o]

    for i < count and o < channels; the weight begins at B[b], vector by vector.  Rows, reach and what is
    fetched as in `panels.multiply_panels`.
    """
    low_a, high_a, low_c, high_c = reach
    low_t, high_t = bounds(taps, len(taps))
    width = VECTOR_BYTES // C.itemsize
    if (
        min(len(a_rows), len(c_rows)) < count + SPARE_ROWS
        or a + low_a + low_t < 0
        or a + high_a + high_t + channels > len(A)
        or c + low_c < 0
        or c + high_c + channels > len(C)
        or b < 0
        or b + len(taps) * len(bias) > len(B)
        or len(bias) % width != 0
        or channels > len(bias)
    ):
        raise IndexError("a tile would leave its arrays")
    x, x_length, y, y_length = ahead
    x_each, y_each = share(X, x, x_length, count), share(Y, y, y_length, count)
    for r in range(0, count, ROWS_1):
        fetch(0, X, x + r * x_each, x + (r + ROWS_1) * x_each)
        fetch(1, Y, y + r * y_each, y + (r + ROWS_1) * y_each)
        for o in range(0, channels, width):
            lanes = min(channels - o, width)
            at = b + len(taps) * o
            multiply_tile(1, ROWS_1, 1, A, a_rows, a + o, taps, 1, B, at, bias, o, C, c_rows, c + o, r, lanes)


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
    for first in range(0, count, RUN):
        run = min(RUN, count - first)
        for o in range(0, channels, width):
            lanes = min(channels - o, width)
            for r in range(0, len(a_rows), TAPS):
                outer_tile(
                    1, TAPS, 1, A, a + o, a_rows, r, a_steps, B, b + o, b_steps, first, run,
                    C, (o // width * len(a_rows) + r) * width, width, lanes,
                )  # fmt: skip
