"""k-means: a segmentation without labels and without a loss of its own.

    features of all pixels (n, C) ── k-means ──► centres (k, C) ── the nearest ──► segments (n,)

k-means puts k centres so that the squares of the distances add up to little:

    min_{c_1 … c_k}  Σ_i min_j ‖f_i − c_j‖²

Lloyd's steps take turns: each point goes to its nearest centre, each centre to the mean of its points;
neither can raise the sum.  The first centres are drawn one after the other, each with a probability in
proportion to the square of the distance to the nearest one so far (k-means++), which keeps two from starting
in one clump.  On pixels' colours the same function is the baseline that a learned code has to beat.

Lloyd, 1957 (1982); Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007.
"""

from __future__ import annotations

import numpy as np

from minitorch_seg.errors import DataError, ShapeError


def as_points(features: np.ndarray) -> np.ndarray:
    """Maps (N, C, H, W) as points (N·H·W, C).

    >>> as_points(np.zeros((2, 5, 3, 4))).shape
    (24, 5)
    """
    if features.ndim != 4:
        raise ShapeError(f"as_points: features have shape {features.shape}, expected (N, C, H, W)")
    return np.moveaxis(features, 1, -1).reshape(-1, features.shape[1])


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The number of the nearest centre (k, C) of each point (n, C); a tie goes to the lower number.

    ‖f − c‖² = ‖f‖² − 2 f·c + ‖c‖², of which ‖f‖² is the same for all centres.

    >>> nearest(np.array([[0.0], [2.0], [9.0]]), np.array([[1.0], [8.0]])).tolist()
    [0, 0, 1]
    """
    return ((centres**2).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1)


def kmeans(points: np.ndarray, k: int, seed: int = 0, steps: int = 50) -> np.ndarray:
    """k centres (k, C) for points (n, C), by k-means++ and at most `steps` of Lloyd's steps.

    A centre that has lost all its points stays where it is.

    >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> sorted(kmeans(points, 2).ravel().tolist())
    [0.5, 10.5]
    """
    if points.ndim != 2 or not 1 <= k <= len(points):
        raise ShapeError(
            f"kmeans: points of shape {points.shape} and {k} centres; expected (n, C) and 1 to n centres"
        )
    if not np.isfinite(points).all():
        raise DataError("kmeans: the points hold NaN or infinity, which are near nothing; mend the features")
    rng = np.random.default_rng(seed)
    centres = points[rng.integers(len(points), size=1)]
    distance = ((points - centres[0]) ** 2).sum(axis=1, dtype=np.float64)
    for _ in range(1, k):
        total = distance.sum()
        chosen = rng.choice(len(points), p=distance / total) if total > 0 else rng.integers(len(points))
        centres = np.concatenate([centres, points[chosen : chosen + 1]])
        distance = np.minimum(distance, ((points - centres[-1]) ** 2).sum(axis=1))
    belongs = np.full(len(points), -1)
    for _ in range(steps):
        before, belongs = belongs, nearest(points, centres)
        if np.array_equal(before, belongs):
            break
        counts = np.bincount(belongs, minlength=k)
        sums = np.stack([np.bincount(belongs, column, minlength=k) for column in points.T], axis=1)
        filled = counts > 0
        centres[filled] = sums[filled] / counts[filled, np.newaxis]
    return centres
