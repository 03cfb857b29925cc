"""The sum of two arrays on the GPU: what the gradients of a map that is used twice come to
(elementwise.py)."""

from typing import Any

import numpy as np


def add(a: Any, b: Any) -> Any:
    """a + b, elementwise, broadcast."""
    return np.add(a, b)
