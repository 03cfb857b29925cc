"""Sums over all pixels, channel by channel: `reference/channel_sum.py`, stretch by stretch."""

import numpy as np

from minitorch_seg.kernels.fast.stretches import ROWS, cut, gather
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.parallel import parallel_for


def channel_sum(x: np.ndarray) -> np.ndarray:
    """s[c] = Σ_{n, i, j} x[n, c, i, j], of shape (C,)."""
    flat, stretch, chunk, chunks = cut(x)
    sums = np.empty((chunks, x.shape[1]))
    parallel_for(_add, chunks, flat, stretch, chunk, sums)
    return sums.sum(axis=0).astype(x.dtype)


@kernel
def _add(first, last, x, stretch, chunk, sums):
    total = np.empty(stretch)
    for k in range(first, last):
        total[:] = 0
        begin, end = k * chunk, min((k + 1) * chunk, len(x))
        for start in range(begin, end, ROWS * stretch):
            if start + ROWS * stretch <= end:
                rows = x[start : start + ROWS * stretch].reshape(ROWS, stretch)
                for i in range(stretch):
                    added = x.dtype.type(0)
                    for r in range(ROWS):
                        added += rows[r, i]
                    total[i] += added
            else:
                for at in range(start, end, stretch):
                    row = x[at : min(at + stretch, end)]
                    for i in range(len(row)):
                        total[i] += row[i]
        gather(total, sums[k])
