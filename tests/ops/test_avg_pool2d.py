"""avg_pool2d and adaptive_avg_pool2d against PyTorch and scipy.ndimage; gradients; refusals."""

import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import OURS, against_torch, close, differentiable, draw, refuses, same_in_every_layout

CASES = {
    "halving": ((2, 3, 6, 8), (2,), {}),
    "overlap": ((2, 2, 7, 8), (3, 2, 1), {}),
    "pad not counted": ((2, 2, 7, 8), (3, 2, 1), {"count_include_pad": False}),
    "ceil": ((1, 2, 7, 6), (3, 2), {"ceil_mode": True}),
    "ceil and pad": ((1, 2, 6, 5), (2, 2, 1), {"ceil_mode": True}),
    "ceil, pad not counted": ((1, 2, 8, 8), (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}),
    "divisor": ((1, 2, 5, 5), (2,), {"divisor_override": 3}),
    "unlike pairs": ((1, 2, 9, 8), ((2, 3), (1, 2), (1, 0)), {}),
    "single image": ((3, 6, 4), (2,), {}),
    "empty batch": ((0, 3, 6, 4), (2,), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_torch(case):
    shape, args, options = CASES[case]
    against_torch([shape], lambda L, x: L.avg_pool2d(x, *args, **options), maps=len(shape) == 4)


@pytest.mark.parametrize("size", [1, 2, (3, 2), (None, 3), (7, 5), (9, 11)], ids=str)
def test_adaptive_torch(size):
    against_torch([(2, 3, 7, 5)], lambda L, x: L.adaptive_avg_pool2d(x, size), maps=True)
    against_torch([(3, 7, 5)], lambda L, x: L.adaptive_avg_pool2d(x, size))


def test_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    (x,) = draw([(2, 3, 7, 8)])
    expected = ndimage.uniform_filter(x, size=(1, 1, 3, 3), mode="constant")
    close(OURS.avg_pool2d(ms.tensor(x), 3, 1, 1).data, expected)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    for args in ((2,), (3, 2, 1), (2, 1, 1, True, False)):
        differentiable([(1, 2, 5, 4)], lambda L, x, a=args: L.avg_pool2d(x, *a), order)
    differentiable([(1, 2, 5, 4)], lambda L, x: L.adaptive_avg_pool2d(x, (3, 2)), order)


def test_layouts():
    same_in_every_layout([(2, 3, 7, 6)], lambda L, x: L.avg_pool2d(x, 3, 2, 1))
    same_in_every_layout([(2, 3, 7, 6)], lambda L, x: L.adaptive_avg_pool2d(x, (2, 4)))


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "avg_pool2d half padding (2, 2)", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 3, 1, 2)),
        (ShapeError, "avg_pool2d extent 6", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 6)),
        (ValueError, "divisor_override", lambda L: L.avg_pool2d(L.zeros(1, 1, 5, 5), 2, divisor_override=0)),
        (ShapeError, "output_size -1", lambda L: L.adaptive_avg_pool2d(L.zeros(1, 1, 2, 2), -1)),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_refuses_what_is_no_image():
    refuses(
        ShapeError,
        "adaptive_avg_pool2d (2, 2)",
        lambda L: L.adaptive_avg_pool2d(L.zeros(2, 2), 1),
        torch_too=False,
    )
