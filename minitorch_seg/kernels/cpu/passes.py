"""The geometry behind `correlation.py`: which passes a convolution takes, how a pass is cut into blocks, and
where in a block's planes each tap of each channel begins.  Integers only.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

LONGEST, SHORTEST = 512, 128  # outputs of a block: long enough for long vectors, short enough for the cache
PLANES = 65536  # numbers in the planes of a block, about: 256 KiB in float32


class Pass(NamedTuple):
    """One axis of a pass: which taps, where each one reads, and which outputs are made."""

    taps: tuple[int, ...]
    shifts: tuple[int, ...]
    in_stride: int
    out_stride: int
    offset: int
    outputs: int


class Axis(NamedTuple):
    """One axis of a pass as the kernels see it.  Planes begin at row `low` of their phase, and blocks need
    `span` more rows.
    """

    outputs: int
    block: int
    in_stride: int
    low: int
    span: int
    out_stride: int
    offset: int


def convolution_passes(count: int, kernel: int, stride: int, padding: int, dilation: int) -> list[Pass]:
    """An axis of conv2d with `count` outputs."""
    taps = tuple(range(kernel))

    def shifts(first: int) -> tuple[int, ...]:
        return tuple(first + k * dilation for k in taps)

    if stride == 1 and dilation > 1:
        return [
            Pass(taps, shifts(f - padding), dilation, dilation, f, _share(count, f, dilation))
            for f in range(min(dilation, count))
        ]
    return [Pass(taps, shifts(-padding), stride, 1, 0, count)]


def transposed_passes(count: int, kernel: int, stride: int, padding: int, dilation: int) -> list[Pass]:
    """An axis of conv_transpose2d with `count` outputs: output f + i·stride meets x at i + shift, where

    shift = (f + padding − k·dilation) / stride     for those taps k for which that is a whole number
    """
    passes = []
    for f in range(min(stride, count)):
        taps = tuple(k for k in range(kernel) if (f + padding - k * dilation) % stride == 0)
        shifts = tuple((f + padding - k * dilation) // stride for k in taps)
        passes.append(Pass(taps, shifts, 1, stride, f, _share(count, f, stride)))
    return passes


@lru_cache(maxsize=1024)
def plan(rows: Pass, columns: Pass, channels: int) -> tuple[int, tuple]:
    """(blocks of an image, arguments of the kernels): both axes, their phases, and where each (tap, channel)
    begins.

    Kept, because a network asks for the same few plans at every step.
    """
    row_phases, row_q, row_low, row_span = _phases(rows)
    column_phases, column_q, column_low, column_span = _phases(columns)
    planes = len(row_phases) * len(column_phases) * max(channels, 1)
    longest = min(max(PLANES // planes, SHORTEST), LONGEST)
    across = _even(columns.outputs, longest)
    width = across + column_span
    down = _even(rows.outputs, max(longest // width, 1))
    blocks = -(-rows.outputs // down) * -(-columns.outputs // across)
    size = (down + row_span) * width
    row_place = [row_phases.index(s % rows.in_stride) for s in rows.shifts]
    column_place = [column_phases.index(s % columns.in_stride) for s in columns.shifts]
    offsets = [
        ((row_place[i] * len(column_phases) + column_place[j]) * channels + c) * size
        + (row_q[i] - row_low) * width
        + (column_q[j] - column_low)
        for i in range(len(rows.taps))
        for j in range(len(columns.taps))
        for c in range(channels)
    ]
    offsets += [planes * size] * (-len(offsets) % 4)  # the stretch of zeros behind the planes
    arguments = (
        Axis(rows.outputs, down, rows.in_stride, row_low, row_span, rows.out_stride, rows.offset),
        Axis(
            columns.outputs,
            across,
            columns.in_stride,
            column_low,
            column_span,
            columns.out_stride,
            columns.offset,
        ),
        np.array(row_phases, np.int64),
        np.array(column_phases, np.int64),
        np.array(offsets, np.int64),
    )
    return blocks, arguments


def _share(count: int, first: int, step: int) -> int:
    """How many of first, first + step, ... lie below count."""
    return -(-(count - first) // step)


def _phases(axis: Pass) -> tuple[list[int], list[int], int, int]:
    """A shift is quotient·in_stride + phase: the phases that occur, the quotient of each tap, the least
    quotient, and how far the quotients span.
    """
    quotients = [s // axis.in_stride for s in axis.shifts]
    return (
        sorted({s % axis.in_stride for s in axis.shifts}),
        quotients,
        min(quotients),
        max(quotients) - min(quotients),
    )


def _even(count: int, most: int) -> int:
    """The length of blocks not longer than `most` that cut `count` evenly."""
    return max(-(-count // -(-count // most)), 1) if count else 1


def four(n: int) -> int:
    """The next multiple of four."""
    return -(-n // 4) * 4
