"""The sum of two arrays on the GPU, by the kernels of elementwise.py: what the gradients of a map that is
used twice come to.

1 operation for 12 bytes a number, 0.08 a byte: limited by memory, 2.8·10¹¹ numbers/s on an H100 (3.35 TB/s),
2.1·10¹⁰ on an RTX 4060 laptop (0.256 TB/s).
"""

from typing import Any

import numpy as np


def add(a: Any, b: Any) -> Any:
    """a + b, elementwise, broadcast."""
    return np.add(a, b)
