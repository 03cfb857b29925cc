"""An exercise as data: cases, the truth, a hidden answer, and the mistakes that people make.

The *truth* of a case is computed without the hidden answer wherever that is possible: for a gradient it is
the central difference of the forward pass (`derivative_of`), for a forward pass a kernel of the framework.

A *mistake* is a wrong answer as code.  Where a student's numbers agree with a mistake's numbers in every
case, the student has made this mistake, and is told so in its words.  The same code is what the tests plant.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Case", "Exercise", "Mistake", "derivative_of"]


class Case:
    """One call of the student's function: `Case("stride 2", x, w, s=2, p=0)`."""

    def __init__(self, what: str, *arguments: Any, **options: Any):
        self.what, self.arguments, self.options = what, arguments, options

    def copies(self) -> list[Any]:
        """The arguments, arrays as fresh copies: what an answer changes is only its own."""
        return [np.array(a) if isinstance(a, np.ndarray) else a for a in self.arguments]


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer.  diagnosis: its name.  code: the wrong answer.  hint: what is said to it;
    None where the numbers alone betray it (see diagnosis.py)."""

    diagnosis: str
    code: Callable[..., Any]
    hint: str | None = None


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    name: lesson and function, "02.conv2d".  question: one line, for tables.  answer: the hidden answer, a
    function whose source is shown on request.  cases: made anew for each check.  outputs: names of the
    results, more than one where the answer returns a tuple.  truth: what is right; None takes the answer.
    planted: the lesson begins with a function that has a bug to be found, instead of an empty one.
    """

    name: str
    question: str
    answer: Callable[..., Any]
    cases: Callable[[], Sequence[Case]]
    mistakes: tuple[Mistake, ...]
    outputs: tuple[str, ...] = ("your result",)
    truth: Callable[..., Any] | None = None
    forward: Callable[..., Any] | None = field(default=None)
    planted: bool = False

    @property
    def lesson(self) -> str:
        return self.name.partition(".")[0]

    @property
    def function(self) -> str:
        return self.name.partition(".")[2]

    def parameters(self) -> list[str]:
        return list(inspect.signature(self.answer).parameters)

    def source(self) -> str:
        """The text of the hidden answer."""
        return textwrap.dedent(inspect.getsource(self.answer)).strip()


def derivative_of(
    forward: Callable[..., Any], wanted: Sequence[int], step: float = 1e-5
) -> Callable[..., tuple[np.ndarray, ...]]:
    """The function (g, *arguments) -> (dL/d(argument i) for i in wanted), where g = dL/d(forward's result).

    By central differences of L = Σ g · forward(*arguments), number by number: slow, and it knows no formula.

    >>> square = derivative_of(lambda x: x * x, wanted=[0])
    >>> square(np.array([1.0, 1.0]), np.array([2.0, 3.0]))[0].round(6)
    array([4., 6.])
    """

    def numeric(g: np.ndarray, *arguments: Any, **options: Any) -> tuple[np.ndarray, ...]:
        found = []
        for i in wanted:
            moved = [np.array(a) if isinstance(a, np.ndarray) else a for a in arguments]
            moved[i] = moved[i].astype(float)
            slope = np.zeros(np.shape(moved[i]))
            for place in np.ndindex(slope.shape):
                middle = moved[i][place]
                moved[i][place] = middle + step
                above = np.sum(g * forward(*moved, **options))
                moved[i][place] = middle - step
                below = np.sum(g * forward(*moved, **options))
                moved[i][place] = middle
                slope[place] = (above - below) / (2 * step)
            found.append(slope)
        return tuple(found)

    return numeric
