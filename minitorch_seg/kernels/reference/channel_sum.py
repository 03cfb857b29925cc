"""The sum of each channel of a feature map: the gradient of a bias."""

import numpy as np


def channel_sum(x: np.ndarray) -> np.ndarray:
    """s[c] = Σ_{n, i, j} x[n, c, i, j], of shape (C,).

    NumPy adds in pairs, which keeps the rounding error small, only along contiguous memory: so channels come
    first here.
    """
    return channels_first(x).sum(axis=1)


def channels_first(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) -> (C, N·H·W), C-contiguous."""
    n, c, h, w = x.shape
    return np.ascontiguousarray(x.transpose(1, 0, 2, 3)).reshape(c, n * h * w)
