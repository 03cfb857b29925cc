"""Cross-entropy of class scores (logits) against class indices, for each pixel: the log-softmax and the
choice in one; or the choice alone.  The softmax is what the gradient needs.

    loss[n, i, j] = − w[t]·y[n, t, i, j],     y = log_softmax(logits),   t = target[n, i, j]

with one weight w a class, or 1.

A pixel whose target is `ignore_index` has loss 0 and weight 0.  Any other target outside 0 … C−1 gives NaN:
it cannot go unnoticed.
"""

import numpy as np

from minitorch_seg.kernels.reference.softmax import log_softmax


def cross_entropy(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """logits (N, C, ...), target int64 (N, ...), weight (C,) or None -> (loss (N, ...), weight of each pixel
    (N, ...), softmax (N, C, ...)).
    """
    y = log_softmax(logits, 1)
    return *nll_loss(y, target, weight, ignore_index)[:2], np.exp(y, out=y)


def cross_entropy_gradient(
    grad: np.ndarray,
    probability: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    ignore_index: int,
) -> np.ndarray:
    """dlogits = grad·w[t]·(softmax − one-hot of t), with grad (N, ...) for each pixel."""
    chosen, pixel_weight = _choose(probability, target, weight, ignore_index)
    dlogits = (probability - chosen) * (grad * pixel_weight)[:, None]
    ignored = np.broadcast_to((target == ignore_index)[:, None], dlogits.shape)
    dlogits[ignored] = 0  # also where softmax is NaN
    return dlogits


def nll_loss(
    y: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y = log_softmax(logits) -> (loss (N, ...), weight of each pixel (N, ...), y)."""
    chosen, pixel_weight = _choose(y, target, weight, ignore_index)
    loss = -pixel_weight * y.sum(axis=1, where=chosen)
    loss[target == ignore_index] = 0  # also where y is NaN
    return loss, pixel_weight, y


def nll_loss_gradient(
    grad: np.ndarray, y: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> np.ndarray:
    """dy = −grad·w[t] for the class t, 0 for the others."""
    chosen, pixel_weight = _choose(y, target, weight, ignore_index)
    return np.where(chosen, -(grad * pixel_weight)[:, None], np.zeros((), y.dtype))


def _choose(y: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int):
    """(one-hot of the targets as booleans (N, C, ...), weight of each pixel (N, ...))."""
    classes = y.shape[1]
    names = np.arange(classes).reshape(1, classes, *[1] * (y.ndim - 2))
    chosen = (names == target[:, None]) & (target[:, None] != ignore_index)
    valid = (target >= 0) & (target < classes)
    table = np.ones(classes, y.dtype) if weight is None else weight
    pixel_weight = np.full(target.shape, np.nan, y.dtype)
    pixel_weight[valid] = table[target[valid]]
    pixel_weight[target == ignore_index] = 0
    return chosen, pixel_weight
