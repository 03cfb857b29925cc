"""What the tests of the CUDA kernels share: the same call on the device and by the reference kernel."""

import importlib

import numpy as np

from minitorch_seg.kernels.cuda.array import CudaArray, to_device
from minitorch_seg.kernels.layout import empty_map

TOLERANCE = {np.dtype("float32"): 2e-5, np.dtype("float64"): 1e-12}


def normal(rng, *shape, dtype="float32"):
    """Random numbers; four dimensions are a map, channels-last in memory."""
    values = rng.standard_normal(shape).astype(dtype)
    if len(shape) != 4:
        return values
    x = empty_map(shape, dtype)
    x[...] = values
    return x


def close(found, expected, scale=None):
    """Equal up to rounding relative to the largest number; NaN and infinities at the same places."""
    assert found.shape == expected.shape and found.dtype == expected.dtype
    if found.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    largest = scale or max(1.0, float(np.abs(expected).max(initial=0, where=np.isfinite(expected))))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[found.dtype] * largest)


def on_device(value):
    return to_device(value) if isinstance(value, np.ndarray) else value


def on_host(value):
    return value.to_host() if isinstance(value, CudaArray) else value


def agree(operator, function, *arguments, scale=None):
    """Calls kernels/cuda/OPERATOR.py and kernels/reference/OPERATOR.py; gives the results on the host."""
    of_device, of_reference = (
        importlib.import_module(f"minitorch_seg.kernels.{room}.{operator}") for room in ("cuda", "reference")
    )
    with np.errstate(all="ignore"):
        expected = getattr(of_reference, function)(*arguments)
    found = getattr(of_device, function)(*(on_device(a) for a in arguments))
    if not isinstance(expected, tuple):
        found, expected = (found,), (expected,)
    found = tuple(on_host(f) for f in found)
    for f, e in zip(found, expected, strict=True):
        if e is None:
            assert f is None
        else:
            close(f, np.asarray(e), scale)
    return found if len(found) > 1 else found[0]
