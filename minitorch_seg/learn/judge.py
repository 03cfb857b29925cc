"""The checker: run an answer on every case, and say what a teacher would say.

An answer gets copies of the arguments.  It is called once for each case; whatever it raises is caught and
explained.  A wrong number is compared with the numbers of the known mistakes first, then with what
diagnosis.py recognises.  A gradient that agrees with the central differences is at last handed to
`ms.gradcheck`, with a random cotangent, as every operator of the framework is.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, gradcheck
from minitorch_seg.errors import GradcheckError
from minitorch_seg.learn.diagnosis import Finding, agree, explain
from minitorch_seg.learn.exercise import Case, Exercise
from minitorch_seg.learn.verdict import Verdict

__all__ = ["judge"]


@dataclass
class Outcome:
    """What an answer did with one case: its results, or the problem that kept it from having any."""

    results: list[np.ndarray] = field(default_factory=list)
    problem: Finding | None = None


def judge(answer: Any, exercise: Exercise) -> Verdict:
    """The verdict on `answer`, a function with the exercise's arguments.

    Who hunts a planted bug sees first that there is one; what it is, where it is asked for.
    """
    verdict = _verdict(answer, exercise)
    if exercise.planted and verdict.status == "wrong":
        return replace(verdict, clue="There is a bug. Find an input that shows it, before you open the hint.")
    return verdict


def _verdict(answer: Any, exercise: Exercise) -> Verdict:
    if not callable(answer):
        return Verdict("wrong", f"{exercise.function} is {type(answer).__name__}, no function", "no function")
    cases = list(exercise.cases())
    outcomes = [run(answer, case, exercise) for case in cases]
    for case, outcome in zip(cases, outcomes, strict=True):
        if problem := outcome.problem:
            if problem.diagnosis == "todo":
                return Verdict("todo", problem.sentence)
            return Verdict("wrong", f"{problem.sentence} (case: {case.what})", problem.diagnosis)
    wanted = [truth(exercise, case) for case in cases]
    for k, name in enumerate(exercise.outputs):
        agreeing = [agree(o.results[k], w[k]) for o, w in zip(outcomes, wanted, strict=True)]
        if not all(agreeing):
            finding = _find(k, exercise, cases, outcomes, wanted)
            return Verdict("wrong", _sentence(name, finding, cases, agreeing, exercise), finding.diagnosis)
    if exercise.forward is not None and (failed := _gradcheck(answer, exercise, cases)):
        return Verdict("wrong", failed.sentence, failed.diagnosis)
    return Verdict("right", f"{exercise.function} agrees in all {len(cases)} cases: {_listed(cases)}")


def truth(exercise: Exercise, case: Case) -> list[np.ndarray]:
    """What is right, as a list of arrays."""
    results = (exercise.truth or exercise.answer)(*case.copies(), **case.options)
    results = results if len(exercise.outputs) > 1 or isinstance(results, tuple) else (results,)
    return [np.asarray(r, float) for r in results]


def run(answer: Callable[..., Any], case: Case, exercise: Exercise) -> Outcome:
    """Call an answer on copies of the case's arguments."""
    arguments = case.copies()
    try:
        with np.errstate(all="ignore"):
            results = answer(*arguments, **case.options)
    except NotImplementedError as error:
        return Outcome(problem=Finding("todo", str(error) or "your turn"))
    except (Exception, SystemExit) as error:
        return Outcome(problem=_raised(error))
    for name, before, after in zip(exercise.parameters(), case.arguments, arguments, strict=False):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
            return Outcome(
                problem=Finding(
                    "changes its inputs",
                    f"{name} is not the same array after the call: whoever called you still needs it; "
                    "write into a new array (np.zeros, or a copy)",
                )
            )
    return _as_arrays(results, exercise)


def _as_arrays(results: Any, exercise: Exercise) -> Outcome:
    names = exercise.outputs
    if results is None:
        return Outcome(problem=Finding("returns nothing", "it returns None: is the `return` missing?"))
    if len(names) == 1:
        results = (results,)
    elif not isinstance(results, tuple | list) or len(results) != len(names):
        found = f"{len(results)} results" if isinstance(results, tuple | list) else "one result"
        wanted = ", ".join(names)
        return Outcome(problem=Finding("number of results", f"it returns {found}, expected {wanted}"))
    arrays = []
    for name, result in zip(names, results, strict=True):
        try:
            array = np.array(result)  # a copy: an answer may use its buffer again for the next case
        except Exception as error:
            return Outcome(problem=Finding("no array", f"{name} is no array of numbers: {error}"))
        if array.dtype.kind not in "biuf":
            kind = type(result).__name__ if array.dtype == object else f"an array of {array.dtype}"
            return Outcome(problem=Finding("no array", f"{name} is {kind}, expected an array of numbers"))
        arrays.append(array.astype(float))
    return Outcome(arrays)


def _raised(error: BaseException) -> Finding:
    """An exception, with the student's own line."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own = next((f for f in reversed(frames) if "site-packages" not in f.filename), None)
    line = f"\n    in the line `{own.line}`" if own and own.line else ""
    advice = {
        "IndexError": "an index runs past the end: how many places has the window, and where does it end?",
        "ValueError": "the shapes do not fit together: print them just before that line",
        "TypeError": "count the arguments, and look at what kind of thing each of them is",
        "NameError": "a name is used that nothing has defined: a typing mistake? a loop variable too early?",
        "RecursionError": "the function calls itself without end",
        "SystemExit": "it ends the program; let it return its result",
        "ZeroDivisionError": "something is divided by zero",
    }.get(type(error).__name__, "")
    said = f"{type(error).__name__}: {error}{line}"
    return Finding("raises", said + (f"\n    {advice}" if advice else ""))


def _find(
    k: int, exercise: Exercise, cases: list[Case], outcomes: list[Outcome], wanted: list[list[np.ndarray]]
) -> Finding:
    """The mistake behind the wrong result number k."""
    found = [outcome.results[k] for outcome in outcomes]
    wrong = [i for i, (f, w) in enumerate(zip(found, wanted, strict=True)) if not agree(f, w[k])]
    if not any(np.any(f) for f in found):
        return explain(found[wrong[0]], wanted[wrong[0]][k])
    for mistake in exercise.mistakes:
        if mistake.hint is None:
            continue
        theirs = [run(mistake.code, case, exercise) for case in cases]
        pairs = zip(found, theirs, strict=True)
        if all(o.problem is None and agree(f, o.results[k]) for f, o in pairs):
            return Finding(mistake.diagnosis, mistake.hint)
    first = wrong[0]
    names = exercise.parameters()
    given = {
        n: np.asarray(a, float)
        for n, a in zip(names, cases[first].arguments, strict=False)
        if isinstance(a, np.ndarray)
    }
    return explain(found[first], wanted[first][k], given)


def _sentence(
    name: str, finding: Finding, cases: list[Case], agreeing: list[bool], exercise: Exercise
) -> str:
    first = cases[agreeing.index(False)].what
    right = [c for c, ok in zip(cases, agreeing, strict=True) if ok]
    passed = f"right: {_listed(right)}; " if right else ""
    subject = f"{name}: " if len(exercise.outputs) > 1 else ""
    return f"{subject}{finding.sentence}\n    ({passed}first wrong case: {first})"


def _listed(cases: list[Case]) -> str:
    return ", ".join(c.what for c in cases)


def _gradcheck(answer: Callable[..., Any], exercise: Exercise, cases: list[Case]) -> Finding | None:
    """The answer as the backward of a Function, under the framework's own gradcheck."""
    assert exercise.forward is not None
    forward = exercise.forward
    for case in cases[:2]:
        rest = case.copies()[1:]
        places = [i for i, a in enumerate(rest) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]

        class Student(Function):
            @staticmethod
            def forward(ctx: Any, *tensors: Any, case: Case = case, places: list[int] = places) -> Any:
                rest = case.copies()[1:]
                for place, tensor in zip(places, tensors, strict=True):
                    rest[place] = tensor.data
                ctx.rest = tuple(rest)
                return np.asarray(forward(*rest, **case.options), float)

            @staticmethod
            def backward(ctx: Any, grad: Any, case: Case = case) -> Any:
                found = answer(np.array(grad.data), *ctx.rest, **case.options)
                found = found if isinstance(found, tuple | list) else (found,)
                return tuple(np.array(f) for f in found)  # its buffers may be used again

        try:
            gradcheck(Student.apply, [rest[i] for i in places], name=exercise.function)
        except GradcheckError as error:
            return Finding("gradcheck", str(error))
        except Exception as error:
            return _raised(error)
    return None
