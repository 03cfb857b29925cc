"""The order of weights: packed as the tiles of `direct.py` read them, and gradients back in a weight's order.

A weight lies in memory as (outputs, channels, taps), or as (channels, outputs, taps) for a transposed
convolution.  A tile wants one row of outputs for each tap and channel, panel after panel (`panels.py`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_seg.kernels.fast.panels import DOTS, MOST, OUTER_SPARE
from minitorch_seg.kernels.jit import VECTOR_BYTES, kernel
from minitorch_seg.kernels.jit import part as inlined
from minitorch_seg.kernels.parallel import parallel_for

STRIP, LINE = 32, 16  # channels brought into order together, and outputs: few cache lines at a time
ALONE = 2**15  # numbers up to which one thread orders them in less time than it takes to share the work


def share(kernel: Callable[..., None], chunks: int, numbers: int, *args: Any) -> None:
    """Runs a kernel, on several threads where it moves enough numbers."""
    if numbers <= ALONE:
        kernel(0, chunks, *args)
    else:
        parallel_for(kernel, chunks, *args)


@kernel
def pack_panels(first, last, weight, strides, bias, shape, matrices, origins, packed, shift):
    """Packs vectors number first … last − 1 of the outputs of every matrix, and of the bias.

    matrices: for each pass, where its packed matrices begin, the numbers of one group, its first origin, how
        many taps it has, how many terms a tile sees in a run.
    origins: tap by tap, and for each of the `merged` neighbours in a row, the tap's place in the weight.
    With (channel, output, group) = strides, the number that tap, channel c, output o and group g share is
    weight[origin + c·channel + o·output + g·group].
    """
    part, own, groups, merged = shape
    channel, output, group_stride = strides
    width = VECTOR_BYTES // packed.itemsize
    outputs = own * merged
    vectors = -(-outputs // width)
    panels = -(-vectors // MOST)
    for v in range(first, last):
        q = 0
        while (q + 1) * vectors // panels <= v:
            q += 1
        left = q * vectors // panels
        step = ((q + 1) * vectors // panels - left) * width  # from one term to the next
        for group in range(groups):
            _lay_out(bias, group * own, own, outputs, v * width, shift, (group * vectors + v) * width, width)
            for m in range(len(matrices)):
                begin, size, origin, taps, _ = matrices[m]
                begin += group * size + left * width * taps * part + (v - left) * width
                for t in range(taps):
                    for strip in range(0, part, STRIP):
                        end = min(strip + STRIP, part)
                        for lane in range(width):
                            target, made = begin + t * part * step + lane, v * width + lane
                            if made < outputs:
                                place = origins[origin + t * merged + made // own]
                                source = place + group * group_stride + made % own * output
                                for c in range(strip, end):
                                    packed[target + c * step] = weight[source + c * channel]
                            else:
                                for c in range(strip, end):
                                    packed[target + c * step] = 0


@kernel
def pack_dots(first, last, weight, strides, bias, shape, matrices, origins, packed, shift):
    """The same for tiles of dot products, whose vectors go along the terms: all outputs at once."""
    part, own, groups, merged = shape
    channel, output, group_stride = strides
    width = VECTOR_BYTES // packed.itemsize
    packed[:] = 0
    length = len(shift) // groups
    for group in range(groups):
        _lay_out(bias, group * own, own, own * merged, 0, shift, group * length, length)
        for m in range(len(matrices)):
            begin, size, origin, taps, terms = matrices[m]
            steps = -(-terms // width)
            for made in range(own * merged):
                target = begin + group * size + made * width
                for t in range(taps):
                    place = origins[origin + t * merged + made // own]
                    source = place + group * group_stride + made % own * output
                    for c in range(part):
                        run, k = (t * part + c) // terms, (t * part + c) % terms
                        step = (run * steps + k // width) * DOTS * width
                        packed[target + step + k % width] = weight[source + c * channel]


@inlined
def _lay_out(bias, first, own, outputs, begin, shift, place, length):
    """The bias of outputs number begin … begin + length − 1, zero where there is none."""
    for n in range(length):
        made = begin + n
        shift[place + n] = bias[first + made % own] if made < outputs and len(bias) > 0 else 0


@kernel
def unpack_gradient(first, last, sums, shape, swapped, dweight):
    """The sum of a weight gradient's partial sums, for strips number first … last − 1 of channels.

    dweight (groups, own, part, taps), flat.  A partial sum holds for each group a matrix (taps · part, own)
    or, where x gave the columns (`swapped`), for each run of terms a matrix (own, terms); both with
    OUTER_SPARE more rows, and columns filled up to whole vectors.
    """
    part, own, taps, terms = shape
    width = VECTOR_BYTES // sums.itemsize
    strips = -(-part // STRIP)
    rows, columns = (own, terms) if swapped else (taps * part, own)
    wide = -(-columns // width) * width
    size = (rows + OUTER_SPARE) * wide
    line = own if swapped else wide
    total = np.empty(STRIP * line, sums.dtype)
    for strip in range(first, last):
        group, begin = strip // strips, strip % strips * STRIP
        length = min(part - begin, STRIP)
        for t in range(taps):
            term = t * part + begin
            total[:] = 0
            for chunk in range(len(sums)):
                if swapped:
                    for o in range(own):
                        source = term // terms * size + o * wide + term % terms
                        for c in range(length):
                            total[c * line + o] += sums[chunk, source + c]
                else:
                    source = group * size + term * wide
                    more = sums[chunk, source : source + length * wide]
                    for n in range(length * wide):
                        total[n] += more[n]
            for left in range(0, own, LINE):
                for c in range(length):
                    target = (group * own * part + begin + c) * taps + t
                    for o in range(left, min(left + LINE, own)):
                        dweight[target + o * part * taps] = total[c * line + o]
