"""CUDA arrays on a real GPU: indices, strides, reductions, offsets, optimisers, threads, memory that is full.

pytest -m gpu
"""

import numpy as np
import pytest

from minitorch_seg.errors import SizeError
from tests.gpu import checks
from tests.gpu.test_hardware import pytestmark

__all__ = ["pytestmark"]


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_arrays(check):
    check(1000)


@pytest.mark.parametrize("rule", checks.RULES)
def test_optimisers(rule):
    checks.optimiser(rule, 10_000)


def test_an_array_that_is_too_large():
    from minitorch_seg.kernels.cuda import array

    with pytest.raises(SizeError, match=r"no room for an array of .* bytes"):
        array.empty((2**38,), "float32")
    x = array.to_device(np.arange(4.0))  # and the GPU goes on
    assert np.sum(x).item() == 6


def test_memory_is_used_again():
    from minitorch_seg.kernels.cuda import array, memory

    memory.release()
    first = array.empty((1000, 1000), "float32")
    place = first.storage.memory
    del first
    assert memory.waiting() >= 4_000_000
    assert array.empty((1000, 1000), "float32").storage.memory is place
