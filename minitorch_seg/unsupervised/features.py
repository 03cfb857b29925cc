"""What a pixel is described by before it is clustered: colours around it, or a network's code.

    image (N, C, H, W) ── blur σ ────────────────────────────────────────────────► features (N, C, H, W)
    image (N, C, H, W) ── encoder ──► code (N, Z, h, w) ── bilinear ────────────► features (N, Z, H, W)

A blurred colour is the colour of the place instead of that of the pixel: on maps it says more than any of the
cheap texture measures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor, no_grad
from minitorch_seg.io import to_array


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Images (N, C, H, W) after a Gaussian of standard deviation sigma, borders reflected; 0 leaves them.

    >>> blurred(np.eye(3)[np.newaxis, np.newaxis], 0.0).shape
    (1, 1, 3, 3)
    """
    if sigma == 0:
        return images
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(images, (0, 0, sigma, sigma), mode="reflect")


def code_features(autoencoder: Any, x: Tensor) -> np.ndarray:
    """The codes of images, stretched to their size: (N, C, H, W) → (N, Z, H, W).

    autoencoder: a model with `encode`; it is put into evaluation mode.

    >>> import minitorch_seg as ms
    >>> model = ms.models.ConvAutoencoder(1, 1, base_channels=2, depth=1, code_channels=5)
    >>> code_features(model, ms.zeros(2, 1, 8, 6)).shape
    (2, 5, 8, 6)
    """
    autoencoder.eval()
    with no_grad():
        return to_array(F.interpolate(autoencoder.encode(x), size=(x.shape[2], x.shape[3]), mode="bilinear"))
