"""Sums over all pixels, channel by channel; `reference/channel_sum.py` has the formula.

Channels-last, a map is a list of pixels, each with its channels side by side.  Every chunk of pixels has its
own float64 sums, so rounding does not pile up; they are added in the order of the chunks.
"""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import pixels
from minitorch_seg.kernels.parallel import parallel_for

CHUNK = 32768  # numbers in a chunk, about


def channel_sum(x: np.ndarray) -> np.ndarray:
    """s[c] = Σ_{n, i, j} x[n, c, i, j], of shape (C,)."""
    listed, step, chunks = cut(x)
    sums = np.zeros((chunks, x.shape[1]))
    parallel_for(_add, chunks, listed, step, sums)
    return sums.sum(axis=0).astype(x.dtype)


def cut(x: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The map x as a list of pixels (N·H·W, C), how many of them make a chunk, and how many chunks x."""
    n, c, h, w = x.shape
    step = max(CHUNK // max(c, 1), 1)
    return pixels(x).reshape(n * h * w, c), step, -(-n * h * w // step)


@kernel
def _add(first, last, x, step, sums):
    for k in range(first, last):
        total = sums[k]
        for p in range(k * step, min((k + 1) * step, len(x))):
            for c in range(x.shape[1]):
                total[c] += x[p, c]
