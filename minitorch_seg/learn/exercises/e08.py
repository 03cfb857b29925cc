"""Exercises of lesson 08, U-Net: transposed convolution, receptive fields, a training all your own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.errors import UserError
from minitorch_seg.kernels.reference.conv_transpose2d import conv_transpose2d as reference
from minitorch_seg.learn.exercise import Case, Exercise, Mistake

# -- 1: the transposed convolution ---------------------------------------------------------------------------


def transposed_convolution(x, w, s, p):
    (H, W), (kh, kw) = x.shape, w.shape
    y = np.zeros((s * (H - 1) + kh, s * (W - 1) + kw))
    for u in range(H):
        for v in range(W):
            y[s * u : s * u + kh, s * v : s * v + kw] += x[u, v] * w
    return y[p : y.shape[0] - p, p : y.shape[1] - p]


def _size(x, w, s, p):
    return tuple(s * (n - 1) + k - 2 * p for n, k in zip(x.shape, w.shape, strict=True))


def _transposed_truth(x, w, s, p):
    size, options = _size(x, w, s, p), ((s, s), (p, p), (1, 1), 1)
    return reference(x[None, None], w[None, None], None, size, *options)[0, 0]


def _transposed_cases() -> Sequence[Case]:
    normal = np.random.default_rng(80).standard_normal
    return [
        Case("stride 2, windows that do not overlap", normal((3, 4)), normal((2, 2)), s=2, p=0),
        Case("stride 2, windows that overlap", normal((3, 4)), normal((3, 3)), s=2, p=0),
        Case("stride 2, padding 1", normal((4, 3)), normal((4, 3)), s=2, p=1),
        Case("stride 1", normal((3, 4)), normal((2, 3)), s=1, p=0),
    ]


def _overwrites(x, w, s, p):
    (H, W), (kh, kw) = x.shape, w.shape
    y = np.zeros((s * (H - 1) + kh, s * (W - 1) + kw))
    for u, v in np.ndindex(H, W):
        y[s * u : s * u + kh, s * v : s * v + kw] = x[u, v] * w
    return y[p : y.shape[0] - p, p : y.shape[1] - p]


def _one_side(x, w, s, p):
    height, width = _size(x, w, s, p)
    return transposed_convolution(x, w, s, 0)[:height, :width]


def _pads(x, w, s, p):
    return np.pad(transposed_convolution(x, w, s, 0), p)


# -- 2: the receptive field ----------------------------------------------------------------------------------


def receptive_field(kernels, strides):
    r, d = 1, 1
    for k, s in zip(kernels, strides, strict=True):
        r += (k - 1) * d
        d *= s
    return r


def _field_truth(kernels, strides):
    """Walk back from one result: which inputs does it reach?"""
    places = {0}
    for k, s in list(zip(kernels, strides, strict=True))[::-1]:
        places = {s * place + i for place in places for i in range(k)}
    return max(places) - min(places) + 1


def _field_cases() -> Sequence[Case]:
    return [
        Case("two convolutions 3×3", [3, 3], [1, 1]),
        Case("convolution, pool 2, convolution", [3, 2, 3], [1, 2, 1]),
        Case("two levels of a U-Net", [3, 3, 2, 3, 3, 2, 3, 3], [1, 1, 2, 1, 1, 2, 1, 1]),
        Case("a convolution of stride 3, then 5×5", [4, 5], [3, 1]),
    ]


def _field(kernels, strides, first=1, less=1, early=False):
    r, d = first, 1
    for k, s in zip(kernels, strides, strict=True):
        d *= s if early else 1
        r += (k - less) * d
        d *= 1 if early else s
    return r


# -- 3: a bug to hunt ----------------------------------------------------------------------------------------


def join(skip, up):
    H, W = up.shape[2:]
    top, left = (skip.shape[2] - H) // 2, (skip.shape[3] - W) // 2
    middle = skip[:, :, top : top + H, left : left + W]
    return np.concatenate([middle, up], axis=1)


def _join_cases() -> Sequence[Case]:
    normal = np.random.default_rng(82).standard_normal
    return [
        Case("equal sizes", normal((2, 2, 4, 5)), normal((2, 3, 4, 5))),
        Case("a skip that is larger by 4", normal((1, 2, 8, 7)), normal((1, 3, 4, 3))),
        Case("larger by 3 and by 2", normal((2, 2, 6, 6)), normal((2, 2, 3, 4))),
    ]


def _joined(skip, up, top, left):
    H, W = up.shape[2:]
    return np.concatenate([skip[:, :, top : top + H, left : left + W], up], axis=1)


def _ends(skip, up):
    return _joined(skip, up, skip.shape[2] - up.shape[2], skip.shape[3] - up.shape[3])


def _round_up(skip, up):
    return _joined(skip, up, (skip.shape[2] - up.shape[2] + 1) // 2, (skip.shape[3] - up.shape[3] + 1) // 2)


def _up_first(skip, up):
    joined = join(skip, up)
    return np.concatenate([joined[:, skip.shape[1] :], joined[:, : skip.shape[1]]], axis=1)


# -- 4: a training without any operator of ours --------------------------------------------------------------


def train_with_mine(train):
    from minitorch_seg import learn

    mine = {name: learn.exercise(name).answer for name in (
        "02.conv2d", "03.conv2d_backward", "04.max_pool2d", "04.max_pool2d_backward",
        "05.cross_entropy", "05.cross_entropy_backward", "06.adam_step",
    )}  # fmt: skip
    with learn.using(
        conv2d=(mine["02.conv2d"], mine["03.conv2d_backward"]),
        max_pool2d=(mine["04.max_pool2d"], mine["04.max_pool2d_backward"]),
        cross_entropy=(mine["05.cross_entropy"], mine["05.cross_entropy_backward"]),
        relu=(lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0)),
        Adam=mine["06.adam_step"],
    ):
        losses = train()
    return losses


class Training:
    """A small network on two pieces of the coins; `train()` returns the losses of three steps.

    Plain layers in float64, so that two right answers agree in every digit.  With `refuse`, it does not begin
    while an operator of the framework is still in use.
    """

    def __init__(self, refuse: bool = True):
        self.refuse = refuse
        self.ours = {name: getattr(F, name) for name in ("conv2d", "max_pool2d", "cross_entropy", "relu")}
        self.adam = ms.optim.Adam

    def __call__(self) -> list[float]:
        from minitorch_seg.learn.train import coin_arrays

        still = [name for name, own in self.ours.items() if getattr(F, name) is own]
        still += ["Adam"] if ms.optim.Adam is self.adam else []
        if self.refuse and still:
            raise UserError(f"still the framework's own: {', '.join(still)}; name it in learn.using(...)")
        images, masks = coin_arrays("train")
        x = ms.tensor(images[[40, 75], :, 16:48:2, 16:48:2].astype(float) - 0.5)
        t = ms.tensor(masks[[40, 75], 16:48:4, 16:48:4])
        rng = np.random.default_rng(0)
        shapes = ((3, 1, 3, 3), (2, 3, 3, 3))
        weights = [ms.tensor(rng.normal(0, 0.5, shape), requires_grad=True) for shape in shapes]
        weights += [ms.tensor(np.zeros(n), requires_grad=True) for n in (3, 2)]
        optimizer, losses = ms.optim.Adam(weights, lr=0.1), []
        for _ in range(3):
            a = F.max_pool2d(F.relu(F.conv2d(x, weights[0], weights[2], padding=1)), 2)
            loss = F.cross_entropy(F.conv2d(a, weights[1], weights[3], padding=1), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses


def _training_truth(train: Callable[[], list[float]]) -> list[float]:
    return Training(refuse=False)()


def _training_cases() -> Sequence[Case]:
    return [Case("three steps on two pieces of the coins", Training())]


def _with(part: str, *functions: Callable) -> Callable:
    """The hidden answer, with one part replaced."""

    def train_with(train):
        from minitorch_seg import learn

        def changed():
            with learn.using(**{part: functions if len(functions) == 2 else functions[0]}):
                return train()

        return train_with_mine(changed)

    return train_with


def _own(name):
    from minitorch_seg.learn import exercise

    return exercise(name).answer


def _forgotten(train):
    from minitorch_seg import learn

    with learn.using(conv2d=(_own("02.conv2d"), _own("03.conv2d_backward")), Adam=_own("06.adam_step")):
        return train()


def _right_conv(x, w, b, s, p):
    return _own("02.conv2d")(x, w, b, s, p)


def _flipped_conv(x, w, b, s, p):
    return _own("02.conv2d")(x, w[:, :, ::-1, ::-1], b, s, p)


def _flipped_back(g, x, w, s, p):
    dx, dw, db = _own("03.conv2d_backward")(g, x, w[:, :, ::-1, ::-1], s, p)
    return dx, dw[:, :, ::-1, ::-1], db


def _no_bias(g, x, w, s, p):
    dx, dw, db = _own("03.conv2d_backward")(g, x, w, s, p)
    return dx, dw, 0 * db


def _uphill(theta, g, *rest):
    return _own("06.adam_step")(theta, -g, *rest)


def _right_relu(x):
    return np.maximum(x, 0)


def _everything_passes(g, x):
    return g


EXERCISES = [
    Exercise(
        "08.transposed_convolution",
        "the transposed convolution, with stride and padding",
        transposed_convolution,
        _transposed_cases,
        (
            Mistake(
                "= for +=",
                _overwrites,
                "right where windows do not overlap; where they do, only the last one is left: overlaps add",
            ),
            Mistake(
                "flipped kernel",
                lambda x, w, s, p: transposed_convolution(x, w[::-1, ::-1], s, p),
                "each number lays the kernel onto the result as it is, unflipped; turned round it is the "
                "adjoint of another convolution",
            ),
            Mistake(
                "cropped at one side",
                _one_side,
                "the size is right, but p rows and columns go on each side: begin at p",
            ),
            Mistake(
                "pads",
                _pads,
                "padding made the convolution's result larger; for its adjoint it is cut away: the size is "
                "s (H − 1) + k − 2p",
            ),
            Mistake("factor", lambda x, w, s, p: transposed_convolution(x, w, s, p) / s**2),
        ),
        truth=_transposed_truth,
    ),
    Exercise(
        "08.receptive_field",
        "how many input pixels in a row one result has seen",
        receptive_field,
        _field_cases,
        (
            Mistake(
                "forgot the strides",
                lambda kernels, strides: _field(kernels, [1] * len(strides)),
                "every layer is counted as if it read neighbouring pixels: behind a stride s neighbours "
                "stand s times as far apart",
            ),
            Mistake(
                "stride too early",
                lambda kernels, strides: _field(kernels, strides, early=True),
                "a layer's own stride is counted for its own window; it moves apart only what comes after",
            ),
            Mistake(
                "k for k − 1",
                lambda kernels, strides: _field(kernels, strides, less=0),
                "a window of k reaches k − 1 further, not k: one of its pixels was seen before",
            ),
            Mistake(
                "begins at 0",
                lambda kernels, strides: _field(kernels, strides, first=0),
                "one too few: without any layer a pixel has seen itself, so r begins at 1",
            ),
        ),
        truth=_field_truth,
    ),
    Exercise(
        "08.join",
        "a skip cropped to the size of the map from below, and joined, with a bug",
        join,
        _join_cases,
        (
            Mistake(
                "corner for middle",
                lambda skip, up: _joined(skip, up, 0, 0),
                "the upper left corner of the skip is taken: an unpadded network loses its frame on all "
                "sides, so the middle fits; else every edge is shifted",
            ),
            Mistake(
                "lower right corner", _ends, "the lower right corner of the skip is taken; the middle fits"
            ),
            Mistake(
                "rounded up",
                _round_up,
                "where the difference is odd you begin one too late: round down, with //",
            ),
            Mistake(
                "order of channels",
                _up_first,
                "the skip's channels come first: trained weights know each channel by its number",
            ),
        ),
        planted=True,
    ),
    Exercise(
        "08.train_with_mine",
        "a training in which every operator is the student's own",
        train_with_mine,
        _training_cases,
        (
            Mistake("raises", _forgotten),
            Mistake(
                "flipped kernel",
                _with("conv2d", _flipped_conv, _flipped_back),
                "the first loss is wrong already, so it is a forward: your conv2d turns its kernel round",
            ),
            Mistake(
                "no gradient for the bias",
                _with("conv2d", _right_conv, _no_bias),
                "the first loss is right and the second is not, so it is a backward: the biases never move",
            ),
            Mistake(
                "relu lets all pass",
                _with("relu", _right_relu, _everything_passes),
                "the first loss is right and the second is not, so it is a backward: relu hands g back where "
                "x > 0 only",
            ),
            Mistake(
                "uphill",
                _with("Adam", _uphill),
                "the loss rises: your Adam adds its step where it subtracts it",
            ),
        ),
        outputs=("losses",),
        truth=_training_truth,
    ),
]
