"""tversky_loss and jaccard_loss against counts; the Dice loss as a case; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import OURS, against_numpy, close, differentiable, draw, refuses

TARGET = np.array([[[0, 2, 1], [1, 255, 2]]])


@pytest.mark.parametrize("alpha, beta", [(0.5, 0.5), (0.3, 0.7), (1.0, 1.0), (0.0, 1.0)])
def test_definition(alpha, beta):
    special = pytest.importorskip("scipy.special")

    def oracle(x):
        p, kept = special.softmax(x, axis=1), TARGET != 255
        losses = []
        for k in range(3):
            pk, tk = p[:, k][kept], np.equal(TARGET, k)[kept]
            hit, alarm, missed = np.sum(pk * tk), np.sum(pk * ~tk), np.sum((1 - pk) * tk)
            losses.append(1 - (hit + 1) / (hit + alpha * alarm + beta * missed + 1))
        return np.mean(losses)

    against_numpy([(1, 3, 2, 3)], lambda L, x: L.tversky_loss(x, ms.tensor(TARGET), alpha, beta, 255), oracle)


def test_dice_and_jaccard_are_cases():
    x, target = ms.tensor(draw([(1, 3, 2, 3)])[0]), ms.tensor(TARGET)
    dice = OURS.dice_loss(x, target, 255, smooth=2.0, reduction="none")
    close(OURS.tversky_loss(x, target, 0.5, 0.5, 255, reduction="none").data, dice.data)
    close(OURS.jaccard_loss(x, target, 255).data, OURS.tversky_loss(x, target, 1, 1, 255).data)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(1, 3, 2, 3)], lambda L, x: L.tversky_loss(x, ms.tensor(TARGET), 0.3, 0.7, 255), order)


def test_refuses():
    call = lambda L: L.tversky_loss(L.zeros(1, 2, 1, 1), L.tensor([[[0]]]), alpha=-1.0)  # noqa: E731
    refuses(ValueError, "tversky_loss alpha -1", call, torch_too=False)
