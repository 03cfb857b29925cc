"""The counter-based generator against the published test vectors of Random123, and its statistics."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.autograd.generator import philox4x32


@pytest.mark.parametrize(
    "counter, key, expected",
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers(counter, key, expected):
    assert tuple(philox4x32(np.array([counter], np.uint64), key)[0].tolist()) == expected


def test_a_stream_does_not_depend_on_how_it_is_cut():
    whole = ms.Generator(3).bits(64)
    g = ms.Generator(3)
    assert np.array_equal(np.concatenate([g.bits(4), g.bits(24), g.bits(36)]), whole)


def test_state_can_be_saved_and_restored():
    g = ms.Generator(11)
    g.uniform((5,))
    state = g.get_state()
    a = g.normal((7,))
    other = ms.Generator()
    other.set_state(state)
    assert np.array_equal(other.normal((7,)), a)


def test_seeds_differ_and_manual_seed_repeats():
    ms.manual_seed(1)
    a = ms.rand(4)
    ms.manual_seed(1)
    assert np.array_equal(ms.rand(4).data, a.data)
    ms.manual_seed(2**40 + 1)
    assert not np.array_equal(ms.rand(4).data, a.data)
    with pytest.raises(ValueError, match="seed"):
        ms.manual_seed(-1)


def test_distributions():
    from scipy import stats

    g = ms.Generator(0)
    assert stats.kstest(g.uniform((20000,)), "uniform").pvalue > 1e-3
    assert stats.kstest(g.normal((20000,), 2.0, 3.0), "norm", (2.0, 3.0)).pvalue > 1e-3
    assert sorted(g.permutation(50)) == list(range(50))
    first = [int(ms.Generator(s).permutation(5)[0]) for s in range(500)]
    assert stats.chisquare(np.bincount(first, minlength=5)).pvalue > 1e-3
