"""lovasz_softmax: a loss whose corners are the intersection over union itself.

With p_i the predicted probability of class k at pixel i, let the error e_i be 1 − p_i where the pixel belongs
to the class and p_i elsewhere.  If every error were 0 or 1, the Jaccard loss 1 − IoU would be a function Δ of
the set of wrong pixels.  It is submodular, and its Lovász extension carries it to errors in between: sort the
errors downwards, e_(1) ≥ e_(2) ≥ …, and

    L = Σ_i e_(i) · ( Δ({1…i}) − Δ({1…i−1}) ),        Δ({1…i}) = 1 − (P − TP_i) / (P + FP_i)

where P is the number of pixels of the class, TP_i how many of the first i belong to it and FP_i how many do
not: were just the first i pixels wrong, P − TP_i would be the intersection and P + FP_i the union.

Backward, by the operators it is composed of.  The weights Δ({1…i}) − Δ({1…i−1}) depend only on the order, so
as long as it stays L is linear in e, with these weights as its gradient.

Berman, Rannen Triki and Blaschko, "The Lovász-Softmax loss", 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.ops.cast import as_tensor
from minitorch_seg.ops.cat import stack
from minitorch_seg.ops.class_probabilities import class_probabilities
from minitorch_seg.ops.typed import typed


@typed
def lovasz_softmax(
    input: Any,
    target: Any,
    classes: str = "present",
    per_image: bool = False,
    ignore_index: int = -100,
    from_logits: bool = True,
) -> Tensor:
    """The Lovász extension of 1 − IoU, mean over the classes.

    Args:
        input: logits (N, K, H, W), or probabilities with from_logits=False.
        target: class indices (N, H, W).
        classes: "present" counts only classes that occur in the target, "all" every class.
        per_image: compute it image by image and take the mean, instead of over the whole batch.
        ignore_index: pixels that do not count.

    Returns: one number, in the input's dtype.

    Raises: as dice_loss; ValueError for other `classes`.

    >>> import minitorch_seg as ms
    >>> sure = ms.tensor([[[[100.0, -100.0]], [[-100.0, 100.0]]]])
    >>> ms.functional.lovasz_softmax(sure, ms.tensor([[[0, 1]]])).item()
    0.0
    """
    if classes not in ("present", "all"):
        raise ValueError(f"lovasz_softmax: classes {classes!r} is unknown: use 'present' or 'all'")
    p, t = class_probabilities("lovasz_softmax", input, target, ignore_index, from_logits)
    truth = as_tensor(target).data
    kept = np.reshape(truth, t.data[:, 0].shape) != ignore_index
    if per_image and p.shape[0]:
        images = range(p.shape[0])
        losses = [_batch_loss(p[i : i + 1], t.data[i : i + 1], kept[i : i + 1], classes) for i in images]
        return stack(losses).mean()
    return _batch_loss(p, t.data, kept, classes)


def _batch_loss(p: Tensor, t: np.ndarray, kept: np.ndarray, classes: str) -> Tensor:
    losses = []
    for k in range(p.shape[1]):
        member = t[:, k][kept]
        if classes == "present" and not member.any():
            continue
        error = (Tensor(member) - p[:, k][kept]).abs()
        order = np.argsort(-error.data, kind="stable")
        losses.append((error[order] * Tensor(_weights(member[order]))).sum())
    return stack(losses).mean() if losses else p.sum() * 0.0


def _weights(member: np.ndarray) -> np.ndarray:
    """Δ({1…i}) − Δ({1…i−1}) for pixels in order of falling error."""
    positives = np.sum(member)
    union = positives + np.cumsum(1 - member)
    jaccard = 1 - (positives - np.cumsum(member)) / union
    return np.diff(jaccard, prepend=0.0).astype(member.dtype, copy=False)
