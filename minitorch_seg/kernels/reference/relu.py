"""The rectifier, elementwise, and its gradient.

    y = max(x, 0)          dx = grad where y > 0, else 0

NaN in x stays NaN in y.  Where y is not positive dx is 0 whatever grad is, NaN and infinity included.
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map_like


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0) of an array with any number of dimensions."""
    return np.maximum(x, 0, out=empty_map_like(x) if x.ndim == 4 else None)


def relu_gradient(grad: np.ndarray, y: np.ndarray) -> np.ndarray:
    """grad where y > 0, else 0, from the result y of `relu`."""
    dx = empty_map_like(grad) if grad.ndim == 4 else np.empty_like(grad)
    dx[...] = np.where(y > 0, grad, grad.dtype.type(0))
    return dx
