"""Losses by name, and what the data says to them: the value that does not count, the classes' weights."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import UserError, nearest_name

__all__ = ["CLASS_WEIGHTS", "NAMES", "SEGMENTATION", "build_loss", "class_weights"]

#: Between logits (N, K, H, W) and class indices (N, H, W): what `--loss` accepts.
SEGMENTATION = (
    "cross_entropy",
    "focal_loss",
    "dice_loss",
    "jaccard_loss",
    "tversky_loss",
    "lovasz_softmax",
)
#: What `Trainer(loss=...)` accepts by name; several may be added up: "cross_entropy+dice_loss".
NAMES = (
    *SEGMENTATION,
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "reconstruction_loss",
)
#: The terms that take a weight for each class.
WEIGHTED = ("cross_entropy", "focal_loss")
#: Power of a class's frequency that its weight is in proportion to.
CLASS_WEIGHTS = {"none": 0.0, "sqrt": -0.5, "balanced": -1.0}


def build_loss(
    loss: str | Callable[..., Any],
    ignore_index: int | None = None,
    weight: np.ndarray | None = None,
    label_smoothing: float = 0.0,
) -> Callable[[Any, Any], Any]:
    """A function (prediction, target) -> scalar Tensor.

    `loss` is a functional name, several joined by "+", or a function.  `ignore_index` is passed on to every
    term that has an argument of this name; None leaves the term's own default.  `weight`, one number a class,
    goes to the terms of WEIGHTED, `label_smoothing` to cross_entropy.
    """
    if not isinstance(loss, str):
        return _ignoring(loss, ignore_index)
    terms = []
    for name in (part.strip() for part in loss.split("+")):
        if name not in NAMES:
            raise UserError(f"there is no loss {name!r}{nearest_name(name, NAMES)}")
        term = _ignoring(getattr(F, name), ignore_index)
        if name == "cross_entropy" and label_smoothing:
            term = functools.partial(term, label_smoothing=label_smoothing)
        terms.append(_weighted(term, weight) if name in WEIGHTED and weight is not None else term)
    if len(terms) == 1:
        return terms[0]
    return lambda prediction, target: functools.reduce(
        lambda total, term: total + term, [term(prediction, target) for term in terms]
    )


def class_weights(pixels: np.ndarray, rule: str) -> np.ndarray | None:
    """Weights of the classes from their numbers of pixels; None for "none".

        w_k ∝ f_k^(−1/2) ("sqrt") or 1/f_k ("balanced"),  so that Σ_k f_k w_k = 1: the mean pixel counts once

    A class without pixels has the weight 1.

    >>> class_weights(np.array([50, 25, 25]), "balanced").round(2)
    array([0.67, 1.33, 1.33], dtype=float32)
    """
    power = CLASS_WEIGHTS[rule]
    if power == 0:
        return None
    share = pixels / pixels.sum()
    raw = np.where(share > 0, np.maximum(share, 1e-12) ** power, 0)
    return np.where(share > 0, raw / (share * raw).sum(), 1.0).astype(np.float32)


def _ignoring(loss: Callable[..., Any], ignore_index: int | None) -> Callable[..., Any]:
    if ignore_index is None or "ignore_index" not in inspect.signature(loss).parameters:
        return loss
    return functools.partial(loss, ignore_index=ignore_index)


def _weighted(loss: Callable[..., Any], weight: np.ndarray) -> Callable[..., Any]:
    """The weight lies where the logits lie, in their dtype."""
    return lambda prediction, target: loss(
        prediction, target, weight=Tensor(weight.astype(prediction.dtype)).to(prediction.device)
    )
