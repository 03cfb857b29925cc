"""What a table of random calls is made of: `Draw` draws, `Case` is one call with its oracle, `operator`
enters a line of the table.

    @operator("softmax")
    def softmax(r: Draw) -> Case:
        x = r.normal(*r.shape(1, 4))
        dim = r.dim(x)
        return Case([x], lambda x: F.softmax(x, dim), lambda x: special.softmax(x, axis=dim))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st


@dataclass(frozen=True)
class Case:
    """One call of an operator.

    arrays: the arguments; float ones are differentiated, except those numbered in `constants`.
    call: takes tensors, and returns one or several.
    oracle: takes the arrays in float64, and returns what the call must give; knows nothing of this project.
    recorded: do float results carry a gradient?  Those numbered in `buffers` do not.
    """

    arrays: Sequence[np.ndarray]
    call: Callable[..., Any]
    oracle: Callable[..., Any]
    constants: Sequence[int] = ()
    recorded: bool = True
    buffers: Sequence[int] = ()


#: Operator -> what draws one call of it.
TABLE: dict[str, Callable[[Draw], Case]] = {}


def operator(*names: str) -> Callable[[Callable[..., Case]], Callable[..., Case]]:
    """Enter a function of (Draw) for one name, of (Draw, name) for several."""

    def enter(function: Callable[..., Case]) -> Callable[..., Case]:
        for name in names:
            assert name not in TABLE, f"{name} stands in the table twice"
            several = len(names) > 1
            TABLE[name] = (lambda r, name=name: function(r, name)) if several else function
        return function

    return enter


class Draw:
    """Choices, sizes and shapes by hypothesis; numbers from a seed that it draws, exact in float32."""

    def __init__(self, data: st.DataObject):
        self.data = data
        self.rng = np.random.default_rng(data.draw(st.integers(0, 2**16), "seed"))

    def int(self, low: int, high: int) -> int:
        return self.data.draw(st.integers(low, high))

    def one(self, *options: Any) -> Any:
        return options[self.int(0, len(options) - 1)]

    def flag(self) -> bool:
        return self.data.draw(st.booleans())

    def pair(self, low: int, high: int) -> tuple[int, int]:
        return self.int(low, high), self.int(low, high)

    def batch(self) -> int:
        """Mostly one or two images, sometimes none."""
        return self.one(2, 1, 2, 1, 0)

    def shape(self, low: int = 0, high: int = 4, empty: bool = True) -> tuple[int, ...]:
        """`low` to `high` dimensions of uneven sizes; one of them is sometimes 0."""
        sizes = (2, 3, 1, 4, 2, 3, 1, 4, 0) if empty else (2, 3, 1, 4)
        return tuple(self.one(*sizes) for _ in range(self.int(low, high)))

    def dim(self, x: np.ndarray) -> int:
        """A dimension of x, counted from the front or from the end."""
        return self.int(-x.ndim, x.ndim - 1)

    def dims(self, x: np.ndarray) -> tuple[int, ...]:
        """One or more dimensions of x, in any order."""
        return tuple(self.data.draw(st.permutations(range(x.ndim)))[: self.int(1, x.ndim)])

    def normal(self, *shape: int) -> np.ndarray:
        return _exact(self.rng.standard_normal(shape))

    def between(self, low: float, high: float, *shape: int) -> np.ndarray:
        return _exact(self.rng.uniform(low, high, shape))

    def rounded(self, *shape: int) -> np.ndarray:
        """Halves, many of them equal."""
        return np.asarray(np.round(2 * self.rng.standard_normal(shape)) / 2)

    def bools(self, *shape: int) -> np.ndarray:
        return np.asarray(self.rng.integers(0, 2, shape).astype(bool))

    def classes(self, k: int, *shape: int, ignore: int | None = None) -> np.ndarray:
        """Class indices below k, a fifth of them `ignore`."""
        target = np.asarray(self.rng.integers(0, k, shape))
        return target if ignore is None else np.where(self.rng.uniform(size=shape) < 0.2, ignore, target)


def _exact(x: Any) -> np.ndarray:
    """The nearest numbers that float32 can hold, so that both float types compute with the same ones."""
    return np.asarray(x, np.float32).astype(np.float64)
