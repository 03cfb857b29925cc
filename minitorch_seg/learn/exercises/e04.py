"""Exercises of lesson 04, max pooling.  The truth comes from the framework's kernels in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg.kernels.reference import max_pool2d as reference
from minitorch_seg.learn.exercise import Case, Exercise, Mistake


def _pool(x, k, s, p=0):
    Ho, Wo = (x.shape[2] + 2 * p - k) // s + 1, (x.shape[3] + 2 * p - k) // s + 1
    return reference.max_pool2d(x, (k, k), (s, s), (p, p), (1, 1), (Ho, Wo))


# -- 1: forward --------------------------------------------------------------------------------------------


def max_pool2d(x, k, s):
    N, C, H, W = x.shape
    Ho, Wo = (H - k) // s + 1, (W - k) // s + 1
    y = np.zeros((N, C, Ho, Wo))
    for Y in range(Ho):
        for X in range(Wo):
            window = x[:, :, s * Y : s * Y + k, s * X : s * X + k]
            y[:, :, Y, X] = window.max(axis=(2, 3))
    return y


def _forward_truth(x, k, s):
    return _pool(x, k, s)[0]


def _forward_cases() -> Sequence[Case]:
    normal = np.random.default_rng(9).standard_normal
    return [
        Case("2×2, stride 2", normal((2, 3, 4, 6)), k=2, s=2),
        Case("an odd size", normal((1, 2, 5, 7)), k=2, s=2),
        Case("3×3, stride 2: windows overlap", normal((2, 2, 7, 6)), k=3, s=2),
        Case("only negative numbers", -1 - np.abs(normal((1, 2, 4, 4))), k=2, s=2),
    ]


def _mean(x, k, s):
    y = np.zeros_like(max_pool2d(x, k, s))
    for Y, X in np.ndindex(y.shape[2:]):
        y[:, :, Y, X] = x[:, :, s * Y : s * Y + k, s * X : s * X + k].mean(axis=(2, 3))
    return y


def _stride_is_window(x, k, s):
    return max_pool2d(x, k, k)


def _never_below_zero(x, k, s):
    return np.maximum(max_pool2d(x, k, s), 0)


def _all_channels(x, k, s):
    y = np.zeros_like(max_pool2d(x, k, s))
    for Y, X in np.ndindex(y.shape[2:]):
        y[:, :, Y, X] = x[:, :, s * Y : s * Y + k, s * X : s * X + k].max()
    return y


# -- 2: backward -------------------------------------------------------------------------------------------


def max_pool2d_backward(g, x, k, s):
    N, C, Ho, Wo = g.shape
    dx = np.zeros(x.shape)
    for n, c, Y, X in np.ndindex(N, C, Ho, Wo):
        window = x[n, c, s * Y : s * Y + k, s * X : s * X + k]
        i, j = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, s * Y + i, s * X + j] += g[n, c, Y, X]
    return dx


def _backward_truth(g, x, k, s):
    taps = _pool(x, k, s)[1]
    return reference.max_pool2d_gradient(g, taps, x.shape[2:], (k, k), (s, s), (0, 0), (1, 1))


def _backward_cases() -> Sequence[Case]:
    rng = np.random.default_rng(10)

    def case(what: str, x: np.ndarray, k: int, s: int) -> Case:
        return Case(what, rng.standard_normal(_pool(x, k, s)[0].shape), x, k=k, s=s)

    return [
        case("2×2, stride 2", rng.standard_normal((2, 2, 4, 6)), 2, 2),
        case("3×3, stride 1: windows overlap", rng.standard_normal((1, 2, 5, 6)), 3, 1),
        case("ties", rng.integers(0, 3, (2, 1, 6, 4)).astype(float), 2, 2),
        case("an odd size", rng.standard_normal((1, 1, 5, 7)), 2, 2),
    ]


def _scattered(g, x, k, s, shares):
    """dx where `shares(window)` says how a window's gradient is divided among its pixels."""
    dx = np.zeros(x.shape)
    for n, c, Y, X in np.ndindex(g.shape):
        rows, columns = slice(s * Y, s * Y + k), slice(s * X, s * X + k)
        dx[n, c, rows, columns] += g[n, c, Y, X] * shares(x[n, c, rows, columns])
    return dx


def _overwrites(g, x, k, s):
    dx = np.zeros(x.shape)
    for n, c, Y, X in np.ndindex(g.shape):
        window = x[n, c, s * Y : s * Y + k, s * X : s * X + k]
        i, j = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, s * Y + i, s * X + j] = g[n, c, Y, X]
    return dx


def _all_winners(g, x, k, s):
    return _scattered(g, x, k, s, lambda window: window == window.max())


def _shared(g, x, k, s):
    return _scattered(g, x, k, s, lambda window: (window == window.max()) / (window == window.max()).sum())


def _last_winner(g, x, k, s):
    def last(window):
        place = np.zeros(window.size)
        place[window.size - 1 - window.ravel()[::-1].argmax()] = 1
        return place.reshape(window.shape)

    return _scattered(g, x, k, s, last)


def _as_mean(g, x, k, s):
    return _scattered(g, x, k, s, lambda window: np.full(window.shape, 1 / k**2))


# -- 3: a bug to hunt: the documented form -------------------------------------------------------------------


def dilate(x, r):
    H, W = x.shape
    padded = np.pad(x, r, constant_values=-np.inf)
    y = np.zeros((H, W))
    for Y in range(H):
        for X in range(W):
            y[Y, X] = padded[Y : Y + 2 * r + 1, X : X + 2 * r + 1].max()
    return y


def _dilate_truth(x, r):
    return _pool(x[None, None], 2 * r + 1, 1, r)[0][0, 0]


def _dilate_cases() -> Sequence[Case]:
    normal = np.random.default_rng(11).standard_normal
    return [
        Case("a photograph, no number below 0", np.abs(normal((5, 6))), r=1),
        Case("logits, below 0 and above", normal((6, 5)) - 2, r=1),
        Case("a larger neighbourhood", normal((7, 6)) - 1, r=2),
    ]


def _framed(x, r, frame, shift=0):
    padded = np.pad(x, r, **frame)
    y = np.zeros(x.shape)
    for Y, X in np.ndindex(y.shape):
        y[Y, X] = padded[Y : Y + 2 * r + 1 - shift, X : X + 2 * r + 1 - shift].max()
    return y


EXERCISES = [
    Exercise(
        "04.max_pool2d",
        "the largest number of each window",
        max_pool2d,
        _forward_cases,
        (
            Mistake("mean", _mean, "this is average pooling: the mean of each window, not its maximum"),
            Mistake("shape", _stride_is_window),
            Mistake(
                "never below zero",
                _never_below_zero,
                "where all of a window is negative you say 0: a maximum begins at −∞, not at 0",
            ),
            Mistake(
                "mixes channels",
                _all_channels,
                "one maximum for all images and channels together: `max` needs to know its axes",
            ),
        ),
        truth=_forward_truth,
    ),
    Exercise(
        "04.max_pool2d_backward",
        "the winner takes it all",
        max_pool2d_backward,
        _backward_cases,
        (
            Mistake(
                "= for +=",
                _overwrites,
                "a pixel that wins in several windows gets all their gradients: `+=`, where windows overlap",
            ),
            Mistake(
                "every winner",
                _all_winners,
                "at a tie each of the equals gets the whole gradient: more comes out than went in; one "
                "of them wins, the first in reading order",
            ),
            Mistake(
                "shared at ties",
                _shared,
                "at a tie you divide the gradient; that is a sub-gradient too, but the convention here, "
                "as in PyTorch, is that the first in reading order gets all of it",
            ),
            Mistake("last winner", _last_winner, "at a tie the first in reading order wins, not the last"),
            Mistake(
                "mean",
                _as_mean,
                "this is the gradient of average pooling: every pixel of a window gets a part",
            ),
        ),
        outputs=("dx",),
        truth=_backward_truth,
    ),
    Exercise(
        "04.dilate",
        "the documented form, with a bug at the border",
        dilate,
        _dilate_cases,
        (
            Mistake(
                "pads with zeros",
                lambda x, r: _framed(x, r, {}),
                "right for photographs, wrong where all numbers of a neighbourhood are below 0: there "
                "the zeros of the frame win; what lies outside must never win, and that is −∞",
            ),
            Mistake(
                "lopsided",
                lambda x, r: _framed(x, r, {"constant_values": -np.inf}, shift=1),
                "the neighbourhood has 2r + 1 rows and columns, r to each side; yours lacks the last ones",
            ),
            Mistake(
                "wraps around",
                lambda x, r: _framed(x, r, {"mode": "wrap"}),
                "at the border your maximum comes from the opposite side",
            ),
        ),
        truth=_dilate_truth,
        planted=True,
    ),
]
