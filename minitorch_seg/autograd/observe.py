"""Observers: whoever wants to see every operation while a `with` block is open (detect_anomaly, ms.profile).

Without one the engine pays a glance at an empty list for each operation.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_seg.autograd.tensor import Tensor

_PACKAGE = str(Path(__file__).parent.parent)


class _Observers(threading.local):
    def __init__(self) -> None:
        self.active: list[Observer] = []


observers = _Observers()


class Observer:
    """Override `watch`: it is called around each operation's forward and backward, in this thread."""

    def watch(self, phase: str, node: Any, run: Callable[[], Any], given: Any) -> Any:
        """Run `run()` and return what it returns.

        phase is "forward" or "backward", given the arguments or the gradients that it works on.
        """
        return run()

    def __enter__(self) -> Any:
        observers.active.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        observers.active.remove(self)


def observed(phase: str, node: Any, run: Callable[[], Any], given: Any) -> Any:
    """run(), under the eyes of all observers."""
    for observer in observers.active:
        run = partial(observer.watch, phase, node, run, given)
    return run()


class detect_anomaly(Observer):
    """Stop at the first NaN, and name the operator and the line that made it, or that was first given one.

    Slow (every result is searched), so only for looking for a mistake.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([0.0, 1.0], requires_grad=True)
    >>> with ms.detect_anomaly():
    ...     y = (x * 0.0).sqrt().sum()
    ...     try:
    ...         y.backward()
    ...     except RuntimeError as error:
    ...         print(str(error).split(",")[0])
    Mul.backward made the first NaN
    """

    def __init__(self) -> None:
        self._inside: Any = None  # the node whose backward pass, written in operators, is running

    def watch(self, phase: str, node: Any, run: Callable[[], Any], given: Any) -> Any:
        if self._inside is not None:
            return run()
        if phase == "forward":
            node.origin = _line_of_the_user()
            results = run()
        else:
            self._inside = None if node.function.replays else node
            try:
                results = run()
            finally:
                self._inside = None
        if _holds_nan(results):
            what = "was given a NaN" if _holds_nan(given) else "made the first NaN"
            where = getattr(node, "origin", "before detect_anomaly")
            raise RuntimeError(f"{node.name}.{phase} {what}, in the operation called at {where}")
        return results


def _holds_nan(values: Any) -> bool:
    return any(np.isnan(array).any() for array in arrays_of(values) if array.dtype.kind == "f")


def arrays_of(results: Any) -> list[Any]:
    """The arrays among what forward or backward is given or returns: arrays and tensors, anything else, or a
    tuple of them."""
    several = results if isinstance(results, tuple | list) else (results,)
    data = [r.data if isinstance(r, Tensor) else r for r in several]
    return [d for d in data if isinstance(d, np.generic) or hasattr(d, "__array_function__")]


def _line_of_the_user() -> str:
    """file:line of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
