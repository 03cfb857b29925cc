"""pad against PyTorch and numpy.pad; gradients; maps stay channels-last; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import layout
from tests.helpers import OURS, against_numpy, against_torch, differentiable, refuses, same_in_every_layout
from tests.kernels.helpers import lay_out

CONSTANT = [
    ((2, 3, 4, 5), (1, 2)),
    ((2, 3, 4, 5), (1, 2, 0, 3)),
    ((2, 3, 4, 5), (1, 0, 0, 2, 3, 1, 0, 1)),
    ((3, 4), (-1, 2)),
    ((3, 4), (-1, -2, -1, 0)),
    ((3, 4), (0, 0)),
    ((3, 4), (-4, 0)),
    ((0, 4), (1, 1)),
    ((5,), (2, -1)),
    ((3, 4), ()),
]
FRAMES = [
    ((2, 3, 4, 5), (1, 2, 3, 0)),
    ((2, 3, 4, 5), (3, 3, 2, 2)),
    ((3, 4, 5), (1, 2, 0, 3)),
    ((3, 4, 5), (2, 1)),
    ((2, 3, 4, 5), (0, 0, 1, 1)),
    ((4, 5), (2, 3)),
    ((2, 3, 4, 5), (2, -1, 1, 2)),
    ((2, 3, 6, 5), (-1, 3, -2, -1)),
]
NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def by_axis(shape, widths):
    pairs = list(zip(widths[::2], widths[1::2], strict=True))
    return [(0, 0)] * (len(shape) - len(pairs)) + pairs[::-1]


@pytest.mark.parametrize("shape, widths", CONSTANT)
def test_constant_torch(shape, widths):
    against_torch([shape], lambda L, x: L.pad(x, widths))
    against_torch([shape], lambda L, x: L.pad(x, widths, value=-2.5))


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("shape, widths", FRAMES)
def test_frames_torch(shape, widths, mode):
    against_torch([shape], lambda L, x: L.pad(x, widths, mode))


@pytest.mark.parametrize("shape, widths", [c for c in CONSTANT if min(c[1], default=0) >= 0])
def test_constant_numpy(shape, widths):
    against_numpy(
        [shape],
        lambda L, x: L.pad(x, widths, value=1.5),
        lambda x: np.pad(x, by_axis(shape, widths), constant_values=1.5),
        tolerance=0,
    )


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("shape, widths", [c for c in FRAMES if min(c[1]) >= 0])
def test_frames_numpy(shape, widths, mode):
    against_numpy(
        [shape],
        lambda L, x: L.pad(x, widths, mode),
        lambda x: np.pad(x, by_axis(shape, widths), NUMPY_MODES[mode]),
        tolerance=0,
    )


def test_other_dtypes_keep_theirs():
    for array in (np.ones((2, 2), np.uint8), np.ones((2, 2), np.int64), np.ones((2, 2), bool)):
        assert OURS.pad(ms.tensor(array), (1, 1)).dtype == array.dtype


@pytest.mark.parametrize("mode", ["constant", *NUMPY_MODES])
@pytest.mark.parametrize("order", [1, 2])
def test_gradients(mode, order):
    differentiable([(1, 2, 3, 4)], lambda L, x: L.pad(x, (2, 1, 1, 2), mode), order)
    if mode == "constant":
        differentiable([(2, 3, 4)], lambda L, x: L.pad(x, (-1, 2, 1, -1)), order)


@pytest.mark.parametrize("mode", ["constant", *NUMPY_MODES])
def test_maps_stay_channels_last(mode):
    x = ms.Tensor(lay_out(np.ones((2, 3, 4, 5)), "channels-last"), True)
    y = OURS.pad(x, (1, 2, 2, 1), mode)
    (g,) = ms.grad(y, x, lay_out(np.ones(y.shape), "channels-last"))
    assert layout.is_map(y.data) and layout.is_map(g.data)


def test_layouts():
    same_in_every_layout([(2, 3, 4, 5)], lambda L, x: L.pad(x, (1, -1, 2, 0)))
    same_in_every_layout([(2, 3, 4, 5)], lambda L, x: L.pad(x, (1, 1, 2, 0), "reflect"))


def call(shape, *args, **options):
    return lambda L: L.pad(L.zeros(shape), *args, **options)


@pytest.mark.parametrize(
    "error, words, run",
    [
        (ShapeError, "pad 3 widths", call((3, 4), (1, 2, 3))),
        (ShapeError, "pad 6 widths (3, 4)", call((3, 4), (1,) * 6)),
        (ShapeError, "pad crop (3,)", call((3,), (-2, -2))),
        (ShapeError, "pad crop (3,)", call((3,), (-5, 6))),
        (ShapeError, "pad 4 reflect size 4", call((1, 3, 4), (4, 0), "reflect")),
        (ShapeError, "pad 5 circular size 4", call((1, 3, 4), (5, 0), "circular")),
        (TypeError, "ints 1.5", call((3,), (1.5, 1))),
    ],
)
def test_refuses(error, words, run):
    refuses(error, words, run)


def test_refuses_an_unknown_mode():
    refuses(ValueError, "pad 'mirror' reflect", call((1, 3, 4), (1, 1), "mirror"))


def test_frames_two_dimensions_at_most():
    refuses(ShapeError, "pad 'circular' (1, 2, 2, 2)", call((1, 2, 2, 2), (1,) * 8, "circular"))


def test_circular_goes_round_what_a_crop_left():
    x = ms.tensor([[0.0, 1, 2, 3]])
    assert OURS.pad(x, (2, -1), "circular").tolist() == [[1, 2, 0, 1, 2]]
    assert OURS.pad(x, (2, -1), "reflect").tolist() == [[2, 1, 0, 1, 2]]
    refuses(ShapeError, "pad 3 2", lambda L: L.pad(L.zeros(1, 4), (3, -2), "circular"), torch_too=False)


def test_padding_of_what_is_empty():
    assert ms.functional.pad(ms.zeros(2, 0), (1, 0)).tolist() == [[0], [0]]
    assert ms.functional.pad(ms.zeros(2, 3), (0, -3)).shape == (2, 0)
    with pytest.raises(ValueError, match="pad"):
        ms.functional.pad(ms.zeros(2, 3), (0, -4))
    for mode in ("replicate", "circular", "reflect"):
        for wrong in ((1, 0), (0, 1)):
            with pytest.raises(ValueError, match="pad"):
                ms.functional.pad(ms.zeros(1, 2, 0), wrong, mode=mode)


def test_more_cannot_be_cropped_than_there_is():
    for widths in ((-3, 1), (1, -3), (-2, -1), (-3, 5)):
        with pytest.raises(ValueError, match="pad"):
            ms.functional.pad(ms.zeros(2), widths)
    assert ms.functional.pad(ms.ones(2), (-2, 1)).tolist() == [0.0]
