"""lovasz_softmax: 1 − IoU at certain predictions; in between the definition, pixel by pixel; gradients."""

import itertools

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import OURS, against_numpy, differentiable, draw, refuses, same_in_every_layout

TARGET = np.array([[[0, 2, 1, 0], [1, 255, 2, 2]], [[0, 0, 1, 255], [1, 1, 2, 2]]])


def delta(wrong, member):
    """1 − IoU where just the pixels in `wrong` are wrong."""
    union = member | wrong
    return 1 - (member & ~wrong).sum() / union.sum() if union.any() else 0.0


def extension(error, member):
    """Σ e_(i) (Δ(first i) − Δ(first i − 1)), from the set function itself."""
    wrong, total, before = np.zeros(len(error), bool), 0.0, 0.0
    for i in np.argsort(-error, kind="stable"):
        wrong[i] = True
        now = delta(wrong, member)
        total, before = total + error[i] * (now - before), now
    return total


@pytest.mark.parametrize("classes", ["present", "all"])
def test_definition(classes):
    special = pytest.importorskip("scipy.special")

    def oracle(x):
        p, kept, losses = special.softmax(x, axis=1), TARGET != 255, []
        for k in range(4):
            member = np.equal(TARGET, k)[kept]
            if member.any() or classes == "all":
                losses.append(extension(np.abs(member - p[:, k][kept]), member))
        return np.mean(losses)

    against_numpy(
        [(2, 4, 2, 4)], lambda L, x: L.lovasz_softmax(x, ms.tensor(TARGET), classes, ignore_index=255), oracle
    )


def test_certain_predictions_give_one_minus_iou():
    predicted, target = np.random.default_rng(0).integers(0, 3, (2, 1, 5, 6))
    x = 1000.0 * (np.arange(3)[None, :, None, None] == predicted[:, None])
    ious = [
        ((predicted == k) & (target == k)).sum() / ((predicted == k) | (target == k)).sum() for k in range(3)
    ]
    np.testing.assert_allclose(OURS.lovasz_softmax(ms.tensor(x), ms.tensor(target)).item(), 1 - np.mean(ious))


def test_per_image_is_the_mean_over_images():
    x, target = ms.tensor(draw([(2, 3, 2, 4)])[0]), ms.tensor(TARGET)
    each = [OURS.lovasz_softmax(x[i : i + 1], target[i : i + 1], ignore_index=255).item() for i in range(2)]
    found = OURS.lovasz_softmax(x, target, per_image=True, ignore_index=255).item()
    np.testing.assert_allclose(found, np.mean(each))


def test_nothing_to_learn_from():
    x = ms.zeros(1, 3, 1, 2, requires_grad=True)
    loss = OURS.lovasz_softmax(x, ms.tensor(np.full((1, 1, 2), 255)), ignore_index=255)
    loss.backward()
    assert loss.item() == 0 and not x.grad.data.any()


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    target = ms.tensor(TARGET[:1])
    differentiable([(1, 3, 2, 4)], lambda L, x: L.lovasz_softmax(x, target, ignore_index=255), order)


def test_refuses():
    call = lambda L: L.lovasz_softmax(L.zeros(1, 2, 1, 1), L.tensor([[[0]]]), classes="some")  # noqa: E731
    refuses(ValueError, "lovasz_softmax 'some'", call, torch_too=False)


def test_it_is_the_tightest_convex_bound():
    """Lovász: the extension of a submodular Δ is the maximum of Σ e_i w_i over all orders."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        error, member = rng.uniform(0, 1, 5), rng.integers(0, 2, 5).astype(bool)
        sums = []
        for order in itertools.permutations(range(5)):
            wrong, total, before = np.zeros(5, bool), 0.0, 0.0
            for i in order:
                wrong[i] = True
                now = delta(wrong, member)
                total, before = total + error[i] * (now - before), now
            sums.append(total)
        p = ms.tensor(np.where(member, 1 - error, error)[None, None, None])  # one channel: foreground
        target = ms.tensor(member.astype(int)[None, None])
        found = OURS.lovasz_softmax(p, target, "all", from_logits=False).item()
        np.testing.assert_allclose(found, max(sums), atol=1e-12)


def test_ties_share_the_value_whatever_their_order():
    x = np.zeros((1, 3, 2, 4))  # all probabilities are equal
    order = np.random.default_rng(0).permutation(8)
    target = TARGET[:1].ravel()
    values = [
        OURS.lovasz_softmax(ms.tensor(x), ms.tensor(t.reshape(1, 2, 4)), ignore_index=255).item()
        for t in (target, target[order])
    ]
    np.testing.assert_allclose(values[0], values[1])


def test_ignored_pixels_and_absent_classes():
    x = ms.tensor(draw([(2, 4, 2, 4)])[0], requires_grad=True)
    OURS.lovasz_softmax(x, ms.tensor(TARGET), ignore_index=255).backward()
    assert not x.grad.data[np.broadcast_to((TARGET == 255)[:, None], x.shape)].any()
    with_absent = OURS.lovasz_softmax(x, ms.tensor(TARGET), "all", ignore_index=255).item()
    present = OURS.lovasz_softmax(x, ms.tensor(TARGET), ignore_index=255).item()
    p = OURS.softmax(x, 1).data[:, 3][TARGET != 255]
    np.testing.assert_allclose(with_absent, (3 * present + p.max()) / 4)  # Δ of an absent class is 1 at once


@pytest.mark.parametrize("per_image", [False, True])
def test_empty_batch(per_image):
    x = ms.zeros(0, 3, 2, 2, requires_grad=True)
    loss = OURS.lovasz_softmax(x, ms.zeros(0, 2, 2, dtype="int64"), per_image=per_image)
    loss.backward()
    assert loss.item() == 0 and x.grad.shape == x.shape


def test_an_image_without_pixels_to_count_adds_nothing():
    x, target = ms.tensor(draw([(2, 3, 2, 4)])[0]), TARGET.copy()
    target[1] = 255
    half = OURS.lovasz_softmax(x, ms.tensor(target), per_image=True, ignore_index=255).item()
    first = OURS.lovasz_softmax(x[:1], ms.tensor(target[:1]), ignore_index=255).item()
    np.testing.assert_allclose(half, first / 2)


def test_layouts():
    same_in_every_layout([(2, 4, 2, 4), TARGET], lambda L, x, t: L.lovasz_softmax(x, t, ignore_index=255))
