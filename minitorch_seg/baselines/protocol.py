"""What every baseline can do: `fit` on the training images of a set, `predict` one image."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Baseline(Protocol):
    """Two methods; nothing has to be subclassed."""

    def fit(self, splits: Any) -> Baseline:
        """Learn from splits.train what there is to learn; itself."""
        ...

    def predict(self, image: np.ndarray) -> np.ndarray:
        """uint8 (H, W, C) → class indices int64 (H, W)."""
        ...
