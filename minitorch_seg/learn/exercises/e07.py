"""Exercises of lesson 07, a classifier at every pixel: dense layers as kernels, pooling without steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.kernels.reference.max_pool2d import max_pool2d as reference_pool
from minitorch_seg.learn.exercise import Case, Exercise, Mistake

# -- 1: a dense layer's weights as a kernel ------------------------------------------------------------------


def dense_as_kernel(W, C, k, order):
    if order == "CHW":
        return W.reshape(-1, C, k, k)
    return W.reshape(-1, k, k, C).transpose(0, 3, 1, 2)


def _kernel_truth(W, C, k, order):
    w = np.zeros((len(W), C, k, k))
    for o, c, i, j in np.ndindex(w.shape):
        w[o, c, i, j] = W[o, (c * k + i) * k + j if order == "CHW" else (i * k + j) * C + c]
    return w


def _kernel_cases() -> Sequence[Case]:
    normal = np.random.default_rng(70).standard_normal
    return [
        Case("channel by channel", normal((2, 12)), C=3, k=2, order="CHW"),
        Case("a 3×3 map", normal((4, 18)), C=2, k=3, order="CHW"),
        Case("pixel by pixel, as Keras does", normal((2, 12)), C=3, k=2, order="HWC"),
        Case("pixel by pixel, as many channels as rows", normal((3, 27)), C=3, k=3, order="HWC"),
    ]


# -- 2: pooling without steps --------------------------------------------------------------------------------


def pool_everywhere(x, k, d):
    Ho, Wo = x.shape[0] - d * (k - 1), x.shape[1] - d * (k - 1)
    y = np.full((Ho, Wo), -np.inf)
    for i in range(k):
        for j in range(k):
            y = np.maximum(y, x[d * i : d * i + Ho, d * j : d * j + Wo])
    return y


def _pool_truth(x, k, d):
    size = x.shape[0] - d * (k - 1), x.shape[1] - d * (k - 1)
    return reference_pool(x[None, None], (k, k), (1, 1), (0, 0), (d, d), size)[0][0, 0]


def _pool_cases() -> Sequence[Case]:
    normal = np.random.default_rng(71).standard_normal
    return [
        Case("d = 1", normal((4, 6)), k=2, d=1),
        Case("d = 2", normal((5, 7)), k=2, d=2),
        Case("a window of 3, all numbers negative", -1 - np.abs(normal((7, 6))), k=3, d=2),
    ]


def _between(x, k, d):
    return pool_everywhere(x, d * (k - 1) + 1, 1)


def _steps(x, k, d):
    return pool_everywhere(x, k, 1)[::d, ::d]


def _mean_pool(x, k, d):
    Ho, Wo = x.shape[0] - d * (k - 1), x.shape[1] - d * (k - 1)
    parts = [x[d * i : d * i + Ho, d * j : d * j + Wo] for i in range(k) for j in range(k)]
    return np.mean(parts, axis=0)


def _from_zero(x, k, d):
    return np.maximum(pool_everywhere(x, k, d), 0)


# -- 3: the whole classifier, everywhere ---------------------------------------------------------------------


def classify_everywhere(x, w, v):
    a = F.relu(F.conv2d(x[None, None], ms.tensor(w[None, None])))
    a = F.max_pool2d(a, 2, stride=1)
    z = F.conv2d(a, ms.tensor(v[None, None]), dilation=2)
    return z.numpy()[0, 0]


def _classify(patch, w, v):
    """One patch, as in the lesson: 3×3 convolution, relu, pool 2, dense."""
    S = len(patch)
    a = np.array([[(patch[i : i + 3, j : j + 3] * w).sum() for j in range(S - 2)] for i in range(S - 2)])
    k = len(v)
    pooled = np.maximum(a, 0)[: 2 * k, : 2 * k].reshape(k, 2, k, 2).max(axis=(1, 3))
    return (pooled * v).sum()


def _classify_truth(x, w, v):
    S = 2 * len(v) + 2
    places = range(x.shape[0] - S + 1), range(x.shape[1] - S + 1)
    return np.array([[_classify(x[Y : Y + S, X : X + S], w, v) for X in places[1]] for Y in places[0]])


def _classify_cases() -> Sequence[Case]:
    normal = np.random.default_rng(72).standard_normal
    return [
        Case("patches of 6", normal((9, 11)), normal((3, 3)), normal((2, 2))),
        Case("patches of 8", normal((10, 13)), normal((3, 3)), normal((3, 3))),
    ]


def _maps(x, w, v, rectify=F.relu, dilation=2, stride=1, first=1):
    a = rectify(F.conv2d(x[None, None], ms.tensor(w[None, None]), dilation=first))
    a = F.max_pool2d(a, 2, stride=stride)
    return F.conv2d(a, ms.tensor(v[None, None]), dilation=dilation).numpy()[0, 0]


def _repeated(x, w, v):
    coarse = _maps(x, w, v, dilation=1, stride=2).repeat(2, 0).repeat(2, 1)
    found = np.zeros((x.shape[0] - 2 * len(v) - 1, x.shape[1] - 2 * len(v) - 1))
    found[: coarse.shape[0], : coarse.shape[1]] = coarse[: found.shape[0], : found.shape[1]]
    return found


def _crop(found, x, v):
    return found[: x.shape[0] - 2 * len(v) - 1, : x.shape[1] - 2 * len(v) - 1]


# -- 4: a bug to hunt ----------------------------------------------------------------------------------------


def frame(x, S):
    before, after = S // 2, S - 1 - S // 2
    return np.pad(x, (before, after), mode="edge")


def _frame_truth(x, S):
    H, W = x.shape
    rows = np.clip(np.arange(H + S - 1) - S // 2, 0, H - 1)
    columns = np.clip(np.arange(W + S - 1) - S // 2, 0, W - 1)
    return x[rows[:, None], columns]


def _frame_cases() -> Sequence[Case]:
    normal = np.random.default_rng(73).standard_normal
    return [Case(f"S = {S}", normal((4, 5)), S=S) for S in (3, 5, 4)]


EXERCISES = [
    Exercise(
        "07.dense_as_kernel",
        "the weights of a dense layer as those of a convolution, for both orders of flattening",
        dense_as_kernel,
        _kernel_cases,
        (
            Mistake(
                "order of flattening",
                lambda W, C, k, order: W.reshape(-1, C, k, k),
                "right channel by channel; but pixel by pixel the channel is the last index: reshape to "
                "(D, k, k, C), then move that axis",
            ),
            Mistake(
                "rows and columns exchanged",
                lambda W, C, k, order: (
                    W.reshape(-1, C, k, k) if order == "CHW" else W.reshape(-1, k, k, C).transpose(0, 3, 2, 1)
                ),
                "pixel by pixel the rows come before the columns: the axes are (D, i, j, C), and after the "
                "move (D, C, i, j); you have i and j exchanged",
            ),
            Mistake("flipped", lambda W, C, k, order: dense_as_kernel(W, C, k, order)[:, :, ::-1, ::-1]),
            Mistake("shape", lambda W, C, k, order: W.reshape(-1, k, k, C)),
        ),
        truth=_kernel_truth,
    ),
    Exercise(
        "07.pool_everywhere",
        "max pooling with stride 1 and dilation d",
        pool_everywhere,
        _pool_cases,
        (
            Mistake(
                "those between as well",
                _between,
                "the size is right, but the maximum runs over the pixels in between as well: a window takes "
                "k × k numbers, d apart",
            ),
            Mistake(
                "forgot the dilation",
                lambda x, k, d: pool_everywhere(x, k, 1),
                "the neighbours are taken 1 apart: within a patch they stand d apart by now",
            ),
            Mistake(
                "a stride",
                _steps,
                "this moves in steps of d, and answers for one place in d²: keep every place",
            ),
            Mistake("mean", _mean_pool, "this is the mean; the network was trained with the maximum"),
            Mistake(
                "begins at 0",
                _from_zero,
                "where all numbers of a window are negative you say 0: begin with −inf, not with zeros",
            ),
        ),
        truth=_pool_truth,
    ),
    Exercise(
        "07.classify_everywhere",
        "convolution, relu, pool, dense, for all patches of an image at once",
        classify_everywhere,
        _classify_cases,
        (
            Mistake(
                "kept the stride",
                lambda x, w, v: _maps(x, w, v, dilation=1, stride=2),
                "one answer for every second row and column: pool with stride 1, and let the next layer look "
                "2 apart",
            ),
            Mistake(
                "forgot the dilation",
                lambda x, w, v: _crop(_maps(x, w, v, dilation=1), x, v),
                "the size can be cut right, but the dense layer reads neighbours that lie 1 apart: after a "
                "pool of stride 2 those of one patch stand 2 apart",
            ),
            Mistake("forgot the relu", lambda x, w, v: _maps(x, w, v, lambda a: a), "the relu is missing"),
            Mistake(
                "answers repeated",
                _repeated,
                "the coarse answers, each written four times: three of four belong to another patch",
            ),
            Mistake(
                "flipped kernel",
                lambda x, w, v: _maps(x, w, v[::-1, ::-1]),
                "the dense weights are turned round: a convolution layer does not flip, so neither may you",
            ),
        ),
        truth=_classify_truth,
    ),
    Exercise(
        "07.frame",
        "an image framed so that every pixel has its patch, with a bug",
        frame,
        _frame_cases,
        (
            Mistake(
                "even S",
                lambda x, S: np.pad(x, S // 2, mode="edge"),
                "for an even S the result has one row and one column too many: S//2 pixels stand before the "
                "labelled one, and the other S - 1 - S//2 behind it",
            ),
            Mistake(
                "frame exchanged",
                lambda x, S: np.pad(x, (S - 1 - S // 2, S // 2), mode="edge"),
                "for an even S the sides are exchanged: the labelled pixel is number S//2, so S//2 pixels "
                "must come before it",
            ),
            Mistake(
                "zeros",
                lambda x, S: np.pad(x, (S // 2, S - 1 - S // 2)),
                "the frame is zero, that is black, and the network never saw black borders: continue the "
                'image by its own edge, mode="edge"',
            ),
        ),
        truth=_frame_truth,
        planted=True,
    ),
]
