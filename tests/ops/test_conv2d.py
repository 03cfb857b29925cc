"""conv2d against PyTorch and scipy.signal, its gradients of first and second order, its refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.kernels import layout
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
)

CASES = {
    "plain": ((2, 3, 5, 6), (4, 3, 3, 3), {}),
    "padding": ((2, 3, 5, 6), (4, 3, 3, 3), {"padding": 1}),
    "unlike pairs": ((1, 2, 9, 8), (3, 2, 2, 3), {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}),
    "stride beyond the kernel": ((2, 2, 9, 9), (2, 2, 2, 2), {"stride": 3}),
    "remainder": ((1, 2, 8, 7), (2, 2, 3, 3), {"stride": 2}),
    "dilation": ((1, 2, 9, 9), (2, 2, 3, 2), {"dilation": (3, 2), "padding": 2}),
    "groups": ((2, 4, 5, 5), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 3, 5, 5), (6, 1, 3, 3), {"groups": 3, "stride": 2}),
    "1x1": ((2, 5, 3, 4), (7, 5, 1, 1), {}),
    "1x1 strided and padded": ((1, 2, 4, 4), (3, 2, 1, 1), {"stride": 2, "padding": 1}),
    "whole image": ((2, 2, 4, 3), (3, 2, 4, 3), {}),
    "single image": ((3, 5, 6), (4, 3, 3, 3), {"padding": 1}),
    "empty batch": ((0, 3, 5, 6), (4, 3, 3, 3), {}),
    "valid": ((1, 2, 5, 5), (2, 2, 3, 2), {"padding": "valid"}),
    "same": ((2, 2, 5, 6), (2, 2, 3, 5), {"padding": "same"}),
    "same, even kernel": ((1, 2, 5, 6), (2, 2, 4, 2), {"padding": "same"}),
    "same, even and dilated": ((1, 2, 7, 8), (2, 2, 4, 3), {"padding": "same", "dilation": (3, 2)}),
    "channels of a U-Net": ((1, 17, 9, 10), (33, 17, 3, 3), {"padding": 1}),
}


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("case", CASES)
def test_torch(case, with_bias):
    x, w, options = CASES[case]
    if with_bias:
        against_torch([x, w, (w[0],)], lambda L, x, w, b: L.conv2d(x, w, b, **options), maps=len(x) == 4)
    else:
        against_torch([x, w], lambda L, x, w: L.conv2d(x, w, **options), maps=len(x) == 4)


def scipy_conv2d(x, w, b, stride=1, padding=0, dilation=1, groups=1):
    """Correlations of zero-padded planes with kernels spread out by zeros, every stride-th result."""
    signal = pytest.importorskip("scipy.signal")
    (sy, sx), (py, px), (dy, dx) = (
        v if isinstance(v, tuple) else (v, v) for v in (stride, padding, dilation)
    )
    o, per_group, kh, kw = w.shape
    spread = np.zeros((o, per_group, dy * (kh - 1) + 1, dx * (kw - 1) + 1))
    spread[:, :, ::dy, ::dx] = w
    planes = np.pad(x, ((0, 0), (0, 0), (py, py), (px, px)))
    result = []
    for image in planes:
        for k in range(o):
            first = k // (o // groups) * per_group
            total = sum(signal.correlate2d(image[first + c], spread[k, c], "valid") for c in range(per_group))
            result.append(total[::sy, ::sx] + b[k])
    return np.reshape(result, (x.shape[0], o, *result[0].shape))


@pytest.mark.parametrize(
    "case",
    [c for c, (x, _, o) in CASES.items() if len(x) == 4 and x[0] and not isinstance(o.get("padding"), str)],
)
def test_scipy(case):
    x, w, options = CASES[case]
    against_numpy(
        [x, w, (w[0],)],
        lambda L, x, w, b: L.conv2d(x, w, b, **options),
        lambda x, w, b: scipy_conv2d(x, w, b, **options),
    )


SMALL = {
    "plain": ((1, 2, 4, 3), (2, 2, 2, 2), {}),
    "everything": (
        (2, 2, 5, 4),
        (4, 1, 2, 2),
        {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2},
    ),
    "overlapping, remainder": ((1, 1, 6, 5), (2, 1, 3, 3), {"stride": 2, "padding": 1}),
    "same": ((1, 1, 4, 3), (1, 1, 2, 3), {"padding": "same"}),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("case", SMALL)
def test_gradients(case, order):
    x, w, options = SMALL[case]
    differentiable([x, w, (w[0],)], lambda L, x, w, b: L.conv2d(x, w, b, **options), order)


@pytest.mark.parametrize("case", ["unlike pairs", "groups", "1x1"])
def test_layouts(case):
    x, w, options = CASES[case]
    same_in_every_layout([x, w, (w[0],)], lambda L, x, w, b: L.conv2d(x, w, b, **options))


def test_kernel_is_not_flipped():
    x = np.arange(4.0).reshape(1, 1, 1, 4) ** 2
    y = OURS.conv2d(ms.tensor(x), ms.tensor(np.array([[[[0.0, 1.0]]]])))
    assert y.data.ravel().tolist() == [1.0, 4.0, 9.0]


def test_nan_and_infinity_stay_where_the_kernel_sees_them():
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 0, 0], x[0, 0, 4, 4] = np.nan, np.inf
    y = OURS.conv2d(ms.tensor(x), ms.ones(1, 1, 2, 2, dtype="float64"))
    assert np.isnan(y.data).sum() == 1 and np.isinf(y.data).sum() == 1


def test_gradient_only_where_asked():
    x, w, b = (ms.Tensor(a) for a in draw([(1, 2, 4, 4), (3, 2, 3, 3), (3,)]))
    for chosen in (x, w, b):
        chosen.requires_grad = True
        y = OURS.conv2d(x, w, b)
        (g,) = ms.grad(y, chosen, np.ones(y.shape))
        assert g.shape == chosen.shape
        chosen.requires_grad = False
    assert not OURS.conv2d(x, w, b).requires_grad


def z(L, *shape, dtype="float32"):
    """Zeros of a dtype that both libraries know by name."""
    return L.zeros(shape, dtype=getattr(L, dtype))


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "conv2d input (4,) expected (N,", lambda L: L.conv2d(z(L, 4), z(L, 1, 1, 1, 1))),
        (ShapeError, "conv2d weight (1, 1, 2) O,", lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2))),
        (ShapeError, "conv2d 3 channels 2·1", lambda L: L.conv2d(z(L, 1, 3, 4, 5), z(L, 1, 2, 2, 2))),
        (ShapeError, "permute(0, 3,", lambda L: L.conv2d(z(L, 1, 8, 9, 3), z(L, 4, 3, 3, 3))),
        (
            ShapeError,
            "conv2d bias (3,) (2,)",
            lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 2, 1, 2, 2), z(L, 3)),
        ),
        (ShapeError, "conv2d height 5 + 2·0 1·(6", lambda L: L.conv2d(z(L, 1, 1, 5, 9), z(L, 1, 1, 6, 2))),
        (ShapeError, "conv2d width 2·(3", lambda L: L.conv2d(z(L, 1, 1, 9, 4), z(L, 1, 1, 3, 3), dilation=2)),
        (ShapeError, "conv2d groups 0", lambda L: L.conv2d(z(L, 1, 2, 4, 4), z(L, 2, 2, 2, 2), groups=0)),
        (ShapeError, "conv2d 3 groups=2", lambda L: L.conv2d(z(L, 1, 4, 4, 4), z(L, 3, 2, 2, 2), groups=2)),
        (ShapeError, "conv2d stride 0", lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2, 2), stride=0)),
        (ShapeError, "conv2d dilation 0", lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2, 2), dilation=0)),
        (ShapeError, "conv2d padding -1", lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2, 2), padding=-1)),
        (TypeError, "conv2d stride 1.5", lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2, 2), stride=1.5)),
        (
            TypeError,
            "stride (1, 2, 3)",
            lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2, 2), stride=(1, 2, 3)),
        ),
        (ValueError, "'full'", lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2, 2), padding="full")),
        (
            ValueError,
            "'same' stride",
            lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2, 2), padding="same", stride=2),
        ),
        (
            DTypeError,
            "conv2d input float32, weight float64",
            lambda L: L.conv2d(z(L, 1, 1, 4, 4), z(L, 1, 1, 2, 2, dtype="float64")),
        ),
        (
            TypeError,
            "conv2d weight ndarray",
            lambda L: L.conv2d(z(L, 1, 1, 4, 4), np.zeros((1, 1, 2, 2), np.float32)),
        ),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_refuses_integers():
    refuses(
        DTypeError,
        "conv2d input int64 float32",
        lambda L: L.conv2d(z(L, 1, 1, 4, 4, dtype="int64"), z(L, 1, 1, 2, 2, dtype="int64")),
        torch_too=False,
    )


@pytest.mark.parametrize("groups", [0, -1, 1.5, "2"])
def test_groups_that_are_no_positive_int(groups):
    for convolve in (ms.functional.conv2d, ms.functional.conv_transpose2d):
        with pytest.raises((ValueError, TypeError), match="groups"):
            convolve(ms.zeros(1, 2, 3, 3), ms.zeros(2, 2, 1, 1), groups=groups)


def test_the_hints_of_a_wrong_number_of_channels():
    with pytest.raises(
        ValueError, match=r"\(1, 4, 3, 3\) has 4 channels.*with groups=2 expects 4·2 = 8; with groups the"
    ):
        ms.functional.conv2d(ms.zeros(1, 4, 3, 3), ms.zeros(2, 4, 1, 1), groups=2)
    with pytest.raises(ValueError, match=r"expects 3·1 = 3; the input looks like \(N, H, W, C\)"):
        ms.functional.conv2d(ms.zeros(1, 8, 8, 3), ms.zeros(2, 3, 1, 1))
    with pytest.raises(ValueError, match=r"expects 5·1 = 5$"):
        ms.functional.conv2d(ms.zeros(1, 4, 3, 3), ms.zeros(2, 5, 1, 1))


def test_an_image_is_brought_into_channels_last_once_for_both_passes():
    """And what its owner does to it between them changes neither, or is refused."""
    rng = np.random.default_rng(5)
    image, w = rng.standard_normal((2, 3, 9, 8)), rng.standard_normal((4, 3, 3, 3))

    def gradient(x, changed=False):
        weight = ms.Tensor(w, True)
        y = ms.functional.conv2d(x, weight, padding=1)
        if changed:
            x *= 0.0
        y.sum().backward()
        return weight.grad.data

    before = layout.conversions().copies
    expected = gradient(ms.Tensor(image))
    assert layout.conversions().copies == before + 2  # the image, and what sum() hands back
    np.testing.assert_array_equal(gradient(ms.Tensor(image.copy()), changed=True), expected)
    in_order = ms.Tensor(layout.as_map(image))
    np.testing.assert_array_equal(gradient(in_order), expected)
    with pytest.raises(RuntimeError, match="in-place"):
        gradient(in_order, changed=True)
