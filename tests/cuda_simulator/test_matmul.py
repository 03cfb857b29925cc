"""Products of matrices on the GPU: every tile, transposed operands, broadcast batches, long sums."""

import numpy as np
import pytest

from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels.cuda import matmul as kernel
from minitorch_seg.kernels.cuda import tile
from minitorch_seg.kernels.cuda.array import to_device
from tests.cuda_simulator.agreement import agree, close, normal

SHAPES = [
    ((3, 5), (5, 4)),
    ((1, 1), (1, 1)),
    ((5, 19), (19, 9)),
    ((2, 3), (3, 18)),
    ((2, 3), (3, 37)),
    ((65, 2), (2, 3)),
    ((2, 3, 4), (2, 4, 2)),
    ((3, 4), (2, 4, 2)),
    ((2, 1, 2, 3), (3, 3, 2)),
    ((4,), (4, 2)),
    ((2, 4), (4,)),
    ((3,), (3,)),
    ((2, 0), (0, 3)),
    ((0, 2), (2, 3)),
]


@pytest.fixture(autouse=True)
def tiles_by_their_width(monkeypatch):
    """Small results too take the tile that their channels ask for, or the wide ones would never run here."""
    monkeypatch.setattr(tile, "PROCESSORS", 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("a, b", SHAPES)
def test_matmul(a, b, dtype):
    if dtype == "float64" and a == (65, 2):
        return  # two wide blocks are slow here
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal(a).astype(dtype), rng.standard_normal(b).astype(dtype)
    agree("matmul", "matmul", left, right)


@pytest.mark.parametrize("turn_a", [True, False])
@pytest.mark.parametrize("turn_b", [True, False])
def test_transposed_operands_are_not_copied(turn_a, turn_b):
    rng = np.random.default_rng(2)
    a, b = normal(rng, 11, 10), normal(rng, 10, 6)
    left = to_device(np.ascontiguousarray(a.T)).T if turn_a else to_device(a)
    right = to_device(np.ascontiguousarray(b.T)).T if turn_b else to_device(b)
    for x, turned in ((left, turn_a), (right, turn_b)):
        operand = kernel.operand(x, ())
        assert operand.row.storage is x.storage and (operand.down == 1) == turned
    close(kernel.matmul(left, right).to_host(), a @ b)


def test_a_long_sum_is_cut_into_parts():
    rng = np.random.default_rng(3)
    agree("matmul", "matmul", normal(rng, 2, 259), normal(rng, 259, 3))


@pytest.mark.parametrize("processors", [0, 1, 132])
def test_every_tile_sums_in_the_same_order(processors, monkeypatch):
    rng = np.random.default_rng(4)
    a, b = to_device(normal(rng, 3, 21)), to_device(normal(rng, 21, 18))
    first = kernel.matmul(a, b).to_host()
    monkeypatch.setattr(tile, "PROCESSORS", processors)
    assert kernel.matmul(a, b).to_host().tobytes() == first.tobytes()


def test_few_blocks_take_a_narrower_tile(monkeypatch):
    monkeypatch.setattr(tile, "PROCESSORS", 132)
    assert tile.chosen("float32", 1152, 128).columns < 64 and tile.chosen("float32", 10**5, 128).columns == 64
    assert tile.chosen("float32", 64, 8) == tile.TILES["float32"][0]


def test_nan_and_infinity():
    a = np.array([[np.nan, 1], [np.inf, 2], [1, 1]], "float32")
    agree("matmul", "matmul", a, np.array([[1.0, 0], [2, 3]], "float32"))


def test_dtypes_that_have_no_kernel():
    with pytest.raises(DTypeError, match="float64"):
        kernel.matmul(to_device(np.ones((2, 2), "float32")), to_device(np.ones((2, 2))))
