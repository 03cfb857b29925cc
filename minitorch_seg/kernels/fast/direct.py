"""Direct convolution by register tiles: any kernel size, stride, dilation and groups.

A convolution is a matrix product in disguise.  Output pixel p needs, for each tap t and channel c, the number
x[start[p] + shift[t] + c] of the flat image: where p's window begins, plus how far the tap lies from there,
plus the channel.  So

    y[p, o] = bias[o] + Σ_{t,c} x[start[p] + shift[t] + c] · w[t, c, o]

is a product of a matrix that is never built with the weight.  A register tile takes a few pixels, wherever
they lie, and a panel of output channels.  The stride is in `start`, the dilation in `shift`; a transposed
convolution is one such sum for each remainder of the output pixel modulo the stride (`cpu/passes.py`).  The
gradient of the weight is a sum of outer products over the same pixels,

    dw[t, c, o] = Σ_p x[start[p] + shift[t] + c] · dy[p, o]

At the image's edges the pixels under a block of outputs are copied first, with zeros around the image, so
that no tap needs to ask whether it lies inside (`blocks.py`).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.fast.blocks import (
    LONGEST,
    SCRATCH,
    Passes,
    copy_size,
    list_places,
    next_block,
    place_of,
    plan,
    windows,
)
from minitorch_seg.kernels.fast.panels import (
    DOTS,
    OUTER_2,
    OUTER_SPARE,
    SPARE_ROWS,
    bounds,
    dot_panels,
    dots_pay,
    lanes_of,
    multiply_panels,
    outer_panels,
    padded,
)
from minitorch_seg.kernels.fast.weights import STRIP, pack_dots, pack_panels, share, unpack_gradient
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.parallel import parallel_for

LIGHT = 256  # products for an output up to which memory sets the pace: then the next block is fetched ahead
PARTIAL_SUMS = 2**18  # numbers in all partial sums of a weight gradient together, at most about
SUMS = 4, 32  # how many partial sums: more only where they are small
LARGE = 2**18  # numbers from which a partial sum leaves the second cache: then blocks are longer
# Outer products read about so many bytes of both maps, and at least so many pixels, before they return to the
# first one with the next rows: then these are still in the nearest cache.
RUN, SHORTEST_RUN = 49152, 48


class _Product(NamedTuple):
    """What `correlate` needs to know of a shape.

    chunks: of an image.
    gaps: outputs that no tap reaches.
    dots: whether vectors go along the terms.
    vectors: chunks of packing; numbers: in all packed matrices and the bias, which is `shift` long.
    packing, geometry: arguments of the kernels.
    """

    chunks: int
    gaps: list[tuple[slice, slice]]
    dots: bool
    vectors: int
    numbers: int
    shift: int
    packing: tuple
    geometry: tuple


def correlate(
    x: np.ndarray,
    weight: np.ndarray,
    strides: tuple[int, int, int],
    bias: np.ndarray | None,
    y: np.ndarray,
    passes: Passes,
    groups: int,
    across: int,
) -> None:
    """Fills y (N, H, W, O) from x (N, h, w, C) and a flat weight.  With (channel, output, group) = strides,
    tap (i, j) of channel c, output o of group g is weight[c·channel + o·output + g·group + i·across + j].
    """
    way = _product(passes, x.shape[1:], y.shape[1:], groups, across, x.dtype)
    for rows, columns in way.gaps:
        y[:, rows, columns] = 0 if bias is None else bias
    if way.chunks == 0:
        return
    packed = buffers.empty((way.numbers,), y.dtype)
    shift = packed[: way.shift]
    shown = weight[:0] if bias is None else bias
    order = pack_dots if way.dots else pack_panels
    share(order, way.vectors, way.numbers, weight, strides, shown, *way.packing, packed, shift)
    maps = x.reshape(-1), packed, shift, y.reshape(-1)
    parallel_for(_correlate, x.shape[0] * way.chunks, *maps, *way.geometry)


@lru_cache(maxsize=512)
def _product(
    passes: Passes, shape: tuple[int, ...], made: tuple[int, ...], groups: int, across: int, dtype: np.dtype
) -> _Product:
    """For images (h, w, C) and maps (H, W, O).  Kept: a network asks for the same few at every step."""
    gaps = passes.gaps()
    if not all(any(p.taps for p in axis) for axis in (passes.rows, passes.columns)):
        return _Product(0, gaps, False, 0, 0, 0, (), ())
    way = plan(passes, shape, groups, made[1])
    part, own = shape[2] // groups, made[2] // groups
    outputs = own * way.merged
    dots = all(dots_pay(outputs, count, terms, dtype) for count, terms in way.jobs[:, 5:].tolist())
    wide = padded(outputs, dtype)
    begin = groups * wide  # the bias stands before the matrices
    matrices, origins = [], list[int]()
    for (down, several), (count, terms) in zip(way.used, way.jobs[:, 5:].tolist(), strict=True):
        size = count * padded(terms, dtype) * DOTS if dots else count * terms * wide
        matrices.append((begin, size, len(origins), len(down) * len(several[0]), terms))
        taps = [[i * across + j for i in down for j in one] for one in several]
        origins += [tap for neighbours in zip(*taps, strict=True) for tap in neighbours]
        begin += groups * size
    table = np.array(matrices, np.int64)
    shapes = *shape, made[0], made[1] // way.merged, groups, outputs
    packing = (part, own, groups, way.merged), table, np.array(origins, np.int64)
    geometry = dots, shapes, way.rows, way.columns, way.jobs, table, way.copied_taps, way.taps
    vectors = 1 if dots else wide // lanes_of(dtype)
    return _Product(way.blocks, gaps, dots, vectors, begin, groups * wide, packing, geometry)


class _Sum(NamedTuple):
    """What `weight_gradient` needs to know of a shape: how many partial sums, and the numbers in one; strips
    of channels; arguments of the kernels.
    """

    chunks: int
    size: int
    geometry: tuple
    strips: int
    order: tuple


def weight_gradient(
    x: np.ndarray,
    grad: np.ndarray,
    groups: int,
    taps: int,
    passes: Passes,
) -> np.ndarray:
    """Σ over all outputs of grad times what each tap sees: (O · C/groups · taps), flat."""
    way = _sum(passes, x.shape, grad.shape, groups, taps, x.dtype)
    sums = buffers.empty((way.chunks, way.size), x.dtype)
    parallel_for(_weight_gradient, way.chunks, x.reshape(-1), grad.reshape(-1), sums, *way.geometry)
    dweight = np.empty(grad.shape[3] * (x.shape[3] // groups) * taps, x.dtype)
    share(unpack_gradient, way.strips, sums.size, sums, *way.order, dweight)
    return dweight


@lru_cache(maxsize=512)
def _sum(
    passes: Passes, shape: tuple[int, ...], given: tuple[int, ...], groups: int, taps: int, dtype: np.dtype
) -> _Sum:
    """For maps (N, h, w, C) and (N, H, W, O)."""
    part, outputs = shape[3] // groups, given[3] // groups
    large = part * given[3] * taps > LARGE
    way = plan(passes, shape[1:], groups, given[2], SCRATCH * (4 if large else 1))
    terms, runs = int(way.jobs[0, 6]), len(way.taps)
    # The rows of an outer product are single numbers, its columns whole vectors.  Where that leaves fewer
    # places empty, x gives the columns: one product for each tap.
    filled = _filled(terms * runs, outputs, dtype)
    swapped = groups == 1 and runs * _filled(outputs, terms, dtype) < filled
    products, count, columns = (runs, outputs, terms) if swapped else (groups, terms * runs, outputs)
    a_rows = [np.zeros(count + OUTER_SPARE, np.int64) for _ in range(2)]
    for rows, starts in zip(a_rows, (way.copied_taps, way.taps), strict=True):
        rows[:count] = np.arange(count) if swapped else (starts[:, None] + np.arange(terms)).reshape(-1)
    size = products * (count + OUTER_SPARE) * padded(columns, dtype)
    units = shape[0] * way.blocks
    chunks = min(units, max(SUMS[0], min(SUMS[1], PARTIAL_SUMS // size)))
    line = (shape[3] * way.columns.in_stride * way.rows.span + given[3]) * dtype.itemsize
    run = LONGEST if large else max(RUN // line, SHORTEST_RUN)
    shapes = *shape[1:], *given[1:], groups, columns, units, run
    geometry = shapes, swapped, way.rows, way.columns, way.copied_taps, way.taps, *a_rows
    order = (part, outputs, taps, terms), swapped
    return _Sum(chunks, size, geometry, groups * -(-part // STRIP), order)


def _filled(rows: int, columns: int, dtype: np.dtype) -> int:
    """Places of the tiles that cover so many rows and columns."""
    return -(-rows // OUTER_2) * OUTER_2 * padded(columns, dtype)


@kernel
def _correlate(
    first, last, x, packed, bias, y, dots, shapes, rows, columns, jobs, matrices, copied_taps, taps
):
    height, breadth, channels, out_height, out_breadth, groups, outputs = shapes
    copy = np.empty(copy_size(rows, columns, channels), y.dtype)
    a_rows = np.empty(rows.block * columns.block + SPARE_ROWS, np.int64)
    c_rows = np.empty(len(a_rows), np.int64)
    copied_width = (columns.block - 1) * columns.in_stride + columns.span
    pixel = groups * outputs
    listed = 0, 0, False
    a_bounds = c_bounds = 0, 0
    for chunk in range(first, last):
        image, top, left = place_of(chunk, rows, columns)
        high, wide = min(rows.block, rows.places - top), min(columns.block, columns.places - left)
        inside, start = windows(
            x, (height, breadth, channels), image, top, left, high, wide, rows, columns, copy
        )
        shown = taps if inside else copied_taps
        ahead = next_block(shapes, image, top, left, high, wide, rows, columns, pixel)
        for job in range(len(jobs)):
            made_high, made_wide, row, column, tap, count, terms = jobs[job]
            made_high, made_wide = min(high, made_high - top), min(wide, made_wide - left)
            if made_high <= 0 or made_wide <= 0:
                continue
            if listed != (made_high, made_wide, inside):
                listed = made_high, made_wide, inside
                line = (breadth if inside else copied_width) * channels
                a_bounds = list_places(
                    a_rows, made_high, made_wide, rows.in_stride * line, columns.in_stride * channels
                )
                line = rows.out_stride * out_breadth * pixel
                c_bounds = list_places(c_rows, made_high, made_wide, line, columns.out_stride * pixel)
            row, column = row + top * rows.out_stride, column + left * columns.out_stride
            made = ((image * out_height + row) * out_breadth + column) * pixel
            for group in range(groups):
                if job > 0 or group > 0 or count * terms > LIGHT:
                    ahead = 0, 0, 0, 0
                begin = (
                    start + group * (channels // groups),
                    matrices[job, 0] + group * matrices[job, 1],
                    group * (len(bias) // groups), made + group * outputs, 0, 0, 0,
                )  # fmt: skip
                if dots:
                    dot_panels(
                        x if inside else copy, a_rows, y, c_rows, a_bounds + c_bounds, begin[:4],
                        shown[tap : tap + count], terms, packed, bias, made_high * made_wide, outputs,
                    )  # fmt: skip
                else:
                    multiply_panels(
                        x if inside else copy, a_rows, y, c_rows, a_bounds + c_bounds, begin,
                        shown[tap : tap + count], terms, packed, bias, made_high * made_wide, outputs, 1,
                        x, y, ahead,
                    )  # fmt: skip


@kernel
def _weight_gradient(
    first, last, x, grad, sums, shapes, swapped, rows, columns, copied_taps, taps, copied_rows, image_rows
):
    height, breadth, channels, out_height, out_breadth, outputs, groups, read, units, run = shapes
    chunks, products = len(sums), len(taps) if swapped else groups
    size = sums.shape[1] // products
    count = len(image_rows) - OUTER_SPARE
    row_bounds = bounds(copied_rows, len(copied_rows)), bounds(image_rows, len(image_rows))
    copy = np.empty(copy_size(rows, columns, channels), x.dtype)
    x_steps = np.empty(rows.block * columns.block + SPARE_ROWS, np.int64)
    grad_steps = np.empty(len(x_steps), np.int64)
    copied_width = (columns.block - 1) * columns.in_stride + columns.span
    listed = 0, 0, False
    x_bounds = grad_bounds = 0, 0
    for chunk in range(first, last):
        sums[chunk] = 0
        for unit in range(chunk * units // chunks, (chunk + 1) * units // chunks):
            image, top, left = place_of(unit, rows, columns)
            high, wide = min(rows.block, rows.places - top), min(columns.block, columns.places - left)
            inside, x_start = windows(
                x, (height, breadth, channels), image, top, left, high, wide, rows, columns, copy
            )
            grad_start = ((image * out_height + top) * out_breadth + left) * outputs
            if listed != (high, wide, inside):
                listed = high, wide, inside
                line = (breadth if inside else copied_width) * channels
                x_bounds = list_places(
                    x_steps, high, wide, rows.in_stride * line, columns.in_stride * channels
                )
                grad_bounds = list_places(grad_steps, high, wide, out_breadth * outputs, outputs)
            pixels, a_rows = x if inside else copy, image_rows if inside else copied_rows
            shown = taps if inside else copied_taps
            A, B = (grad, pixels) if swapped else (pixels, grad)
            a_steps, b_steps = (grad_steps, x_steps) if swapped else (x_steps, grad_steps)
            a_bounds, b_bounds = (grad_bounds, x_bounds) if swapped else (x_bounds, grad_bounds)
            reach = row_bounds[1 if inside else 0] + a_bounds + b_bounds
            for begin in range(0, high * wide, run):
                for product in range(products):
                    starts = (
                        x_start + product * (channels // groups), grad_start + product * (outputs // groups),
                        product * size, 0, 0,
                    )  # fmt: skip
                    if swapped:
                        starts = grad_start, x_start + shown[product], product * size, 0, 0
                    outer_panels(
                        A, a_rows, count, a_steps, B, b_steps, reach, begin, min(run, high * wide - begin),
                        sums[chunk], starts, size // len(a_rows), read, 1,
                    )  # fmt: skip
