"""Cross-entropy of float32 scores of few classes: forward takes one exponential a score, backward none.

Blocks of pixels and their rows of classes are as `softmax.py` has them.
"""

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.cpu import cross_entropy as plain
from minitorch_seg.kernels.cpu.cross_entropy import class_weights
from minitorch_seg.kernels.cpu.softmax import from_rows, rows
from minitorch_seg.kernels.fast.exponential import exp_all, log_all
from minitorch_seg.kernels.fast.softmax import below_largest, cut, divide_rows, fits, sum_rows
from minitorch_seg.kernels.jit import kernel, part
from minitorch_seg.kernels.layout import contiguous
from minitorch_seg.kernels.parallel import parallel_for

PIXELS = 1024  # of a chunk where nothing but the choice is made


def cross_entropy(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """logits (N, C, ...), target int64 (N, ...) -> (loss (N, ...), each pixel's weight (N, ...), softmax)."""
    if not fits(logits, 1):
        return plain.cross_entropy(logits, target, weight, ignore_index)
    x, classes = rows(logits, 1), logits.shape[1]
    probability = buffers.empty(x.shape, np.float32)
    loss, pixel_weight = buffers.empty((2, *target.shape), np.float32)
    block, few = cut(classes)
    parallel_for(
        _forward,
        -(-len(x) // block),
        x.reshape(-1),
        contiguous(target).reshape(-1),
        class_weights(weight, classes, x.dtype),
        ignore_index,
        loss.reshape(-1),
        pixel_weight.reshape(-1),
        probability.reshape(-1),
        few,
        block,
    )
    return loss, pixel_weight, from_rows(probability, logits.shape, 1)


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
    seen, classes = rows(probability, 1), probability.shape[1]
    dlogits = buffers.empty(seen.shape, np.float32)
    block, few = cut(classes)
    parallel_for(
        _backward,
        -(-len(seen) // block),
        *_given(grad),
        seen.reshape(-1),
        contiguous(target).reshape(-1),
        class_weights(weight, classes, dlogits.dtype),
        ignore_index,
        dlogits.reshape(-1),
        few,
        block,
    )
    return from_rows(dlogits, probability.shape, 1)


def nll_loss(
    y: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y = log_softmax(logits) -> (loss (N, ...), weight of each pixel (N, ...), y)."""
    if not y.size or not y.dtype.isnative:
        return plain.nll_loss(y, target, weight, ignore_index)
    truth, weights = contiguous(target).reshape(-1), class_weights(weight, y.shape[1], y.dtype)
    loss, pixel_weight = buffers.empty((2, *target.shape), y.dtype)
    made = loss.reshape(-1), pixel_weight.reshape(-1)
    parallel_for(
        _choose, -(-len(truth) // PIXELS), rows(y, 1).reshape(-1), truth, weights, ignore_index, *made
    )
    return loss, pixel_weight, y


def nll_loss_gradient(
    grad: np.ndarray, y: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int
) -> np.ndarray:
    """dy = −grad·w[t] for the class t, 0 for the others."""
    if not y.size or not y.dtype.isnative or grad.dtype != y.dtype:
        return plain.nll_loss_gradient(grad, y, target, weight, ignore_index)
    truth, weights = contiguous(target).reshape(-1), class_weights(weight, y.shape[1], y.dtype)
    dy = buffers.empty((len(truth), y.shape[1]), y.dtype)
    parallel_for(_place, -(-len(dy) // PIXELS), *_given(grad), truth, weights, ignore_index, dy.reshape(-1))
    return from_rows(dy, y.shape, 1)


def _given(grad: np.ndarray) -> tuple[np.ndarray, int]:
    """The gradient of each pixel as a row, and how far one lies from the next in it: 0 where all are the same
    number, as behind a mean.
    """
    if grad.size and not any(grad.strides):
        return contiguous(grad.reshape(-1)[:1]), 0
    return contiguous(grad).reshape(-1), 1


@part
def _settle_unusual(truth, classes, ignore_index, loss, weight):
    """Loss and weight 0 where a pixel is ignored, NaN where its class does not exist."""
    for r in range(len(truth)):
        if truth[r] == ignore_index:
            loss[r] = weight[r] = 0
        elif not 0 <= truth[r] < classes:
            loss[r] = weight[r] = np.nan


@kernel
def _forward(first, last, x, target, weight, ignore_index, loss, pixel_weight, probability, few, block):
    classes = len(few) if len(few) > 0 else len(weight)
    total, scratch = np.empty(block, x.dtype), np.empty((2, block * classes), x.dtype)
    for k in range(first, last):
        begin, end = k * block, min((k + 1) * block, len(target))
        seen, made = x[begin * classes : end * classes], probability[begin * classes : end * classes]
        low, power = scratch[0, : len(seen)], scratch[1, : len(seen)]
        below_largest(seen, low, classes)
        chosen, factor, truth = loss[begin:end], pixel_weight[begin:end], target[begin:end]
        unusual = 0
        for r in range(end - begin):
            t = truth[r]
            valid = 0 <= t < classes
            unusual += (not valid) | (t == ignore_index)
            place = t if valid else 0
            chosen[r] = low[r * classes + place]
            factor[r] = weight[place]
        exp_all(low, power)
        sum_rows(power, total, classes)
        divide_rows(power, total, made, classes)
        log_all(total[: end - begin])
        for r in range(end - begin):
            chosen[r] = factor[r] * (total[r] - chosen[r])
        if unusual > 0:
            _settle_unusual(truth, classes, ignore_index, chosen, factor)


@kernel
def _backward(first, last, grad, apart, probability, target, weight, ignore_index, dx, few, block):
    classes = len(few) if len(few) > 0 else len(weight)
    scale = np.empty(block, dx.dtype)
    for k in range(first, last):
        begin, end = k * block, min((k + 1) * block, len(target))
        seen, made = probability[begin * classes : end * classes], dx[begin * classes : end * classes]
        truth = target[begin:end]
        unusual = 0
        for r in range(end - begin):
            t = truth[r]
            valid = 0 <= t < classes
            unusual += (not valid) | (t == ignore_index)
            scale[r] = grad[(begin + r) * apart] * weight[t if valid else 0]
        for r in range(end - begin):
            for c in range(classes):
                made[r * classes + c] = (seen[r * classes + c] - (c == truth[r])) * scale[r]
        if unusual > 0:
            for r in range(end - begin):
                t = truth[r]
                if t == ignore_index:
                    made[r * classes : (r + 1) * classes] = 0  # also where the softmax is NaN
                elif not 0 <= t < classes:
                    made[r * classes : (r + 1) * classes] = np.nan


@kernel
def _choose(first, last, y, target, weight, ignore_index, loss, pixel_weight):
    classes = len(weight)
    begin, end = first * PIXELS, min(last * PIXELS, len(target))
    seen, truth = y[begin * classes : end * classes], target[begin:end]
    chosen, factor, unusual = loss[begin:end], pixel_weight[begin:end], 0
    for r in range(end - begin):
        t = truth[r]
        valid = 0 <= t < classes
        unusual += (not valid) | (t == ignore_index)
        place = t if valid else 0
        factor[r] = weight[place]
        chosen[r] = -factor[r] * seen[r * classes + place]
    if unusual > 0:
        _settle_unusual(truth, classes, ignore_index, chosen, factor)


@kernel
def _place(first, last, grad, apart, target, weight, ignore_index, dy):
    classes = len(weight)
    begin, end = first * PIXELS, min(last * PIXELS, len(target))
    made, truth = dy[begin * classes : end * classes], target[begin:end]
    for i in range(len(made)):
        made[i] = 0
    for r in range(end - begin):
        t = truth[r]
        if (0 <= t < classes) & (t != ignore_index):
            made[r * classes + t] = -grad[(begin + r) * apart] * weight[t]
