"""Losses as modules: options arrive, weights lie in the state_dict."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import close, draw, theirs

CLASSES, LABELS = (
    np.array([0, 2, 1, -100]),
    np.array([[0.0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 0]], np.float32),
)
W = np.array([1.0, 2.0, 0.5], np.float32)


def array(library, value):
    return library.tensor(value)


@pytest.mark.parametrize(
    "make, target",
    [
        (lambda L: L.nn.CrossEntropyLoss(array(L, W), reduction="sum", label_smoothing=0.1), CLASSES),
        (lambda L: L.nn.CrossEntropyLoss(ignore_index=2), np.array([0, 2, 1, 1])),
        (lambda L: L.nn.BCEWithLogitsLoss(array(L, W), pos_weight=array(L, W)), LABELS),
        (lambda L: L.nn.MSELoss(reduction="none"), LABELS),
        (lambda L: L.nn.L1Loss(), LABELS),
        (lambda L: L.nn.SmoothL1Loss(beta=0.5), LABELS),
        (lambda L: L.nn.HuberLoss(delta=0.5), LABELS),
    ],
)
def test_torch(make, target):
    torch = theirs().modules[1]
    x = draw([(4, 3)], "float32")[0]
    ours, expected = make(ms), make(torch)
    close(ours(ms.tensor(x), ms.tensor(target)).data, expected(torch.tensor(x), torch.tensor(target)).numpy())
    assert sorted(ours.state_dict()) == sorted(expected.state_dict())


def test_from_probabilities():
    torch = theirs().modules[1]
    p = 1 / (1 + np.exp(-draw([(4, 3)], "float32")[0]))
    close(
        ms.nn.BCELoss()(ms.tensor(p), ms.tensor(LABELS)).data,
        torch.nn.BCELoss()(torch.tensor(p), torch.tensor(LABELS)).numpy(),
    )
    log_p = np.log(p / p.sum(1, keepdims=True))
    expected = torch.nn.NLLLoss(torch.tensor(W))(torch.tensor(log_p), torch.tensor(CLASSES)).numpy()
    close(ms.nn.NLLLoss(ms.tensor(W))(ms.tensor(log_p), ms.tensor(CLASSES)).data, expected)


def test_dice():
    x, target = ms.randn(1, 3, 2, 2), ms.tensor(np.array([[[0, 1], [2, 255]]]))
    options = {"ignore_index": 255, "smooth": 0.5, "reduction": "none"}
    close(ms.nn.DiceLoss(**options)(x, target).data, ms.functional.dice_loss(x, target, **options).data)
