"""Convolution with a large kernel by Fourier transforms, for prediction: the same sums, far fewer products.

    y[o, Y] = Σ_{c, i} x[c, Y + i] w[o, c, i]              k·k products for each pixel, c and o
    Y^[o, f] = Σ_c X^[c, f] W^[o, c, f]*                    about four, whatever k is

X^, W^ and Y^ are discrete Fourier transforms over a tile of T × T pixels (W^* is the complex conjugate, since
this is a correlation).  The transform takes the tile for periodic, so of the T × T sums the first
(T − k + 1) × (T − k + 1) are right and the others are thrown away; tiles overlap by k − 1 ("overlap-save").
Rounding: each tile mixes numbers of T × T pixels, so an error is relative to the largest of them.

Cooley and Tukey, "An algorithm for the machine calculation of complex Fourier series", 1965; Mathieu, Henaff
and LeCun, "Fast training of convolutional networks through FFTs", 2014.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minitorch_seg.kernels import openblas

#: Complex numbers in the products of one group of tiles: 128 MiB in float32.
GROUP = 1 << 24


class FourierWeight:
    """The transform of a weight (O, C, k, k), made once for many images.

    It takes T·(T/2 + 1)·C·O complex numbers of memory.
    """

    def __init__(self, weight: np.ndarray, tile: int):
        out_channels, in_channels, *kernel = weight.shape
        self.tile, self.kernel = tile, kernel
        self.valid = [tile - k + 1 for k in kernel]
        half = tile // 2 + 1
        # The transform as matrix products with cosines and sines: most of the tile is zero around the kernel.
        rows = np.exp(2j * np.pi / tile * np.outer(np.arange(tile), np.arange(kernel[0])))
        columns = np.exp(2j * np.pi / tile * np.outer(np.arange(half), np.arange(kernel[1])))
        basis = (rows[:, None, :, None] * columns[None, :, None, :]).reshape(tile * half, -1)
        flat = np.ascontiguousarray(weight.transpose(2, 3, 1, 0)).reshape(kernel[0] * kernel[1], -1)
        complex_type = np.result_type(weight.dtype, np.complex64)
        self.spectrum = np.empty((tile * half, in_channels, out_channels), complex_type)
        values = self.spectrum.reshape(tile * half, -1)
        with openblas.one_thread():
            values.real = basis.real.astype(weight.dtype) @ flat
            values.imag = basis.imag.astype(weight.dtype) @ flat

    def correlate(self, x: np.ndarray) -> Iterator[tuple[int, int, int, np.ndarray]]:
        """Tiles (n, Y, X, sums (rows, columns, O)) of the valid correlation of maps (N, H, W, C)."""
        from scipy import fft

        n, height, width, channels = x.shape
        size, (down, across) = self.tile, self.valid
        wanted = height - self.kernel[0] + 1, width - self.kernel[1] + 1
        starts = [
            (image, top, left)
            for image in range(n)
            for top in range(0, wanted[0], down)
            for left in range(0, wanted[1], across)
        ]
        count = max(1, GROUP // (len(self.spectrum) * self.spectrum.shape[2]))
        for first in range(0, len(starts), count):
            group = starts[first : first + count]
            tiles = np.zeros((size, size, len(group), channels), x.dtype)
            for number, (image, top, left) in enumerate(group):
                part = x[image, top : top + size, left : left + size]
                tiles[: part.shape[0], : part.shape[1], number] = part
            spectrum = fft.rfft2(tiles, axes=(0, 1), overwrite_x=True)
            with openblas.one_thread():
                products = spectrum.reshape(-1, len(group), channels) @ self.spectrum
            sums = fft.irfft2(
                products.reshape(size, -1, *products.shape[1:]), (size, size), axes=(0, 1), overwrite_x=True
            )
            for number, (image, top, left) in enumerate(group):
                rows, columns = min(down, wanted[0] - top), min(across, wanted[1] - left)
                yield image, top, left, sums[:rows, :columns, number]
