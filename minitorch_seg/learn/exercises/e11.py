"""Exercises of lesson 11: a tied autoencoder's gradient, a step of k-means, the normalised cut, naming."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg.learn.exercise import Case, Exercise, Mistake, derivative_of
from minitorch_seg.metrics import match_segments

# -- 1: the gradient of a tied autoencoder -----------------------------------------------------------------


def tied_backward(x, W, b, c):
    y = np.tanh(x @ W.T + b)
    r = y @ W + c - x
    delta = (1 - y**2) * (2 * r @ W.T)
    dW = y.T @ (2 * r) + delta.T @ x  # as decoder, as encoder
    return dW, delta.sum(axis=0), (2 * r).sum(axis=0)


def _tied_loss(x, W, b, c):
    return ((np.tanh(x @ W.T + b) @ W + c - x) ** 2).sum()


def _tied_truth(x, W, b, c):
    return derivative_of(_tied_loss, wanted=[1, 2, 3])(np.array(1.0), x, W, b, c)


def _tied_cases() -> Sequence[Case]:
    normal = np.random.default_rng(110).standard_normal

    def case(what: str, n: int, d: int, k: int) -> Case:
        return Case(what, normal((n, d)), 0.6 * normal((k, d)), normal(k), normal(d))

    return [
        case("one row", 1, 4, 2),
        case("5 rows", 5, 4, 3),
        case("a code as wide as the row", 3, 3, 3),
    ]


def _tied(x, W, b, c, encoder=1, decoder=1, slope=True, scale=2.0):
    y = np.tanh(x @ W.T + b)
    r = scale * (y @ W + c - x)
    delta = (1 - y**2 if slope else 1) * (r @ W.T)
    return decoder * (y.T @ r) + encoder * (delta.T @ x), delta.sum(axis=0), r.sum(axis=0)


def _tied_turned(x, W, b, c):
    dW, db, dc = tied_backward(x, W, b, c)
    return dW.T, db, dc


# -- 2: one step of k-means --------------------------------------------------------------------------------


def kmeans_step(x, c):
    distances = ((x[:, None] - c) ** 2).sum(axis=2)
    s = distances.argmin(axis=1)
    moved = c.copy()
    for j in range(len(c)):
        if (s == j).any():
            moved[j] = x[s == j].mean(axis=0)
    return moved


def _kmeans_cases() -> Sequence[Case]:
    normal = np.random.default_rng(111).standard_normal
    far = np.array([[0.0, 0.0], [2.0, 1.0], [90.0, 90.0]])
    return [
        Case("two clumps", np.concatenate([normal((5, 2)) - 3, normal((4, 2)) + 3]), 4 * np.eye(2)),
        Case("three centres, three colours", normal((12, 3)), normal((3, 3))),
        Case("a centre that nobody is near to", normal((8, 2)), far),
    ]


def _totals(x, c, s):
    belongs = (s[:, None] == np.arange(len(c))).astype(float)
    return belongs.T @ x, belongs.sum(axis=0)[:, None]


def _nearest(x, c):
    return ((x[:, None] - c) ** 2).sum(axis=2).argmin(axis=1)


def _summed(x, c):
    sums, counts = _totals(x, c, _nearest(x, c))
    return np.where(counts > 0, sums, c)


def _divides_by_nothing(x, c):
    sums, counts = _totals(x, c, _nearest(x, c))
    return sums / counts


def _to_the_origin(x, c):
    sums, counts = _totals(x, c, _nearest(x, c))
    return sums / np.maximum(counts, 1)


def _of_all(x, c):
    sums, counts = _totals(x, c, _nearest(x, c))
    return np.where(counts > 0, sums / len(x), c)


def _by_product(x, c):
    sums, counts = _totals(x, c, (x @ c.T).argmax(axis=1))
    return np.where(counts > 0, sums / np.maximum(counts, 1), c)


def _without_the_empty(x, c):
    sums, counts = _totals(x, c, _nearest(x, c))
    kept = counts[:, 0] > 0
    return sums[kept] / counts[kept]


# -- 3: the normalised cut ---------------------------------------------------------------------------------


def normalised_cut(w, p):
    d = w.sum(axis=1)
    J = len(p)
    for p_j in p:
        J -= (p_j @ w @ p_j) / (p_j @ d)
    return J


def _cut_cases() -> Sequence[Case]:
    rng = np.random.default_rng(112)

    def alike(n: int) -> np.ndarray:
        half = rng.uniform(size=(n, n)) ** 3
        return half + half.T + np.eye(n)

    soft = rng.uniform(size=(3, 7))
    return [
        Case("4 pixels, two hard segments", alike(4), np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])),
        Case("6 pixels, one against five", alike(6), np.array([[0.0, 1, 0, 0, 0, 0], [1, 0, 1, 1, 1, 1]])),
        Case("7 pixels, three soft segments", alike(7), soft / soft.sum(axis=0)),
    ]


def _plain_cut(w, p):
    return sum(p_j @ w @ (1 - p_j) for p_j in p)


def _by_pixels(w, p):
    return sum(p_j @ w @ (1 - p_j) / p_j.sum() for p_j in p)


def _kept(w, p):
    return len(p) - normalised_cut(w, p)


def _hardened(w, p):
    return normalised_cut(w, (p == p.max(axis=0)).astype(float))


def _by_all(w, p):
    return len(p) - sum(p_j @ w @ p_j for p_j in p) / w.sum()


# -- 4: a bug to hunt --------------------------------------------------------------------------------------


def name_segments(M):
    from itertools import permutations

    best, most = None, -1
    for a in permutations(range(len(M))):  # a[s] is the class of segment s; K! tries
        right = sum(M[a[s], s] for s in range(len(M)))
        if right > most:
            best, most = a, right
    return np.array(best)


def _naming_cases() -> Sequence[Case]:
    return [
        Case("clear at once", np.array([[1, 0, 30], [25, 2, 3], [0, 40, 4]])),
        Case("two segments want one class", np.array([[50, 45], [40, 0]])),
        Case("four classes", np.array([[9, 8, 1, 0], [7, 3, 2, 9], [2, 6, 0, 1], [0, 7, 5, 6]])),
    ]


def _greedy(M):
    left, a = M.astype(float), np.zeros(len(M), int)
    for _ in range(len(M)):
        t, s = np.unravel_index(left.argmax(), left.shape)
        a[s] = t
        left[t], left[:, s] = -1, -1
    return a


EXERCISES = [
    Exercise(
        "11.tied_backward",
        "the gradient of a tied autoencoder: W is used twice",
        tied_backward,
        _tied_cases,
        (
            Mistake(
                "forgot the decoder's term",
                lambda x, W, b, c: _tied(x, W, b, c, decoder=0),
                "this is what W gets as encoder; it stands in the decoder as well, x̂ = Wᵀ y + c: add 2 y rᵀ",
            ),
            Mistake(
                "forgot the encoder's term",
                lambda x, W, b, c: _tied(x, W, b, c, encoder=0),
                "this is what W gets as decoder; the code was made by W as well: add δ xᵀ",
            ),
            Mistake(
                "forgot f'",
                lambda x, W, b, c: _tied(x, W, b, c, slope=False),
                "the slope of tanh is missing on the way into the code: δ = (1 − y²) ⊙ 2 W r",
            ),
            Mistake(
                "minus for plus",
                lambda x, W, b, c: _tied(x, W, b, c, encoder=-1),
                "the two terms of W have opposite signs with you: both come from the same r, and add up",
            ),
            Mistake(
                "mean for sum",
                lambda x, W, b, c: tuple(g / x.size for g in tied_backward(x, W, b, c)),
                "divided by the number of all numbers: the documented objective is a sum, not a mean",
            ),
            Mistake("factor", lambda x, W, b, c: _tied(x, W, b, c, scale=1.0)),
            Mistake("sign", lambda x, W, b, c: _tied(x, W, b, c, scale=-2.0)),
            Mistake("transposed", _tied_turned),
        ),
        outputs=("dW", "db", "dc"),
        truth=_tied_truth,
    ),
    Exercise(
        "11.kmeans_step",
        "one step of k-means: assign, then move",
        kmeans_step,
        _kmeans_cases,
        (
            Mistake(
                "sum for mean",
                _summed,
                "each centre became the sum of its rows; the derivative is 0 at their mean",
            ),
            Mistake(
                "mean over all",
                _of_all,
                "divided by the number of all rows: each centre is the mean of its own",
            ),
            Mistake(
                "empty goes to the origin",
                _to_the_origin,
                "a centre without rows was sent to the origin, as if something lay there: it stays",
            ),
            Mistake(
                "largest product",
                _by_product,
                "each row went to the centre with the largest product x·c; ‖x − c‖² has ‖c‖² in it as "
                "well, so that a long c does not win for being long",
            ),
            Mistake("nan", _divides_by_nothing),
            Mistake("shape", _without_the_empty),
        ),
    ),
    Exercise(
        "11.normalised_cut",
        "the soft normalised cut from a matrix of weights",
        normalised_cut,
        _cut_cases,
        (
            Mistake(
                "forgot the denominators",
                _plain_cut,
                "this is the cut itself, not normalised: a single pixel would be the cheapest segment; "
                "divide the part of each segment by p_jᵀ d",
            ),
            Mistake(
                "divides by pixels",
                _by_pixels,
                "divided by the number of pixels of a segment; the normalised cut divides by all their "
                "weights, p_jᵀ d",
            ),
            Mistake(
                "what is kept",
                _kept,
                "this is what the segments keep, large where they are good: the cut is K minus that",
            ),
            Mistake(
                "hardened",
                _hardened,
                "probabilities were rounded to 0 and 1, and no gradient passes that: use p as it is",
            ),
            Mistake(
                "one denominator",
                _by_all,
                "all segments are divided by one number, the sum of all weights: each has its own p_jᵀ d",
            ),
        ),
    ),
    Exercise(
        "11.name_segments",
        "names for segments, with a bug",
        name_segments,
        _naming_cases,
        (
            Mistake(
                "greedy",
                _greedy,
                "the largest number is taken first, and never given back: a second-best there may save more "
                "elsewhere. Compare whole assignments",
            ),
            Mistake(
                "a class twice",
                lambda M: M.argmax(axis=0),
                "each segment takes its favourite class, and two take the same one: no class twice",
            ),
            Mistake(
                "the other way round",
                lambda M: np.argsort(name_segments(M)),
                "these are the segments of the classes; wanted are the classes of the segments, a[s]",
            ),
            Mistake(
                "the worst",
                lambda M: name_segments(M.max() - M),
                "this assignment has the fewest pixels right: a maximum is wanted",
            ),
            Mistake(
                "unnamed",
                lambda M: np.arange(len(M)),
                "segment 0 became class 0, and so on: the numbers of segments mean nothing",
            ),
        ),
        truth=match_segments,
        planted=True,
    ),
]
