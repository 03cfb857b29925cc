"""Cross-entropy of class scores against class indices; `reference/cross_entropy.py` has the formulas and the
rules.
"""

import numpy as np

from minitorch_seg.kernels.cpu.softmax import from_rows, log_softmax_rows, parts, rows, rows_per_chunk
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous
from minitorch_seg.kernels.parallel import parallel_for


def cross_entropy(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """logits (N, C, ...), target int64 (N, ...) -> (loss (N, ...), weight of each pixel (N, ...),
    log-softmax).
    """
    x = rows(logits, 1)
    y = np.empty(x.shape, x.dtype)
    loss, pixel_weight = np.empty(target.shape, x.dtype), np.empty(target.shape, x.dtype)
    step = rows_per_chunk(x.shape[1])
    parallel_for(
        _forward,
        -(-len(x) // step),
        x,
        contiguous(target).reshape(-1),
        _weights(weight, x.shape[1], x.dtype),
        ignore_index,
        loss.reshape(-1),
        pixel_weight.reshape(-1),
        y,
        step,
    )
    return loss, pixel_weight, from_rows(y, logits.shape, 1)


def cross_entropy_gradient(
    grad: np.ndarray, y: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> np.ndarray:
    """dlogits = grad·w[t]·(softmax − one-hot of t), with grad (N, ...) for each pixel."""
    log_probability = rows(y, 1)
    dlogits = np.empty(log_probability.shape, y.dtype)
    step = rows_per_chunk(dlogits.shape[1])
    parallel_for(
        _backward,
        -(-len(dlogits) // step),
        contiguous(grad).reshape(-1),
        log_probability,
        contiguous(target).reshape(-1),
        _weights(weight, y.shape[1], y.dtype),
        ignore_index,
        dlogits,
        step,
    )
    return from_rows(dlogits, y.shape, 1)


def _weights(weight: np.ndarray | None, classes: int, dtype: np.dtype) -> np.ndarray:
    return contiguous(np.ones(classes, dtype) if weight is None else weight)


def _forward(first, last, x, target, weight, ignore_index, loss, pixel_weight, y, step):
    for part in parts(first, last, step):
        log_softmax_rows(x[part], y[part])
        _choose(y[part], target[part], weight, ignore_index, loss[part], pixel_weight[part])


def _backward(first, last, grad, y, target, weight, ignore_index, dlogits, step):
    for part in parts(first, last, step):
        np.exp(y[part], out=dlogits[part])
        _subtract_one_hot(grad[part], target[part], weight, ignore_index, dlogits[part])


@kernel
def _choose(y, target, weight, ignore_index, loss, pixel_weight):
    for r in range(len(y)):
        t = target[r]
        if t == ignore_index:
            loss[r] = 0
            pixel_weight[r] = 0
        elif 0 <= t < y.shape[1]:
            loss[r] = -weight[t] * y[r, t]
            pixel_weight[r] = weight[t]
        else:
            loss[r] = np.nan
            pixel_weight[r] = np.nan


@kernel
def _subtract_one_hot(grad, target, weight, ignore_index, probability):
    """probability becomes grad·w[t]·(probability − one-hot of t)."""
    for r in range(len(grad)):
        t = target[r]
        if t == ignore_index:
            for c in range(probability.shape[1]):
                probability[r, c] = 0
        elif 0 <= t < probability.shape[1]:
            scale = grad[r] * weight[t]
            probability[r, t] -= 1
            for c in range(probability.shape[1]):
                probability[r, c] *= scale
        else:
            for c in range(probability.shape[1]):
                probability[r, c] = np.nan
