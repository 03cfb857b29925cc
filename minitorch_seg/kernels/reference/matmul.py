"""The product of matrices, y_ik = Σ_j a_ij b_jk, over the last two dimensions.  NumPy hands it to BLAS."""

import numpy as np


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (..., n, k), b (..., k, m) -> (..., n, m); leading dimensions are broadcast."""
    return np.matmul(a, b)
