"""Losses as modules, with the arguments of the functions of the same names.

Arguments that stand behind one that PyTorch calls deprecated (size_average, reduce; left out here) are given
by name only, so that no call means something else there.  A loss is called with (input, target).
"""

from __future__ import annotations

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.nn.applied import Applied


class CrossEntropyLoss(Applied):
    """functional.cross_entropy: logits against class indices or probabilities.

    >>> import minitorch_seg as ms
    >>> ms.nn.CrossEntropyLoss()(ms.tensor([[2.0, 0.0]]), ms.tensor([0]))
    tensor(0.1269)
    """

    operator = staticmethod(F.cross_entropy)

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(
            weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )


class NLLLoss(Applied):
    """functional.nll_loss: log-probabilities against class indices.

    >>> import minitorch_seg as ms
    >>> ms.nn.NLLLoss()(ms.tensor([[-0.25, -1.5]]), ms.tensor([1]))
    tensor(1.5)
    """

    operator = staticmethod(F.nll_loss)

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)


class BCEWithLogitsLoss(Applied):
    """functional.binary_cross_entropy_with_logits: logits against labels 0 and 1 (or probabilities).

    >>> import minitorch_seg as ms
    >>> ms.nn.BCEWithLogitsLoss()(ms.tensor([0.0]), ms.tensor([1.0]))
    tensor(0.6931)
    """

    operator = staticmethod(F.binary_cross_entropy_with_logits)

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ):
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)


class BCELoss(Applied):
    """functional.binary_cross_entropy: probabilities against labels.

    >>> import minitorch_seg as ms
    >>> ms.nn.BCELoss()(ms.tensor([0.5]), ms.tensor([1.0]))
    tensor(0.6931)
    """

    operator = staticmethod(F.binary_cross_entropy)

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean"):
        super().__init__(weight=weight, reduction=reduction)


class MSELoss(Applied):
    """functional.mse_loss: (input − target)².

    >>> import minitorch_seg as ms
    >>> ms.nn.MSELoss()(ms.tensor([1.0, 2.0]), ms.tensor([0.0, 0.0]))
    tensor(2.5)
    """

    operator = staticmethod(F.mse_loss)

    def __init__(self, *, reduction: str = "mean"):
        super().__init__(reduction=reduction)


class L1Loss(Applied):
    """functional.l1_loss: |input − target|.

    >>> import minitorch_seg as ms
    >>> ms.nn.L1Loss()(ms.tensor([1.0, -2.0]), ms.tensor([0.0, 0.0]))
    tensor(1.5)
    """

    operator = staticmethod(F.l1_loss)

    def __init__(self, *, reduction: str = "mean"):
        super().__init__(reduction=reduction)


class SmoothL1Loss(Applied):
    """functional.smooth_l1_loss: a parabola up to beta, then a straight line.

    >>> import minitorch_seg as ms
    >>> ms.nn.SmoothL1Loss()(ms.tensor([0.5, 3.0]), ms.tensor([0.0, 0.0]))       # 0.125 and 2.5
    tensor(1.3125)
    """

    operator = staticmethod(F.smooth_l1_loss)

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0):
        super().__init__(reduction=reduction, beta=beta)


class HuberLoss(Applied):
    """functional.huber_loss: a parabola up to delta, then a straight line of slope delta.

    >>> import minitorch_seg as ms
    >>> ms.nn.HuberLoss(delta=2.0)(ms.tensor([0.5, 3.0]), ms.tensor([0.0, 0.0]))   # 0.125 and 4
    tensor(2.0625)
    """

    operator = staticmethod(F.huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction=reduction, delta=delta)


class DiceLoss(Applied):
    """functional.dice_loss: logits against class indices.

    >>> import minitorch_seg as ms
    >>> sure = ms.tensor([[[[100.0, -100.0]], [[-100.0, 100.0]]]])
    >>> ms.nn.DiceLoss()(sure, ms.tensor([[[0, 1]]])).item()
    0.0
    """

    operator = staticmethod(F.dice_loss)

    def __init__(
        self, ignore_index: int = -100, smooth: float = 1.0, from_logits: bool = True, reduction: str = "mean"
    ):
        super().__init__(
            ignore_index=ignore_index, smooth=smooth, from_logits=from_logits, reduction=reduction
        )


class JaccardLoss(DiceLoss):
    """functional.jaccard_loss: logits against class indices.

    >>> import minitorch_seg as ms
    >>> sure = ms.tensor([[[[100.0, -100.0]], [[-100.0, 100.0]]]])
    >>> ms.nn.JaccardLoss()(sure, ms.tensor([[[0, 1]]])).item()
    0.0
    """

    operator = staticmethod(F.jaccard_loss)


class TverskyLoss(Applied):
    """functional.tversky_loss: logits against class indices.

    >>> import minitorch_seg as ms
    >>> sure = ms.tensor([[[[100.0, -100.0]], [[-100.0, 100.0]]]])
    >>> ms.nn.TverskyLoss()(sure, ms.tensor([[[0, 1]]])).item()
    0.0
    """

    operator = staticmethod(F.tversky_loss)

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        ignore_index: int = -100,
        smooth: float = 1.0,
        from_logits: bool = True,
        reduction: str = "mean",
    ):
        super().__init__(
            alpha=alpha,
            beta=beta,
            ignore_index=ignore_index,
            smooth=smooth,
            from_logits=from_logits,
            reduction=reduction,
        )


class LovaszSoftmaxLoss(Applied):
    """functional.lovasz_softmax: logits against class indices.

    >>> import minitorch_seg as ms
    >>> sure = ms.tensor([[[[100.0, -100.0]], [[-100.0, 100.0]]]])
    >>> ms.nn.LovaszSoftmaxLoss()(sure, ms.tensor([[[0, 1]]])).item()
    0.0
    """

    operator = staticmethod(F.lovasz_softmax)

    def __init__(
        self,
        classes: str = "present",
        per_image: bool = False,
        ignore_index: int = -100,
        from_logits: bool = True,
    ):
        super().__init__(
            classes=classes, per_image=per_image, ignore_index=ignore_index, from_logits=from_logits
        )


class FocalLoss(Applied):
    """functional.focal_loss: logits against class indices.

    >>> import minitorch_seg as ms
    >>> sure = ms.tensor([[[[100.0, -100.0]], [[-100.0, 100.0]]]])
    >>> ms.nn.FocalLoss()(sure, ms.tensor([[[0, 1]]])).item()
    0.0
    """

    operator = staticmethod(F.focal_loss)

    def __init__(
        self,
        gamma: float = 2.0,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ):
        super().__init__(gamma=gamma, weight=weight, ignore_index=ignore_index, reduction=reduction)
