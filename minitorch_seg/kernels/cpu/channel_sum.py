"""Sums over all pixels, channel by channel.

Channels-last, a map is one long run of numbers in which the channel repeats with period C.  The kernels walk
through it in stretches of a whole number of periods, about 512 numbers long, with one float64 accumulator for
each place in the stretch: the loop is long and vectorises whatever C is, and rounding does not pile up.
"""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import pixels
from minitorch_seg.kernels.parallel import parallel_for

STRETCH = 512
CHUNK = 32768  # numbers in a chunk, about


def channel_sum(x: np.ndarray) -> np.ndarray:
    """s[c] = Σ_{n, i, j} x[n, c, i, j], of shape (C,)."""
    flat = pixels(x).reshape(-1)
    stretch, chunk, chunks = cut(flat.size, x.shape[1])
    sums = np.zeros((chunks, stretch))
    parallel_for(_add, chunks, flat, chunk, sums)
    return per_channel(sums, x.shape[1]).astype(x.dtype)


def cut(size: int, channels: int) -> tuple[int, int, int]:
    """(numbers in a stretch, numbers in a chunk, chunks) for a map of `size` numbers."""
    stretch = max(STRETCH // max(channels, 1), 1) * channels
    chunk = max(CHUNK // max(stretch, 1), 1) * stretch
    return stretch, chunk, -(-size // max(chunk, 1))


def per_channel(sums: np.ndarray, channels: int) -> np.ndarray:
    """(chunks, stretch) -> (C,): the places of a stretch that belong to one channel, added over all chunks.
    """
    return sums.reshape(-1, channels).sum(axis=0) if channels else np.zeros(0)


def repeat(values: np.ndarray, stretch: int, dtype: np.dtype) -> np.ndarray:
    """One value a channel -> one value for each place of a stretch."""
    return np.tile(values, stretch // max(len(values), 1)).astype(dtype)


@kernel
def _add(first, last, x, chunk, sums):
    stretch = sums.shape[1]
    for k in range(first, last):
        total = sums[k]
        for start in range(k * chunk, min((k + 1) * chunk, len(x)), stretch):
            part = x[start : start + stretch]
            for i in range(len(part)):
                total[i] += part[i]
