"""cross_entropy and nll_loss against PyTorch and scipy.special, every option; twin; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.cross_entropy import CrossEntropy
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
    twin_agrees,
)

MAP = np.array([[[0, 2, 1], [1, -100, 2]], [[2, 2, 0], [-100, 1, 1]]])
WEIGHT = np.array([0.5, 2.0, 1.25])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [-100, 2, 255])
def test_torch(reduction, smoothing, weighted, ignore):
    target = np.where(MAP == -100, ignore, MAP)

    def call(L, x, t):
        w = L.tensor(WEIGHT.astype(str(x.dtype).split(".")[-1])) if weighted else None
        return L.cross_entropy(x, t, w, ignore_index=ignore, reduction=reduction, label_smoothing=smoothing)

    against_torch([(2, 3, 2, 3), target], call)


@pytest.mark.parametrize(
    "x, target",
    [
        ((4, 5), np.array([0, 4, 2, 2])),
        ((5,), np.array(3)),
        ((2, 3, 4), np.array([[0, 1, 2, 2], [1, 1, 0, -100]])),
        ((2, 3, 2, 1, 2), np.array([[[[0, 1]], [[2, 2]]], [[[1, 1]], [[0, -100]]]])),
        ((0, 3, 2, 2), np.zeros((0, 2, 2), np.int64)),
        ((2, 1, 2, 2), np.zeros((2, 2, 2), np.int64)),
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ranks(x, target, reduction):
    against_torch([x, target], lambda L, x, t: L.cross_entropy(x, t, reduction=reduction))
    if len(x) > 1:
        against_torch([x, target], lambda L, x, t: L.nll_loss(L.log_softmax(x, 1), t, reduction=reduction))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_all_pixels_ignored(reduction):
    """The mean of nothing is NaN, its gradient zero, as in PyTorch."""
    target = np.full((1, 2, 2), -100)
    against_torch([(1, 3, 2, 2), target], lambda L, x, t: L.cross_entropy(x, t, reduction=reduction))
    against_torch(
        [(1, 3, 2, 2), target], lambda L, x, t: L.nll_loss(x, t, reduction=reduction), gradients=False
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", [(2, 3, 2, 3), (4, 3), (3,)])
def test_probability_targets(shape, smoothing, reduction):
    q = np.abs(draw([shape], seed=2)[0])
    options = {"reduction": reduction, "label_smoothing": smoothing}
    against_torch([shape, q], lambda L, x, t: L.cross_entropy(x, t, **options))
    against_torch(
        [shape, q, WEIGHT],
        lambda L, x, t, w: L.cross_entropy(x, t, w.detach(), **options),
        dtypes=["float64"],
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_scipy(weighted):
    special = pytest.importorskip("scipy.special")

    def oracle(x, t):
        log_p, kept = special.log_softmax(x, axis=1), t != -100
        n, h, w = np.nonzero(kept)
        weights = (WEIGHT if weighted else np.ones(3))[t[kept]]
        return -np.sum(weights * log_p[n, t[kept], h, w]) / weights.sum()

    def call(L, x, t):
        return L.cross_entropy(x, t, ms.tensor(WEIGHT.astype(x.dtype)) if weighted else None)

    against_numpy([(2, 3, 2, 3), MAP], call, oracle)


def test_extreme_logits():
    x = np.array([[1000.0, 0, -1000], [0, 1e4, 0], [-1e30, 0, 0]])
    against_torch([x, np.array([2, 0, 0])], lambda L, x, t: L.cross_entropy(x, t, reduction="none"))


def test_ignored_pixels_may_be_nan():
    x = draw([(1, 3, 1, 2)])[0]
    x[..., 1] = np.nan
    t = ms.Tensor(x, True)
    loss = OURS.cross_entropy(t, ms.tensor(np.array([[[1, -100]]])))
    loss.backward()
    assert np.isfinite(loss.item()) and not t.grad.data[..., 1].any() and np.isfinite(t.grad.data).all()


def test_target_dtypes():
    x = ms.tensor(draw([(2, 3, 2, 3)])[0])
    expected = OURS.cross_entropy(x, ms.tensor(np.where(MAP < 0, 255, MAP)), ignore_index=255).item()
    for dtype in (np.uint8, np.int32, np.int16):
        target = np.where(MAP < 0, 255, MAP).astype(dtype)
        assert OURS.cross_entropy(x, ms.tensor(target), ignore_index=255).item() == expected


@pytest.mark.parametrize("weighted", [False, True])
def test_twin(weighted):
    x, rng = draw([(2, 3, 2, 3)])[0], np.random.default_rng(1)

    class Fixed(CrossEntropy):  # the weight is a constant: bound here, so that only x is differentiated
        pass

    weight = ms.tensor(WEIGHT) if weighted else None
    for operator in ("cross_entropy", "nll_loss"):
        for reduction in ("none", "mean", "sum"):
            twin_agrees(Fixed, x, ms.tensor(MAP), weight, -100, operator, reduction)
            scores, target = rng.standard_normal((4, 3)), ms.tensor([0, 2, -100, 1])
            twin_agrees(Fixed, scores, target, weight, -100, operator, reduction)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    target, weight = ms.tensor(MAP[:1]), ms.tensor(WEIGHT)
    options = {"weight": weight, "label_smoothing": 0.2}
    differentiable([(1, 3, 2, 3)], lambda L, x: L.cross_entropy(x, target, **options), order)
    differentiable([(1, 3, 2, 3)], lambda L, x: L.cross_entropy(x, target, reduction="none"), order)
    differentiable([(1, 3, 2, 3)], lambda L, x: L.nll_loss(x * x, target, weight), order)
    differentiable([(2, 3), (2, 3)], lambda L, x, q: L.cross_entropy(x, q), order)


def test_layouts():
    same_in_every_layout([(2, 3, 2, 3), MAP], lambda L, x, t: L.cross_entropy(x, t))


def call(shape, target, **options):
    return lambda L: L.cross_entropy(L.zeros(shape), L.tensor(np.asarray(target)), **options)


@pytest.mark.parametrize(
    "error, words, run",
    [
        (ShapeError, "cross_entropy target (1, 2) (2,)", call((2, 3), [[0, 1]])),
        (ShapeError, "squeeze(1)", call((1, 3, 2, 2), np.zeros((1, 1, 2, 2), np.int64))),
        (ValueError, "cross_entropy target 3 2", call((2, 3), [0, 3])),
        (ValueError, "cross_entropy target -1 ignore_index=-100", call((2, 3), [0, -1])),
        (ValueError, "cross_entropy reduction 'avg'", call((2, 3), [0, 1], reduction="avg")),
        (ValueError, "cross_entropy label_smoothing 1.5", call((2, 3), [0, 1], label_smoothing=1.5)),
        (ShapeError, "probabilities (2, 3) (2, 2)", call((2, 3), np.zeros((2, 2), np.float32))),
        (
            ShapeError,
            "weight (2,) (3,)",
            lambda L: L.cross_entropy(L.zeros(2, 3), L.tensor([0, 1]), L.ones(2)),
        ),
        (TypeError, "target bool", call((2, 3), [True, False])),
        (ShapeError, "nll_loss target (3,) (2,)", lambda L: L.nll_loss(L.zeros(2, 3), L.tensor([0, 1, 1]))),
    ],
)
def test_refuses(error, words, run):
    refuses(error, words, run)


def test_refuses_beyond_pytorch():
    one_hot = call((1, 2, 2, 2), np.zeros((1, 2, 2, 2), np.int64))
    refuses(ShapeError, "one-hot float", one_hot)
    mixed = lambda L: L.cross_entropy(L.zeros(2, 3), L.tensor([0, 1]), L.ones(3, dtype=L.float64))  # noqa: E731
    refuses(DTypeError, "cross_entropy float32, weight float64", mixed, torch_too=False)
    learned = lambda L: L.cross_entropy(L.zeros(2, 3), L.tensor([0, 1]), L.ones(3, requires_grad=True))  # noqa: E731
    refuses(ValueError, "cross_entropy weights detach()", learned, torch_too=False)


def test_a_single_pixel_with_weights_and_with_probabilities():
    x, weight = np.array([0.3, -1.0, 2.0]), np.array([0.5, 2.0, 1.25])
    probabilities = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    for reduction in ("none", "mean", "sum"):
        for loss in ("cross_entropy", "nll_loss"):
            against_torch(
                [x],
                lambda L, x, r=reduction, f=loss: getattr(L, f)(
                    x, L.tensor(1), L.tensor(weight), reduction=r
                ),
                dtypes=["float64"],
            )
        against_torch(
            [np.stack([x, -x])],
            lambda L, x, r=reduction: L.cross_entropy(
                x, L.tensor(probabilities), L.tensor(weight), reduction=r
            ),
            dtypes=["float64"],
        )


def test_a_target_with_a_channel_axis_gets_the_fix_in_the_message():
    with pytest.raises(
        ValueError, match=r"cross_entropy: .*: drop its channel axis with target.squeeze\(1\)"
    ):
        ms.functional.cross_entropy(ms.zeros(1, 3, 2, 2), ms.zeros(1, 1, 2, 2, dtype="int64"))
    with pytest.raises(ValueError, match=r"cross_entropy: input has shape \(\), expected"):
        ms.functional.cross_entropy(ms.tensor(1.0), ms.tensor(0))


def test_a_single_pixel_may_be_ignored_and_probabilities_share_the_dtype():
    F = ms.functional
    for loss in (ms.functional.cross_entropy, ms.functional.nll_loss):
        x = ms.tensor([0.3, -1.0, 2.0])
        assert loss(x, ms.tensor(1), ignore_index=1, reduction="sum").item() == 0.0
        assert loss(x, ms.tensor(1), ignore_index=1, reduction="none").item() == 0.0
        assert loss(x, ms.tensor(1), ignore_index=2, reduction="none").item() > 0.5
    with pytest.raises(ms.DTypeError, match=r"^cross_entropy: .*input float32, target float64"):
        F.cross_entropy(ms.zeros(2, 3), ms.full((2, 3), 1 / 3, dtype="float64"))


def test_a_target_changed_in_place_before_backward_is_refused():
    x, target = ms.zeros(1, 3, 2, requires_grad=True), ms.tensor([[0, 2]])
    OURS.cross_entropy(x, target).backward()
    loss = OURS.cross_entropy(x, target)
    target[0, 0] = 1
    with pytest.raises(RuntimeError, match=r"CrossEntropy saved array 0 of shape \(1, 2\)"):
        loss.backward()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kernels", ["reference", "cpu", "auto"])
def test_backward_is_silent_where_every_pixel_is_ignored(kernels):
    target = ms.tensor([9, 9])
    for loss in (ms.functional.cross_entropy, ms.functional.nll_loss):
        x = ms.zeros(2, 3, requires_grad=True)
        with dispatch.use(kernels):
            (loss(x, target, ignore_index=9) * 0).backward()
        assert x.grad.shape == (2, 3)
