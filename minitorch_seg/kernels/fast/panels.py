"""Products of whole panels, tile by tile: the only callers of the register tiles, and the range checks
before them.

Output channels are cut into *panels* of one to MOST vectors.  A packed weight holds, for each panel, its
columns of the matrix with one row a term, so that a tile reads it from front to back.  The last panel is
filled up with zeros.
"""

from itertools import pairwise

import numpy as np

from minitorch_seg.kernels.fast.tile_ir import dot_tile, multiply_tile, outer_tile, prefetch
from minitorch_seg.kernels.jit import REGISTERS, VECTOR_BYTES, part

MOST = 4 if REGISTERS == 32 else 2
# Rows of a tile with one, two, three, four vectors: its sums, the vectors and one more fit the registers.
ROWS_OF = (12, 12, 8, 6) if REGISTERS == 32 else (10, 6, 6, 6)
ROWS_1, ROWS_2, ROWS_3, ROWS_4 = ROWS_OF
OUTER_1, OUTER_2, OUTER_3, OUTER_4 = (8, 8, 8, 6) if REGISTERS == 32 else (8, 6, 6, 6)
DOTS, DOT_ROWS = 3, 8 if REGISTERS == 32 else 4  # outputs and rows of a tile of dot products
# So many rows more than are wanted may be computed.
SPARE_ROWS, OUTER_SPARE = max(ROWS_1, ROWS_2, DOT_ROWS) - 1, max(OUTER_1, OUTER_2) - 1


def lanes_of(dtype: np.dtype) -> int:
    """Numbers in a vector."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def padded(channels: int, dtype: np.dtype) -> int:
    """Channels filled up to whole vectors."""
    return -(-channels // lanes_of(dtype)) * lanes_of(dtype)


def fill_up(values: np.ndarray, length: int) -> np.ndarray:
    """A vector with zeros behind it."""
    result = np.zeros(length, values.dtype)
    result[: len(values)] = values
    return result


def panel_bounds(vectors: int) -> list[int]:
    """Where panels begin and end, in vectors: as few panels as possible, of nearly equal width.

    >>> panel_bounds(5)[0], panel_bounds(5)[-1]
    (0, 5)
    """
    parts = max(-(-vectors // MOST), 1)
    return [q * vectors // parts for q in range(parts + 1)]


def pack(matrix: np.ndarray) -> np.ndarray:
    """(terms, outputs) -> the packed weight, flat."""
    terms, outputs = matrix.shape
    width = lanes_of(matrix.dtype)
    whole = matrix
    if outputs % width:
        whole = np.zeros((terms, padded(outputs, matrix.dtype)), matrix.dtype)
        whole[:, :outputs] = matrix
    bounds = panel_bounds(whole.shape[1] // width)
    panels = len(bounds) - 1
    if whole.shape[1] % (panels * width) == 0:  # of equal width
        return whole.reshape(terms, panels, -1).transpose(1, 0, 2).reshape(-1)
    parts = [whole[:, a * width : b * width].reshape(-1) for a, b in pairwise(bounds)]
    return np.concatenate(parts)


def dots_pay(outputs: int, taps: int, terms: int, dtype: np.dtype) -> bool:
    """Whether vectors along the terms make so few outputs in less than half the steps of vectors along the
    outputs, which leave most places empty.  To add a vector's places up costs about as much as four steps.
    """
    return outputs <= DOTS and 2 * DOTS * (taps * -(-terms // lanes_of(dtype)) + 4) < taps * terms


@part
def bounds(places, count):
    """(least, greatest) of the first `count` numbers; of all where there are fewer, which a tile refuses."""
    low, high = places[0], places[0]
    for i in range(min(count, len(places))):
        low, high = min(low, places[i]), max(high, places[i])
    return low, high


@part
def fetch(write, X, begin, end):
    """Brings X[begin:end] nearer, while other work goes on."""
    for x in range(begin, end, 64 // X.itemsize):
        prefetch(write, X, x)


@part
def share(X, begin, length, parts):
    """Numbers of X[begin : begin + length] for each of about `parts` steps; none where X ends before that."""
    each = -(-length // parts)
    return each if length > 0 and begin >= 0 and begin + each * (parts + SPARE_ROWS) <= len(X) else 0


@part
def multiply_panels(
    A, a_rows, C, c_rows, reach, starts, taps, terms, B, bias, count, outputs, products, X, Y, ahead
):
    """`products` matrix products; with (a, b, z, c, a_step, b_step, c_step) = starts, product m is

    C[c + m·c_step + c_rows[i] + o] = bias[z + o]
                                      + Σ_{t,k} A[a + m·a_step + a_rows[i] + taps[t] + k] · weight[t, k, o]

    for i < count and o < outputs, and its packed weight begins at B[b + m·b_step].  Both arrays of rows go on
    for SPARE_ROWS behind `count`, and reach = (*bounds(a_rows, count + SPARE_ROWS),
    *bounds(c_rows, count + SPARE_ROWS)).  Meanwhile X[x : x + n] and Y[y : y + m] are fetched to be read and
    written soon, with (x, n, y, m) = ahead.
    """
    a, b, z, c, a_step, b_step, c_step = starts
    low_a, high_a, low_c, high_c = reach
    width = VECTOR_BYTES // C.itemsize
    vectors = -(-outputs // width)
    parts = -(-vectors // MOST)
    low_t, high_t = bounds(taps, len(taps))
    if (
        min(len(a_rows), len(c_rows)) < count + SPARE_ROWS
        or a + low_a + low_t < 0
        or a + high_a + high_t + terms + (products - 1) * a_step > len(A)
        or c + low_c < 0
        or c + high_c + outputs + (products - 1) * c_step > len(C)
        or min(b, a_step, b_step, c_step) < 0
        or b + (products - 1) * b_step + len(taps) * terms * vectors * width > len(B)
        or z < 0
        or z + vectors * width > len(bias)
    ):
        raise IndexError("a tile would leave its arrays")
    x0, x_length, y0, y_length = ahead
    x_each, y_each = share(X, x0, x_length, count * products), share(Y, y0, y_length, count * products)
    for product in range(products):
        for q in range(parts):
            begin, stop = q * vectors // parts, (q + 1) * vectors // parts
            at = b + begin * width * terms * len(taps)
            zq, cq = z + begin * width, c + begin * width
            lanes = min(outputs - (stop - 1) * width, width)
            wide = stop - begin
            rows = ROWS_OF[wide - 1]
            for r in range(0, count, rows):
                if q == 0:
                    done = product * count + r
                    fetch(0, X, x0 + done * x_each, x0 + (done + rows) * x_each)
                    fetch(1, Y, y0 + done * y_each, y0 + (done + rows) * y_each)
                if wide == 1:
                    multiply_tile(
                        ROWS_1, 1, A, a_rows, a, taps, terms, B, at, bias, zq, C, c_rows, cq, r, lanes
                    )
                elif wide == 2:
                    multiply_tile(
                        ROWS_2, 2, A, a_rows, a, taps, terms, B, at, bias, zq, C, c_rows, cq, r, lanes
                    )
                elif MOST > 2 and wide == 3:
                    multiply_tile(
                        ROWS_3, 3, A, a_rows, a, taps, terms, B, at, bias, zq, C, c_rows, cq, r, lanes
                    )
                elif MOST > 2:
                    multiply_tile(
                        ROWS_4, 4, A, a_rows, a, taps, terms, B, at, bias, zq, C, c_rows, cq, r, lanes
                    )
        a, b, c = a + a_step, b + b_step, c + c_step


@part
def dot_panels(A, a_rows, C, c_rows, reach, starts, taps, terms, B, bias, count, outputs):
    """One product as `multiply_panels` makes it, of at most DOTS outputs; B as in `tile_twins.dot`."""
    a, b, z, c = starts
    low_a, high_a, low_c, high_c = reach
    width = VECTOR_BYTES // C.itemsize
    low_t, high_t = bounds(taps, len(taps))
    if (
        min(len(a_rows), len(c_rows)) < count + SPARE_ROWS
        or outputs > DOTS
        or a + low_a + low_t < 0
        or a + high_a + high_t + terms > len(A)
        or c + low_c < 0
        or c + high_c + outputs > len(C)
        or min(b, z) < 0
        or b + len(taps) * -(-terms // width) * DOTS * width > len(B)
        or z + outputs > len(bias)
    ):
        raise IndexError("a tile would leave its arrays")
    for r in range(0, count, DOT_ROWS):
        dot_tile(DOT_ROWS, DOTS, A, a_rows, a, taps, terms, B, b, bias, z, C, c_rows, c, r, outputs)


@part
def outer_panels(
    A, a_rows, rows, a_steps, B, b_steps, reach, first, count, C, starts, outputs, read, products
):
    """`products` sums of outer products; with (a, b, c, a_step, b_step) = starts, sum m is

    C[c + (m·height + i)·outputs + o] += Σ_p A[a + m·a_step + a_rows[i] + a_steps[p]]
                                             · B[b + m·b_step + b_steps[p] + o]

    for i < rows and first <= p < first + count, where height = rows + OUTER_SPARE.  `outputs` is a multiple
    of the vector's width; of B only the places o < read count, and what C becomes at others means nothing.
    `a_rows` goes on for OUTER_SPARE behind `rows`, and reach = (*bounds(a_rows, rows + OUTER_SPARE),
    *bounds(a_steps, n), *bounds(b_steps, n)) for an n >= first + count.
    """
    a, b, c, a_step, b_step = starts
    low_r, high_r, low_a, high_a, low_b, high_b = reach
    width = VECTOR_BYTES // C.itemsize
    vectors = outputs // width
    parts = -(-vectors // MOST)
    if (
        len(a_rows) < rows + OUTER_SPARE
        or min(len(a_steps), len(b_steps)) < first + count
        or first < 0
        or outputs != vectors * width
        or read > outputs
        or read <= outputs - width
        or a + low_r + low_a < 0
        or a + high_r + high_a + (products - 1) * a_step >= len(A)
        or b + low_b < 0
        or b + high_b + read + (products - 1) * b_step > len(B)
        or min(c, a_step, b_step) < 0
        or c + products * (rows + OUTER_SPARE) * outputs > len(C)
    ):
        raise IndexError("a tile would leave its arrays")
    if b + high_b + outputs + (products - 1) * b_step <= len(B):
        read = outputs  # whole vectors end within B: their last places cost nothing, a mask would
    for _ in range(products):
        for q in range(parts):
            begin, stop = q * vectors // parts, (q + 1) * vectors // parts
            bq, cq = b + begin * width, c + begin * width
            lanes = min(read - (stop - 1) * width, width)
            if stop - begin == 1:
                for r in range(0, rows, OUTER_1):
                    at = cq + r * outputs
                    outer_tile(
                        0, OUTER_1, 1, A, a, a_rows, r, a_steps, B, bq, b_steps, first, count,
                        C, at, outputs, lanes,
                    )  # fmt: skip
            elif stop - begin == 2:
                for r in range(0, rows, OUTER_2):
                    at = cq + r * outputs
                    outer_tile(
                        0, OUTER_2, 2, A, a, a_rows, r, a_steps, B, bq, b_steps, first, count,
                        C, at, outputs, lanes,
                    )  # fmt: skip
            elif MOST > 2 and stop - begin == 3:
                for r in range(0, rows, OUTER_3):
                    at = cq + r * outputs
                    outer_tile(
                        0, OUTER_3, 3, A, a, a_rows, r, a_steps, B, bq, b_steps, first, count,
                        C, at, outputs, lanes,
                    )  # fmt: skip
            elif MOST > 2:
                for r in range(0, rows, OUTER_4):
                    at = cq + r * outputs
                    outer_tile(
                        0, OUTER_4, 4, A, a, a_rows, r, a_steps, B, bq, b_steps, first, count,
                        C, at, outputs, lanes,
                    )  # fmt: skip
        a, b, c = a + a_step, b + b_step, c + (rows + OUTER_SPARE) * outputs
