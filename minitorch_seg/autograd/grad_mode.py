"""Whether operations are recorded.  Each thread has its own switch."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable)


class _Recording(threading.local):
    enabled = True


recording = _Recording()


def is_grad_enabled() -> bool:
    """True where operations on tensors that require a gradient are recorded.

    >>> import minitorch_seg as ms
    >>> with ms.no_grad():
    ...     ms.is_grad_enabled()
    False
    """
    return recording.enabled


class _GradMode(contextlib.ContextDecorator):
    """Recording on or off inside a `with` block, or inside a decorated function."""

    def __init__(self, enabled: bool):
        self._enabled = bool(enabled)
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(recording.enabled)
        recording.enabled = self._enabled

    def __exit__(self, *_: Any) -> None:
        recording.enabled = self._before.pop()

    def _recreate_cm(self) -> _GradMode:
        return _GradMode(self._enabled)  # each call of a decorated function, in any thread, has its own

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            raise TypeError(
                "a generator cannot be decorated with no_grad(): use `with ms.no_grad():` inside it"
            )
        return super().__call__(function)


class set_grad_enabled(_GradMode):
    """Switch recording on or off: at once, and at the end of a `with` block back again.

    >>> import minitorch_seg as ms
    >>> with ms.set_grad_enabled(False):
    ...     ms.is_grad_enabled()
    False
    """

    def __init__(self, enabled: bool):
        super().__init__(enabled)
        self._outside = recording.enabled
        recording.enabled = self._enabled

    def __enter__(self) -> None:
        self._before.append(self._outside)
        recording.enabled = self._enabled

    def __call__(self, function: F) -> F:
        recording.enabled = self._outside  # as a decorator it acts on the function only
        return super().__call__(function)


def no_grad(function: Callable | None = None) -> Any:
    """Do not record operations: results do not require a gradient and keep nothing alive.

    A context manager, or a decorator (with or without brackets).

    >>> import minitorch_seg as ms
    >>> x = ms.tensor(2.0, requires_grad=True)
    >>> with ms.no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """
    return _GradMode(False) if function is None else _GradMode(False)(function)


def enable_grad(function: Callable | None = None) -> Any:
    """Record operations again inside a `no_grad` block; a context manager or a decorator.

    >>> import minitorch_seg as ms
    >>> with ms.no_grad(), ms.enable_grad():
    ...     ms.is_grad_enabled()
    True
    """
    return _GradMode(True) if function is None else _GradMode(True)(function)
