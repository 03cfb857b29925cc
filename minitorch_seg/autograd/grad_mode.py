"""Whether operations are recorded.  Each thread has its own switch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class _State(threading.local):
    enabled = True


_state = _State()


def is_grad_enabled() -> bool:
    """True where operations on tensors that require a gradient are recorded."""
    return _state.enabled


@contextlib.contextmanager
def set_grad_enabled(enabled: bool) -> Iterator[None]:
    """Switch recording on or off inside a `with` block (also usable as a decorator).

    >>> import minitorch_seg as ms
    >>> with ms.set_grad_enabled(False):
    ...     ms.is_grad_enabled()
    False
    """
    before = _state.enabled
    _state.enabled = enabled
    try:
        yield
    finally:
        _state.enabled = before


def no_grad() -> contextlib.AbstractContextManager[None]:
    """Do not record operations: results do not require a gradient and keep nothing alive.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor(2.0, requires_grad=True)
    >>> with ms.no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """
    return set_grad_enabled(False)


def enable_grad() -> contextlib.AbstractContextManager[None]:
    """Record operations again inside a `no_grad` block."""
    return set_grad_enabled(True)
