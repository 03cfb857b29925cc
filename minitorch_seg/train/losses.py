"""Losses by name, and the data's own ignore_index handed to those that know it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from minitorch_seg import functional as F
from minitorch_seg.errors import UserError, nearest_name

__all__ = ["NAMES", "build_loss"]

#: What `--loss` and `Trainer(loss=...)` accept by name; several may be added up: "cross_entropy+dice_loss".
NAMES = ("cross_entropy", "dice_loss", "binary_cross_entropy_with_logits", "mse_loss")


def build_loss(loss: str | Callable[..., Any], ignore_index: int | None = None) -> Callable[[Any, Any], Any]:
    """A function (prediction, target) -> scalar Tensor.

    `loss` is a functional name, several joined by "+", or a function.  `ignore_index` is passed on to every
    term that has an argument of this name; None leaves the term's own default.
    """
    if isinstance(loss, str):
        names = [name.strip() for name in loss.split("+")]
        for name in names:
            if name not in NAMES:
                raise UserError(f"there is no loss {name!r}{nearest_name(name, NAMES)}")
        terms = [_ignoring(getattr(F, name), ignore_index) for name in names]
        if len(terms) == 1:
            return terms[0]
        return lambda prediction, target: functools.reduce(
            lambda total, term: total + term, [term(prediction, target) for term in terms]
        )
    return _ignoring(loss, ignore_index)


def _ignoring(loss: Callable[..., Any], ignore_index: int | None) -> Callable[..., Any]:
    if ignore_index is None or "ignore_index" not in inspect.signature(loss).parameters:
        return loss
    return functools.partial(loss, ignore_index=ignore_index)
