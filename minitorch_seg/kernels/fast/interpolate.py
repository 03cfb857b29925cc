"""Maps of twice the size, the usual case of a network's way up; every other size is left to the plain loops.

Nearest neighbour writes each pixel four times, and its gradient adds four numbers.  Bilinear, without
aligned corners, each output lies a quarter of a pixel from its nearest input:

    y[2i] = ¼·x[i − 1] + ¾·x[i]        y[2i + 1] = ¾·x[i] + ¼·x[i + 1]        beyond the border its last pixel

in one direction after the other; so the gradient gathers dx[i] = ¼·g[2i − 1] + ¾·g[2i] + ¾·g[2i + 1] +
¼·g[2i + 2], where what would lie beyond the border belongs to the last pixel.
"""

import numpy as np

from minitorch_seg.kernels.cpu import interpolate as plain
from minitorch_seg.kernels.cpu.interpolate import Scale
from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import empty_map, pixels
from minitorch_seg.kernels.parallel import parallel_for
from minitorch_seg.kernels.sizes import Pair


def interpolate_nearest(x: np.ndarray, size: Pair, scale: Scale) -> np.ndarray:
    """y[n, c, Y, X] = x[n, c, row(Y), column(X)]."""
    if not _doubles(x.shape[2:], size, None):
        return plain.interpolate_nearest(x, size, scale)
    y = empty_map((*x.shape[:2], *size), x.dtype)
    parallel_for(_repeat, len(x) * x.shape[2], pixels(x), y.transpose(0, 2, 3, 1))
    return y


def interpolate_nearest_gradient(grad: np.ndarray, input_size: Pair, scale: Scale) -> np.ndarray:
    """dx[n, c, i, j] = Σ grad[n, c, Y, X] over the outputs that read (i, j)."""
    if not _doubles(input_size, grad.shape[2:], None):
        return plain.interpolate_nearest_gradient(grad, input_size, scale)
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    parallel_for(_add_four, len(dx) * input_size[0], pixels(grad), dx.transpose(0, 2, 3, 1))
    return dx


def interpolate_bilinear(x: np.ndarray, size: Pair, align_corners: bool, scale: Scale) -> np.ndarray:
    """y = Σ over the four neighbours of (vertical weight)·(horizontal weight)·x."""
    if align_corners or not _doubles(x.shape[2:], size, scale):
        return plain.interpolate_bilinear(x, size, align_corners, scale)
    y = empty_map((*x.shape[:2], *size), x.dtype)
    parallel_for(_blend, len(x) * x.shape[2], pixels(x), y.transpose(0, 2, 3, 1))
    return y


def interpolate_bilinear_gradient(
    grad: np.ndarray, input_size: Pair, align_corners: bool, scale: Scale
) -> np.ndarray:
    """dx[i, j] = Σ weight·grad[Y, X] over the outputs that have (i, j) among their four neighbours."""
    if align_corners or not _doubles(input_size, grad.shape[2:], scale):
        return plain.interpolate_bilinear_gradient(grad, input_size, align_corners, scale)
    dx = empty_map((*grad.shape[:2], *input_size), grad.dtype)
    parallel_for(_gather, len(dx) * input_size[0], pixels(grad), dx.transpose(0, 2, 3, 1))
    return dx


def _doubles(size: tuple[int, ...], output_size: tuple[int, ...], scale: Scale) -> bool:
    """Is every side twice as long, and the scale, where it is given, two?"""
    return tuple(output_size) == (2 * size[0], 2 * size[1]) and scale in (None, (2.0, 2.0))


@kernel
def _repeat(first, last, x, y):
    _, height, width, channels = x.shape
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        for down in range(2):
            for j in range(width):
                seen = x[image, i, j]
                for right in range(2):
                    made = y[image, 2 * i + down, 2 * j + right]
                    for c in range(channels):
                        made[c] = seen[c]


@kernel
def _add_four(first, last, grad, dx):
    _, height, width, channels = dx.shape
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        for j in range(width):
            here, right = grad[image, 2 * i, 2 * j], grad[image, 2 * i, 2 * j + 1]
            below, across = grad[image, 2 * i + 1, 2 * j], grad[image, 2 * i + 1, 2 * j + 1]
            made = dx[image, i, j]
            for c in range(channels):
                made[c] = (here[c] + right[c]) + (below[c] + across[c])


@kernel
def _blend(first, last, x, y):
    _, height, width, channels = x.shape
    near, far = x.dtype.type(0.75), x.dtype.type(0.25)
    line = np.empty((width, channels), x.dtype)  # an output row before it is stretched
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        for down in range(2):
            other = min(max(i + 2 * down - 1, 0), height - 1)
            here, there, mixed = x[image, i].reshape(-1), x[image, other].reshape(-1), line.reshape(-1)
            for k in range(len(mixed)):
                mixed[k] = near * here[k] + far * there[k]
            for j in range(width):
                before, seen, after = line[max(j - 1, 0)], line[j], line[min(j + 1, width - 1)]
                even, odd = y[image, 2 * i + down, 2 * j], y[image, 2 * i + down, 2 * j + 1]
                for c in range(channels):
                    even[c] = far * before[c] + near * seen[c]
                for c in range(channels):
                    odd[c] = near * seen[c] + far * after[c]


@kernel
def _gather(first, last, grad, dx):
    _, height, width, channels = dx.shape
    near, far = grad.dtype.type(0.75), grad.dtype.type(0.25)
    line = np.empty((2 * width, channels), grad.dtype)  # four rows of the cotangent, weighted and added
    for chunk in range(first, last):
        image, i = chunk // height, chunk % height
        above, below = max(2 * i - 1, 0), min(2 * i + 2, 2 * height - 1)
        g0, g1 = grad[image, above].reshape(-1), grad[image, 2 * i].reshape(-1)
        g2, g3 = grad[image, 2 * i + 1].reshape(-1), grad[image, below].reshape(-1)
        mixed = line.reshape(-1)
        for k in range(len(mixed)):
            mixed[k] = (far * g0[k] + near * g1[k]) + (near * g2[k] + far * g3[k])
        for j in range(width):
            before, after = line[max(2 * j - 1, 0)], line[min(2 * j + 2, 2 * width - 1)]
            even, odd, made = line[2 * j], line[2 * j + 1], dx[image, i, j]
            for c in range(channels):
                made[c] = (far * before[c] + near * even[c]) + (near * odd[c] + far * after[c])
