"""interpolate against PyTorch and scipy.ndimage; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import against_numpy, against_torch, differentiable, refuses, same_in_every_layout

SHAPES = {
    "up": ((2, 3, 4, 5), {"size": (8, 10)}),
    "uneven": ((1, 2, 4, 5), {"size": (7, 6)}),
    "down": ((1, 2, 9, 8), {"size": (4, 3)}),
    "one direction": ((1, 2, 4, 5), {"size": (4, 11)}),
    "identity": ((1, 2, 4, 5), {"size": (4, 5)}),
    "from one pixel": ((1, 2, 1, 1), {"size": (3, 4)}),
    "to one pixel": ((1, 2, 5, 4), {"size": 1}),
    "factor 2": ((1, 2, 3, 4), {"scale_factor": 2}),
    "uneven factors": ((1, 2, 5, 7), {"scale_factor": (1.7, 0.6)}),
    "factor 1.5": ((1, 2, 5, 7), {"scale_factor": 1.5}),
    "factor recomputed": ((1, 2, 5, 7), {"scale_factor": 1.5, "recompute_scale_factor": True}),
    "empty batch": ((0, 2, 4, 5), {"size": (8, 10)}),
}
MODES = {
    "nearest": {"mode": "nearest"},
    "bilinear": {"mode": "bilinear"},
    "corners": {"mode": "bilinear", "align_corners": True},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", SHAPES)
def test_torch(case, mode):
    shape, options = SHAPES[case]
    against_torch([shape], lambda L, x: L.interpolate(x, **options, **MODES[mode]), maps=True)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("size", [(8, 10), (7, 6), (3, 2), (4, 11)])
def test_scipy(size, corners):
    ndimage = pytest.importorskip("scipy.ndimage")

    def oracle(x):
        axes = []
        for n, m in zip(x.shape[2:], size, strict=True):
            i = np.arange(m)
            axes.append(i * (n - 1) / (m - 1) if corners else np.clip((i + 0.5) * n / m - 0.5, 0, n - 1))
        at = np.array(np.meshgrid(*axes, indexing="ij"))
        planes = [
            ndimage.map_coordinates(p, at, order=1, mode="nearest") for p in x.reshape(-1, *x.shape[2:])
        ]
        return np.reshape(planes, (*x.shape[:2], *size))

    against_numpy(
        [(2, 2, 4, 5)], lambda L, x: L.interpolate(x, size, mode="bilinear", align_corners=corners), oracle
    )


@pytest.mark.parametrize("size", [(8, 10), (7, 6), (3, 2), (4, 11)])
def test_nearest_in_whole_numbers(size):
    def oracle(x):
        rows, columns = (np.arange(m) * n // m for n, m in zip(x.shape[2:], size, strict=True))
        return x[:, :, rows][:, :, :, columns]

    against_numpy([(2, 2, 4, 5)], lambda L, x: L.interpolate(x, size), oracle, tolerance=0)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_gradients(mode, order):
    for size in ((5, 4), (2, 3)):
        differentiable([(1, 2, 3, 4)], lambda L, x, s=size: L.interpolate(x, s, **MODES[mode]), order)


@pytest.mark.parametrize("mode", MODES)
def test_layouts(mode):
    same_in_every_layout([(2, 3, 4, 5)], lambda L, x: L.interpolate(x, (7, 3), **MODES[mode]))


def call(shape, **options):
    return lambda L: L.interpolate(L.zeros(shape), **options)


@pytest.mark.parametrize(
    "error, words, run",
    [
        (ValueError, "interpolate size scale_factor", call((1, 1, 2, 2))),
        (ValueError, "interpolate size scale_factor", call((1, 1, 2, 2), size=2, scale_factor=2)),
        (ValueError, "interpolate 'cube'", call((1, 1, 2, 2), size=2, mode="cube")),
        (ValueError, "align_corners bilinear", call((1, 1, 2, 2), size=2, align_corners=True)),
        (ShapeError, "interpolate output size (0, 0)", call((1, 1, 2, 2), scale_factor=0.1)),
        (ShapeError, "interpolate output size 0", call((1, 1, 2, 2), size=0)),
        (ShapeError, "interpolate (1, 1, 0, 2)", call((1, 1, 0, 2), size=2)),
        (ValueError, "scale_factor (1, 2, 3)", call((1, 1, 2, 2), scale_factor=(1, 2, 3))),
        (TypeError, "interpolate size 2.5", call((1, 1, 2, 2), size=2.5)),
    ],
)
def test_refuses(error, words, run):
    refuses(error, words, run)


def test_refuses_what_is_no_map():
    refuses(ShapeError, "interpolate (2, 3) (N,", call((2, 3), size=2))


def test_scales_that_end_at_the_double_or_the_same_size():
    for factor in (2.46, 1.1, (2.3, 1.2)):
        against_torch([(1, 2, 2, 4)], lambda L, x, f=factor: L.interpolate(x, scale_factor=f))


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: ms.functional.interpolate(ms.zeros(3, 8, 8), size=4), r"unsqueeze\(0\)"),
        (
            lambda: ms.functional.conv2d(ms.zeros(1, 4, 8, 8), ms.zeros(4, 3, 3, 3)),
            r"weight.transpose\(0, 1\)",
        ),
    ],
)
def test_likely_fixes_are_named(call, hint):
    with pytest.raises(ValueError, match=hint):
        call()
