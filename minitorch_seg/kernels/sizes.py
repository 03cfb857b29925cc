"""The two size formulas of sliding windows, and where each output of an interpolation reads.  Integers and
index arrays only.
"""

from typing import Any

import numpy as np

Pair = tuple[int, int]


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many windows fit: floor((size + 2·padding − dilation·(kernel − 1) − 1) / stride) + 1, and never
    less than 0.

    >>> window_count(224, 3, stride=2, padding=1, dilation=1)
    112
    """
    return max((size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1, 0)


def window_counts(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """`window_count` of the rows and of the columns."""
    rows, columns = (
        window_count(*axis) for axis in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return rows, columns


def tap_dtype(kernel_size: Pair) -> np.dtype:
    """The smallest integers that number the taps of a window, and −1."""
    return np.dtype(np.int8 if kernel_size[0] * kernel_size[1] < 128 else np.int32)


def nearest_indices(inputs: int, outputs: int, scale: float | None) -> np.ndarray:
    """The input index that each output index copies: floor(i·inputs/outputs), or floor(i/scale) where the
    scale is given.

    As in PyTorch the product is rounded to float32 for every dtype, and whatever the scale, an unchanged size
    is the identity and the double size repeats each pixel.

    >>> nearest_indices(3, 6, None).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    if inputs == outputs:
        return np.arange(outputs)
    if outputs == 2 * inputs:
        return np.arange(outputs) // 2
    step = np.float32(1.0 / scale) if scale else np.float32(inputs) / np.float32(outputs)
    index = np.floor(np.arange(outputs, dtype=np.float32) * step).astype(np.int64)
    return np.minimum(index, inputs - 1)


def linear_indices(
    inputs: int, outputs: int, align_corners: bool, scale: float | None, dtype: np.typing.DTypeLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(low, high, fraction): output i is (1 − fraction[i])·x[low[i]] + fraction[i]·x[high[i]].

    Pixels are squares.  The centre of output i lies at (i + ½)·inputs/outputs − ½ (at (i + ½)/scale − ½ where
    the scale is given), not left of the first centre; with `align_corners` the centres of the first and of
    the last pixels coincide instead.

    >>> linear_indices(2, 4, False, None, "float64")[2].tolist()
    [0.0, 0.25, 0.75, 0.25]
    """
    real: Any = np.dtype(dtype).type
    if inputs == outputs:
        same = np.arange(outputs)
        return same, same, np.zeros(outputs, real)
    i = np.arange(outputs, dtype=real)
    if align_corners:
        position = i * (real(inputs - 1) / real(outputs - 1) if outputs > 1 else real(0))
    else:
        step = real(1.0 / scale) if scale else real(inputs) / real(outputs)
        position = np.maximum((i + real(0.5)) * step - real(0.5), real(0))
    low = np.minimum(position.astype(np.int64), inputs - 1)
    fraction = np.clip(position - low.astype(real), real(0), real(1))
    return low, np.minimum(low + 1, inputs - 1), fraction
