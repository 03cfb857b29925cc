"""Pairs, dimensions and sizes: what is accepted, and that a refusal names operator, argument and numbers."""

import itertools

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.arguments import (
    as_batch,
    class_indices,
    normalize_dim,
    normalize_dims,
    pair,
    window_output_size,
)
from minitorch_seg.ops.typed import typed
from tests.helpers import refuses


def test_pair():
    assert pair("op", "size", 3) == (3, 3) and pair("op", "size", [2, np.int64(5)]) == (2, 5)


def test_dimensions():
    assert [normalize_dim("op", d, 3) for d in (0, 2, -1, -3)] == [0, 2, 2, 0]
    assert normalize_dim("op", -1, 0) == 0
    assert normalize_dims("op", None, 3) == normalize_dims("op", (), 3) == (0, 1, 2)
    assert normalize_dims("op", (-1, 0), 3) == (0, 2) and normalize_dims("op", 1, 3) == (1,)


def test_window_output_size_counts_windows():
    """The formula against counting: how many windows s·i − p … lie in the padded image."""
    for n, k, s, p, d in itertools.product(range(1, 9), range(1, 4), range(1, 4), range(0, 3), range(1, 3)):
        extent = d * (k - 1) + 1
        count = len(range(0, n + 2 * p - extent + 1, s))
        if count:
            found = window_output_size("op", (n, n), (k, k), (s, s), (p, p), (d, d))
            assert found == (count, count)


def test_single_image():
    x, single = as_batch("op", ms.zeros(3, 4, 5))
    assert x.shape == (1, 3, 4, 5) and single
    assert as_batch("op", x) == (x, False)


def test_class_indices():
    assert class_indices("op", ms.tensor(np.array([0, 255], np.uint8)), 3, 255).dtype == np.int64


@pytest.mark.parametrize(
    "error, words, call",
    [
        (TypeError, "op: stride (1, 2, 3)", lambda L: pair("op", "stride", (1, 2, 3))),
        (TypeError, "op: stride 1.5", lambda L: pair("op", "stride", 1.5)),
        (ShapeError, "op: stride 1, 0", lambda L: pair("op", "stride", 0, 1)),
        (IndexError, "op: dim 3 3 dimensions -3 2", lambda L: normalize_dim("op", 3, 3)),
        (ValueError, "op: twice (0, -2)", lambda L: normalize_dims("op", (0, -2), 2)),
        (ShapeError, "op: (2, 3) x[None, None]", lambda L: as_batch("op", L.zeros(2, 3))),
        (
            ShapeError,
            "op: extent 5 height 3 (3 + 2·0 H, W, C permute",
            lambda L: window_output_size("op", (3, 9), (5, 1), (1, 1), (0, 0), (1, 1)),
        ),
        (TypeError, "op: float32 .long()", lambda L: class_indices("op", L.zeros(2), 3, -1)),
        (ValueError, "op: 3 0 2 ignore_index=-1", lambda L: class_indices("op", L.tensor([3]), 3, -1)),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call, torch_too=False)


def test_ceil_mode_counts_every_window_that_begins_on_the_input_or_its_left_frame():
    for n, k, s, p, d in itertools.product(range(1, 8), range(1, 4), range(1, 4), range(0, 2), range(1, 3)):
        extent = d * (k - 1) + 1
        if 2 * p > k or extent > n + 2 * p:
            continue
        full = len(range(0, n + 2 * p - extent + 1, s))
        # one more where numbers are left over and its window begins before the frame on the right
        more = (full - 1) * s + extent < n + 2 * p and full * s < n + p
        found = window_output_size("op", (n, n), (k, k), (s, s), (p, p), (d, d), ceil_mode=True)
        assert found == (full + more, full + more), (n, k, s, p, d)


def test_the_side_that_is_too_small_is_named():
    with pytest.raises(
        ShapeError, match=r"extent 7 is larger than the padded width 6; .*\(4 \+ 2·1 − 3·\(3 − 1\)"
    ):
        window_output_size("op", (9, 4), (3, 3), (1, 1), (1, 1), (3, 3))
    with pytest.raises(
        ShapeError, match=r"padded height 5; [^(]*\(5 .*larger image$"
    ):  # no guess about H, W, C
        window_output_size("op", (5, 9), (6, 1), (1, 1), (0, 0), (1, 1))
    with pytest.raises(ShapeError, match="H, W, C"):
        window_output_size("op", (4, 9), (6, 1), (1, 1), (0, 0), (1, 1))


def test_class_indices_may_be_an_array_or_a_list():
    for target in ([0, 2, -100], np.array([0, 2, -100]), ms.tensor([0, 2, -100])):
        assert class_indices("op", target, 3, -100).tolist() == [0, 2, -100]
    for wrong in (-1, 3):
        with pytest.raises(
            ShapeError, match=f"op: target holds {wrong}, expected 0 … 2 .the input has 3 channels"
        ):
            class_indices("op", [0, wrong], 3, -100)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ms.functional.max_pool2d(x, 2**40, padding=2**39),
        lambda x: ms.functional.max_pool2d(x, 2, stride=2**63),
        lambda x: ms.functional.avg_pool2d(x, 2**40, 2**39, 2**39),
        lambda x: ms.functional.conv2d(x, ms.zeros(1, 1, 3, 3), padding=2**61, dilation=2**61),
        lambda x: ms.functional.conv_transpose2d(x, ms.zeros(1, 1, 3, 3), stride=2**64),
    ],
)
def test_numbers_beyond_32_bits_are_refused_before_they_overflow(call):
    with pytest.raises(ShapeError, match="must be at most 2147483647"):
        call(ms.zeros(1, 1, 4, 4))


def test_types_are_looked_at_in_each_combination():
    """Those that were right before are not looked at again; another one is."""

    @typed
    def repeat(text: str, times: int | None = None, *, wide: bool = False) -> tuple:
        return text, times, wide

    for _ in range(2):
        assert repeat("x", 2) == repeat("x", times=2) == ("x", 2, False)
        assert repeat("x", 2, wide=True) == ("x", 2, True) and repeat("x", None) == ("x", None, False)
        for wrong in (
            lambda: repeat("x", 2.0),
            lambda: repeat("x", True),
            lambda: repeat(2, "x"),
            lambda: repeat("x", times="x"),
            lambda: repeat("x", wide=2),
        ):
            with pytest.raises(TypeError, match=r"^repeat: (text|times|wide) must be .*, found "):
                wrong()
