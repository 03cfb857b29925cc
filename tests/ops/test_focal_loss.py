"""focal_loss against its formula; γ = 0 is cross-entropy; gradients; refusals."""

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

TARGET = np.array([[[0, 2, 1], [1, -100, 2]]])
WEIGHT = np.array([0.5, 2.0, 1.25])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_formula(gamma, reduction):
    special = pytest.importorskip("scipy.special")

    def oracle(x):
        kept, classes = TARGET != -100, np.maximum(TARGET, 0)
        log_p = np.take_along_axis(special.log_softmax(x, axis=1), classes[:, None], 1)[:, 0]
        loss = np.where(kept, -((1 - np.exp(log_p)) ** gamma) * WEIGHT[classes] * log_p, 0)
        return {"mean": loss.sum() / kept.sum(), "sum": loss.sum(), "none": loss}[reduction]

    def call(L, x):
        return L.focal_loss(
            x, ms.tensor(TARGET), gamma, ms.tensor(WEIGHT.astype(x.dtype)), reduction=reduction
        )

    against_numpy([(1, 3, 2, 3)], call, oracle)


def test_torch_gradient():
    def call(L, x, t):
        if hasattr(L, "focal_loss"):
            return L.focal_loss(x, t)
        surprise = L.cross_entropy(x, t, reduction="none")
        return ((1 - (-surprise).exp()) ** 2 * surprise).sum() / (t != -100).sum()

    against_torch([(1, 3, 2, 3), TARGET], call)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    differentiable([(1, 3, 2, 3)], lambda L, x: L.focal_loss(x, ms.tensor(TARGET), 1.5), order)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_certainty_has_a_finite_gradient(gamma):
    """p_t = 1 exactly: (1 − p)^γ with γ < 1 has an infinite slope there, times a loss of 0."""
    x = ms.tensor([[200.0, 0.0]], requires_grad=True)
    ms.functional.focal_loss(x, ms.tensor([0]), gamma).backward()
    assert np.isfinite(x.grad.data).all()


def test_refuses():
    refuses(
        ValueError,
        "focal_loss gamma -1",
        lambda L: L.focal_loss(L.zeros(1, 2), L.tensor([0]), -1.0),
        torch_too=False,
    )
    refuses(
        ValueError,
        "focal_loss 'max'",
        lambda L: L.focal_loss(L.zeros(1, 2), L.tensor([0]), reduction="max"),
        torch_too=False,
    )


def test_target_may_be_a_list():
    x = ms.randn(2, 3)
    assert OURS.focal_loss(x, [0, 1]).item() == OURS.focal_loss(x, ms.tensor([0, 1])).item()


def test_without_gamma_and_weight_it_is_cross_entropy():
    x, target = ms.tensor(draw([(1, 3, 2, 3)])[0]), ms.tensor(TARGET)
    for reduction in ("mean", "sum", "none"):
        expected = OURS.cross_entropy(x, target, reduction=reduction)
        close(OURS.focal_loss(x, target, 0.0, reduction=reduction).data, expected.data)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_ignored_pixels_do_not_count(gamma):
    x = ms.tensor(draw([(1, 3, 2, 3)])[0], requires_grad=True)
    x.data[0, :, 1, 1] = 1e4  # an ignored pixel
    OURS.focal_loss(x, ms.tensor(TARGET), gamma).backward()
    ignored = np.broadcast_to((TARGET == -100)[:, None], x.shape)
    assert not x.grad.data[ignored].any() and x.grad.data[~ignored].all()


@pytest.mark.filterwarnings("error")
def test_everything_ignored_and_empty_batches_are_as_in_cross_entropy():
    x, nothing = ms.randn(1, 3, 2, 2, requires_grad=True), ms.tensor(np.full((1, 2, 2), -100))
    empty = ms.zeros(0, 3, 2, 2), ms.zeros(0, 2, 2, dtype="int64")
    assert np.isnan(OURS.focal_loss(x, nothing).item()) and np.isnan(OURS.focal_loss(*empty).item())
    total = OURS.focal_loss(x, nothing, reduction="sum")
    total.backward()
    assert total.item() == 0 and not x.grad.data.any()
    assert OURS.focal_loss(*empty, reduction="sum").item() == 0


def test_layouts_and_dimensions():
    same_in_every_layout([(1, 3, 2, 3), TARGET], lambda L, x, t: L.focal_loss(x, t))
    whole = OURS.focal_loss(ms.tensor(draw([(4, 3)])[0]), ms.tensor([0, 2, 1, 1]), reduction="none")
    assert whole.shape == (4,)


def test_refuses_what_cross_entropy_refuses():
    refuses(ValueError, "target 3", lambda L: L.focal_loss(L.zeros(1, 3), L.tensor([3])), torch_too=False)


def test_focal_loss_refuses_probabilities():
    p = ms.rand(1, 3, 2, 2)
    with pytest.raises(TypeError, match="focal_loss: target is float32"):
        ms.functional.focal_loss(p, p)


def test_the_mean_of_focal_loss_is_over_what_is_not_ignored():
    x, target = ms.randn(1, 3, 2, 2), ms.tensor([[[0, 255], [255, 2]]])
    each = ms.functional.focal_loss(x, target, ignore_index=255, reduction="none")
    mean = ms.functional.focal_loss(x, target, ignore_index=255)
    np.testing.assert_allclose(mean.item(), each.sum().item() / 2, rtol=1e-6)
