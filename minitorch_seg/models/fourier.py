"""Convolution with a large kernel by Fourier transforms, for prediction: the same sums, far fewer products.

    y[o, Y] = Σ_{c, i} x[c, Y + i] w[o, c, i]              k·k products for each pixel, c and o
    Y^[o, f] = Σ_c X^[c, f] W^[o, c, f]*                    about four, whatever k is

X^, W^ and Y^ are discrete Fourier transforms over a tile of T × T pixels (W^* is the complex conjugate, since
this is a correlation).  The transform takes the tile for periodic, so of the T × T sums the first
(T − k + 1) × (T − k + 1) are right and the others are thrown away; tiles overlap by k − 1 ("overlap-save").
Rounding: each sum mixes numbers of T × T pixels, so an error is relative to the largest of them.

Tiles are small and there are many channels, so the transforms too are written as products of real matrices,
over rows, then over columns; a complex number is a pair of rows, and

    (a + ib)(c − id) = (ac + bd) + i(bc − ad),   so   [[a, b], [b, −a]] · [c, d] = [real, imaginary]

Mathieu, Henaff and LeCun, "Fast training of convolutional networks through FFTs", 2014.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minitorch_seg.kernels import openblas

#: Tiles that are transformed together, and results (channels) at a time: what is in work stays in the cache.
TILES = 16
CHANNELS = 128


class FourierWeight:
    """The transform of a weight (O, C, k, k) for tiles of T × T pixels, made once for many images.

    It takes T·(T/2 + 1)·C·O pairs of numbers of memory.
    """

    def __init__(self, weight: np.ndarray, tile: int):
        out_channels, in_channels, *kernel = weight.shape
        self.tile, self.kernel, self.channels, self.half = tile, kernel, in_channels, tile // 2 + 1
        self.valid = [tile - k + 1 for k in kernel]
        turn = 2 * np.pi / tile
        across, down = (turn * np.outer(np.arange(m), np.arange(tile)) for m in (self.half, tile))
        waves = np.stack([np.cos(across), -np.sin(across)], axis=1)  # (T/2 + 1, real and imaginary, T)
        twice = np.full((self.half, 1, 1), 2.0)  # a real row's other half is the mirror image of this one
        twice[0] = twice[tile - self.half + 1 :] = 1
        back = _complex(np.cos(down[: self.valid[0]]), np.sin(down[: self.valid[0]]))
        kind = weight.dtype
        self.row = waves.reshape(-1, tile).astype(kind)
        self.column = _complex(np.cos(down), -np.sin(down)).reshape(2 * tile, 2, tile).astype(kind)
        self.column_back = back.reshape(-1, 2, tile).swapaxes(1, 2).reshape(-1, 2 * tile).astype(kind)
        ends = (waves * twice)[:, :, : self.valid[1]] / tile**2
        self.row_back = np.ascontiguousarray(ends.reshape(2 * self.half, -1).T).astype(kind)
        self.parts = []  # (which results, their spectrum (T/2 + 1, T, 2·C, results))
        for start in range(0, out_channels, CHANNELS):
            part = weight[start : start + CHANNELS].transpose(2, 3, 1, 0)
            framed = np.zeros((kernel[0], tile, *part.shape[2:]), kind)
            framed[:, : kernel[1]] = part
            pairs = self._transform(framed).reshape(self.half, 2, tile, in_channels, -1)
            spectrum = np.ascontiguousarray(pairs.swapaxes(1, 2))
            results = slice(start, start + part.shape[3])
            self.parts.append((results, spectrum.reshape(self.half, tile, 2 * in_channels, -1)))

    def correlate(self, x: np.ndarray) -> Iterator[tuple[list[tuple[int, int, int]], slice, np.ndarray]]:
        """The valid correlation of maps (N, H, W, C), some tiles and some of the O results at a time.

        Yields (places, results, sums): places are (image, top, left) of each tile, sums have shape (rows,
        columns, tiles, results).  A tile at the border hangs over it: its last rows and columns mean nothing.
        """
        n, height, width, channels = x.shape
        size, (down, across) = self.tile, self.valid
        starts = [
            (image, top, left)
            for image in range(n)
            for top in range(0, height - self.kernel[0] + 1, down)
            for left in range(0, width - self.kernel[1] + 1, across)
        ]
        for first in range(0, len(starts), TILES):
            places = starts[first : first + TILES]
            tiles = np.zeros((size, size, len(places), channels), x.dtype)
            for number, (image, top, left) in enumerate(places):
                part = x[image, top : top + size, left : left + size]
                tiles[: part.shape[0], : part.shape[1], number] = part
            pairs = self._transform(tiles).reshape(self.half, 2, size, len(places), channels)
            a, b = pairs[:, 0], pairs[:, 1]
            rows = np.stack([np.concatenate([a, b], axis=-1), np.concatenate([b, -a], axis=-1)], axis=2)
            rows = rows.reshape(self.half, size, 2 * len(places), 2 * channels)
            for results, spectrum in self.parts:
                yield places, results, self._back(rows, spectrum).reshape(down, across, len(places), -1)

    def _transform(self, tiles: np.ndarray) -> np.ndarray:
        """(rows, T, n, C), the rest of T rows zero → (T/2 + 1, 2·T, n·C), frequencies across first."""
        rows = len(tiles)
        with openblas.one_thread():
            half = np.matmul(self.row, tiles.reshape(rows, self.tile, -1)).reshape(rows, self.half, 2, -1)
            half = np.ascontiguousarray(half.transpose(1, 2, 0, 3)).reshape(self.half, 2 * rows, -1)
            return np.matmul(self.column[:, :, :rows].reshape(2 * self.tile, -1), half)

    def _back(self, rows: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
        """The products of two spectra, transformed back: (rows, columns, tiles · results)."""
        with openblas.one_thread():
            products = np.matmul(rows, spectrum).reshape(self.half, 2 * self.tile, -1)
            columns = np.matmul(self.column_back, products).reshape(2 * self.half, self.valid[0], -1)
            sums = np.empty((*self.valid, columns.shape[2]), columns.dtype)
            for row in range(len(sums)):
                np.matmul(self.row_back, columns[:, row], out=sums[row])
        return sums


def _complex(real: np.ndarray, imaginary: np.ndarray) -> np.ndarray:
    """The real matrix that multiplies pairs, all real parts before all imaginary ones, by a complex one."""
    return np.block([[real, -imaginary], [imaginary, real]])
