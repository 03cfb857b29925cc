"""Exercises of lesson 03, the gradients of a convolution.  The truth is the central difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg.kernels.reference.conv2d import conv2d as reference
from minitorch_seg.learn.exercise import Case, Exercise, Mistake, derivative_of


def _conv2d(x, w, s, p, b=None):
    return reference(x, w, b, (s, s), (p, p), (1, 1), 1)


def _correlate2d(x, w, s, p):
    return _conv2d(x[None, None], w[None, None], s, p)[0, 0]


def _single_cases() -> Sequence[Case]:
    rng = np.random.default_rng(6)

    def case(what: str, size: tuple[int, int], kernel: tuple[int, int], s: int, p: int) -> Case:
        x, w = rng.standard_normal(size), rng.standard_normal(kernel)
        return Case(what, rng.standard_normal(_correlate2d(x, w, s, p).shape), x, w, s=s, p=p)

    return [
        case("stride 1", (4, 6), (3, 2), 1, 0),
        case("padding 1", (4, 5), (3, 3), 1, 1),
        case("stride 2, padding 1", (6, 7), (3, 2), 2, 1),
        case("stride 3, windows that do not reach the end", (7, 9), (2, 3), 3, 0),
    ]


# -- 1: the kernel -----------------------------------------------------------------------------------------


def kernel_gradient(g, x, w, s, p):
    padded = np.pad(x, p)
    (Ho, Wo), (kh, kw) = g.shape, w.shape
    dw = np.zeros((kh, kw))
    for i in range(kh):
        for j in range(kw):
            for Y in range(Ho):
                for X in range(Wo):
                    dw[i, j] += g[Y, X] * padded[s * Y + i, s * X + j]
    return dw


def _kernel_no_stride(g, x, w, s, p):
    padded, (Ho, Wo) = np.pad(x, p), g.shape
    dw = np.zeros(w.shape)
    for i, j in np.ndindex(w.shape):
        dw[i, j] = (g * padded[i : i + Ho, j : j + Wo]).sum()
    return dw


def _kernel_overwrites(g, x, w, s, p):
    padded, (Ho, Wo) = np.pad(x, p), g.shape
    dw = np.zeros(w.shape)
    for i, j in np.ndindex(w.shape):
        dw[i, j] = g[-1, -1] * padded[s * (Ho - 1) + i, s * (Wo - 1) + j]
    return dw


# -- 2: the image ------------------------------------------------------------------------------------------


def image_gradient(g, x, w, s, p):
    (H, W), (kh, kw) = x.shape, w.shape
    padded = np.zeros((H + 2 * p, W + 2 * p))
    for Y in range(g.shape[0]):
        for X in range(g.shape[1]):
            padded[s * Y : s * Y + kh, s * X : s * X + kw] += g[Y, X] * w
    return padded[p : p + H, p : p + W]


def _image_overwrites(g, x, w, s, p):
    (H, W), (kh, kw) = x.shape, w.shape
    padded = np.zeros((H + 2 * p, W + 2 * p))
    for Y, X in np.ndindex(g.shape):
        padded[s * Y : s * Y + kh, s * X : s * X + kw] = g[Y, X] * w
    return padded[p : p + H, p : p + W]


def _image_uncropped(g, x, w, s, p):
    return image_gradient(g, np.pad(x, p), w, s, 0)


def _image_flipped(g, x, w, s, p):
    return image_gradient(g, x, w[::-1, ::-1], s, p)


def _image_shifted(g, x, w, s, p):
    return image_gradient(g, np.pad(x, p), w, s, 0)[: x.shape[0], : x.shape[1]]


# -- 3: all three, for batches and channels ------------------------------------------------------------------


def conv2d_backward(g, x, w, s, p):
    (N, C, H, W), (O, _, kh, kw) = x.shape, w.shape
    Ho, Wo = g.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for i in range(kh):
        for j in range(kw):
            rows, columns = slice(i, i + s * (Ho - 1) + 1, s), slice(j, j + s * (Wo - 1) + 1, s)
            seen = padded[:, :, rows, columns]
            dw[:, :, i, j] = np.einsum("noyx,ncyx->oc", g, seen)
            dpadded[:, :, rows, columns] += np.einsum("noyx,oc->ncyx", g, w[:, :, i, j])
    dx = dpadded[:, :, p : p + H, p : p + W]
    db = g.sum(axis=(0, 2, 3))
    return dx, dw, db


def _conv_forward(x, w, b, s, p):
    return _conv2d(x, w, s, p, b)


def _conv_truth(g, x, w, s, p):
    b = np.zeros(w.shape[0])
    return derivative_of(_conv_forward, wanted=[0, 1, 2])(g, x, w, b, s=s, p=p)


def _conv_cases() -> Sequence[Case]:
    rng = np.random.default_rng(7)

    def case(what: str, x: tuple[int, ...], w: tuple[int, ...], s: int, p: int) -> Case:
        image, kernel = rng.standard_normal(x), rng.standard_normal(w)
        g = rng.standard_normal(_conv2d(image, kernel, s, p).shape)
        return Case(what, g, image, kernel, s=s, p=p)

    return [
        case("one image, padding 1", (1, 2, 4, 5), (3, 2, 3, 3), 1, 1),
        case("a batch of 3", (3, 2, 4, 3), (2, 2, 2, 3), 1, 0),
        case("stride 2", (2, 2, 6, 5), (2, 2, 3, 2), 2, 1),
    ]


def _first_image_only(g, x, w, s, p):
    dx, _, _ = conv2d_backward(g, x, w, s, p)
    _, dw, db = conv2d_backward(g[:1], x[:1], w, s, p)
    return dx, dw, db


def _batch_mean(g, x, w, s, p):
    dx, dw, db = conv2d_backward(g, x, w, s, p)
    return dx, dw / len(x), db


def _bias_per_image(g, x, w, s, p):
    dx, dw, db = conv2d_backward(g, x, w, s, p)
    return dx, dw, g.sum(axis=(2, 3))


def _bias_mean(g, x, w, s, p):
    dx, dw, db = conv2d_backward(g, x, w, s, p)
    return dx, dw, g.mean(axis=(0, 2, 3))


def _image_flips_kernel(g, x, w, s, p):
    dx, dw, db = conv2d_backward(g, x, w, s, p)
    return conv2d_backward(g, x, w[:, :, ::-1, ::-1], s, p)[0], dw, db


# -- 4: a bug to hunt --------------------------------------------------------------------------------------


def pad_backward(g, x, p):
    H, W = x.shape
    return g[p : p + H, p : p + W]


def _pad(x, p):
    return np.pad(x, p)


def _pad_cases() -> Sequence[Case]:
    normal = np.random.default_rng(8).standard_normal
    return [Case(f"p = {p}", normal((3 + 2 * p, 4 + 2 * p)), normal((3, 4)), p=p) for p in (1, 2, 0)]


_NO_CROP = "the frame's gradient is still there: cut away p rows and columns on each side"

EXERCISES = [
    Exercise(
        "03.kernel_gradient",
        "dL/dw for one image and one kernel",
        kernel_gradient,
        _single_cases,
        (
            Mistake("flipped", lambda g, x, w, s, p: kernel_gradient(g, x, w, s, p)[::-1, ::-1]),
            Mistake(
                "forgot the stride",
                _kernel_no_stride,
                "the image is read at Y + i instead of s·Y + i: the gradient has to look where the "
                "forward looked",
            ),
            Mistake(
                "= for +=",
                _kernel_overwrites,
                "only the last window is left: one weight is used in every window, so its gradient is a "
                "sum over all",
            ),
            Mistake("factor", lambda g, x, w, s, p: 2 * kernel_gradient(g, x, w, s, p)),
        ),
        outputs=("dw",),
        truth=derivative_of(_correlate2d, wanted=[1]),
    ),
    Exercise(
        "03.image_gradient",
        "dL/dx for one image and one kernel",
        image_gradient,
        _single_cases,
        (
            Mistake(
                "= for +=",
                _image_overwrites,
                "where windows overlap only the last one is left: a pixel that several windows read gets "
                "the sum",
            ),
            Mistake("shape", _image_uncropped),
            Mistake(
                "flipped kernel",
                _image_flipped,
                "the kernel is turned round: if you scatter, each g hands back along the very weights it "
                "was made with; only if you gather does the kernel run backwards",
            ),
            Mistake(
                "cropped at one side",
                _image_shifted,
                "the size is right, but the frame was cut away on one side only: the image begins at p, "
                "not at 0",
            ),
        ),
        outputs=("dx",),
        truth=derivative_of(_correlate2d, wanted=[0]),
    ),
    Exercise(
        "03.conv2d_backward",
        "all three gradients, for batches and channels",
        conv2d_backward,
        _conv_cases,
        (
            Mistake(
                "forgot the batch",
                _first_image_only,
                "only the first image of the batch arrives: all images share the kernel, so the sum runs "
                "over n",
            ),
            Mistake(
                "mean for sum",
                _batch_mean,
                "divided by the batch's size: if the loss is a mean, that is already in g",
            ),
            Mistake("forgot the batch", _bias_per_image),
            Mistake(
                "bias mean",
                _bias_mean,
                "a mean where the sum belongs: b[o] is added at every place of every image",
            ),
            Mistake(
                "flipped kernel", _image_flips_kernel, "the kernel is turned round where g is handed back"
            ),
        ),
        outputs=("dx", "dw", "db"),
        truth=_conv_truth,
    ),
    Exercise(
        "03.pad_backward",
        "a function with a bug that shows for one value of p",
        pad_backward,
        _pad_cases,
        (
            Mistake("shape", lambda g, x, p: g[p:-p, p:-p]),
            Mistake("shape", lambda g, x, p: g[p:, p:]),
            Mistake("cropped at one side", lambda g, x, p: g[: x.shape[0], : x.shape[1]], _NO_CROP),
        ),
        outputs=("dx",),
        truth=derivative_of(_pad, wanted=[0]),
        planted=True,
    ),
]
