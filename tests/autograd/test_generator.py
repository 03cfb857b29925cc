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


def test_uniform_and_normal_follow_their_formulas():
    bits = ms.Generator(9).bits(8).astype(np.float64)
    u = ms.Generator(9).uniform((2, 4), -1.0, 3.0, np.float64)
    assert np.array_equal(u, -1.0 + 4.0 * np.floor(bits / 2**8).reshape(2, 4) / 2**24)
    z = ms.Generator(9).normal((4,), 5.0, 2.0, np.float64)
    first, second = bits[:4], bits[4:]
    expected = 5.0 + 2.0 * np.sqrt(-2 * np.log((first + 1) / 2**32)) * np.cos(2 * np.pi * second / 2**32)
    np.testing.assert_allclose(z, expected, rtol=1e-13)
    for draw in (ms.Generator(9).uniform, ms.Generator(9).normal):
        assert draw((2, 3)).dtype == np.float32 and draw((2, 3)).shape == (2, 3) and draw(()).shape == ()


def test_blocks_are_counted_and_the_position_reaches_beyond_32_bits():
    g = ms.Generator(2**63 + 5)
    for count, blocks in ((1, 1), (4, 2), (5, 4), (0, 4)):
        assert len(g.bits(count)) == count and g.get_state() == {"seed": 2**63 + 5, "offset": blocks}
    g.set_state({"seed": 3 + 7 * 2**32, "offset": 2**32 - 1})
    counters = np.array([[2**32 - 1, 0, 0, 0], [0, 1, 0, 0]], np.uint64)
    assert np.array_equal(g.bits(8), philox4x32(counters, (3, 7)).reshape(-1))


def test_seeds_from_0_to_64_bits():
    assert ms.Generator().get_state() == ms.Generator(0).get_state()
    assert ms.Generator(2**64 - 1).get_state()["seed"] == 2**64 - 1
    for seed in (2**64, -1):
        with pytest.raises(ValueError, match=f"not {seed}"):
            ms.Generator(seed)
    g = ms.Generator(1)
    g.bits(4)
    assert g.manual_seed(1) is g and g.get_state()["offset"] == 0


def test_a_permutation_sorts_its_keys():
    keys = ms.Generator(4).bits(20)
    found = ms.Generator(4).permutation(20)
    assert (np.diff(keys[found].astype(np.int64)) >= 0).all() and sorted(found) == list(range(20))
