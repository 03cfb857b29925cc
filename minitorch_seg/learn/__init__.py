"""What the lessons stand on: verdicts, hidden answers, pictures, training with a student's code.

    from minitorch_seg import learn

    learn.check("02.conv2d", conv2d)            # a Verdict: todo, wrong (and why), or right
    with learn.using(conv2d=(conv2d, conv2d_backward)):
        learn.train_on_coins(steps=20)          # the student's operator in place of ours

The lessons themselves are the marimo files in lessons/; `minitorch-seg learn` lists them, `minitorch-seg
learn 02` copies one to a folder of your own and opens it.  `import minitorch_seg` does not load this room.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import EllipsisType
from typing import Any

from minitorch_seg.errors import GradcheckError
from minitorch_seg.learn import progress
from minitorch_seg.learn.diagnosis import explain
from minitorch_seg.learn.exercise import Case, Exercise, Mistake, derivative_of
from minitorch_seg.learn.exercises import exercise, exercises
from minitorch_seg.learn.judge import judge
from minitorch_seg.learn.show import Picture, picture, registered_sets, tiles
from minitorch_seg.learn.timing import milliseconds
from minitorch_seg.learn.train import coin_arrays, coin_iou, train_on_coins
from minitorch_seg.learn.using import using
from minitorch_seg.learn.verdict import Verdict

__all__ = [
    "Case",
    "Exercise",
    "Mistake",
    "Picture",
    "Verdict",
    "answer",
    "check",
    "coin_arrays",
    "coin_iou",
    "derivative_of",
    "exercise",
    "exercises",
    "explain",
    "gradcheck",
    "judge",
    "milliseconds",
    "picture",
    "prediction",
    "registered_sets",
    "tiles",
    "train_on_coins",
    "using",
]


def check(name: str, candidate: Callable[..., Any]) -> Verdict:
    """The verdict on a student's function; in a terminal it is printed as well.

    >>> def conv2d(x, w, b, s, p):
    ...     raise NotImplementedError("your turn")
    >>> check("02.conv2d", conv2d).status
    02.conv2d  NOT YET DONE: your turn
    'todo'
    """
    verdict = judge(candidate, exercise(name))
    progress.note(name, verdict.status)
    _say(f"{name}  {verdict}")
    return verdict


def answer(name: str) -> str:
    """The hidden answer of an exercise as Markdown: folded away, with the source of the function."""
    return (
        "<details><summary>Answer (try first: the verdict tells you what is still wrong)</summary>\n\n"
        f"```python\n{exercise(name).source()}\n```\n\n</details>"
    )


def prediction(
    guess: float | str | EllipsisType | None, truth: float | str, why: str, tolerance: float = 0.0
) -> Verdict:
    """A guess held against what came out.  A guess of None is still to be made; being wrong teaches most.

    A guess of ... is made in the head: the site's pages, where nobody can write, then tell the answer.

    >>> print(prediction(3, 4, "the border counts too"))
    prediction: You guessed 3, it is 4: the border counts too
    NOT RIGHT YET: You guessed 3, it is 4: the border counts too
    """
    shown = f"{truth:.4g}" if isinstance(truth, float) else str(truth)
    if guess is None:
        verdict = Verdict("todo", "write down a guess first; the answer appears here")
    elif isinstance(guess, EllipsisType):
        verdict = Verdict("told", f"{shown}: {why}")
    else:
        if isinstance(guess, str) or isinstance(truth, str):
            hit = str(guess).strip().lower() == str(truth).lower()
        else:
            hit = abs(guess - truth) <= tolerance
        said = (
            f"You guessed {guess}, and so it is: {why}"
            if hit
            else f"You guessed {guess}, it is {shown}: {why}"
        )
        verdict = Verdict("right" if hit else "wrong", said)
    _say(f"prediction: {verdict.message}")
    return verdict


def gradcheck(fn: Callable[..., Any], inputs: Any, **options: Any) -> Verdict:
    """`ms.gradcheck` as a verdict: the gradients of a function of tensors against central differences.

    >>> import numpy as np
    >>> verdict = gradcheck(lambda t: t * t, np.array([1.0, 2.0]))
    RIGHT: function: 4 derivatives and 6 random directions agree, largest error ...
    """
    from minitorch_seg.autograd import gradcheck as check_gradients

    try:
        verdict = Verdict("right", str(check_gradients(fn, inputs, **options)))
    except GradcheckError as error:
        verdict = Verdict("wrong", str(error), "gradient")
    except NotImplementedError as error:
        verdict = Verdict("todo", str(error))
    except Exception as error:
        verdict = Verdict("wrong", f"{type(error).__name__}: {error}", "raises")
    _say(str(verdict))
    return verdict


def _say(text: str) -> None:
    """Print, unless a notebook shows the verdict itself."""
    marimo = sys.modules.get("marimo")
    if marimo is None or not marimo.running_in_notebook():
        print(text)
