"""A channels-last map as one long row of numbers, in which the channel repeats with period C.

The kernels of batch normalisation and of channel sums walk through it in *stretches* of a whole number of
periods, about 512 numbers long: the inner loop is long and vectorises whatever C is, and what belongs to a
channel (a mean, a scale) is laid out once along a stretch.  Sums go over ROWS stretches at a time, place by
place in the map's own dtype, and from there into float64: so rounding does not pile up, and few numbers are
converted.
"""

from functools import lru_cache

import numpy as np

from minitorch_seg.kernels.jit import part
from minitorch_seg.kernels.layout import pixels

STRETCH = 512  # numbers
CHUNK = 32768  # numbers at most, about: 128 KiB in float32, so that a second walk finds them in the cache
SHARES = 8  # chunks are a multiple of it, and of one length but the last: 2, 4 or 8 threads end together
ROWS = 8


def cut(x: np.ndarray) -> tuple[np.ndarray, int, int, int]:
    """The map x as one row, and how many numbers make a stretch, how many a chunk, how many chunks x."""
    flat = pixels(x).reshape(-1)
    return flat, *_lengths(flat.size, x.shape[1])


@lru_cache(maxsize=512)
def _lengths(size: int, channels: int) -> tuple[int, int, int]:
    if size == 0:
        return 0, 0, 0
    stretch = max(STRETCH // channels, 1) * channels
    chunks = -(-size // CHUNK)
    if chunks > 1:
        chunks = -(-chunks // SHARES) * SHARES
    chunk = -(-size // (chunks * stretch)) * stretch
    return stretch, chunk, -(-size // chunk)


@part
def lay_out(values, stretch):
    """Several values a channel (n, C) -> each laid out along a stretch (n, stretch)."""
    count, channels = values.shape
    places = np.empty((count, stretch), values.dtype)
    for i in range(count):
        for start in range(0, stretch, channels):
            for c in range(channels):
                places[i, start + c] = values[i, c]
    return places


@part
def gather(places, sums):
    """sums[c] = Σ of the places of a stretch that belong to channel c."""
    sums[:] = 0
    for start in range(0, len(places), len(sums)):
        for c in range(len(sums)):
            sums[c] += places[start + c]
