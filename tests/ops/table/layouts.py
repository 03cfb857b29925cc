"""Ways for an array to lie in memory: those of the kernels' tests, and what else a user may bring."""

from __future__ import annotations

import numpy as np

from tests.kernels import helpers

LAYOUTS = (*helpers.LAYOUTS, "transposed", "flipped", "broadcast", "unaligned", "byte-swapped")


def lay_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers in another memory layout; "broadcast" repeats the first ones along the last axis of
    a float array, with a stride of zero.
    """
    if layout == "transposed":
        return np.array(x, order="F")
    if layout == "flipped":
        return np.flip(np.array(np.flip(x)))
    if layout == "broadcast" and x.ndim and x.dtype.kind == "f":
        return np.broadcast_to(np.array(x[..., :1]), x.shape)
    if layout == "unaligned":
        result = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
        result[...] = x
        return result
    if layout == "byte-swapped":
        return x.astype(x.dtype.newbyteorder())
    return helpers.lay_out(x, layout if x.ndim else "read-only")
