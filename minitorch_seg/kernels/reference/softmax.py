"""Softmax along one dimension, its logarithm, and their gradients.

softmax(x)_i = exp(x_i − max x) / Σ_j exp(x_j − max x)        the maximum keeps exp from overflowing and
cancels out
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map_like


def softmax(x: np.ndarray, dim: int) -> np.ndarray:
    """exp(x) / Σ exp(x) along `dim`; any shape."""
    y = _like(x)
    if x.size:
        with np.errstate(invalid="ignore"):  # a slice of −inf alone has no softmax: NaN, as in PyTorch
            np.exp(x - x.max(axis=dim, keepdims=True), out=y)
            y /= y.sum(axis=dim, keepdims=True)
    return y


def softmax_gradient(grad: np.ndarray, y: np.ndarray, dim: int) -> np.ndarray:
    """dx = y·(g − Σ g·y), where y = softmax(x)."""
    dx = _like(y)
    dx[...] = y * (grad - (grad * y).sum(axis=dim, keepdims=True))
    return dx


def log_softmax(x: np.ndarray, dim: int) -> np.ndarray:
    """x − log Σ exp(x) along `dim`, without overflow; any shape."""
    y = _like(x)
    if x.size:
        with np.errstate(invalid="ignore"):
            np.subtract(x, x.max(axis=dim, keepdims=True), out=y)
            y -= np.log(np.exp(y).sum(axis=dim, keepdims=True))
    return y


def log_softmax_gradient(grad: np.ndarray, y: np.ndarray, dim: int) -> np.ndarray:
    """dx = g − softmax(x)·Σ g, where y = log_softmax(x)."""
    dx = _like(y)
    dx[...] = grad - np.exp(y) * grad.sum(axis=dim, keepdims=True)
    return dx


def _like(x: np.ndarray) -> np.ndarray:
    return empty_map_like(x) if x.ndim == 4 else np.empty(x.shape, x.dtype)
