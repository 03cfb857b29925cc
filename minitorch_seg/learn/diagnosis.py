"""What is wrong with an array?  The mistakes that leave a trace in the numbers, each in a teacher's words.

`explain(found, wanted)` tries one guess after another: the shape, NaN, zeros, something that was handed
back, a constant factor, a turned axis, one example for a whole batch ...  Only where no guess fits it says
where the first wrong number stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

__all__ = ["Finding", "agree", "explain"]


class Finding(NamedTuple):
    """A mistake: its name, and what the student is told."""

    diagnosis: str
    sentence: str


def agree(found: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-6) -> bool:
    """Equal shapes, and equal numbers but for rounding; NaN agrees with nothing.

    >>> agree(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])), agree(np.ones(2), np.ones((1, 2)))
    (True, False)
    """
    if found.shape != wanted.shape:
        return False
    scale = max(1.0, float(np.abs(wanted).max(initial=0)))
    return bool((np.abs(found - wanted) <= tolerance * scale).all())


def explain(found: np.ndarray, wanted: np.ndarray, given: Mapping[str, np.ndarray] | None = None) -> Finding:
    """Why `found` is not `wanted`; `given` are the arrays that the student was handed, by name.

    >>> explain(np.array([2.0, 4.0]), np.array([1.0, 2.0])).diagnosis
    'factor'
    >>> print(explain(np.eye(3)[::-1], np.diag([1.0, 2.0, 3.0])).sentence[:38])
    4 of 9 numbers are right; at [0, 0] yo
    """
    if found.shape != wanted.shape:
        return _explain_shape(found, wanted)
    if not np.isfinite(found).all():
        places = int((~np.isfinite(found)).sum())
        return Finding(
            "nan",
            f"{places} of {found.size} numbers are NaN or infinite: look for a division by zero, a logarithm "
            "of zero, an exponential of something large, or an array from np.empty that was never filled",
        )
    if not found.any():
        return Finding("zeros", "all numbers are zero: is the result ever written into the array?")
    for name, array in (given or {}).items():
        if array.shape == found.shape and np.array_equal(array, found):
            return Finding("returns what was given", f"this is {name}, handed back as it came")
    return _explain_numbers(found, wanted)


def _explain_shape(found: np.ndarray, wanted: np.ndarray) -> Finding:
    sizes = f"the shape is {found.shape}, expected {wanted.shape}"
    if found.ndim == wanted.ndim and found.ndim > 1 and found.swapaxes(-1, -2).shape == wanted.shape:
        return Finding("transposed", f"{sizes}: rows and columns are exchanged")
    if found.ndim == wanted.ndim + 1 and found.shape[1:] == wanted.shape:
        return Finding(
            "forgot the batch",
            f"{sizes}: one result for each example; what all of them share gets the sum over them",
        )
    if found.ndim == wanted.ndim and found.ndim > 1:
        differences = {f - w for f, w in zip(found.shape, wanted.shape, strict=True) if f != w}
        if differences <= {1, -1}:
            more = "one too many" if 1 in differences else "one missing"
            return Finding("shape", f"{sizes}: {more}; count the places of the window once more, with ⌊ ⌋")
    return Finding("shape", sizes)


def _explain_numbers(found: np.ndarray, wanted: np.ndarray) -> Finding:
    square = float((wanted * wanted).sum())
    factor = float((found * wanted).sum()) / square if square else 0.0
    if abs(factor + 1) < 1e-5 and agree(found, -wanted, 1e-5):
        return Finding("sign", "every number has the wrong sign" if found.size > 1 else "the sign is wrong")
    if (
        factor and found.size > 1 and agree(found, factor * wanted, 1e-5)
    ):  # a single number has a factor always
        return Finding(
            "factor",
            f"every number is {factor:.4g} times what it should be: a factor was forgotten or counted twice, "
            "or a mean was taken for a sum",
        )
    if _square(found) and agree(found.swapaxes(-1, -2), wanted):
        return Finding("transposed", "the numbers are right but transposed: two indices are exchanged")
    if found.ndim > 3 and found.shape[0] == found.shape[1] and agree(found.swapaxes(0, 1), wanted):
        return Finding("transposed", "the numbers are right but the first two indices are exchanged")
    for axes in ((-2, -1), (-2,), (-1,)):
        if found.ndim >= -axes[0] and agree(np.flip(found, axes), wanted):
            which = {(-2, -1): "both directions", (-2,): "the vertical", (-1,): "the horizontal"}[axes]
            return Finding("flipped", f"the numbers are right but stand in reverse order ({which})")
    offset = found - wanted
    if found.size > 1 and agree(offset, np.full_like(offset, offset.flat[0])):
        return Finding("offset", f"every number is off by the same {offset.flat[0]:.4g}: is a term missing?")
    return _explain_places(found, wanted)


def _square(array: np.ndarray) -> bool:
    return array.ndim > 1 and array.shape[-1] == array.shape[-2] and array.shape[-1] > 1


def _explain_places(found: np.ndarray, wanted: np.ndarray) -> Finding:
    scale = max(1.0, float(np.abs(wanted).max(initial=0)))
    wrong = np.abs(found - wanted) > 1e-6 * scale
    where = [int(i) for i in np.argwhere(wrong)[0]]
    right = found.size - int(wrong.sum())
    text = (
        f"{right} of {found.size} numbers are right; at {where} your answer says "
        f"{found[tuple(where)]:.5g}, expected {wanted[tuple(where)]:.5g}"
    )
    if found.ndim >= 2 and min(found.shape[-2:]) > 2 and not wrong[..., 1:-1, 1:-1].any():
        return Finding("border", f"{text}; the wrong ones all stand at the border: look at the padding")
    if found.ndim >= 3 and found.shape[0] > 1 and not wrong[0].any():
        return Finding("forgot the batch", f"{text}; only the first example (or channel) is right")
    return Finding("different", text)
