"""Images and masks bent like rubber: a small turn and a smooth displacement, drawn anew for each image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minitorch_seg.errors import DataError

__all__ = ["RandomWarp"]

#: Places along each axis at which a displacement is drawn; between them it is a cubic spline (U-Net: 3×3).
GRID = 4


@dataclass(frozen=True)
class RandomWarp:
    """y(p) = x(c + R (p - c) + d(p)): a turn R about the middle c, and a smooth displacement d.

    R turns by an angle drawn evenly from ±degrees, against the clock where it is above 0.  d is drawn at
    GRID × GRID places from a normal distribution with the standard deviation `pixels`, and continued by a
    cubic spline: neighbours move together, so shapes bend and do not tear.  Images are read bilinearly, masks
    at the nearest pixel; beyond the border both are continued by reflection.  Images come out as float32, so
    it stands after `Normalize`.

    >>> rng = np.random.default_rng(0)
    >>> image, mask = np.ones((8, 6, 1), np.float32), np.eye(8, 6, dtype=np.int64)
    >>> image, mask = RandomWarp(degrees=10, pixels=2)(image, mask, rng)
    >>> image.shape, mask.shape, sorted(set(mask.ravel().tolist()))
    ((8, 6, 1), (8, 6), [0, 1])

    Source: O. Ronneberger, P. Fischer, T. Brox, "U-Net", 2015, section 3.1; P. Simard, D. Steinkraus,
    J. Platt, "Best practices for convolutional neural networks", 2003.
    """

    degrees: float = 0.0
    pixels: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.degrees <= 180 and self.pixels >= 0):
            raise DataError(
                f"RandomWarp: degrees from 0 to 180 and pixels from 0 are needed, "
                f"not degrees={self.degrees}, pixels={self.pixels}."
            )

    def __call__(
        self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        from scipy import ndimage

        size = np.array(mask.shape)
        p = np.indices(mask.shape, dtype=np.float64)
        middle = ((size - 1) / 2)[:, None, None]
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        c, s = np.cos(angle), np.sin(angle)
        y, x = p - middle
        place = middle + np.stack([c * y + s * x, c * x - s * y])
        if self.pixels:
            grid = p * ((GRID - 1) / np.maximum(size - 1, 1))[:, None, None]
            for axis in range(2):
                knots = rng.normal(0, self.pixels, (GRID, GRID))
                place[axis] += ndimage.map_coordinates(knots, grid, order=3, mode="nearest")
        bent = np.empty_like(image, np.float32)
        for channel in range(image.shape[2]):
            bent[:, :, channel] = ndimage.map_coordinates(image[:, :, channel], place, order=1, mode="mirror")
        return bent, ndimage.map_coordinates(mask, place, order=0, mode="mirror")
