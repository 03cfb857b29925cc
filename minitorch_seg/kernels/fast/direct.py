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

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.fast.blocks import (
    Passes,
    copy_size,
    list_places,
    next_block,
    place_of,
    plan,
    windows,
)
from minitorch_seg.kernels.fast.panels import (
    OUTER_2,
    OUTER_SPARE,
    SPARE_ROWS,
    bounds,
    dot_panels,
    dots_pay,
    multiply_panels,
    outer_panels,
    pack,
    pack_dots,
    padded,
)
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.parallel import parallel_for

LIGHT = 256  # products for an output up to which memory sets the pace: then the next block is fetched ahead
PARTIAL_SUMS = 2**18  # numbers in all partial sums of a weight gradient together, at most about
SUMS = 8, 32  # how many partial sums: more only where they are small
# Outer products read about so many bytes of both maps, and at least so many pixels, before they return to the
# first one with the next rows: then these are still in the nearest cache.
RUN, SHORTEST_RUN = 49152, 48


def correlate(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    passes: Passes,
) -> None:
    """Fills y (N, H, W, O) from x (N, h, w, C) and weight (groups, kh, kw, C/groups, O/groups)."""
    groups, kh, kw, _, outputs = weight.shape
    for rows in passes[0]:
        for columns in passes[1]:
            if not rows.taps or not columns.taps:  # between the stamps of a kernel smaller than the stride
                gap = y[:, rows.offset :: rows.out_stride, columns.offset :: columns.out_stride]
                gap[...] = 0 if bias is None else bias
    if not all(any(p.taps for p in axis) for axis in passes):
        return
    way = plan(*passes, x.shape[1:], groups, y.shape[2])
    merged = way.merged
    weight = np.ascontiguousarray(weight)
    outputs *= merged
    dots = all(dots_pay(outputs, count, terms, x.dtype) for count, terms in way.jobs[:, 5:].tolist())
    packed, starts = [], [0]
    for job, (down, several) in enumerate(way.used):
        whole = (down, *several) == (tuple(range(kh)), tuple(range(kw)))
        taps = [weight if whole else weight[:, down][:, :, across] for across in several]
        matrices = taps[0] if merged == 1 else np.concatenate(taps, axis=4)
        for matrix in matrices.reshape(groups, -1, outputs):
            packed.append(pack_dots(matrix, way.jobs[job, 5]) if dots else pack(matrix))
        starts.append(starts[-1] + groups * len(packed[-1]))
    shift = np.zeros((groups, padded(outputs, y.dtype)), y.dtype)
    if bias is not None:
        shift[:, :outputs] = (bias if merged == 1 else np.tile(bias, merged)).reshape(groups, outputs)
    maps = x.reshape(-1), np.concatenate(packed), np.array(starts), shift.reshape(-1), y.reshape(-1)
    shapes = *x.shape[1:], y.shape[1], y.shape[2] // merged, groups, outputs
    geometry = way.rows, way.columns, way.jobs, way.copied_taps, way.taps
    parallel_for(_correlate, x.shape[0] * way.blocks, *maps, dots, shapes, *geometry)


def weight_gradient(
    x: np.ndarray,
    grad: np.ndarray,
    groups: int,
    kernel: tuple[int, int],
    passes: Passes,
) -> np.ndarray:
    """Σ over all outputs of grad times what each tap sees: (groups, kh, kw, C/groups, O/groups)."""
    part, outputs = x.shape[3] // groups, grad.shape[3] // groups
    way = plan(*passes, x.shape[1:], groups, grad.shape[2])
    terms, taps = int(way.jobs[0, 6]), len(way.taps)
    # The rows of an outer product are single numbers, its columns whole vectors.  Where that leaves fewer
    # places empty, x gives the columns: one product for each tap.
    filled = _filled(terms * taps, outputs, x.dtype)
    swapped = groups == 1 and taps * _filled(outputs, terms, x.dtype) < filled
    products, count, columns = (taps, outputs, terms) if swapped else (groups, terms * taps, outputs)
    a_rows = [np.zeros(count + OUTER_SPARE, np.int64) for _ in range(2)]
    for rows, starts in zip(a_rows, (way.copied_taps, way.taps), strict=True):
        rows[:count] = np.arange(count) if swapped else (starts[:, None] + np.arange(terms)).reshape(-1)
    wide = padded(columns, x.dtype)
    size = products * (count + OUTER_SPARE) * wide
    units = len(x) * way.blocks
    chunks = min(units, max(SUMS[0], min(SUMS[1], PARTIAL_SUMS // size)))
    sums = buffers.empty((chunks, size), x.dtype)
    line = (x.shape[3] * way.columns.in_stride * way.rows.span + grad.shape[3]) * x.itemsize
    shapes = *x.shape[1:], *grad.shape[1:], groups, columns, units, max(RUN // line, SHORTEST_RUN)
    geometry = way.rows, way.columns, way.copied_taps, way.taps, *a_rows
    parallel_for(_weight_gradient, chunks, x.reshape(-1), grad.reshape(-1), sums, shapes, swapped, *geometry)
    total = sums.sum(axis=0).reshape(products, count + OUTER_SPARE, wide)[:, :count, :columns]
    if swapped:
        total = total.transpose(0, 2, 1)
    return total.reshape(groups, *kernel, part, outputs)


def _filled(rows: int, columns: int, dtype: np.dtype) -> int:
    """Places of the tiles that cover so many rows and columns."""
    return -(-rows // OUTER_2) * OUTER_2 * padded(columns, dtype)


@kernel
def _correlate(first, last, x, packed, starts, bias, y, dots, shapes, rows, columns, jobs, copied_taps, taps):
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
                    starts[job] + group * (starts[job + 1] - starts[job]) // groups,
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
