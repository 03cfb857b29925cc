"""Resizing of feature maps: nearest neighbour and bilinear, and their gradients (the adjoints: what was read
is added back).

`kernels/sizes.py` has the rule that says where each output pixel reads; it is PyTorch's.
"""

import numpy as np

from minitorch_seg.kernels.layout import empty_map
from minitorch_seg.kernels.sizes import Pair, linear_indices, nearest_indices

Scale = tuple[float, float] | None


def interpolate_nearest(x: np.ndarray, size: Pair, scale: Scale) -> np.ndarray:
    """y[n, c, Y, X] = x[n, c, row(Y), column(X)]."""
    rows, columns = _nearest(x.shape[2:], size, scale)
    y = empty_map((*x.shape[:2], *size), x.dtype)
    y[...] = x[:, :, rows[:, None], columns]
    return y


def interpolate_nearest_gradient(grad: np.ndarray, input_size: Pair, scale: Scale) -> np.ndarray:
    """dx[n, c, i, j] = Σ grad[n, c, Y, X] over the outputs that read (i, j)."""
    rows, columns = _nearest(input_size, grad.shape[2:], scale)
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    dx[...] = 0
    np.add.at(_pixels_first(dx), (rows[:, None], columns), _pixels_first(grad))
    return dx


def interpolate_bilinear(x: np.ndarray, size: Pair, align_corners: bool, scale: Scale) -> np.ndarray:
    """y = Σ over the four neighbours of (vertical weight)·(horizontal weight)·x."""
    y = empty_map((*x.shape[:2], *size), x.dtype)
    y[...] = 0
    for rows, columns, weight in _corners(x.shape[2:], size, align_corners, scale, x.dtype):
        y += weight * x[:, :, rows[:, None], columns]
    return y


def interpolate_bilinear_gradient(
    grad: np.ndarray, input_size: Pair, align_corners: bool, scale: Scale
) -> np.ndarray:
    """dx[i, j] = Σ weight·grad[Y, X] over the outputs that have (i, j) among their four neighbours."""
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    dx[...] = 0
    for rows, columns, weight in _corners(input_size, grad.shape[2:], align_corners, scale, grad.dtype):
        np.add.at(_pixels_first(dx), (rows[:, None], columns), _pixels_first(weight * grad))
    return dx


def _nearest(input_size: Pair, output_size: Pair, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    vertical, horizontal = scale or (None, None)
    return (
        nearest_indices(input_size[0], output_size[0], vertical),
        nearest_indices(input_size[1], output_size[1], horizontal),
    )


def _pixels_first(x: np.ndarray) -> np.ndarray:
    return x.transpose(2, 3, 0, 1)


def _corners(input_size: Pair, output_size: Pair, align_corners: bool, scale: Scale, dtype: np.dtype):
    """The four neighbours: (row indices, column indices, weights of shape (Ho, Wo))."""
    vertical, horizontal = scale or (None, None)
    top, bottom, down = linear_indices(input_size[0], output_size[0], align_corners, vertical, dtype)
    left, right, across = linear_indices(input_size[1], output_size[1], align_corners, horizontal, dtype)
    for rows, row_weight in ((top, 1 - down), (bottom, down)):
        for columns, column_weight in ((left, 1 - across), (right, across)):
            yield rows, columns, np.outer(row_weight, column_weight)
