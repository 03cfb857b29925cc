"""cvt: between whole numbers and floating point, with PTX's clamping and rounding."""

from __future__ import annotations

import numpy as np

from tests.ptx import floats

INTEGER_ROUNDING = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}
FLOAT_ROUNDING = ("rn", "rz", "rm", "rp")


def converter(target: np.dtype, source: np.dtype, rounding: str | None, ftz: bool, sat: bool):
    """The function from arrays of `source` to arrays of `target`; None where PTX has no such conversion."""
    into_float, from_float = target.kind == "f", source.kind == "f"
    if not into_float and not from_float:
        return (lambda x: clamp(x, target)) if sat else (lambda x: x.astype(target))
    if from_float and not into_float:
        if rounding not in INTEGER_ROUNDING:
            return None
        return lambda x: to_integer(_flushed(x, ftz), target, INTEGER_ROUNDING[rounding])
    if from_float and target == source:
        change = INTEGER_ROUNDING.get(rounding or "", np.positive)
        if rounding in FLOAT_ROUNDING:
            return None
    elif from_float and target.itemsize > source.itemsize:
        change = target.type if rounding is None else None
    else:  # to fewer bits, or from a whole number
        change = _narrowing(target, source, rounding)
    if change is None:
        return None

    def convert(x: np.ndarray) -> np.ndarray:
        y = np.asarray(change(_flushed(x, ftz))).astype(target, copy=False)
        y = _flushed(y, ftz)
        return floats.saturate(y) if sat else y

    return convert


def _narrowing(target: np.dtype, source: np.dtype, rounding: str | None):
    if rounding == "rn":
        return lambda x: x.astype(target)
    if rounding not in FLOAT_ROUNDING or target != np.float32 or (source.kind != "f" and source.itemsize > 4):
        return None
    return lambda x: floats.to_float32(x.astype(np.float64), rounding)


def _flushed(x: np.ndarray, ftz: bool) -> np.ndarray:
    return floats.flush(x) if ftz and x.dtype == np.float32 else x


def clamp(x: np.ndarray, target: np.dtype) -> np.ndarray:
    """A whole number to the nearest that `target` holds."""
    limits = np.iinfo(target)
    low, high = max(limits.min, np.iinfo(x.dtype).min), min(limits.max, np.iinfo(x.dtype).max)
    return np.clip(x, x.dtype.type(low), x.dtype.type(high)).astype(target)


def to_integer(x: np.ndarray, target: np.dtype, rounding) -> np.ndarray:
    """Rounded, clamped to what `target` holds; NaN becomes 0."""
    limits = np.iinfo(target)
    value = rounding(x.astype(np.float64))
    inside = (value > float(limits.min) - 1) & (value < float(limits.max) + 1)
    result = np.where(inside, value, 0.0).astype(target)
    result = np.where(~inside & (value > 0), target.type(limits.max), result)
    return np.where(~inside & (value < 0), target.type(limits.min), result)
