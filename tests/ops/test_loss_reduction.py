"""The last step of every loss."""

import pytest

import minitorch_seg as ms
from minitorch_seg.ops.loss_reduction import REDUCTIONS, check_reduction, reduce_loss


def test_reductions():
    loss = ms.tensor([[1.0, 2.0], [3.0, 6.0]])
    assert reduce_loss(loss, "none") is loss
    assert reduce_loss(loss, "mean").item() == 3 and reduce_loss(loss, "sum").item() == 12
    for reduction in REDUCTIONS:
        check_reduction("op", reduction)


def test_refuses():
    with pytest.raises(ValueError, match="op: reduction 'average' is unknown: use 'none', 'mean' or 'sum'"):
        check_reduction("op", "average")
