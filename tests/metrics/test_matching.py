"""Matching against all assignments, one after the other."""

import itertools

import numpy as np
import pytest

from minitorch_seg.errors import DataError, ShapeError
from minitorch_seg.metrics import count_segments, match_segments, name_segments


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("classes, segments", [(3, 3), (4, 3), (3, 5)])
def test_no_assignment_is_better(seed, classes, segments):
    counts = np.random.default_rng(seed).integers(0, 50, (classes, segments))
    found = match_segments(counts)
    fewer = min(classes, segments)
    best = 0
    for chosen in itertools.permutations(range(segments), fewer):
        for names in itertools.permutations(range(classes), fewer):
            best = max(best, counts[list(names), list(chosen)].sum())
    pairs = counts[found, np.arange(segments)]
    if segments <= classes:
        assert pairs.sum() == best and len(set(found)) == segments
        return
    inside = [
        chosen
        for chosen in itertools.combinations(range(segments), classes)
        if sorted(found[list(chosen)]) == list(range(classes)) and pairs[list(chosen)].sum() == best
    ]
    assert inside, "every class has a segment, in the best way"
    rest = set(range(segments)) - set(inside[0])
    assert all(pairs[s] == counts[:, s].max() for s in rest)


def test_any_numbering_of_the_truth_is_the_truth():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (3, 9, 9))
    renumbered = rng.permutation(4)[truth]
    np.testing.assert_array_equal(name_segments(renumbered, truth), truth)
    counts = sum(count_segments(a, b, 4, 4) for a, b in zip(renumbered, truth, strict=True))
    np.testing.assert_array_equal(match_segments(counts)[renumbered], truth)


def test_ignored_pixels_have_no_say():
    segments = np.array([0, 0, 0, 1, 1])
    truth = np.array([255, 255, 1, 0, 0])
    np.testing.assert_array_equal(name_segments(segments, truth, ignore_index=255), [1, 1, 1, 0, 0])
    assert count_segments(segments, truth, 2, 2, 255).sum() == 3


def test_wrong_input_is_explained():
    with pytest.raises(ShapeError, match="2 pixels of segments, 3 of the target"):
        count_segments(np.zeros(2, int), np.zeros(3, int), 1, 1)
    with pytest.raises(DataError, match="target must lie in 0 … 1, found up to 7"):
        count_segments(np.zeros(2, int), np.array([0, 7]), 1, 2)
    with pytest.raises(ShapeError, match=r"expected \(classes, segments\)"):
        match_segments(np.zeros(3))
