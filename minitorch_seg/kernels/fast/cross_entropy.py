"""Cross-entropy of float32 scores of few classes: forward takes one exponential a score, backward none.

The softmax is kept class by class, as `softmax.py` has it: seen from outside it is a view of the usual shape.
"""

import math

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.cpu import cross_entropy as plain
from minitorch_seg.kernels.cpu.cross_entropy import class_weights
from minitorch_seg.kernels.cpu.softmax import from_rows, rows
from minitorch_seg.kernels.fast.exponential import exp_all, log_all
from minitorch_seg.kernels.fast.softmax import BLOCK, below_largest, fits
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous
from minitorch_seg.kernels.parallel import parallel_for


def cross_entropy(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """logits (N, C, ...), target int64 (N, ...) -> (loss (N, ...), each pixel's weight (N, ...), softmax)."""
    if not fits(logits, 1):
        return plain.cross_entropy(logits, target, weight, ignore_index)
    x, (n, classes, *rest) = rows(logits, 1), logits.shape
    probability = buffers.empty((classes, n, *rest), np.float32)
    loss, pixel_weight = np.empty((2, *target.shape), np.float32)
    block = BLOCK // classes
    parallel_for(
        _forward,
        -(-len(x) // block),
        x,
        contiguous(target).reshape(-1),
        class_weights(weight, classes, x.dtype),
        ignore_index,
        loss.reshape(-1),
        pixel_weight.reshape(-1),
        probability.reshape(classes, -1),
        block,
    )
    return loss, pixel_weight, np.moveaxis(probability, 0, 1)


def cross_entropy_gradient(
    grad: np.ndarray,
    probability: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    ignore_index: int,
) -> np.ndarray:
    """dlogits = grad·w[t]·(softmax − one-hot of t), with grad (N, ...) for each pixel."""
    if not fits(probability, 1) or grad.dtype != probability.dtype:
        return plain.cross_entropy_gradient(grad, probability, target, weight, ignore_index)
    shape, classes = probability.shape, probability.shape[1]
    columns = contiguous(np.moveaxis(probability, 1, 0)).reshape(classes, -1)
    dlogits = buffers.empty((math.prod(target.shape), classes), np.float32)
    block = BLOCK // classes
    parallel_for(
        _backward,
        -(-len(dlogits) // block),
        contiguous(grad).reshape(-1),
        columns,
        contiguous(target).reshape(-1),
        class_weights(weight, classes, dlogits.dtype),
        ignore_index,
        dlogits,
        block,
    )
    return from_rows(dlogits, shape, 1)


@kernel
def _forward(first, last, x, target, weight, ignore_index, loss, pixel_weight, probability, block):
    classes = x.shape[1]
    columns, total, bits = (
        np.empty((classes, block), x.dtype),
        np.empty(block, x.dtype),
        np.empty(block, np.int32),
    )
    for k in range(first, last):
        begin, end = k * block, min((k + 1) * block, len(x))
        n = end - begin
        below_largest(x[begin:end], columns, total)
        chosen, factor, truth = loss[begin:end], pixel_weight[begin:end], target[begin:end]
        for r in range(n):
            t = truth[r]
            valid = 0 <= t < classes
            chosen[r] = columns[t, r] if valid else np.nan
            factor[r] = 0 if t == ignore_index else weight[t] if valid else np.nan
        total[:n] = 0
        for c in range(classes):
            exp_all(columns[c, :n], bits)
            for r in range(n):
                total[r] += columns[c, r]
        for c in range(classes):
            made = probability[c, begin:end]
            for r in range(n):
                made[r] = columns[c, r] / total[r]
        log_all(total[:n])
        for r in range(n):
            surprise = factor[r] * (total[r] - chosen[r])
            chosen[r] = 0 if truth[r] == ignore_index else surprise


@kernel
def _backward(first, last, grad, probability, target, weight, ignore_index, dx, block):
    classes = dx.shape[1]
    scale = np.empty(block, dx.dtype)
    for k in range(first, last):
        begin, end = k * block, min((k + 1) * block, len(dx))
        truth, made = target[begin:end], dx[begin:end]
        for r in range(end - begin):
            t = truth[r]
            scale[r] = grad[begin + r] * weight[t] if 0 <= t < classes else np.nan
        for c in range(classes):
            seen = probability[c, begin:end]
            for r in range(end - begin):
                made[r, c] = seen[r] * scale[r]
        for r in range(end - begin):
            t = truth[r]
            if t == ignore_index:
                for c in range(classes):
                    made[r, c] = 0  # also where the softmax is NaN
            elif 0 <= t < classes:
                made[r, t] -= scale[r]
