"""Channels-last memory: what counts as a map, what is copied, and what is counted."""

import numpy as np
import pytest

from minitorch_seg.kernels import layout
from tests.kernels.helpers import LAYOUTS, lay_out


def test_an_empty_map_is_channels_last():
    a = layout.empty_map((2, 3, 4, 5), "float32")
    assert a.shape == (2, 3, 4, 5) and a.dtype == np.float32
    assert a.transpose(0, 2, 3, 1).flags.c_contiguous and layout.is_map(a)
    assert layout.empty_map_like(np.zeros((1, 2, 3, 4)), "int64").dtype == np.int64
    assert layout.empty_map_like(np.zeros((1, 2, 3, 4), "float32")).dtype == np.float32


@pytest.mark.parametrize("kind", LAYOUTS)
def test_as_map_keeps_the_numbers_and_copies_only_what_it_must(kind):
    x = lay_out(np.random.default_rng(0).standard_normal((2, 3, 4, 5)), kind)
    before = layout.conversions()
    m = layout.as_map(x)
    np.testing.assert_array_equal(m, x)
    assert layout.is_map(m)
    if kind == "channels-last":
        assert m is x and layout.conversions() == before
    else:
        assert not np.shares_memory(m, x)
        assert layout.conversions() == (before.copies + 1, before.bytes + x.nbytes)


def test_foreign_byte_order_and_misaligned_arrays_are_copied():
    x = np.arange(24, dtype=">f8").reshape(1, 2, 3, 4)
    bytes_ = np.zeros(24 * 8 + 1, np.uint8)
    y = bytes_[1:].view("f8").reshape(1, 2, 3, 4)
    for a in (x, y):
        assert not layout.is_map(a)
        assert layout.as_map(a).dtype.isnative and layout.as_map(a).flags.aligned
        flat = layout.contiguous(a)
        assert flat.dtype.isnative and flat.flags.aligned and flat.flags.c_contiguous


def test_inputs_become_read_only_views_and_stay_writable_themselves():
    x = layout.empty_map((1, 2, 3, 4), "float32")
    for view in (layout.pixels(x), layout.contiguous(np.ones(3)), layout.read_only(x)):
        assert not view.flags.writeable
    assert np.shares_memory(layout.pixels(x), x) and x.flags.writeable
