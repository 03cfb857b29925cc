"""Losses as modules, with the arguments of the functions of the same names."""

from __future__ import annotations

from typing import Any

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.nn.module import Module


class CrossEntropyLoss(Module):
    """functional.cross_entropy: logits against class indices or probabilities.

    >>> import minitorch_seg as ms
    >>> ms.nn.CrossEntropyLoss()(ms.tensor([[2.0, 0.0]]), ms.tensor([0]))
    tensor(0.1269)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(Module):
    """functional.nll_loss: log-probabilities against class indices."""

    def __init__(self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class BCEWithLogitsLoss(Module):
    """functional.binary_cross_entropy_with_logits: logits against labels 0 and 1 (or probabilities)."""

    def __init__(
        self, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class BCELoss(Module):
    """functional.binary_cross_entropy: probabilities against labels."""

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean"):
        super().__init__()
        self.register_buffer("weight", weight)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class MSELoss(Module):
    """functional.mse_loss: (input − target)²."""

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.mse_loss(input, target, self.reduction)


class DiceLoss(Module):
    """functional.dice_loss: logits against class indices."""

    def __init__(
        self, ignore_index: int = -100, smooth: float = 1.0, from_logits: bool = True, reduction: str = "mean"
    ):
        super().__init__()
        self.ignore_index, self.smooth, self.from_logits, self.reduction = (
            ignore_index,
            smooth,
            from_logits,
            reduction,
        )

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.dice_loss(input, target, self.ignore_index, self.smooth, self.from_logits, self.reduction)


class L1Loss(Module):
    """functional.l1_loss: |input − target|."""

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(Module):
    """functional.smooth_l1_loss: a parabola up to beta, then a straight line."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        super().__init__()
        self.reduction, self.beta = reduction, beta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(Module):
    """functional.huber_loss: a parabola up to delta, then a straight line of slope delta."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__()
        self.reduction, self.delta = reduction, delta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta)
