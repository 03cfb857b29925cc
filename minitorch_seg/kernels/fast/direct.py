"""Direct convolution by register tiles: any kernel size, stride, dilation and groups.

A convolution is a matrix product in disguise.  Output pixel p needs, for each tap t and channel c, the number
x[start[p] + shift[t] + c] of the flat image: where p's window begins, plus how far the tap lies from there,
plus the channel.  So

    y[p, o] = bias[o] + Σ_{t,c} x[start[p] + shift[t] + c] · w[t, c, o]

is a product of a matrix that is never built with the weight.  A register tile takes a few pixels, wherever
they lie, and a panel of output channels.  The stride is in `start`, the dilation in `shift`; a transposed
convolution is one such sum for each remainder of the output pixel modulo the stride (`cpu/passes.py`).

At the image's edges the pixels under a block of outputs are copied first, with zeros around the image, so
that no tap needs to ask whether it lies inside.
"""

import numpy as np

from minitorch_seg.kernels.cpu.passes import Pass
from minitorch_seg.kernels.fast.panels import (
    OUTER_SPARE,
    SPARE_ROWS,
    fill_up,
    multiply_panels,
    outer_panels,
    pack,
    padded,
)
from minitorch_seg.kernels.jit import kernel, part
from minitorch_seg.kernels.parallel import parallel_for

LONGEST = 480  # outputs of a block
SCRATCH = 65536  # numbers in the copied pixels of a block, about: 256 KiB in float32
PARTIAL_SUMS = 2**23  # numbers in all partial sums of a weight gradient together, at most about


def correlate(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    passes: tuple[list[Pass], list[Pass]],
) -> None:
    """Fills y (N, H, W, O) from x (N, h, w, C) and weight (groups, kh, kw, C/groups, O/groups)."""
    groups, _, _, terms, outputs = weight.shape
    wide = padded(outputs, y.dtype)
    shown = np.zeros(groups * outputs, y.dtype) if bias is None else bias
    shift = np.concatenate([fill_up(b, wide) for b in shown.reshape(groups, outputs)])
    pixels, result = x.reshape(-1), y.reshape(-1)
    for rows in passes[0]:
        for columns in passes[1]:
            if not rows.taps or not columns.taps:  # between the stamps of a kernel smaller than the stride
                y[:, rows.offset :: rows.out_stride, columns.offset :: columns.out_stride] = shown
                continue
            rows, columns = _ascending(rows), _ascending(columns)
            used = weight[:, list(rows.taps)][:, :, list(columns.taps)].reshape(groups, -1, outputs)
            packed = np.concatenate([pack(matrix) for matrix in used])
            block, scratch, axes = _blocks(rows, columns, x.shape[3])
            taps, together = _taps(rows, columns, scratch[1], x.shape, groups)
            shapes = *x.shape, *y.shape[1:], groups, terms * together
            chunks = y.shape[0] * -(-rows.outputs // block[0]) * -(-columns.outputs // block[1])
            parallel_for(
                _correlate, chunks, pixels, packed, shift, result, shapes, block, scratch, *taps, *axes
            )


def weight_gradient(
    x: np.ndarray,
    grad: np.ndarray,
    groups: int,
    kernel: tuple[int, int],
    passes: tuple[list[Pass], list[Pass]],
) -> np.ndarray:
    """Σ over all outputs of grad times what each tap sees: (groups, kh, kw, C/groups, O/groups)."""
    terms, outputs = x.shape[3] // groups, grad.shape[3] // groups
    (rows,), (columns,) = passes
    block, scratch, axes = _blocks(rows, columns, x.shape[3])
    taps, together = _taps(rows, columns, scratch[1], x.shape, groups)
    runs = np.arange(terms * together)
    a_rows = [np.append((starts[:, None] + runs).reshape(-1), [starts[0]] * OUTER_SPARE) for starts in taps]
    wide = padded(outputs, x.dtype)
    units = grad.shape[0] * -(-rows.outputs // block[0]) * -(-columns.outputs // block[1])
    size = groups * len(a_rows[0]) * wide
    chunks = min(units, 32, max(PARTIAL_SUMS // size, 2))
    partial = np.zeros((chunks, size), x.dtype)
    shapes = *x.shape, *grad.shape[1:], groups, terms
    given = grad.reshape(-1)
    parallel_for(
        _weight_gradient, chunks, x.reshape(-1), given, partial, shapes, block, scratch, *a_rows, *axes
    )
    total = partial.sum(axis=0).reshape(groups, len(a_rows[0]), wide)[:, :-OUTER_SPARE, :outputs]
    return total.reshape(groups, *kernel, terms, outputs)


def _ascending(axis: Pass) -> Pass:
    """The same axis with its taps from left to right."""
    order = sorted(range(len(axis.taps)), key=axis.shifts.__getitem__)
    return axis._replace(taps=tuple(axis.taps[i] for i in order), shifts=tuple(axis.shifts[i] for i in order))


def _blocks(rows: Pass, columns: Pass, channels: int) -> tuple:
    """(rows and columns of a block of outputs, rows and columns of the pixels under it, both axes as
    integers).
    """
    spans = [max(axis.shifts) - min(axis.shifts) + 1 for axis in (rows, columns)]
    # A block of n rows and m columns needs about n·m·stride² pixels.
    pixels = SCRATCH // max(channels * rows.in_stride * columns.in_stride, 1)
    longest = max(min(LONGEST, pixels), 24)
    across = _even(columns.outputs, longest)
    down = _even(rows.outputs, max(longest // across, 1))
    scratch = (down - 1) * rows.in_stride + spans[0], (across - 1) * columns.in_stride + spans[1]
    axes = [
        (axis.outputs, axis.in_stride, min(axis.shifts), span, axis.out_stride, axis.offset)
        for axis, span in zip((rows, columns), spans, strict=True)
    ]
    return (down, across), scratch, axes


def _taps(rows: Pass, columns: Pass, width: int, shape: tuple[int, ...], groups: int) -> tuple:
    """(where each tap begins, in the copied pixels and in the image itself; how many taps lie side by side)

    Taps that are neighbours in a row see one run of memory, so they count as one tap with more channels.
    """
    channels = shape[3]
    side_by_side = groups == 1 and list(columns.shifts) == list(
        range(columns.shifts[0], columns.shifts[0] + len(columns.shifts))
    )
    shown = columns.shifts[:1] if side_by_side else columns.shifts
    starts = [
        np.array(
            [
                ((i - min(rows.shifts)) * w + j - min(columns.shifts)) * channels
                for i in rows.shifts
                for j in shown
            ],
            np.int64,
        )
        for w in (width, shape[2])
    ]
    return starts, len(columns.shifts) // len(shown)


def _even(count: int, most: int) -> int:
    """The length of blocks not longer than `most` that cut `count` evenly."""
    return max(-(-count // -(-count // most)), 1)


@kernel
def _correlate(first, last, x, packed, bias, y, shapes, block, scratch, copied_taps, taps, rows, columns):
    _, _, _, channels, height, breadth, outputs, groups, terms = shapes
    part_in, part_out = channels // groups, outputs // groups
    blocks_down, blocks_across = -(-rows[0] // block[0]), -(-columns[0] // block[1])
    copy = np.empty(scratch[0] * scratch[1] * channels, y.dtype)
    a_rows = np.empty(block[0] * block[1] + SPARE_ROWS, np.int64)
    c_rows = np.empty(len(a_rows), np.int64)
    for chunk in range(first, last):
        image, place = chunk // (blocks_down * blocks_across), chunk % (blocks_down * blocks_across)
        top, left = place // blocks_across * block[0], place % blocks_across * block[1]
        high, wide = min(block[0], rows[0] - top), min(block[1], columns[0] - left)
        inside = _windows(x, shapes, image, top, left, high, wide, rows, columns, scratch, copy, a_rows)
        count = high * wide
        for r in range(high):
            start = (
                (image * height + (top + r) * rows[4] + rows[5]) * breadth + columns[5] + left * columns[4]
            )
            line = c_rows[r * wide : (r + 1) * wide]
            for c in range(len(line)):
                line[c] = (start + c * columns[4]) * outputs
        for spare in range(count, count + SPARE_ROWS):  # computed and stored once more, by the same thread
            c_rows[spare] = c_rows[count - 1]
        for group in range(groups):
            starts = (
                group * part_in, group * (len(packed) // groups), group * (len(bias) // groups),
                group * part_out, 0, 0,
            )  # fmt: skip
            multiply_panels(
                x if inside else copy, a_rows, starts, taps if inside else copied_taps, terms,
                packed, bias, y, c_rows, count, part_out, 1,
            )  # fmt: skip


@kernel
def _weight_gradient(
    first, last, x, grad, partial, shapes, block, scratch, copied_terms, terms, rows, columns
):
    images, _, _, channels, height, breadth, outputs, groups, _ = shapes
    part_in, part_out = channels // groups, outputs // groups
    blocks_down, blocks_across = -(-rows[0] // block[0]), -(-columns[0] // block[1])
    blocks = blocks_down * blocks_across
    units, chunks = images * blocks, len(partial)
    size = partial.shape[1] // groups
    copy = np.empty(scratch[0] * scratch[1] * channels, x.dtype)
    a_steps = np.empty(block[0] * block[1] + SPARE_ROWS, np.int64)
    b_steps = np.empty(len(a_steps), np.int64)
    for chunk in range(first, last):
        for unit in range(chunk * units // chunks, (chunk + 1) * units // chunks):
            image, place = unit // blocks, unit % blocks
            top, left = place // blocks_across * block[0], place % blocks_across * block[1]
            high, wide = min(block[0], rows[0] - top), min(block[1], columns[0] - left)
            inside = _windows(x, shapes, image, top, left, high, wide, rows, columns, scratch, copy, a_steps)
            for r in range(high):
                line = b_steps[r * wide : (r + 1) * wide]
                for c in range(len(line)):
                    line[c] = ((image * height + top + r) * breadth + left + c) * outputs
            for group in range(groups):
                starts = group * part_in, group * part_out, group * size, 0, 0
                outer_panels(
                    x if inside else copy, terms if inside else copied_terms, len(terms) - OUTER_SPARE,
                    a_steps, grad, b_steps, high * wide, partial[chunk], starts, size // len(terms),
                    part_out, 1, )  # fmt: skip


@part
def _windows(x, shapes, image, top, left, high, wide, rows, columns, scratch, copy, starts):
    """Says where the window of each output of a block begins, and whether in the image itself.

    Where windows leave the image, their pixels are copied, with zeros around the image, and it is in the
    copy.
    """
    _, height, breadth, channels = shapes[:4]
    i0, j0 = top * rows[1] + rows[2], left * columns[1] + columns[2]
    seen_high, seen_wide = (high - 1) * rows[1] + rows[3], (wide - 1) * columns[1] + columns[3]
    inside = i0 >= 0 and i0 + seen_high <= height and j0 >= 0 and j0 + seen_wide <= breadth
    begin = min(max(-j0, 0), seen_wide) * channels
    end = max(max(min(breadth - j0, seen_wide), 0) * channels, begin)
    for r in range(0 if inside else seen_high):
        row = copy[r * scratch[1] * channels : (r * scratch[1] + seen_wide) * channels]
        first, last = 0, 0
        if 0 <= i0 + r < height:
            first, last = begin, end
            here = ((image * height + i0 + r) * breadth + j0) * channels
            source, target = x[here + first : here + last], row[first:last]
            for n in range(len(target)):
                target[n] = source[n]
        for n in range(first):
            row[n] = 0
        for n in range(last, len(row)):
            row[n] = 0
    origin, width = (image * height + i0) * breadth + j0, breadth
    if not inside:
        origin, width = 0, scratch[1]
    for r in range(high):
        line = starts[r * wide : (r + 1) * wide]
        for c in range(len(line)):
            line[c] = (origin + r * rows[1] * width + c * columns[1]) * channels
    for spare in range(high * wide, high * wide + SPARE_ROWS):
        starts[spare] = starts[high * wide - 1]
    return inside
