"""The same numbers in new memory."""

import numpy as np


def copy(x: np.ndarray) -> np.ndarray:
    """x in memory of its own, without gaps, its dimensions in the order that they have in x's memory."""
    return np.array(x, order="K")
