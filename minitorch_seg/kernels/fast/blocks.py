"""The geometry behind `direct.py`: how outputs are cut into blocks, and where a block's pixels lie.

A pass (`cpu/passes.py`) says which taps of the kernel make which outputs.  A convolution is one pass, a
transposed one a pass for each remainder of the output's row and column modulo the stride.  A block is a small
rectangle of places that all passes fill, so that the pixels under it are read once, and copied at most once.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minitorch_seg.kernels.cpu.passes import Pass
from minitorch_seg.kernels.fast.panels import SPARE_ROWS, bounds
from minitorch_seg.kernels.jit import part

LONGEST, SHORTEST = 480, 24  # outputs of a block
SCRATCH = 65536  # numbers in the pixels under a block, about: 256 KiB in float32


@dataclass(frozen=True, eq=False)
class Passes:
    """The passes of rows and of columns.  Two are equal only if they are one object: so what is kept for them
    is found quickly.
    """

    rows: tuple[Pass, ...]
    columns: tuple[Pass, ...]

    def gaps(self) -> list[tuple[slice, slice]]:
        """Rows and columns of outputs that no tap reaches: between the stamps of a kernel smaller than the
        stride.
        """
        return [
            (slice(p.offset, None, p.out_stride), slice(q.offset, None, q.out_stride))
            for p in self.rows
            for q in self.columns
            if not p.taps or not q.taps
        ]


class Axis(NamedTuple):
    """Rows or columns: place i sees `span` pixels from i·in_stride + low on, and is written at i·out_stride.
    There are `places` of them in the map, `block` in a block.
    """

    places: int
    block: int
    in_stride: int
    low: int
    span: int
    out_stride: int


class Plan(NamedTuple):
    """How a direct convolution goes.

    blocks: how many there are in an image.
    jobs: for each pass: rows and columns of outputs, where they begin, its first tap, how many taps, how many
        terms each has.
    copied_taps, taps: where each tap begins behind the first pixel under a block, in a copy of those pixels
        and in the image itself.
    used: for each pass, the kernel's rows, and the kernel's columns for each pass that is merged in it.
    merged: so many neighbours in a row are written as one with so many times more channels.
    """

    rows: Axis
    columns: Axis
    blocks: int
    jobs: np.ndarray
    copied_taps: np.ndarray
    taps: np.ndarray
    used: tuple
    merged: int


def plan(passes: Passes, shape: tuple[int, ...], groups: int, width: int, scratch: int = SCRATCH) -> Plan:
    """The plan for images of `shape` (H, W, C) and maps `width` wide; about `scratch` numbers lie under a
    block.
    """
    channels = shape[2]
    row_passes = tuple(_ascending(p) for p in passes.rows if p.taps)
    column_passes = tuple(_ascending(p) for p in passes.columns if p.taps)
    alike = groups == 1 and len({(p.shifts, p.outputs) for p in column_passes}) == 1
    merged = len(column_passes) if alike and len(column_passes) * column_passes[0].outputs == width else 1
    strides = row_passes[0].in_stride, column_passes[0].in_stride
    # A block of n rows and m columns lies on about n·m·strides pixels.
    longest = max(min(LONGEST, scratch // (channels * strides[0] * strides[1])), SHORTEST)
    columns = _axis(column_passes, longest, merged)
    rows = _axis(row_passes, max(longest // columns.block, 1), 1)
    copied_width = (columns.block - 1) * columns.in_stride + columns.span
    jobs: list[tuple[int, ...]] = []
    used: list[tuple] = []
    taps: list[tuple[int, int]] = []
    for p in row_passes:
        for several in [column_passes] if merged > 1 else [(q,) for q in column_passes]:
            q = several[0]
            shown = q.shifts
            if groups == 1 and shown == tuple(range(shown[0], shown[0] + len(shown))):
                shown = shown[:1]  # neighbours in a row see one run of memory: one tap with more terms
            terms = channels // groups * (len(q.shifts) // len(shown))
            here = [(i - rows.low, j - columns.low) for i in p.shifts for j in shown]
            jobs.append((p.outputs, q.outputs, p.offset, q.offset, len(taps), len(here), terms))
            used.append((p.taps, tuple(one.taps for one in several)))
            taps += here
    copied, image = (
        np.array([(i * w + j) * channels for i, j in taps], np.int64) for w in (copied_width, shape[1])
    )
    blocks = -(-rows.places // rows.block) * -(-columns.places // columns.block)
    return Plan(rows, columns, blocks, np.array(jobs, np.int64), copied, image, tuple(used), merged)


def _ascending(axis: Pass) -> Pass:
    """The same axis with its taps from left to right."""
    order = sorted(range(len(axis.taps)), key=axis.shifts.__getitem__)
    return axis._replace(taps=tuple(axis.taps[i] for i in order), shifts=tuple(axis.shifts[i] for i in order))


def _axis(passes: tuple[Pass, ...], longest: int, merged: int) -> Axis:
    """What all passes of an axis have in common, in blocks of nearly equal length."""
    low, high = min(p.shifts[0] for p in passes), max(p.shifts[-1] for p in passes)
    places = max(p.outputs for p in passes)
    block = -(-places // -(-places // longest))
    first = passes[0]
    return Axis(places, block, first.in_stride, low, high - low + 1, first.out_stride // merged)


@part
def copy_size(rows, columns, channels):
    """Numbers in the copied pixels under a block."""
    high = (rows.block - 1) * rows.in_stride + rows.span
    return high * ((columns.block - 1) * columns.in_stride + columns.span) * channels


@part
def place_of(chunk, rows, columns):
    """(image, first row, first column) of a block."""
    across = -(-columns.places // columns.block)
    blocks = -(-rows.places // rows.block) * across
    return chunk // blocks, chunk % blocks // across * rows.block, chunk % across * columns.block


@part
def cuts(axis, size, begin, end):
    """Cuts the places begin … end − 1 in three: those between the inner cuts see no pixel outside the image,
    whose rows (or columns) are `size`.
    """
    first = -(axis.low // axis.in_stride)
    last = (size - axis.low - axis.span) // axis.in_stride + 1
    inner = min(max(first, begin), end)
    return begin, inner, max(min(last, end), inner), end


@part
def windows(x, shape, image, top, left, high, wide, rows, columns, copy):
    """(whether all pixels under a block lie in the image, where its first window begins): in the image
    itself, or else in `copy`, where they then stand with zeros around the image.
    """
    height, breadth, channels = shape
    i0, j0 = top * rows.in_stride + rows.low, left * columns.in_stride + columns.low
    seen_high = (high - 1) * rows.in_stride + rows.span
    seen_wide = (wide - 1) * columns.in_stride + columns.span
    if i0 >= 0 and i0 + seen_high <= height and j0 >= 0 and j0 + seen_wide <= breadth:
        return True, ((image * height + i0) * breadth + j0) * channels
    line = ((columns.block - 1) * columns.in_stride + columns.span) * channels
    begin = min(max(-j0, 0), seen_wide) * channels
    end = max(max(min(breadth - j0, seen_wide), 0) * channels, begin)
    for r in range(seen_high):
        row = copy[r * line : r * line + seen_wide * channels]
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
    return False, 0


@part
def list_places(places, high, wide, row, column):
    """Where the places of a block lie, row by row, the last of them SPARE_ROWS times more.  Gives their
    bounds.
    """
    for r in range(high):
        line = places[r * wide : (r + 1) * wide]
        for c in range(wide):
            line[c] = r * row + c * column
    for spare in range(high * wide, high * wide + SPARE_ROWS):
        places[spare] = places[high * wide - 1]
    return bounds(places, high * wide + SPARE_ROWS)


@part
def next_block(shapes, image, top, left, high, wide, rows, columns, pixel):
    """(begin, length) of the pixels that the next block sees and this one does not, and of its outputs."""
    height, breadth, channels, out_height, out_breadth = shapes[:5]
    row, column = top * rows.out_stride, left * columns.out_stride
    made = ((image * out_height + row) * out_breadth + column) * pixel
    row = (top + high - 1) * rows.in_stride + rows.low + rows.span - 1
    column = (left + wide - 1) * columns.in_stride + columns.low + columns.span
    seen = ((image * height + row) * breadth + column) * channels
    if columns.block == columns.places:  # whole rows
        x_length = rows.block * rows.in_stride * breadth
        y_length = rows.block * rows.out_stride * out_breadth
    else:
        x_length, y_length = columns.block * columns.in_stride, columns.block * columns.out_stride
    return seen, x_length * channels, made + y_length * pixel, y_length * pixel
