"""The sliding sums of products behind `conv2d` and `conv_transpose2d`, and behind the gradient of their
weights.

Both are a few *passes* of one form.  A pass computes the outputs at rows offset, offset + out_stride, ...
(columns alike) as

    y[n, Y·out_stride + offset, …, o] = bias[o] + Σ_{t,c} weight[o, t, c] · x[n, Y·in_stride + shift[t], …, c]

An ordinary convolution is one pass; a transposed one has a pass for each remainder of the output row modulo
the stride, in which a part of the kernel's taps meets x at stride 1; a dilated one has a pass for each
remainder modulo the dilation.

A pass works block by block.  The part of x under a block of outputs is copied into *planes*, one for each
channel, in which neighbours along a row are neighbours in memory (for in_stride 2: the even and the odd
pixels in planes of their own).  Then the tap t of channel c sees, for all outputs of the block, one
contiguous stretch of its plane: the whole block is a sum of long vectors times numbers, which four outputs
times four taps at a time keep in registers, and which vectorises for every number of channels.  At the end of
each row the stretch runs over a few columns of the next one; those sums are computed and thrown away.
"""

import numpy as np

from minitorch_seg.kernels.cpu.passes import Pass, four, plan
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.parallel import parallel_for

PARTIAL_SUMS = 2**23  # numbers in all partial sums of a weight gradient together, at most about
TURNED = 32  # pixels turned from channels-last into planes at a time, so that their cache lines are read once


def correlate(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    passes: tuple[list[Pass], list[Pass]],
) -> None:
    """Fills y (N, H, W, O) from x (N, h, w, C) and weight (groups, O/groups, kh, kw, C/groups); all
    channels-last.
    """
    groups, part = weight.shape[:2]
    shown_bias = np.zeros(y.shape[3], y.dtype) if bias is None else bias
    for rows in passes[0]:
        for columns in passes[1]:
            if not rows.taps or not columns.taps:  # between the stamps of a kernel smaller than the stride
                y[:, rows.offset :: rows.out_stride, columns.offset :: columns.out_stride] = shown_bias
                continue
            used = weight[:, :, list(rows.taps)][:, :, :, list(columns.taps)].reshape(groups, part, -1)
            matrix = np.zeros((groups, four(part), four(used.shape[2])), y.dtype)
            matrix[:, :part, : used.shape[2]] = used
            blocks, arguments = plan(rows, columns, weight.shape[4])
            chunks = y.shape[0] * blocks
            parallel_for(_correlate, chunks, x, matrix, shown_bias, y, *arguments)


def weight_gradient(
    x: np.ndarray,
    grad: np.ndarray,
    groups: int,
    kernel: tuple[int, int],
    passes: tuple[list[Pass], list[Pass]],
) -> np.ndarray:
    """Σ over all outputs of grad times what each tap sees: (groups, O/groups, kh, kw, C/groups).  Every pass
    uses all taps.
    """
    channels, part = x.shape[3] // groups, grad.shape[3] // groups
    terms = kernel[0] * kernel[1] * channels
    total = np.zeros((groups, four(part), four(terms)), x.dtype)
    for rows in passes[0]:
        for columns in passes[1]:
            blocks, arguments = plan(rows, columns, channels)
            units = grad.shape[0] * blocks
            chunks = min(units, 32, max(PARTIAL_SUMS // max(total.size, 1), 2))
            partial = np.zeros((chunks, *total.shape), x.dtype)
            parallel_for(_weight_gradient, chunks, x, grad, partial, *arguments)
            total += partial.sum(axis=0)
    return total[:, :part, :terms].reshape(groups, part, *kernel, channels)


@kernel
def _correlate(first, last, x, weight, bias, y, rows, columns, row_phases, column_phases, offsets):
    groups, part4, _ = weight.shape
    part, channels = y.shape[3] // groups, x.shape[3] // groups
    blocks_down, blocks_across = -(-rows.outputs // rows.block), -(-columns.outputs // columns.block)
    width = columns.block + columns.span
    size = (rows.block + rows.span) * width
    planes = np.zeros(len(row_phases) * len(column_phases) * channels * size + rows.block * width, x.dtype)
    sums = np.empty((part4, rows.block * width), x.dtype)
    for chunk in range(first, last):
        image, block = chunk // (blocks_down * blocks_across), chunk % (blocks_down * blocks_across)
        top, left = block // blocks_across * rows.block, block % blocks_across * columns.block
        high, wide = min(rows.block, rows.outputs - top), min(columns.block, columns.outputs - left)
        length = (high - 1) * width + wide
        for group in range(groups):
            _fill_planes(
                planes,
                x[image],
                group * channels,
                channels,
                top,
                left,
                rows,
                columns,
                row_phases,
                column_phases,
            )
            for o in range(part4):
                for i in range(length):
                    sums[o, i] = 0
            _multiply(planes, offsets, weight[group], sums, length)
            for r in range(high):
                row = y[image, (top + r) * rows.out_stride + rows.offset]
                for start in range(0, wide, TURNED):
                    stop = min(start + TURNED, wide)
                    for o in range(part):
                        for c in range(start, stop):
                            row[(left + c) * columns.out_stride + columns.offset, group * part + o] = (
                                sums[o, r * width + c] + bias[group * part + o]
                            )


@kernel
def _weight_gradient(first, last, x, grad, partial, rows, columns, row_phases, column_phases, offsets):
    chunks, groups, part4, _ = partial.shape
    part, channels = grad.shape[3] // groups, x.shape[3] // groups
    blocks_down, blocks_across = -(-rows.outputs // rows.block), -(-columns.outputs // columns.block)
    blocks = blocks_down * blocks_across
    units = len(grad) * blocks
    width = columns.block + columns.span
    size = (rows.block + rows.span) * width
    planes = np.zeros(len(row_phases) * len(column_phases) * channels * size + rows.block * width, x.dtype)
    seen = np.zeros((part4, rows.block * width), x.dtype)  # zero in the columns that belong to no output
    for chunk in range(first, last):
        for unit in range(chunk * units // chunks, (chunk + 1) * units // chunks):
            image, block = unit // blocks, unit % blocks
            top, left = block // blocks_across * rows.block, block % blocks_across * columns.block
            high, wide = min(rows.block, rows.outputs - top), min(columns.block, columns.outputs - left)
            length = (high - 1) * width + wide
            for group in range(groups):
                _fill_planes(
                    planes,
                    x[image],
                    group * channels,
                    channels,
                    top,
                    left,
                    rows,
                    columns,
                    row_phases,
                    column_phases,
                )
                for r in range(high):
                    row = grad[image, (top + r) * rows.out_stride + rows.offset]
                    for o in range(part):
                        seen[o, r * width + wide : (r + 1) * width] = 0
                    for start in range(0, wide, TURNED):
                        stop = min(start + TURNED, wide)
                        for o in range(part):
                            for c in range(start, stop):
                                seen[o, r * width + c] = row[
                                    (left + c) * columns.out_stride + columns.offset, group * part + o
                                ]
                _multiply_reduce(planes, offsets, seen, partial[chunk, group], length)


@kernel
def _fill_planes(planes, image, channel, channels, top, left, rows, columns, row_phases, column_phases):
    """Copies the pixels under a block into planes; outside the image they are zero."""
    height, breadth, _ = image.shape
    high = min(rows.block, rows.outputs - top) + rows.span
    wide = min(columns.block, columns.outputs - left) + columns.span
    width = columns.block + columns.span
    size = (rows.block + rows.span) * width
    base = 0
    for row_phase in row_phases:
        for column_phase in column_phases:
            j0 = (left + columns.low) * columns.in_stride + column_phase
            # Columns begin … end − 1 of the plane lie inside the image: 0 <= j0 + column·in_stride < breadth.
            inside_begin = min(max(-(j0 // columns.in_stride), 0), wide)
            inside_end = min(max(-((j0 - breadth) // columns.in_stride), inside_begin), wide)
            for r in range(high):
                i = (top + r + rows.low) * rows.in_stride + row_phase
                if not 0 <= i < height:
                    begin = end = wide
                else:
                    begin, end = inside_begin, inside_end
                at = base + r * width
                for c in range(channels):
                    planes[at + c * size : at + c * size + begin] = 0
                    planes[at + c * size + end : at + c * size + wide] = 0
                for start in range(begin, end, TURNED):
                    stop = min(start + TURNED, end)
                    for c in range(channels):
                        for column in range(start, stop):
                            planes[at + c * size + column] = image[
                                i, j0 + column * columns.in_stride, channel + c
                            ]
            base += channels * size


@kernel
def _multiply(planes, offsets, weight, sums, length):
    """sums[o, i] += Σ_k weight[o, k] · planes[offsets[k] + i], four o and four k at a time."""
    outputs, terms = weight.shape
    for o in range(0, outputs, 4):
        y0, y1, y2, y3 = sums[o], sums[o + 1], sums[o + 2], sums[o + 3]
        w0, w1, w2, w3 = weight[o], weight[o + 1], weight[o + 2], weight[o + 3]
        for k in range(0, terms, 4):
            p0 = planes[offsets[k] : offsets[k] + length]
            p1 = planes[offsets[k + 1] : offsets[k + 1] + length]
            p2 = planes[offsets[k + 2] : offsets[k + 2] + length]
            p3 = planes[offsets[k + 3] : offsets[k + 3] + length]
            w00, w01, w02, w03 = w0[k], w0[k + 1], w0[k + 2], w0[k + 3]
            w10, w11, w12, w13 = w1[k], w1[k + 1], w1[k + 2], w1[k + 3]
            w20, w21, w22, w23 = w2[k], w2[k + 1], w2[k + 2], w2[k + 3]
            w30, w31, w32, w33 = w3[k], w3[k + 1], w3[k + 2], w3[k + 3]
            for i in range(length):
                x0, x1, x2, x3 = p0[i], p1[i], p2[i], p3[i]
                y0[i] += w00 * x0 + w01 * x1 + w02 * x2 + w03 * x3
                y1[i] += w10 * x0 + w11 * x1 + w12 * x2 + w13 * x3
                y2[i] += w20 * x0 + w21 * x1 + w22 * x2 + w23 * x3
                y3[i] += w30 * x0 + w31 * x1 + w32 * x2 + w33 * x3


@kernel
def _multiply_reduce(planes, offsets, grad, dweight, length):
    """dweight[o, k] += Σ_i grad[o, i] · planes[offsets[k] + i], four o and four k at a time."""
    outputs, terms = dweight.shape
    for o in range(0, outputs, 4):
        g0, g1, g2, g3 = grad[o], grad[o + 1], grad[o + 2], grad[o + 3]
        for k in range(0, terms, 4):
            p0 = planes[offsets[k] : offsets[k] + length]
            p1 = planes[offsets[k + 1] : offsets[k + 1] + length]
            p2 = planes[offsets[k + 2] : offsets[k + 2] + length]
            p3 = planes[offsets[k + 3] : offsets[k + 3] + length]
            s00 = s01 = s02 = s03 = planes.dtype.type(0)
            s10 = s11 = s12 = s13 = planes.dtype.type(0)
            s20 = s21 = s22 = s23 = planes.dtype.type(0)
            s30 = s31 = s32 = s33 = planes.dtype.type(0)
            for i in range(length):
                x0, x1, x2, x3 = p0[i], p1[i], p2[i], p3[i]
                y0, y1, y2, y3 = g0[i], g1[i], g2[i], g3[i]
                s00 += y0 * x0
                s01 += y0 * x1
                s02 += y0 * x2
                s03 += y0 * x3
                s10 += y1 * x0
                s11 += y1 * x1
                s12 += y1 * x2
                s13 += y1 * x3
                s20 += y2 * x0
                s21 += y2 * x1
                s22 += y2 * x2
                s23 += y2 * x3
                s30 += y3 * x0
                s31 += y3 * x1
                s32 += y3 * x2
                s33 += y3 * x3
            dweight[o, k] += s00
            dweight[o, k + 1] += s01
            dweight[o, k + 2] += s02
            dweight[o, k + 3] += s03
            dweight[o + 1, k] += s10
            dweight[o + 1, k + 1] += s11
            dweight[o + 1, k + 2] += s12
            dweight[o + 1, k + 3] += s13
            dweight[o + 2, k] += s20
            dweight[o + 2, k + 1] += s21
            dweight[o + 2, k + 2] += s22
            dweight[o + 2, k + 3] += s23
            dweight[o + 3, k] += s30
            dweight[o + 3, k + 1] += s31
            dweight[o + 3, k + 2] += s32
            dweight[o + 3, k + 3] += s33
