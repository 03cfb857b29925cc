"""The sum of two arrays: what the gradients of a map that is used twice come to."""

import numpy as np


def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b, elementwise, broadcast."""
    return np.add(a, b)
