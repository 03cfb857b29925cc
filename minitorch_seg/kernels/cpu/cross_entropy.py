"""Cross-entropy of class scores against class indices; `reference/cross_entropy.py` has the formulas and the
rules, and the choice alone.
"""

import math

import numpy as np

from minitorch_seg.kernels.cpu.softmax import below_largest, from_rows, rows, rows_per_chunk
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.reference.cross_entropy import nll_loss as nll_loss
from minitorch_seg.kernels.reference.cross_entropy import nll_loss_gradient as nll_loss_gradient


def cross_entropy(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """logits (N, C, ...), target int64 (N, ...) -> (loss (N, ...), each pixel's weight (N, ...), softmax)."""
    x = rows(logits, 1)
    probability = np.empty(x.shape, x.dtype)
    loss, pixel_weight = np.empty((2, *target.shape), x.dtype)
    made = loss.reshape(-1), pixel_weight.reshape(-1), probability
    truth, weights = contiguous(target).reshape(-1), class_weights(weight, x.shape[1], x.dtype)
    step = rows_per_chunk(x.shape[1])
    parallel_for(_forward, -(-len(x) // step), x, truth, weights, ignore_index, *made, step)
    return loss, pixel_weight, from_rows(probability, logits.shape, 1)


def cross_entropy_gradient(
    grad: np.ndarray,
    probability: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    ignore_index: int,
) -> np.ndarray:
    """dlogits = grad·w[t]·(softmax − one-hot of t), with grad (N, ...) for each pixel."""
    given, seen = contiguous(grad).reshape(-1), rows(probability, 1)
    dlogits = np.empty(seen.shape, seen.dtype)
    truth, weights = contiguous(target).reshape(-1), class_weights(weight, seen.shape[1], seen.dtype)
    step = rows_per_chunk(seen.shape[1])
    parallel_for(_backward, -(-len(seen) // step), given, seen, truth, weights, ignore_index, dlogits, step)
    return from_rows(dlogits, probability.shape, 1)


def class_weights(weight: np.ndarray | None, classes: int, dtype: np.dtype) -> np.ndarray:
    """The weight of each class, 1 where none is given."""
    return contiguous(np.ones(classes, dtype) if weight is None else weight)


@kernel
def _forward(first, last, x, target, weight, ignore_index, loss, pixel_weight, probability, step):
    for r in range(first * step, min(last * step, len(x))):
        t = target[r]
        total = below_largest(x[r], probability[r])
        if t == ignore_index:
            loss[r] = 0
            pixel_weight[r] = 0
        elif 0 <= t < x.shape[1]:
            loss[r] = weight[t] * (math.log(total) - probability[r, t])
            pixel_weight[r] = weight[t]
        else:
            loss[r] = np.nan
            pixel_weight[r] = np.nan
        for c in range(x.shape[1]):
            probability[r, c] = math.exp(probability[r, c]) / total


@kernel
def _backward(first, last, grad, probability, target, weight, ignore_index, dx, step):
    for r in range(first * step, min(last * step, len(dx))):
        t = target[r]
        for c in range(dx.shape[1]):
            if t == ignore_index:
                dx[r, c] = 0
            elif 0 <= t < dx.shape[1]:
                dx[r, c] = grad[r] * weight[t] * (probability[r, c] - (c == t))
            else:
                dx[r, c] = np.nan
