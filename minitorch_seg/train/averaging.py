"""WeightAverage: a running mean of a model's weights, which is steadier than the weights themselves.

    a ← d_t a + (1 − d_t) w        after step t = 1, 2, …        d_t = min(d, (1 + t) / (10 + t))

With d = 0.99 it looks back about a hundred steps; d_t lets it forget the random start.  The optimiser never
sees a; validation, the choice of the best weights and the final model do.  Running means and variances of
batch norm are averaged too; counters are copied.

Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from minitorch_seg.io import to_array

__all__ = ["WeightAverage"]


class WeightAverage:
    """The mean of the weights of `model`; decay: d.

    >>> import minitorch_seg as ms
    >>> model = ms.nn.Linear(1, 1, bias=False)
    >>> model.weight.data[...] = 0.0
    >>> average = WeightAverage(model, decay=0.9)
    >>> model.weight.data[...] = 1.0
    >>> average.update()
    >>> with average.in_use():
    ...     round(model.weight.item(), 3)
    0.818
    >>> model.weight.item()
    1.0
    """

    def __init__(self, model: Any, decay: float) -> None:
        self.model, self.decay, self.steps = model, decay, 0
        self.weights = _copied(model)

    def update(self) -> None:
        """After an optimiser step."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in self.model.state_dict().items():
            now = to_array(value)
            mean = self.weights[name]
            if mean.dtype.kind == "f":
                mean += mean.dtype.type(1 - keep) * (now - mean)
            else:
                mean[...] = now

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Inside, the model has the averaged weights."""
        own = _copied(self.model)
        self.model.load_state_dict(self.weights)
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weights = {name: np.array(value) for name, value in state["weights"].items()}
        self.steps = state["steps"]


def _copied(model: Any) -> dict[str, np.ndarray]:
    return {name: np.array(to_array(value)) for name, value in model.state_dict().items()}
