"""The register tiles of `tile_ir.py` in plain Python, with the same arguments: what each of them computes.

They run in the tiles' place with NUMBA_DISABLE_JIT=1, and tests compare the two.
"""

import numpy as np

from minitorch_seg.kernels.fast import transforms
from minitorch_seg.kernels.jit import VECTOR_BYTES


def prefetch(write, X, x):
    """Asks the processor to bring X[x] near, to be read or written soon.  Nothing else happens."""


def multiply(rows, vectors, A, a_rows, a, taps, terms, B, b, bias, z, C, c_rows, c, r, lanes):
    """C[c + c_rows[r + i] + j] = bias[z + j]
                               + Σ_{t,k} A[a + a_rows[r + i] + taps[t] + k] · B[b + (t·terms + k)·columns + j]

    for i < rows and the columns = vectors·W places j, W numbers a vector; of the last vector only the first
    `lanes` are stored.
    """
    width = VECTOR_BYTES // C.itemsize
    columns = vectors * width
    stored = columns - width + lanes
    matrix = B[b : b + len(taps) * terms * columns].reshape(-1, columns)
    for i in range(rows):
        start = a + a_rows[r + i]
        target = c + c_rows[r + i]
        row = np.concatenate([A[start + t : start + t + terms] for t in taps])
        C[target : target + stored] = (bias[z : z + columns] + row @ matrix)[:stored]


def lanes(count, more, A, a_rows, a, taps, t, B, b, bias, z, C, c_rows, c, first, last, lanes):
    """C[c + c_rows[p] + j] = bias[z + j] + Σ_i A[a + a_rows[p] + taps[t + i] + j] · B[b + i·W + j]

    for first <= p < last, i < count and j < lanes, W numbers a vector.  With `more`, what C held takes the
    place of the bias.
    """
    width = VECTOR_BYTES // C.itemsize
    factors = B[b : b + count * width].reshape(count, width)[:, :lanes]
    for p in range(first, last):
        target = C[c + c_rows[p] :][:lanes]
        start = a + a_rows[p]
        seen = np.array([A[start + shift :][:lanes] for shift in taps[t : t + count]]).reshape(count, lanes)
        target[:] = (target if more else bias[z : z + lanes]) + (seen * factors).sum(axis=0)


def dot(rows, outputs, A, a_rows, a, taps, terms, B, b, bias, z, C, c_rows, c, r, wanted):
    """C[c + c_rows[r + i] + o] = bias[z + o] + Σ_{t,k} A[a + a_rows[r + i] + taps[t] + k] · weight[t, k, o]

    for i < rows and o < wanted, where weight[t, v·W + j, o] = B[b + ((t·steps + v)·outputs + o)·W + j], W
    numbers a vector, steps = ⌈terms / W⌉: vectors go along the terms, and their places are added at the end.
    """
    width = VECTOR_BYTES // C.itemsize
    steps = -(-terms // width)
    weight = B[b : b + len(taps) * steps * outputs * width].reshape(len(taps), steps, outputs, width)
    weight = weight.transpose(0, 1, 3, 2).reshape(len(taps), steps * width, outputs)[:, :terms, :wanted]
    for i in range(rows):
        start, target = a + a_rows[r + i], c + c_rows[r + i]
        row = np.concatenate([A[start + t : start + t + terms] for t in taps])
        C[target : target + wanted] = bias[z : z + wanted] + row @ weight.reshape(-1, wanted)


def outer(each, rows, vectors, A, a, a_rows, r, a_steps, B, b, b_steps, first, count, C, c, c_row, lanes):
    """C[c + i·c_row + j] += Σ_p A[a + a_rows[r + i] + a_steps[p]] · B[b + b_steps[p] + j]

    for first <= p < first + count, i < rows and the vectors·W places j; of the last vector of B only the
    first `lanes` are read, the others count as zero.  With `each`, place j has a number of A of its own,
    A[… + j]; then vectors = 1.
    """
    width = VECTOR_BYTES // C.itemsize
    columns = vectors * width
    for p in range(first, first + count):
        row = np.zeros(columns, C.dtype)
        start = b + b_steps[p]
        row[: columns - width + lanes] = B[start : start + columns - width + lanes]
        for i in range(rows):
            start = a + a_rows[r + i] + a_steps[p]
            if each:
                C[c + i * c_row : c + i * c_row + lanes] += A[start : start + lanes] * row[:lanes]
            else:
                C[c + i * c_row : c + i * c_row + columns] += A[start] * row


def transform(
    taps, kind, clipped, S, s, s_row, s_column, s_lanes, D, d, d_row, d_column, d_lanes, window, bias, z
):
    """Applies transforms.KINDS[taps][kind] to a square of vectors.

    Vector (i, j) begins at S[s + i·s_row + j·s_column], result (i, j) at D[d + i·d_row + j·d_column].

    Lanes beyond s_lanes count as zero, those beyond d_lanes are not stored.  OUTPUT adds the vector bias[z].
    Where `clipped`, only the vectors of `window` exist (first row <= i < last row, first column <= j < last
    column): others count as zero or, for OUTPUT, are not stored.
    """
    transform, size, made = transforms.KINDS[taps][kind]
    width = VECTOR_BYTES // D.itemsize
    top, bottom, left, right = window if clipped else (0, 6, 0, 6)
    square = [[np.zeros(width, D.dtype) for _ in range(size)] for _ in range(size)]
    for i in range(size):
        for j in range(size):
            if kind == transforms.OUTPUT or (top <= i < bottom and left <= j < right):
                start = s + i * s_row + j * s_column
                square[i][j][:s_lanes] = S[start : start + s_lanes]
    results = transforms.on_both_axes(transform, square)
    for i in range(made):
        for j in range(made):
            if kind != transforms.OUTPUT or (top <= i < bottom and left <= j < right):
                value = results[i][j] + bias[z : z + width] if kind == transforms.OUTPUT else results[i][j]
                start = d + i * d_row + j * d_column
                D[start : start + d_lanes] = value[:d_lanes]
