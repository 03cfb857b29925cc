"""conv_transpose2d against PyTorch, scipy.signal and the definition of an adjoint; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
)

# input, weight, output channels, options
CASES = {
    "plain": ((2, 3, 4, 5), (3, 2, 3, 3), 2, {}),
    "doubling": ((2, 4, 5, 4), (4, 3, 2, 2), 3, {"stride": 2}),
    "overlap": ((1, 2, 4, 3), (2, 3, 4, 4), 3, {"stride": 2, "padding": 1}),
    "unlike pairs": (
        (1, 2, 4, 5),
        (2, 2, 2, 3),
        2,
        {"stride": (3, 1), "padding": (1, 0), "dilation": (1, 2)},
    ),
    "output_padding": ((2, 2, 4, 3), (2, 2, 3, 3), 2, {"stride": 3, "padding": 1, "output_padding": (2, 1)}),
    "output_padding by dilation": ((1, 2, 4, 3), (2, 2, 3, 3), 2, {"dilation": 3, "output_padding": 2}),
    "the same with padding": (
        (1, 2, 4, 3),
        (2, 2, 3, 2),
        2,
        {"dilation": 3, "padding": 2, "output_padding": (1, 2)},
    ),
    "gaps": ((1, 2, 3, 3), (2, 2, 2, 2), 2, {"stride": 4}),
    "groups": ((2, 4, 3, 4), (4, 3, 3, 2), 6, {"groups": 2, "stride": 2}),
    "depthwise": ((1, 3, 4, 4), (3, 2, 2, 2), 6, {"groups": 3}),
    "single image": ((3, 4, 5), (3, 2, 3, 3), 2, {"stride": 2}),
    "empty batch": ((0, 3, 4, 5), (3, 2, 3, 3), 2, {"stride": 2}),
    "1x1": ((1, 3, 4, 5), (3, 2, 1, 1), 2, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_torch(case):
    x, w, out, options = CASES[case]
    against_torch([x, w, (out,)], lambda L, x, w, b: L.conv_transpose2d(x, w, b, **options), maps=len(x) == 4)
    against_torch([x, w], lambda L, x, w: L.conv_transpose2d(x, w, **options), dtypes=["float64"])


def scipy_conv_transpose2d(x, w, b, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Full convolutions of images and kernels, both spread out by zeros, with the frame taken off."""
    signal = pytest.importorskip("scipy.signal")
    (sy, sx), (py, px), (dy, dx), (oy, ox) = (
        v if isinstance(v, tuple) else (v, v) for v in (stride, padding, dilation, output_padding)
    )
    (n, c, h, width), (_, part, kh, kw) = x.shape, w.shape
    images = np.zeros((n, c, (h - 1) * sy + 1 + oy, (width - 1) * sx + 1 + ox))
    images[:, :, : (h - 1) * sy + 1 : sy, : (width - 1) * sx + 1 : sx] = x
    spread = np.zeros((c, part, dy * (kh - 1) + 1, dx * (kw - 1) + 1))
    spread[:, :, ::dy, ::dx] = w
    planes = []
    for image in images:
        for o in range(part * groups):
            first = o // part * (c // groups)
            channels = range(first, first + c // groups)
            full = sum(signal.convolve2d(image[k], spread[k, o % part]) for k in channels) + b[o]
            planes.append(full[py : full.shape[0] - py, px : full.shape[1] - px])
    return np.reshape(planes, (n, part * groups, *planes[0].shape))


@pytest.mark.parametrize("case", [c for c, (x, *_) in CASES.items() if len(x) == 4 and x[0]])
def test_scipy(case):
    x, w, out, options = CASES[case]
    against_numpy(
        [x, w, (out,)],
        lambda L, x, w, b: L.conv_transpose2d(x, w, b, **options),
        lambda x, w, b: scipy_conv_transpose2d(x, w, b, **options),
    )


@pytest.mark.parametrize("stride, padding, dilation", [(1, 0, 1), (2, 1, 1), ((3, 2), (0, 1), (1, 2))])
def test_is_the_adjoint_of_conv2d(stride, padding, dilation):
    """<conv2d(x), g> = <x, conv_transpose2d(g)>, with the output_padding that conv2d's floor took away."""
    x, w = draw([(2, 3, 8, 9), (4, 3, 3, 2)])
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    y = OURS.conv2d(ms.Tensor(x), ms.Tensor(w), **options).data
    g = draw([y.shape], seed=3)[0]
    small = OURS.conv_transpose2d(ms.Tensor(g), ms.Tensor(w), **options).shape
    missing = (x.shape[2] - small[2], x.shape[3] - small[3])
    back = OURS.conv_transpose2d(ms.Tensor(g), ms.Tensor(w), output_padding=missing, **options).data
    np.testing.assert_allclose(np.sum(y * g), np.sum(x * back), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "x, w, options",
    [
        ((1, 2, 3, 2), (2, 2, 2, 2), {"stride": 2}),
        ((2, 2, 2, 3), (2, 1, 3, 2), {"stride": (2, 1), "padding": 1, "groups": 2, "output_padding": (1, 0)}),
        ((1, 1, 3, 2), (1, 1, 2, 2), {"dilation": 2, "output_padding": 1}),
    ],
)
def test_gradients(x, w, options, order):
    bias = (w[1] * options.get("groups", 1),)
    differentiable([x, w, bias], lambda L, x, w, b: L.conv_transpose2d(x, w, b, **options), order)


@pytest.mark.parametrize("case", ["overlap", "groups"])
def test_layouts(case):
    x, w, out, options = CASES[case]
    same_in_every_layout([x, w, (out,)], lambda L, x, w, b: L.conv_transpose2d(x, w, b, **options))


def call(x, w, b=None, dtype="float32", **options):
    def run(L):
        number = getattr(L, dtype)
        bias = None if b is None else L.zeros(b)
        return L.conv_transpose2d(L.zeros(x), L.zeros(w, dtype=number), bias, **options)

    return run


@pytest.mark.parametrize(
    "error, words, run",
    [
        (ShapeError, "conv_transpose2d input (5,) expected", call((5,), (1, 1, 2, 2))),
        (ShapeError, "conv_transpose2d 3 channels 2", call((1, 3, 4, 4), (2, 3, 2, 2))),
        (ShapeError, "transpose(0, 1)", call((1, 3, 4, 4), (2, 3, 2, 2))),
        (ShapeError, "conv_transpose2d bias (3,) (2,)", call((1, 1, 4, 4), (1, 2, 2, 2), (3,))),
        (
            ShapeError,
            "conv_transpose2d output_padding (2, stride",
            call((1, 1, 4, 4), (1, 1, 3, 3), stride=2, output_padding=2),
        ),
        (ShapeError, "conv_transpose2d groups=2 3", call((1, 3, 4, 4), (3, 1, 2, 2), groups=2)),
        (ShapeError, "conv_transpose2d output size 2·2", call((1, 1, 1, 1), (1, 1, 2, 2), padding=2)),
        (ShapeError, "conv_transpose2d stride 0", call((1, 1, 4, 4), (1, 1, 2, 2), stride=0)),
        (ShapeError, "conv_transpose2d weight (1, 1, 2)", call((1, 1, 4, 4), (1, 1, 2))),
        (DTypeError, "conv_transpose2d float32 float64", call((1, 1, 4, 4), (1, 1, 2, 2), dtype="float64")),
    ],
)
def test_refuses(error, words, run):
    refuses(error, words, run)
