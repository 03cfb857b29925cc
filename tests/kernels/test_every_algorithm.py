"""Every algorithm of every kernel by force: at small shapes, where the automatic choice would take another,
and with NaN and infinity in every argument.
"""

import importlib

import numpy as np
import pytest

from minitorch_seg.kernels import dispatch
from tests.kernels.helpers import calls, close

SIDES = (3, 4, 5, 6, 9)
#: Algorithms that may carry what is not finite to neighbours; their text says how far.
SPREADING = ("winograd", "plain")


def routes():
    """(operator, room, convolution algorithm) of every file in kernels/cpu and kernels/fast."""
    for operator in dispatch.operators():
        if operator in dispatch._files("cpu"):
            yield operator, "cpu", "plain" if operator in dispatch.CONVOLUTIONS else "auto"
        if operator in dispatch._files("fast"):
            several = operator in dispatch.CONVOLUTIONS
            yield from (
                (operator, "fast", a) for a in (("direct", "winograd", "auto") if several else ("auto",))
            )


ROUTES = pytest.mark.parametrize("operator, room, algorithm", list(routes()))


def module(room, operator):
    return importlib.import_module(f"minitorch_seg.kernels.{room}.{operator}")


@pytest.fixture(autouse=True)
def restore_the_choice():
    yield
    dispatch.set_conv_algorithm("auto")


def test_no_operator_lacks_a_route():
    """An operator with nothing but its reference is in no list above; which those are is said here."""
    alone = {"gru", "lstm"}  # matrix products, which NumPy hands to BLAS
    assert {operator for operator, _, _ in routes()} == set(dispatch.operators()) - alone


@ROUTES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_shapes(operator, room, algorithm, dtype):
    dispatch.set_conv_algorithm("auto" if room == "cpu" else algorithm)
    for side in SIDES:
        expected = calls(dtype, side)[operator](module("reference", operator))
        found = calls(dtype, side)[operator](module(room, operator))
        for f, e in zip(found, expected, strict=True):
            close(f, e, 5.0 * max(1.0, float(np.abs(e).max(initial=0))))


class Poisoned:
    """A kernel module that puts `value` into the middle of float array number `argument` of every call."""

    def __init__(self, kernels, value, argument):
        self.kernels, self.value, self.argument, self.used = kernels, value, argument, False

    def __getattr__(self, name):
        function = getattr(self.kernels, name)

        def call(*args):
            self.seen = -1
            with np.errstate(all="ignore"):
                return function(*map(self.poison, args))

        return call

    def poison(self, value):
        if isinstance(value, list):
            return [self.poison(v) for v in value]
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            return value
        self.seen += 1
        if self.seen != self.argument:
            return value
        self.used, poisoned = True, np.array(value, order="K")
        poisoned[tuple(n // 2 for n in value.shape)] = self.value
        return poisoned


@ROUTES
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_nan_and_infinity(operator, room, algorithm, value):
    """What is not finite stands where the reference has it, and NaN stays NaN (∞ may become one, where the
    order of a sum decides about ∞ − ∞).  Winograd's algorithm and the plain loops of a convolution may carry
    it further, but lose none.
    """
    dispatch.set_conv_algorithm("auto" if room == "cpu" else algorithm)
    argument = 0
    while True:
        reference = Poisoned(module("reference", operator), value, argument)
        expected = calls("float64", 9)[operator](reference)
        found = calls("float64", 9)[operator](Poisoned(module(room, operator), value, argument))
        if not reference.used:
            break
        for number, (f, e) in enumerate(zip(found, expected, strict=True)):
            what = f"argument {argument}, result {number}"
            if f.dtype.kind != "f":
                np.testing.assert_array_equal(f, e, err_msg=what)
                continue
            if algorithm in SPREADING:
                assert not np.isfinite(f[~np.isfinite(e)]).any(), f"{what}: lost"
            else:
                np.testing.assert_array_equal(np.isfinite(f), np.isfinite(e), err_msg=what)
            if np.isnan(value):
                assert np.isnan(f[np.isnan(e)]).all(), what
            kept = np.isfinite(f)
            np.testing.assert_allclose(f[kept], e[kept], rtol=1e-9, atol=1e-9, err_msg=what)
        argument += 1
    assert argument > 0


@pytest.mark.parametrize("place", [(0, 0), (4, 5), (6, 11), (11, 3)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("taps", [3, 5])
def test_winograd_carries_it_no_further_than_the_tiles_that_see_it(value, place, taps):
    """A tile of 4×4 (5×5 weights: 2×2) results is computed from 6×6 pixels; no other tile may change."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 8, 12, 13)), rng.standard_normal((8, 8, taps, taps))
    pad, size = taps // 2, 7 - taps
    window = ((1, 1), (pad, pad), (1, 1), 1)
    kernels = module("fast", "conv2d")
    dispatch.set_conv_algorithm("winograd")
    clean = kernels.conv2d(x, weight, None, *window)
    x[(1, 2, *place)] = value
    found = kernels.conv2d(x, weight, None, *window)
    expected = module("reference", "conv2d").conv2d(x, weight, None, *window)
    assert not np.isfinite(found[~np.isfinite(expected)]).any()
    seen = np.zeros(found.shape, bool)
    tiles = [[t for t in range(7) if size * t - pad <= i < size * t - pad + 6] for i in place]
    for row in tiles[0]:
        for column in tiles[1]:
            seen[1, :, size * row : size * (row + 1), size * column : size * (column + 1)] = True
    np.testing.assert_array_equal(found[~seen], clean[~seen])
