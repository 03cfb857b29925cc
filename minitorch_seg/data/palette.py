"""Class colours, one function for every picture of the project."""

from __future__ import annotations

import numpy as np

# Okabe & Ito (2008), "Color universal design": distinct also with red-green blindness.  Class 0 is usually
# the background and comes first, as black; white is left for pixels that do not count.
_COLOURS = (
    (0, 0, 0),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
IGNORED = (255, 255, 255)


def palette(n: int) -> np.ndarray:
    """n colours as uint8 (n, 3).  After the eight of Okabe and Ito come darker shades of the same hues.

    >>> palette(2).tolist()
    [[0, 0, 0], [230, 159, 0]]
    >>> len(np.unique(palette(40), axis=0))
    40
    """
    base = np.array(_COLOURS, np.float64)
    rounds = [base]
    shade = 0.65
    while sum(map(len, rounds)) < n:  # black has no darker shade: it is not repeated
        rounds.append(base[1:] * shade)
        shade *= 0.75
    return np.rint(np.concatenate(rounds)[:n]).astype(np.uint8)


def colourise(mask: np.ndarray, n: int) -> np.ndarray:
    """Class indices (H, W) to colours uint8 (H, W, 3); what lies outside 0 ... n-1 (ignored pixels) is white.

    >>> colourise(np.array([[0, 1, 255]]), 2).tolist()
    [[[0, 0, 0], [230, 159, 0], [255, 255, 255]]]
    """
    table = np.vstack([palette(n), [IGNORED]]).astype(np.uint8)
    return table[np.where((mask >= 0) & (mask < n), mask, n)]
