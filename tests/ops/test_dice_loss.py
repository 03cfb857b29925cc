"""dice_loss against its definition, class by class, and against PyTorch's operators; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import OURS, against_numpy, against_torch, differentiable, draw, refuses

TARGET = np.array([[[0, 2, 1], [1, 255, 2]], [[2, 2, 0], [255, 1, 1]]])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smooth", [1.0, 0.0, 2.5])
def test_definition(reduction, smooth):
    special = pytest.importorskip("scipy.special")

    def oracle(x, t):
        p, kept = special.softmax(x, axis=1), t != 255
        losses = []
        for k in range(x.shape[1]):
            pk, tk = p[:, k][kept], (t == k)[kept]
            losses.append(1 - (2 * np.sum(pk * tk) + smooth) / (pk.sum() + tk.sum() + smooth))
        return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](losses)

    options = {"ignore_index": 255, "smooth": smooth, "reduction": reduction}
    against_numpy([(2, 3, 2, 3), TARGET], lambda L, x, t: L.dice_loss(x, t, **options), oracle)


def test_torch_gradient():
    def call(L, x, t):
        if L is OURS:
            return L.dice_loss(x, t, ignore_index=255)
        kept = (t != 255).unsqueeze(1)
        p = L.softmax(x, 1) * kept
        truth = (t.unsqueeze(1) == L.arange(3).reshape(1, 3, 1, 1)) * kept
        overlap, sizes = (p * truth).sum((0, 2, 3)), p.sum((0, 2, 3)) + truth.sum((0, 2, 3))
        return (1 - (2 * overlap + 1) / (sizes + 1)).mean()

    against_torch([(2, 3, 2, 3), TARGET], call)


def test_one_channel_is_foreground_against_background():
    x, target = draw([(2, 1, 3, 4)])[0], np.random.default_rng(0).integers(0, 2, (2, 3, 4))
    p = 1 / (1 + np.exp(-x[:, 0]))
    expected = 1 - (2 * np.sum(p * target) + 1) / (p.sum() + target.sum() + 1)
    np.testing.assert_allclose(OURS.dice_loss(ms.tensor(x), ms.tensor(target)).item(), expected)
    np.testing.assert_allclose(OURS.dice_loss(ms.tensor(x), ms.tensor(target[:, None])).item(), expected)
    probabilities = ms.tensor(1 / (1 + np.exp(-x)))
    found = OURS.dice_loss(probabilities, ms.tensor(target), from_logits=False).item()
    np.testing.assert_allclose(found, expected)


def test_ignored_pixels_do_not_count():
    x = draw([(2, 3, 2, 3)])[0]
    t = ms.Tensor(x, True)
    OURS.dice_loss(t, ms.tensor(TARGET), ignore_index=255).backward()
    ignored = np.broadcast_to((TARGET == 255)[:, None], x.shape)
    assert not t.grad.data[ignored].any() and t.grad.data[~ignored].all()
    for channels in (1, 3):
        nothing = OURS.dice_loss(ms.tensor(x[:, :channels]), ms.tensor(np.full((2, 2, 3), 1)), ignore_index=1)
        assert nothing.item() == 0.0  # the overlap of nothing with nothing, s / s


def test_empty_batch():
    assert OURS.dice_loss(ms.zeros(0, 3, 2, 2), ms.zeros(0, 2, 2, dtype="int64")).item() == 0.0


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    target = ms.tensor(TARGET[:1])
    differentiable([(1, 3, 2, 3)], lambda L, x: L.dice_loss(x, target, 255), order)
    binary = ms.tensor(np.array([[[0, 1], [1, 1]]]))
    differentiable([(1, 1, 2, 2)], lambda L, x: L.dice_loss(x, binary, reduction="none"), order)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "dice_loss input (2, 3) (N,", lambda L: L.dice_loss(L.zeros(2, 3), L.tensor([0, 1]))),
        (
            ShapeError,
            "dice_loss target (1, 2, 3) (1, 2, 2)",
            lambda L: L.dice_loss(L.zeros(1, 3, 2, 2), L.zeros(1, 2, 3, dtype="int64")),
        ),
        (
            ValueError,
            "dice_loss target 3",
            lambda L: L.dice_loss(L.zeros(1, 3, 1, 1), L.tensor([[[3]]])),
        ),
        (
            ValueError,
            "dice_loss probabilities",
            lambda L: L.dice_loss(L.ones(1, 3, 1, 1) * 2, L.tensor([[[0]]]), from_logits=False),
        ),
        (
            ValueError,
            "dice_loss reduction 'max'",
            lambda L: L.dice_loss(L.zeros(1, 3, 1, 1), L.tensor([[[0]]]), reduction="max"),
        ),
        (TypeError, "target float32", lambda L: L.dice_loss(L.zeros(1, 3, 1, 1), L.zeros(1, 1, 1))),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call, torch_too=False)
