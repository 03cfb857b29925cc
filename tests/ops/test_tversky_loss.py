"""tversky_loss and jaccard_loss against counts; the Dice loss as a case; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    close,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
)

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


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smooth", [0.0, 2.5])
def test_options(reduction, smooth):
    special = pytest.importorskip("scipy.special")

    def oracle(x):
        kept = TARGET != 255
        p, t = special.softmax(x, axis=1).swapaxes(0, 1)[:, kept], np.eye(256)[:3][:, TARGET[kept]]
        hit = (p * t).sum(1)
        union = (p + t - p * t).sum(1)
        losses = 1 - (hit + smooth) / (union + smooth)
        return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](losses)

    options = {"ignore_index": 255, "smooth": smooth, "reduction": reduction}
    against_numpy([(1, 3, 2, 3)], lambda L, x: L.jaccard_loss(x, ms.tensor(TARGET), **options), oracle)


def test_torch_gradient():
    def call(L, x, t):
        if L is OURS:
            return L.tversky_loss(x, t, 0.3, 0.7, 255)
        kept = (t != 255).unsqueeze(1)
        p, truth = L.softmax(x, 1) * kept, (t.unsqueeze(1) == L.arange(3).reshape(1, 3, 1, 1)) * kept
        hit, alarm, missed = p * truth, p * ~truth, (1 - p) * truth
        hit, alarm, missed = (q.sum((0, 2, 3)) for q in (hit, alarm, missed))
        return (1 - (hit + 1) / (hit + 0.3 * alarm + 0.7 * missed + 1)).mean()

    against_torch([(1, 3, 2, 3), TARGET], call)


def test_one_channel_and_probabilities():
    x, target = draw([(2, 1, 3, 4)])[0], np.random.default_rng(0).integers(0, 2, (2, 3, 4))
    p = 1 / (1 + np.exp(-x[:, 0]))
    hit = np.sum(p * target)
    expected = 1 - (hit + 1) / (p.sum() + target.sum() - hit + 1)
    np.testing.assert_allclose(OURS.jaccard_loss(ms.tensor(x), ms.tensor(target)).item(), expected)
    found = OURS.jaccard_loss(ms.tensor(p[:, None]), ms.tensor(target), from_logits=False).item()
    np.testing.assert_allclose(found, expected)


def test_a_missed_pixel_costs_more_with_a_larger_beta():
    p = ms.tensor(np.array([[[[0.1, 0.9]]]]))
    target = ms.tensor(np.array([[[1, 1]]]))
    gentle, strict = (OURS.tversky_loss(p, target, 1 - b, b, from_logits=False).item() for b in (0.1, 0.9))
    assert gentle < strict


def test_nothing_to_learn_from():
    x = ms.zeros(1, 3, 1, 2, requires_grad=True)
    for name in ("tversky_loss", "jaccard_loss"):
        loss = getattr(OURS, name)(x, ms.tensor(np.full((1, 1, 2), 255)), ignore_index=255)
        (g,) = ms.grad(loss, x)
        assert loss.item() == 0 and not g.data.any()
        assert getattr(OURS, name)(ms.zeros(0, 3, 2, 2), ms.zeros(0, 2, 2, dtype="int64")).item() == 0


def test_layouts():
    same_in_every_layout([(1, 3, 2, 3), TARGET], lambda L, x, t: L.tversky_loss(x, t, 0.3, 0.7, 255))


def test_refuses_wrong_targets():
    for name in ("tversky_loss", "jaccard_loss"):
        call = lambda L, n=name: getattr(L, n)(L.zeros(1, 2, 1, 1), L.tensor([[[2]]]))  # noqa: E731
        refuses(ValueError, "_loss target 2", call, torch_too=False)
