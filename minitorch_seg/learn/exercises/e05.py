"""Exercises of lesson 05, losses and metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg.learn.exercise import Case, Exercise, Mistake, derivative_of


def _scores(seed: int, what: str, n: int, k: int, size: tuple[int, int], scale: float = 1.0) -> Case:
    rng = np.random.default_rng(seed)
    return Case(what, scale * rng.standard_normal((n, k, *size)), rng.integers(0, k, (n, *size)))


# -- 1: cross-entropy --------------------------------------------------------------------------------------


def cross_entropy(z, t):
    m = z.max(axis=1, keepdims=True)
    lse = m[:, 0] + np.log(np.exp(z - m).sum(axis=1))
    chosen = np.take_along_axis(z, t[:, None], axis=1)[:, 0]
    return (lse - chosen).mean()


def _loss_cases() -> Sequence[Case]:
    return [
        _scores(12, "two classes", 1, 2, (2, 3)),
        _scores(13, "a batch, five classes", 3, 5, (2, 4)),
        _scores(14, "scores in the thousands", 2, 3, (3, 2), scale=3000.0),
    ]


def _log_p(z, t):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return np.log(np.take_along_axis(p, t[:, None], axis=1))


def _naive(z, t):
    return -_log_p(z, t).mean()


def _shifted_log_p(z, t):
    return -cross_entropy(z, t)


def _summed(z, t):
    return cross_entropy(z, t) * t.size


def _averaged_classes(z, t):
    return cross_entropy(z, t) / z.shape[1]


def _best_class(z, t):
    return cross_entropy(z, z.argmax(axis=1))


# -- 2: its gradient ---------------------------------------------------------------------------------------


def cross_entropy_backward(z, t):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    hit = t[:, None] == np.arange(z.shape[1])[:, None, None]
    return (p - hit) / t.size


def _backward_truth(z, t):
    return derivative_of(cross_entropy, wanted=[0])(np.array(1.0), z, t)


def _backward_cases() -> Sequence[Case]:
    return [
        _scores(15, "one image", 1, 3, (2, 4)),
        _scores(16, "a batch", 2, 4, (3, 2)),
        _scores(17, "large scores", 2, 2, (2, 3), scale=30.0),
    ]


def _softmax(z, axis=1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _hit(z, t):
    return t[:, None] == np.arange(z.shape[1])[:, None, None]


# -- 3: the gradient of Dice -------------------------------------------------------------------------------


def dice_gradient(p, q):
    I, S = (p * q).sum(), p.sum() + q.sum()
    return 2 * q / S - 2 * I / S**2


def _dice(p, q):
    return 2 * (p * q).sum() / (p.sum() + q.sum())


def _dice_truth(p, q):
    return derivative_of(_dice, wanted=[0])(np.array(1.0), p, q)


def _dice_cases() -> Sequence[Case]:
    rng = np.random.default_rng(18)

    def case(what: str, size: tuple[int, int], share: float) -> Case:
        return Case(what, rng.uniform(size=size), (rng.uniform(size=size) < share).astype(float))

    return [case("half of it coin", (4, 5), 0.5), case("a small coin", (6, 7), 0.1)]


# -- 4: a bug to hunt --------------------------------------------------------------------------------------


def mean_iou(prediction, truth, K):
    found = []
    for k in range(K):
        either = ((prediction == k) | (truth == k)).sum()
        if either > 0:
            both = ((prediction == k) & (truth == k)).sum()
            found.append(both / either)
    return np.mean(found)


def _mean_iou_cases() -> Sequence[Case]:
    rng = np.random.default_rng(19)

    def pair(classes: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(0, classes, (5, 6)), rng.integers(0, classes, (5, 6))

    first, absent = pair(3), pair(2)
    invented = (np.where(absent[0] == 1, 2, 0), absent[1])
    return [
        Case("three classes, all there", *first, K=3),
        Case("two of four classes are in neither", *absent, K=4),
        Case("a class that is only in the prediction", *invented, K=3),
    ]


def _mean_over(prediction, truth, K, absent):
    scores = []
    for k in range(K):
        both = ((prediction == k) & (truth == k)).sum()
        either = ((prediction == k) | (truth == k)).sum()
        scores.append(both / either if either else absent)
    return np.mean(scores)


def _only_in_truth(prediction, truth, K):
    classes = [k for k in range(K) if (truth == k).any()]
    pairs = [((prediction == k), (truth == k)) for k in classes]
    return np.mean([(p & t).sum() / (p | t).sum() for p, t in pairs])


def _in_both(prediction, truth, K):
    scores = []
    for k in range(K):
        p, t = prediction == k, truth == k
        if p.any() and t.any():
            scores.append((p & t).sum() / (p | t).sum())
    return np.mean(scores)


EXERCISES = [
    Exercise(
        "05.cross_entropy",
        "cross-entropy of scores of any size",
        cross_entropy,
        _loss_cases,
        (
            Mistake("nan", _naive),
            Mistake("sign", _shifted_log_p),
            Mistake("sum for mean", _summed, "this is the sum over all pixels; the loss is their mean"),
            Mistake(
                "divides by the classes",
                _averaged_classes,
                "divided by the number of classes as well: the mean runs over pixels, not over classes",
            ),
            Mistake(
                "best class",
                _best_class,
                "you take the score of the predicted class; the loss asks for that of the true class t",
            ),
        ),
    ),
    Exercise(
        "05.cross_entropy_backward",
        "probability minus truth",
        cross_entropy_backward,
        _backward_cases,
        (
            Mistake(
                "forgot the truth",
                lambda z, t: _softmax(z) / t.size,
                "these are the probabilities alone: at the true class 1 has to be subtracted",
            ),
            Mistake(
                "sum for mean",
                lambda z, t: _softmax(z) - _hit(z, t),
                "the loss is a mean over all pixels, so each of them has a share of 1/M only",
            ),
            Mistake(
                "wrong axis",
                lambda z, t: (_softmax(z, axis=-1) - _hit(z, t)) / t.size,
                "your probabilities sum to 1 along the image's columns; they must along the classes, axis 1",
            ),
            Mistake("sign", lambda z, t: -cross_entropy_backward(z, t)),
            Mistake(
                "mean over the batch only",
                lambda z, t: cross_entropy_backward(z, t) * t.size / len(z),
                "divided by the number of images; the mean runs over all pixels of all images",
            ),
        ),
        outputs=("dz",),
        truth=_backward_truth,
    ),
    Exercise(
        "05.dice_gradient",
        "the gradient of soft Dice, by the quotient rule",
        dice_gradient,
        _dice_cases,
        (
            Mistake(
                "forgot the denominator",
                lambda p, q: 2 * q / (p.sum() + q.sum()),
                "p stands in the denominator as well: the quotient rule has a second term, −2I/S²",
            ),
            Mistake("factor", lambda p, q: dice_gradient(p, q) / 2),
            Mistake("sign", lambda p, q: -dice_gradient(p, q)),
            Mistake(
                "square forgotten",
                lambda p, q: 2 * q / (p.sum() + q.sum()) - 2 * (p * q).sum() / (p.sum() + q.sum()),
                "the second term of the quotient rule has the square of the denominator",
            ),
        ),
        truth=_dice_truth,
    ),
    Exercise(
        "05.mean_iou",
        "the mean over classes, with a bug",
        mean_iou,
        _mean_iou_cases,
        (
            Mistake(
                "absent scores 0",
                lambda p, t, K: _mean_over(p, t, K, 0.0),
                "a class that is neither in the prediction nor in the truth scores 0 with you, though "
                "nobody made a mistake: it has no score, leave it out of the mean",
            ),
            Mistake(
                "absent scores 1",
                lambda p, t, K: _mean_over(p, t, K, 1.0),
                "a class that is nowhere scores 1 with you: so classes that never occur raise the mean",
            ),
            Mistake(
                "invented classes are free",
                _only_in_truth,
                "a class that was predicted and is not there has the IoU 0; you leave it out",
            ),
            Mistake("only where both", _in_both, "a class in only one of the two has the IoU 0, not none"),
        ),
        planted=True,
    ),
]
