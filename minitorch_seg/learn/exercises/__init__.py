"""The exercises, one file a lesson: cases, hidden answers, and the mistakes that are told apart."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.learn.exercise import Exercise

__all__ = ["exercise", "exercises"]


@cache
def _table() -> dict[str, Exercise]:
    found: dict[str, Exercise] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        for each in importlib.import_module(f"{__name__}.{module}").EXERCISES:
            found[each.name] = each
    return found


def exercises(lesson: str | None = None) -> list[Exercise]:
    """All exercises in order, or those of a lesson, "02"."""
    return [e for e in _table().values() if lesson in (None, e.lesson)]


def exercise(name: str) -> Exercise:
    """The exercise of this name, "02.conv2d".

    >>> exercise("02.conv2d").parameters()
    ['x', 'w', 'b', 's', 'p']
    """
    if name not in _table():
        raise UserError(f"there is no exercise {name!r}{nearest_name(name, _table())}")
    return _table()[name]
