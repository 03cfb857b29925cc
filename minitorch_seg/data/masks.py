"""What the values of a mask mean: class indices, a 0/255 foreground, or numbered objects (instances)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from minitorch_seg.data.images import read_mask
from minitorch_seg.errors import DataError

# What instance labels can be converted to, and the classes that come out.
CONVERSIONS = {
    "foreground": ["background", "object"],
    "boundary": ["background", "object", "boundary"],
}
_FEWEST_OBJECTS = 5


@dataclass(frozen=True)
class MaskSurvey:
    """What one mask holds.  counts: pixels per value.  numbered: values 1 ... k, each in one piece."""

    size: tuple[int, int]
    counts: dict[int, int]
    numbered: bool

    @property
    def objects(self) -> int:
        return sum(1 for value in self.counts if value > 0)


def survey_mask(path: str | Path) -> MaskSurvey:
    """Read a mask and count its values.  Remembered, so that `check` and `load` read each mask once."""
    path = Path(path)
    try:
        state = path.stat()
    except OSError:
        raise DataError(f"{path}: there is no such file; check the name.") from None
    return _survey(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=100_000)
def _survey(path: Path, mtime_ns: int, size: int) -> MaskSurvey:
    mask = read_mask(path)
    values, counts = np.unique(mask, return_counts=True)
    positive = values[values > 0]
    numbered = len(positive) >= 2 and positive[0] == 1 and positive[-1] == len(positive)
    if numbered:
        from skimage.measure import label

        pieces = label(mask, background=0, connectivity=2).max()
        numbered = bool(pieces <= 1.3 * len(positive))  # an object cut in two by another is no surprise
    shape = (mask.shape[0], mask.shape[1])
    return MaskSurvey(shape, {int(v): int(n) for v, n in zip(values, counts, strict=True)}, bool(numbered))


def is_binary_255(values: Iterable[int]) -> bool:
    """Only 0 and 255 (or 255 alone): the usual way to store foreground so that it can be seen."""
    values = set(values)
    return 255 in values and values <= {0, 255}


def looks_like_instances(surveys: Sequence[MaskSurvey]) -> bool:
    """Numbered objects: in nearly every mask the values are 1 ... k in one piece each, and k differs.

    >>> few = MaskSurvey((9, 9), {0: 74, 1: 3, 2: 4}, numbered=True)
    >>> many = MaskSurvey((9, 9), dict.fromkeys(range(9), 9), numbered=True)
    >>> looks_like_instances([few, many]), looks_like_instances([few, few])
    (True, False)
    """
    counted = [s for s in surveys if s.objects >= 2]
    if not counted or max(s.objects for s in counted) < _FEWEST_OBJECTS:
        return False
    numbered = sum(s.numbered for s in counted)
    differ = len(counted) == 1 or len({s.objects for s in counted}) > 1
    return numbered >= 0.9 * len(counted) and differ


def convert_instances(mask: np.ndarray, conversion: str) -> np.ndarray:
    """Numbered objects (0 = background) to classes.

    "foreground": 0 background, 1 object.  "boundary": the inner one-pixel contour of each object is
    class 2, so that objects that touch stay apart.

    >>> convert_instances(np.array([[0, 1, 1, 1, 2, 2, 2]]), "boundary")
    array([[0, 2, 1, 2, 2, 1, 1]])
    """
    if conversion not in CONVERSIONS:
        raise DataError(f"convert={conversion!r} is not known; use one of {', '.join(CONVERSIONS)}.")
    classes = (mask > 0).astype(np.int64)
    if conversion == "boundary":
        from skimage.segmentation import find_boundaries

        classes[find_boundaries(mask, mode="inner") & (mask > 0)] = 2
    return classes


@dataclass(frozen=True)
class MaskRule:
    """How stored values become class indices, and which are allowed.

    Called with a mask and its file name it returns int64 class indices, or raises DataError.
    binary: 255 is stored for class 1.  convert: see convert_instances.
    ignore_index: a stored value that is kept as it is.
    """

    classes: tuple[str, ...]
    ignore_index: int | None = None
    binary: bool = False
    convert: str | None = None

    def __call__(self, mask: np.ndarray, name: str | Path) -> np.ndarray:
        ignored = np.zeros(mask.shape, bool) if self.ignore_index is None else mask == self.ignore_index
        if self.convert is not None:
            converted = convert_instances(np.where(ignored, 0, mask), self.convert)
            return np.where(ignored, mask, converted)
        if self.binary:
            mask = np.where(mask == 255, 1, mask)
        wrong = ((mask < 0) | (mask >= len(self.classes))) & ~ignored
        if wrong.any():
            raise DataError(self.outside(name, {int(v) for v in np.unique(mask[wrong])}))
        return mask

    def wrong_values(self, values: Iterable[int]) -> set[int]:
        """Of the stored values, those that this rule does not allow."""
        if self.convert is not None:
            return {v for v in values if v < 0}
        allowed = set(range(len(self.classes))) | {self.ignore_index} | ({255} if self.binary else set())
        return set(values) - allowed

    def outside(self, name: str | Path, values: set[int]) -> str:
        shown = ", ".join(map(str, sorted(values)[:5])) + (", ..." if len(values) > 5 else "")
        last = len(self.classes) - 1
        return (
            f"{name}: the mask holds {shown}, but the {len(self.classes)} classes are 0 to {last}; mend the "
            'mask, add the classes to manifest.json, or give the value there as "ignore_index".'
        )
