"""A channels-last map as one long row of numbers, in which the channel repeats with period C.

The kernels of batch normalisation and of channel sums walk through it in *stretches* of a whole number of
periods, about 512 numbers long: the inner loop is long and vectorises whatever C is, and what belongs to a
channel (a mean, a scale) is laid out once along a stretch.  Sums go over ROWS stretches at a time, place by
place in the map's own dtype, and from there into float64: so rounding does not pile up, and few numbers are
converted.
"""

import numpy as np

from minitorch_seg.kernels.jit import part
from minitorch_seg.kernels.layout import pixels, read_only

STRETCH = 512  # numbers
CHUNK = 32768  # numbers: 128 KiB in float32, so that a second walk finds them in the cache
ROWS = 8


def cut(x: np.ndarray) -> tuple[np.ndarray, int, int, int]:
    """The map x as one row, and how many numbers make a stretch, how many a chunk, how many chunks x."""
    flat, channels = pixels(x).reshape(-1), x.shape[1]
    stretch = max(STRETCH // max(channels, 1), 1) * channels
    chunk = max(CHUNK // max(stretch, 1), 1) * stretch
    return flat, stretch, chunk, -(-flat.size // max(chunk, 1))


def lay_out(values: list[np.ndarray], stretch: int, dtype: np.dtype) -> np.ndarray:
    """Several values a channel -> each laid out along a stretch, of shape (len(values), stretch)."""
    places = np.empty((len(values), stretch // max(len(values[0]), 1), len(values[0])), dtype)
    for i, value in enumerate(values):
        places[i] = value
    return read_only(places.reshape(len(values), stretch))


@part
def gather(places, sums):
    """sums[c] = Σ of the places of a stretch that belong to channel c."""
    sums[:] = 0
    for start in range(0, len(places), len(sums)):
        for c in range(len(sums)):
            sums[c] += places[start + c]
