"""cross_entropy and nll_loss: how surprised the model is by the true class, pixel by pixel.

With logits x (K classes), p = softmax(x), the true class t and its weight w_t (1 unless given):

    ℓ = −w_t log p_t = −w_t (x_t − log Σ_k e^{x_k})

Backward, with g = dL/dℓ and δ_kt = 1 for k = t, else 0:  ∂(x_t − log Σ e^{x_k})/∂x_k = δ_kt − p_k, hence

    dL/dx_k = g w_t (p_k − δ_kt):        what was predicted minus what was true.

nll_loss is given the logarithms y = log p instead:  ℓ = −w_t y_t,  dL/dy_k = −g w_t δ_kt.

Mean:  L = Σ ℓ / Σ w_t over the pixels that are not ignored (not over all pixels), so g is divided by Σ w_t.

Label smoothing ε mixes the truth with the uniform distribution; the mean is still divided by Σ w_t:

    (1 − ε) ℓ + (ε/K) Σ_k −w_k log p_k

A target of class probabilities q:  ℓ = −Σ_k w_k q_k log p_k, the mean divided by the number of pixels.

Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990; Szegedy et al.,
"Rethinking the Inception architecture for computer vision", 2016 (label smoothing).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError, target_hint
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.arguments import class_indices
from minitorch_seg.ops.cast import as_tensor, same_float_dtype
from minitorch_seg.ops.indexing import gather
from minitorch_seg.ops.loss_reduction import check_reduction, reduce_loss
from minitorch_seg.ops.selection import where
from minitorch_seg.ops.softmax import log_softmax
from minitorch_seg.ops.typed import typed


def cross_entropy_composed(
    x: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, operator: str, reduction: str
) -> tuple[Tensor, Tensor]:
    """The twin: log-softmax (not for nll_loss), then the number of the true class, times its weight."""
    log_p = log_softmax(x, 1) if operator == "cross_entropy" else x
    kept = target.data != ignore_index
    classes = np.where(kept, target.data, 0)
    loss = -gather(log_p, 1, Tensor(np.expand_dims(classes, 1))).squeeze(1)
    weights = np.ones(loss.shape, x.dtype, like=x.data) if weight is None else weight.data[classes]
    total = Tensor(_total(np.where(kept, weights, np.zeros((), x.dtype))))
    return _reduce(where(Tensor(kept), loss * Tensor(weights), 0.0), total.data, reduction), total


class CrossEntropy(Function):
    """The loss, reduced (`ctx.scale` is 1/Σ w_t for a mean), and Σ w_t.  `operator` names the kernel:
    cross_entropy keeps the softmax for backward, nll_loss what it was given.
    """

    twin = staticmethod(cross_entropy_composed)

    @staticmethod
    def forward(ctx, x, target, weight, ignore_index, operator, reduction):
        losses, weights, p = getattr(dispatch.get("cross_entropy", x.data), operator)(
            x.data, target.data, None if weight is None else weight.data, ignore_index
        )
        ctx.target, ctx.ignore_index, ctx.operator = target, ignore_index, operator
        ctx.save_for_backward(p, weight)
        total = _total(weights)
        ctx.mark_non_differentiable(total)
        ctx.scale = 1 / total if reduction == "mean" else 1  # every pixel ignored: 0·∞ = NaN, as in PyTorch
        return (
            losses
            if reduction == "none"
            else np.asarray(np.sum(losses) * ctx.scale, losses.dtype, like=losses)
        ), total

    @staticmethod
    def backward(ctx, grad, _grad_of_total):
        p, weight = ctx.saved_tensors
        grad = np.broadcast_to(np.asarray(grad * ctx.scale, grad.dtype, like=grad), ctx.target.shape)
        dx = getattr(dispatch.get("cross_entropy", grad), f"{ctx.operator}_gradient")(
            grad, p.data, ctx.target.data, None if weight is None else weight.data, ctx.ignore_index
        )
        return dx, None, None, None, None, None


def _check(operator: str, x: Tensor, weight: Tensor | None, reduction: str) -> None:
    same_float_dtype(operator, input=x, weight=weight)
    check_reduction(operator, reduction)
    if x.ndim < 1:
        raise ShapeError(f"{operator}: input has shape {x.shape}, expected (N, K, …) or (K,)")
    if weight is not None:
        classes = x.shape[0 if x.ndim == 1 else 1]
        if weight.shape != (classes,):
            raise ShapeError(
                f"{operator}: weight has shape {weight.shape}, expected ({classes},), one number a class"
            )
        if weight.requires_grad:
            raise ValueError(f"{operator}: the class weights are constants: pass weight.detach()")


def _check_target(operator: str, x: Tensor, target: Any, ignore_index: int) -> Tensor:
    expected = (x.shape[0], *x.shape[2:])
    if target.shape != expected:
        raise ShapeError(
            f"{operator}: target has shape {target.shape}, expected {expected} for input {x.shape}"
            + target_hint(x.shape, target.shape)
        )
    return class_indices(operator, target, x.shape[1], ignore_index)


def _total(weights: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(weights), np.float64, like=weights)


def _reduce(losses: Tensor, total: np.ndarray, reduction: str) -> Tensor:
    if reduction != "mean":
        return reduce_loss(losses, reduction)
    return losses.sum() / float(total)  # every pixel ignored: 0/0 = NaN, as in PyTorch


@typed
def cross_entropy(
    input: Any,
    target: Any,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax and negative log-likelihood in one, from logits.

    Args:
        input: logits (N, K, d₁, …): (N, K, H, W) for segmentation; or (K,).
        target: class indices (N, d₁, …), int64; or class probabilities of the input's shape and dtype.
        weight: (K,), a weight for each class.
        ignore_index: pixels with this target count neither in the sum nor in the mean.
        reduction: "mean" (over Σ of the weights of what is not ignored), "sum" or "none".
        label_smoothing: ε between 0 and 1.

    Returns: one number, or with "none" the target's shape (N, d₁, …); NaN for the mean of no pixel at all.

    Raises: ShapeError where shapes do not fit or a class index is none of the K classes (all of this before
        any kernel runs); TypeError for a target of another dtype; ValueError for another reduction or
        smoothing; DTypeError unless input and weight are float32 or both float64.

    >>> import minitorch_seg as ms
    >>> logits = ms.tensor([[2.0, 0.0], [0.0, 2.0]])
    >>> ms.functional.cross_entropy(logits, ms.tensor([0, 1]))
    tensor(0.1269)
    """
    name = "cross_entropy"
    x, truth = as_tensor(input), as_tensor(target)
    _check(name, x, weight, reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{name}: label_smoothing must be between 0 and 1, found {label_smoothing}")
    if x.ndim == 1:
        loss = cross_entropy(
            x.unsqueeze(0),
            truth.unsqueeze(0),
            weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )
        return loss.squeeze(0) if reduction == "none" else loss
    if truth.dtype.kind == "f":
        if ignore_index >= 0:
            raise ValueError(
                f"{name}: ignore_index={ignore_index} marks class indices, but the target is of probabilities"
            )
        return _probability_target(x, truth, weight, reduction, label_smoothing)
    indices = _check_target(name, x, truth, ignore_index)
    if not label_smoothing:
        return CrossEntropy.apply(x, indices, weight, ignore_index, name, reduction)[0]
    losses, total = CrossEntropy.apply(x, indices, weight, ignore_index, name, "none")
    log_p = log_softmax(x, 1)
    if weight is not None:
        log_p = log_p * weight.reshape(1, -1, *[1] * (x.ndim - 2))
    uniform = where(Tensor(indices.data != ignore_index), -log_p.sum(1), 0.0) / float(x.shape[1])
    return _reduce(losses * (1 - label_smoothing) + uniform * label_smoothing, total.data, reduction)


def _probability_target(
    x: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    if target.shape != x.shape:
        raise ShapeError(
            f"cross_entropy: a target of class probabilities has the input's shape {x.shape}, "
            f"found {target.shape} (class indices must be integers: use target.long())"
        )
    same_float_dtype("cross_entropy", input=x, target=target)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / x.shape[1]
    products = log_softmax(x, 1) * target
    if weight is not None:
        products = products * weight.reshape(1, -1, *[1] * (x.ndim - 2))
    losses = -products.sum(1)
    return losses.sum() / float(losses.data.size) if reduction == "mean" else reduce_loss(losses, reduction)


@typed
def nll_loss(
    input: Any,
    target: Any,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """−w_t · input_t: what cross_entropy does after its log_softmax.

    Args:
        input: log-probabilities (N, K, d₁, …) or (K,).
        target, weight, ignore_index, reduction: as in cross_entropy; the target holds class indices.

    Returns: one number, or with "none" the target's shape.

    Raises: as cross_entropy.

    >>> import minitorch_seg as ms
    >>> ms.functional.nll_loss(ms.tensor([[-0.25, -1.5]]), ms.tensor([1]))
    tensor(1.5)
    """
    x, truth = as_tensor(input), as_tensor(target)
    _check("nll_loss", x, weight, reduction)
    if x.ndim == 1:
        loss = nll_loss(
            x.unsqueeze(0), truth.unsqueeze(0), weight, ignore_index=ignore_index, reduction=reduction
        )
        return loss.squeeze(0) if reduction == "none" else loss
    indices = _check_target("nll_loss", x, truth, ignore_index)
    return CrossEntropy.apply(x, indices, weight, ignore_index, "nll_loss", reduction)[0]
