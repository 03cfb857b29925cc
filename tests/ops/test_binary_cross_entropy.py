"""Binary cross-entropy from probabilities and from logits, also where they saturate."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from tests.helpers import OURS, against_numpy, against_torch, close, differentiable, draw, refuses, theirs

P = np.array([[0.1, 0.5, 0.99], [0.3, 0.7, 0.01]])
T = np.array([[0.0, 1.0, 0.25], [1.0, 0.0, 1.0]])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_torch(reduction):
    names = {"reduction": reduction}
    against_torch([P, T], lambda L, p, t: L.binary_cross_entropy(p, t, **names))
    against_torch(
        [P, T, (2, 3)], lambda L, p, t, w: L.binary_cross_entropy(p, t.detach(), w.detach(), **names)
    )
    against_torch([(2, 3), T], lambda L, x, t: L.binary_cross_entropy_with_logits(x, t, **names))
    against_torch(
        [(2, 3), T, (3,), np.array([0.5, 2.0, 4.0])],
        lambda L, x, t, w, a: L.binary_cross_entropy_with_logits(
            x, t.detach(), w.detach(), pos_weight=a.detach(), **names
        ),
    )


def test_numpy():
    def oracle(p, t):
        return np.mean(-(t * np.log(p) + (1 - t) * np.log(1 - p)))

    against_numpy([P, T], lambda L, p, t: L.binary_cross_entropy(p, t), oracle)
    logits = np.log(P / (1 - P))
    against_numpy(
        [logits, T],
        lambda L, x, t: L.binary_cross_entropy_with_logits(x, t),
        lambda x, t: oracle(1 / (1 + np.exp(-x)), t),
    )


@pytest.mark.filterwarnings("error")
def test_saturated_probabilities():
    """p = 0 and p = 1 exactly, as a float32 sigmoid gives them: large but finite loss and gradient."""
    p, t = np.array([0.0, 0.0, 1.0, 1.0, 1e-30]), np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    library = theirs()
    for dtype in ("float32", "float64"):
        ours, expected = (
            ms.tensor(p.astype(dtype), requires_grad=True),
            library.tensor(p.astype(dtype)).requires_grad_(),
        )
        loss = OURS.binary_cross_entropy(ours, ms.tensor(t.astype(dtype)), reduction="none")
        their_loss = library.binary_cross_entropy(expected, library.tensor(t.astype(dtype)), reduction="none")
        close(loss.data, their_loss.detach().numpy())
        loss.sum().backward()
        their_loss.sum().backward()
        close(ours.grad.data, expected.grad.numpy(), tolerance=2e-5)
        assert np.isfinite(ours.grad.data).all() and ours.grad.data[1] < -1e11


@pytest.mark.filterwarnings("error")
def test_extreme_logits():
    x, t = np.array([-1000.0, -100, 100, 1000]), np.array([1.0, 0, 1, 0])
    against_torch([x, t], lambda L, x, t: L.binary_cross_entropy_with_logits(x, t, reduction="none"))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    inside = 0.1 + 0.8 * T  # differences must not leave [0, 1]
    differentiable([P, inside], lambda L, p, t: L.binary_cross_entropy(p, t), order)
    differentiable([(2, 3), T], lambda L, x, t: L.binary_cross_entropy_with_logits(x, t), order)


def test_both_forms_agree():
    x = draw([(3, 4)])[0]
    t = ms.tensor((x > 0.3).astype(float))
    one = OURS.binary_cross_entropy(ms.tensor(x).sigmoid(), t).item()
    np.testing.assert_allclose(one, OURS.binary_cross_entropy_with_logits(ms.tensor(x), t).item())


def both(words, error, *sizes, **options):
    return [
        (
            error,
            f"{name} {words}",
            lambda L, name=name: getattr(L, name)(*(L.zeros(s) for s in sizes), **options),
        )
        for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits")
    ]


@pytest.mark.parametrize(
    "error, words, call",
    [
        *both("target (3,) (2,)", ShapeError, (2,), (3,)),
        *both("target (2, 4, 4) unsqueeze(1)", ShapeError, (2, 1, 4, 4), (2, 4, 4)),
        *both("reduction 'all'", ValueError, (2,), (2,), reduction="all"),
        (
            ValueError,
            "probabilities _with_logits",
            lambda L: L.binary_cross_entropy(L.ones(1) * 1.5, L.ones(1)),
        ),
        (ValueError, "probabilities", lambda L: L.binary_cross_entropy(L.ones(1) * float("nan"), L.ones(1))),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_refuses_integer_targets():
    call = lambda L: L.binary_cross_entropy_with_logits(L.zeros(2), L.tensor([0, 1]))  # noqa: E731
    refuses(DTypeError, "target int64", call, torch_too=False)


@pytest.mark.parametrize("x", [-20.01, -21.0, -30.0])
def test_the_loss_of_an_easy_pixel_is_small_and_not_zero(x):
    logit = ms.tensor(np.array([x]), requires_grad=True)
    loss = ms.functional.binary_cross_entropy_with_logits(logit, ms.tensor(np.array([0.0])))
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log1p(np.exp(x)), rtol=0.05)
    np.testing.assert_allclose(logit.grad.item(), 1 / (1 + np.exp(-x)), rtol=0.05)
