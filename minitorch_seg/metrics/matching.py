"""Scores of segments without names: which segment stands for which class?

Segments that were found without labels have numbers, but no meaning.  Before they are scored each gets the
class that suits all of them best together, the assignment a of segments to classes with

    max_a  Σ_s M[a(s), s]        M[t, s]: pixels of true class t in segment s,  no class twice

(Kuhn, "The Hungarian method for the assignment problem", 1955; here scipy.optimize.linear_sum_assignment).
Where there are more segments than classes, those left over go to the class that most of their pixels have:
then the score grows with the number of segments, and that number must be told with it.  Labels are used for
this and for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minitorch_seg.errors import DataError, ShapeError
from minitorch_seg.io import to_array

__all__ = ["count_segments", "match_images", "match_segments", "name_segments"]


def count_segments(
    segments: Any, target: Any, num_segments: int, num_classes: int, ignore_index: int | None = None
) -> np.ndarray:
    """M (num_classes, num_segments): pixels of each true class in each segment; counts of images add up.

    >>> count_segments(np.array([2, 2, 0]), np.array([0, 1, 1]), 3, 2).tolist()
    [[0, 0, 1], [1, 0, 1]]
    """
    found, truth = to_array(segments).ravel(), to_array(target).ravel()
    if found.shape != truth.shape:
        raise ShapeError(f"count_segments: {found.size} pixels of segments, {truth.size} of the target")
    counted = truth != ignore_index if ignore_index is not None else np.ones(truth.shape, bool)
    found, truth = found[counted].astype(np.int64), truth[counted].astype(np.int64)
    for name, values, limit in (("segments", found, num_segments), ("target", truth, num_classes)):
        if values.size and (values.min() < 0 or values.max() >= limit):
            raise DataError(f"count_segments: {name} must lie in 0 … {limit - 1}, found up to {values.max()}")
    flat = np.bincount(truth * num_segments + found, minlength=num_classes * num_segments)
    return flat.reshape(num_classes, num_segments)


def match_segments(counts: np.ndarray) -> np.ndarray:
    """The class of each segment (S,), from counts (K, S) as `count_segments` gives them.

    >>> match_segments(np.array([[5, 4, 0], [9, 0, 1]])).tolist()
    [1, 0, 1]
    """
    from scipy.optimize import linear_sum_assignment

    counts = np.asarray(counts)
    if counts.ndim != 2 or not counts.size:
        raise ShapeError(f"match_segments: counts have shape {counts.shape}, expected (classes, segments)")
    classes = counts.argmax(axis=0)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    classes[columns] = rows
    return classes


def match_images(
    segmented: Iterable[tuple[Any, Any]], num_segments: int, num_classes: int, ignore_index: int | None = None
) -> np.ndarray:
    """The class of each segment (S,) that suits many images (segments, target) best together.

    >>> images = [(np.array([0, 0, 1]), np.array([1, 1, 1])), (np.array([1, 1]), np.array([0, 0]))]
    >>> match_images(images, 2, 2).tolist()
    [1, 0]
    """
    counts = np.zeros((num_classes, num_segments), np.int64)
    for segments, target in segmented:
        counts += count_segments(segments, target, num_segments, num_classes, ignore_index)
    return match_segments(counts)


def name_segments(
    segments: Any, target: Any, num_classes: int | None = None, ignore_index: int | None = None
) -> np.ndarray:
    """Segments with the classes that suit them best, ready for any score; int64, in the segments' shape.

    >>> name_segments(np.array([3, 3, 0, 0]), np.array([0, 0, 1, 0])).tolist()
    [0, 0, 1, 1]
    """
    found, truth = to_array(segments), to_array(target)
    if num_classes is None:
        counted = truth[truth != ignore_index] if ignore_index is not None else truth
        num_classes = 1 + int(counted.max(initial=0))
    counts = count_segments(found, truth, 1 + int(found.max(initial=0)), num_classes, ignore_index)
    return match_segments(counts)[found]
