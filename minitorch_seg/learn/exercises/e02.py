"""Exercises of lesson 02, convolution forward.  Truth: the framework's kernel in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg.kernels.reference.conv2d import conv2d as reference
from minitorch_seg.learn.exercise import Case, Exercise, Mistake

# -- 1: one image, one kernel -----------------------------------------------------------------------------


def correlate2d(x, w, s, p):
    (H, W), (kh, kw) = x.shape, w.shape
    padded = np.pad(x, p)
    Ho, Wo = (H + 2 * p - kh) // s + 1, (W + 2 * p - kw) // s + 1
    y = np.zeros((Ho, Wo))
    for Y in range(Ho):
        for X in range(Wo):
            for i in range(kh):
                for j in range(kw):
                    y[Y, X] += w[i, j] * padded[s * Y + i, s * X + j]
    return y


def _correlate_truth(x, w, s, p):
    return reference(x[None, None], w[None, None], None, (s, s), (p, p), (1, 1), 1)[0, 0]


def _correlate_cases() -> Sequence[Case]:
    rng = np.random.default_rng(2)
    normal = rng.standard_normal
    return [
        Case("stride 1", normal((4, 6)), normal((3, 2)), s=1, p=0),
        Case("padding 1", normal((4, 5)), normal((3, 3)), s=1, p=1),
        Case("stride 2, padding 1", normal((6, 7)), normal((3, 2)), s=2, p=1),
        Case("stride 3, padding 2", normal((8, 6)), normal((2, 3)), s=3, p=2),
    ]


def _flipped(x, w, s, p):
    return correlate2d(x, w[::-1, ::-1], s, p)


def _forgets_stride(x, w, s, p):
    y = np.zeros_like(correlate2d(x, w, s, p))
    padded = np.pad(x, p)
    for Y, X in np.ndindex(y.shape):
        y[Y, X] = (w * padded[Y : Y + w.shape[0], X : X + w.shape[1]]).sum()
    return y


def _overwrites(x, w, s, p):
    y = np.zeros_like(correlate2d(x, w, s, p))
    padded = np.pad(x, p)
    for Y, X in np.ndindex(y.shape):
        y[Y, X] = w[-1, -1] * padded[s * Y + w.shape[0] - 1, s * X + w.shape[1] - 1]
    return y


def _wraps(x, w, s, p):
    return correlate2d(np.pad(x, p, mode="wrap"), w, s, 0)


# -- 2: the true convolution ------------------------------------------------------------------------------


def convolve2d(x, h):
    kh, kw = h.shape
    padded = np.pad(x, ((kh - 1, kh - 1), (kw - 1, kw - 1)))
    flipped = h[::-1, ::-1]
    y = np.zeros((x.shape[0] + kh - 1, x.shape[1] + kw - 1))
    for Y, X in np.ndindex(y.shape):
        y[Y, X] = (padded[Y : Y + kh, X : X + kw] * flipped).sum()
    return y


def _convolve_truth(x, h):
    kh, kw = h.shape
    w = h[::-1, ::-1]
    return reference(x[None, None], w[None, None], None, (1, 1), (kh - 1, kw - 1), (1, 1), 1)[0, 0]


def _convolve_cases() -> Sequence[Case]:
    rng = np.random.default_rng(3)
    normal = rng.standard_normal
    return [
        Case("a 3×2 kernel", normal((4, 5)), normal((3, 2))),
        Case("a 2×2 kernel", normal((3, 6)), normal((2, 2))),
        Case("one row", normal((4, 4)), normal((1, 3))),
    ]


def _does_not_flip(x, h):
    return convolve2d(x, h[::-1, ::-1])


def _flips_one_axis(x, h):
    return convolve2d(x, h[:, ::-1])


def _valid_only(x, h):
    kh, kw = h.shape
    return convolve2d(x, h)[kh - 1 : x.shape[0], kw - 1 : x.shape[1]]


# -- 3: batch, channels, bias -----------------------------------------------------------------------------


def conv2d(x, w, b, s, p):
    (N, C, H, W), (O, _, kh, kw) = x.shape, w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    Ho, Wo = (H + 2 * p - kh) // s + 1, (W + 2 * p - kw) // s + 1
    y = np.zeros((N, O, Ho, Wo)) + b[:, None, None]
    for i in range(kh):
        for j in range(kw):
            seen = padded[:, :, i : i + s * Ho : s, j : j + s * Wo : s]
            y += np.einsum("oc,ncyx->noyx", w[:, :, i, j], seen[:, :, :Ho, :Wo])
    return y


def _conv_truth(x, w, b, s, p):
    return reference(x, w, b, (s, s), (p, p), (1, 1), 1)


def _conv_cases() -> Sequence[Case]:
    rng = np.random.default_rng(4)
    normal = rng.standard_normal
    return [
        Case("2 images", normal((2, 3, 5, 6)), normal((2, 3, 3, 2)), normal(2), s=1, p=0),
        Case("padding 1", normal((1, 2, 4, 5)), normal((2, 2, 3, 3)), normal(2), s=1, p=1),
        Case("stride 2, padding 1", normal((2, 2, 7, 6)), normal((4, 2, 3, 2)), normal(4), s=2, p=1),
    ]


def _one_channel(x, w, b, s, p):
    return conv2d(x[:, -1:], w[:, -1:], b, s, p)


def _bias_for_each_channel(x, w, b, s, p):
    return conv2d(x, w, x.shape[1] * b, s, p)


def _no_bias(x, w, b, s, p):
    return conv2d(x, w, 0 * b, s, p)


def _flips_kernels(x, w, b, s, p):
    return conv2d(x, w[:, :, ::-1, ::-1], b, s, p)


# -- 4: a bug to hunt -------------------------------------------------------------------------------------


def same_size(x, w):
    kh, kw = w.shape
    padded = np.pad(x, ((kh // 2, kh // 2), (kw // 2, kw // 2)))
    y = np.zeros(x.shape)
    for Y, X in np.ndindex(y.shape):
        y[Y, X] = (padded[Y : Y + kh, X : X + kw] * w).sum()
    return y


def _same_truth(x, w):
    frame = w.shape[0] // 2, w.shape[1] // 2
    return reference(x[None, None], w[None, None], None, (1, 1), frame, (1, 1), 1)[0, 0]


def _same_cases() -> Sequence[Case]:
    rng = np.random.default_rng(5)
    normal = rng.standard_normal
    return [
        Case("a 3×3 kernel", normal((5, 5)), normal((3, 3))),
        Case("a 3×5 kernel", normal((6, 7)), normal((3, 5))),
        Case("a 5×1 kernel", normal((7, 4)), normal((5, 1))),
    ]


def _height_for_both(x, w):
    kh, kw = w.shape
    padded = np.pad(x, kh // 2)
    y = np.zeros(x.shape)
    for Y, X in np.ndindex(y.shape):
        y[Y, X] = (padded[Y : Y + kh, X : X + kw] * w).sum()
    return y


def _enough_on_the_right(x, w):
    kh, kw = w.shape
    padded = np.pad(x, ((kh // 2, kh), (kh // 2, kw)))
    y = np.zeros(x.shape)
    for Y, X in np.ndindex(y.shape):
        y[Y, X] = (padded[Y : Y + kh, X : X + kw] * w).sum()
    return y


def _repeats_the_border(x, w):
    kh, kw = w.shape
    padded = np.pad(x, ((kh // 2, kh // 2), (kw // 2, kw // 2)), mode="edge")
    y = np.zeros(x.shape)
    for Y, X in np.ndindex(y.shape):
        y[Y, X] = (padded[Y : Y + kh, X : X + kw] * w).sum()
    return y


EXERCISES = [
    Exercise(
        "02.correlate2d",
        "four loops, one for each index of the formula",
        correlate2d,
        _correlate_cases,
        (
            Mistake(
                "flipped",
                _flipped,
                "your kernel runs backwards: that is the true convolution; the formula here reads w[i, "
                "j] and the image at +i, +j",
            ),
            Mistake(
                "forgot the stride",
                _forgets_stride,
                "the window moves by 1 instead of s: the place in the image is s·Y + i, not Y + i",
            ),
            Mistake(
                "= for +=",
                _overwrites,
                "only the last product of each window is left: `=` overwrites, the Σ of the formula is `+=`",
            ),
            Mistake(
                "wraps around",
                _wraps,
                "outside the image there are zeros, but your numbers come from the opposite side: a "
                "negative index in NumPy counts from the end",
            ),
        ),
        truth=_correlate_truth,
    ),
    Exercise(
        "02.convolve2d",
        "the true convolution, of full size",
        convolve2d,
        _convolve_cases,
        (
            Mistake(
                "not flipped",
                _does_not_flip,
                "this is the cross-correlation: in a true convolution the kernel runs backwards, h[X - i]",
            ),
            Mistake(
                "half flipped",
                _flips_one_axis,
                "one direction is flipped: rows and columns both run backwards",
            ),
            Mistake("shape", _valid_only),
        ),
        truth=_convolve_truth,
    ),
    Exercise(
        "02.conv2d",
        "a batch of images, many channels, a bias",
        conv2d,
        _conv_cases,
        (
            Mistake(
                "one channel",
                _one_channel,
                "only the last input channel arrives in the result: the Σ runs over c too (`=` for `+=`?)",
            ),
            Mistake(
                "bias too often",
                _bias_for_each_channel,
                "the bias is added once for each input channel: b[o] stands outside the Σ",
            ),
            Mistake("bias forgotten", _no_bias, "everything is there but the bias b[o]"),
            Mistake("flipped", _flips_kernels, "your kernels run backwards; conv2d does not flip"),
        ),
        truth=_conv_truth,
    ),
    Exercise(
        "02.same_size",
        "a function with a bug that square kernels hide",
        same_size,
        _same_cases,
        (
            Mistake("raises", _height_for_both),
            Mistake(
                "left padding",
                _enough_on_the_right,
                "nothing fails any more, but the picture is shifted: on the left, too, the frame follows "
                "from the kernel's width",
            ),
            Mistake("border", _repeats_the_border),
        ),
        truth=_same_truth,
        planted=True,
    ),
]
