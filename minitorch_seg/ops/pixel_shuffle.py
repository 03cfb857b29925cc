"""pixel_shuffle and pixel_unshuffle: channels become pixels, and pixels channels.

    y[n, c, r·Y + i, r·X + j] = x[n, c·r² + i·r + j, Y, X]        with i, j < r

It is an up-sampling by r whose values a convolution has computed.  Numbers only change places, so the
gradient goes the same way back.

Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
neural network", 2016.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.cast import as_tensor
from minitorch_seg.ops.typed import typed


@typed
def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """(…, C·r², H, W) → (…, C, r·H, r·W), with r = upscale_factor.

    Returns: that shape, in the input's dtype.

    Raises: ShapeError unless the factor is positive and divides.

    >>> import minitorch_seg as ms
    >>> ms.functional.pixel_shuffle(ms.tensor([[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]]), 2).tolist()
    [[[[1.0, 2.0], [3.0, 4.0]]]]
    """
    x, r = as_tensor(input), upscale_factor
    if r < 1 or x.ndim < 3 or x.shape[-3] % (r * r):
        raise ShapeError(
            f"pixel_shuffle: input of shape {x.shape} and upscale_factor {r}: expected (…, C·{r}², H, W) "
            "with a positive factor"
        )
    *lead, channels, h, w = x.shape
    n = len(lead)
    x = x.reshape(*lead, channels // r**2, r, r, h, w)
    x = x.permute(*range(n), n + 3, n + 1, n + 4, n + 2, n)  # (…, H, r, W, r, C)
    return _channels_first(x.reshape(*lead, h * r, w * r, channels // r**2))


@typed
def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """(…, C, r·H, r·W) → (…, C·r², H, W), with r = downscale_factor: the inverse of pixel_shuffle.

    Returns: that shape, in the input's dtype.

    Raises: ShapeError unless the factor is positive and divides.

    >>> import minitorch_seg as ms
    >>> ms.functional.pixel_unshuffle(ms.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).reshape(-1)
    tensor([1., 2., 3., 4.])
    """
    x, r = as_tensor(input), downscale_factor
    if r < 1 or x.ndim < 3 or x.shape[-1] % r or x.shape[-2] % r:
        raise ShapeError(
            f"pixel_unshuffle: input of shape {x.shape} cannot be divided by downscale_factor {r}"
        )
    *lead, channels, h, w = x.shape
    n = len(lead)
    x = x.reshape(*lead, channels, h // r, r, w // r, r)
    x = x.permute(*range(n), n + 1, n + 3, n, n + 2, n + 4)  # (…, H, W, C, r, r)
    return _channels_first(x.reshape(*lead, h // r, w // r, channels * r**2))


def _channels_first(x: Tensor) -> Tensor:
    """(…, H, W, C) as (…, C, H, W) without a copy: channels-last in memory, as every map."""
    *lead, row, column, channel = range(x.ndim)
    return x.permute(*lead, channel, row, column)
